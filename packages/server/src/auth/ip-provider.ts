/** Scheme `ip`: every connection is its address; an ACL entry is an address or `address/bits`. */

import type { AuthContext, AuthProvider, AuthResult } from './auth-provider.ts';
import { javaHostAddress, parseAddress, parseInt32 } from './ip-address.ts';

export class IpProvider implements AuthProvider {
  readonly scheme = 'ip';
  readonly isAuthenticated = false;

  // What the client sent is ignored: it has this identity since it connected. The id is spelt as Java
  // does, since whoAmI shows it.
  authenticate({ remoteAddress }: AuthContext): AuthResult {
    return {
      kind: 'ok',
      identities: [{ scheme: this.scheme, id: javaHostAddress(remoteAddress) }],
    };
  }

  matches(id: string, aclId: string): boolean {
    const range = parseRange(aclId);
    const address = parseAddress(id.replace(/%.*$/, ''));
    if (range === undefined || address?.length !== range.address.length) return false;
    const wholeBytes = range.bits >> 3;
    for (let i = 0; i < wholeBytes; i++) {
      if (address[i] !== range.address[i]) return false;
    }
    const restMask = 0xff & ~(0xff >> (range.bits & 7));
    return (
      restMask === 0 ||
      ((address[wholeBytes] as number) & restMask) ===
        ((range.address[wholeBytes] as number) & restMask)
    );
  }

  isValid(aclId: string): boolean {
    return parseRange(aclId) !== undefined;
  }

  userName(id: string): string {
    return id;
  }
}

function parseRange(aclId: string): { address: Uint8Array; bits: number } | undefined {
  const slash = aclId.indexOf('/');
  const address = parseAddress(slash < 0 ? aclId : aclId.slice(0, slash));
  if (address === undefined) return undefined;
  const all = address.length * 8;
  const bits = slash < 0 ? all : parseInt32(aclId.slice(slash + 1), 10);
  return bits === undefined || bits < 0 || bits > all ? undefined : { address, bits };
}
