/** Scheme `x509`: a client is the subject of the certificate that it proved to own in the TLS handshake. */

import {
  AUTH_FAILED,
  type AuthContext,
  type AuthProvider,
  type AuthResult,
} from './auth-provider.ts';
import { certificateSubject, isDistinguishedName } from './distinguished-name.ts';

export class X509Provider implements AuthProvider {
  readonly scheme = 'x509';
  readonly isAuthenticated = true;
  private readonly superUser: string | undefined;

  /** `superUser`: the subject of the client that is super user. */
  constructor({ superUser }: { superUser: string | undefined }) {
    this.superUser = superUser;
  }

  authenticate({ peerCertificate }: AuthContext): AuthResult {
    const id = peerCertificate === undefined ? undefined : certificateSubject(peerCertificate);
    if (id === undefined) return AUTH_FAILED;
    const identity = { scheme: this.scheme, id };
    return {
      kind: 'ok',
      identities: id === this.superUser ? [{ scheme: 'super', id }, identity] : [identity],
    };
  }

  matches(id: string, aclId: string): boolean {
    return id === aclId || id === this.superUser;
  }

  isValid(aclId: string): boolean {
    return isDistinguishedName(aclId);
  }

  userName(id: string): string {
    return id;
  }
}
