/**
 * What a scheme of authentication must know: who somebody is by what they sent, and whether somebody
 * is meant by an ACL entry. Providers are made once, from the configuration, and keep no state of any
 * connection.
 */

import type { Identity } from './identity.ts';

/** What a provider may know about a connection. */
export interface AuthContext {
  /** As the socket says, IPv4 plainly and not mapped into IPv6. */
  readonly remoteAddress: string;
  /** DER of the certificate that the client proved to own; undefined without one. */
  readonly peerCertificate?: Uint8Array | undefined;
}

/**
 * What an `auth` request leads to. `failed`: answered AuthFailed, then the connection is closed.
 * `close`: closed without an answer, so that the client tries another server.
 */
export type AuthResult =
  | { readonly kind: 'ok'; readonly identities: readonly Identity[] }
  | { readonly kind: 'failed' }
  | { readonly kind: 'close' };

export const AUTH_FAILED: AuthResult = Object.freeze({ kind: 'failed' });
export const AUTH_CLOSE: AuthResult = Object.freeze({ kind: 'close' });

/** Same duties as Apache's AuthenticationProvider. Nothing here throws. */
export interface AuthProvider {
  readonly scheme: string;
  /** Whether its identities are users, for whom an ACL entry of scheme `auth` may stand. */
  readonly isAuthenticated: boolean;
  /** Judges the bytes of an `auth` request; null when the client sent none. Keeps no reference to them. */
  authenticate(context: AuthContext, data: Uint8Array | null): AuthResult;
  /** Whether the identity `id` is meant by the ACL entry `aclId`; both are of this scheme. */
  matches(id: string, aclId: string): boolean;
  /** Whether an ACL entry may hold `aclId`. */
  isValid(aclId: string): boolean;
  /** What whoAmI calls an identity. */
  userName(id: string): string;
}
