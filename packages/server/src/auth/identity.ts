/**
 * Who a connection is: a small list of scheme and id, frozen, replaced when it grows. Requests keep
 * the list that was current when they arrived.
 */

/** One identity of a connection. Scheme `super` passes every ACL. */
export interface Identity {
  readonly scheme: string;
  readonly id: string;
}

/** A list with nobody in it. */
export const NOBODY: readonly Identity[] = Object.freeze([]);

/**
 * The identities of a connection after some more were added; the same list when it held them already.
 *
 * The order is that of Apache's set (ServerCnxn.authInfo, a ConcurrentHashMap), because clients see it:
 * in whoAmI, and in the entries that an ACL of scheme `auth` becomes. Exact up to twelve identities,
 * where Java's table first grows.
 */
export function addIdentities(
  identities: readonly Identity[],
  added: readonly Identity[],
): readonly Identity[] {
  const fresh = added.filter(
    (one, index) =>
      !identities.some((known) => isSame(known, one)) &&
      added.findIndex((other) => isSame(other, one)) === index,
  );
  if (fresh.length === 0) return identities;
  const all = [...identities, ...fresh.map(({ scheme, id }) => Object.freeze({ scheme, id }))];
  // The sort is stable: within a bucket Java keeps the order of insertion.
  return Object.freeze(all.sort((a, b) => bucket(a) - bucket(b)));
}

function isSame(a: Identity, b: Identity): boolean {
  return a.scheme === b.scheme && a.id === b.id;
}

// ConcurrentHashMap.spread over the hash code of org.apache.zookeeper.data.Id, in a table of 16.
function bucket({ scheme, id }: Identity): number {
  const hash = (37 * ((37 * 17 + javaHash(scheme)) | 0) + javaHash(id)) | 0;
  return (hash ^ (hash >>> 16)) & 15;
}

function javaHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0;
  return hash;
}
