/**
 * Scheme `sasl`: users that a SASL login proved. This version has no such login, so nobody gets an
 * identity of it; ACLs that name SASL users are kept and judged all the same.
 */

import { AUTH_FAILED, type AuthProvider, type AuthResult } from './auth-provider.ts';

export class SaslProvider implements AuthProvider {
  readonly scheme = 'sasl';
  readonly isAuthenticated = true;
  private readonly letAnySaslUserDoX: string | undefined;

  constructor({ letAnySaslUserDoX }: { letAnySaslUserDoX: string | undefined }) {
    this.letAnySaslUserDoX = letAnySaslUserDoX;
  }

  // SASL comes by its own request (102), never by `auth`.
  authenticate(): AuthResult {
    return AUTH_FAILED;
  }

  matches(id: string, aclId: string): boolean {
    return id === 'super' || id === aclId || aclId === this.letAnySaslUserDoX;
  }

  // KerberosName: service[/host]@realm, or a name without a realm, which may hold anything.
  isValid(aclId: string): boolean {
    return !aclId.includes('@') || /^[^/@]*(\/[^/@]*)?@[^/@]*$/.test(aclId);
  }

  userName(id: string): string {
    return id;
  }
}
