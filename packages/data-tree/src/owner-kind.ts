// What a stored ephemeralOwner says of its znode.
//
//   0                      persistent
//   0x8000000000000000     container
//   0xff, 2 bytes of feature (0: TTL), 5 bytes of ttl in ms     TTL, where extended types are on
//   anything else          ephemeral, the session's id
//
// Source: org.apache.zookeeper.server.EphemeralType (3.9.5).

import { joinInt64 } from './wire-order.ts';
import { ZnodeKind } from './znode-store.ts';

export interface OwnerRules {
  /** zookeeper.extendedTypesEnabled. Off: a TTL owner counts as a session. */
  readonly extendedTypes: boolean;
  /** zookeeper.emulate353TTLNodes: with extended types, any other negative owner is a TTL too. */
  readonly emulate353: boolean;
}

export const CONTAINER_OWNER_HIGH: number = 0x80000000 | 0;
export const CONTAINER_OWNER_LOW = 0;

/** Longest ttl that the five bytes hold, ms. */
export const MAX_TTL_MS: number = 2 ** 40 - 1;

const TTL_TAG = 0xff000000 | 0;

export function kindOfOwner(high: number, low: number, rules: OwnerRules): ZnodeKind {
  if (high === 0 && low === 0) return ZnodeKind.persistent;
  if (high === CONTAINER_OWNER_HIGH && low === CONTAINER_OWNER_LOW) return ZnodeKind.container;
  if (rules.extendedTypes) {
    if (rules.emulate353 && high < 0) return ZnodeKind.ttl;
    // Java throws on a feature other than 0; such a znode is kept as an ephemeral here.
    if ((high & ~0xff) === TTL_TAG) return ZnodeKind.ttl;
  }
  return ZnodeKind.ephemeral;
}

/** The ttl in a TTL owner, ms. */
export function ttlOfOwner(high: number, low: number): number {
  return joinInt64(high & 0xff, low);
}

/** High half of the owner for a ttl of 1..MAX_TTL_MS whose own high half this is. */
export function ttlOwnerHigh(ttlHigh: number): number {
  return TTL_TAG | ttlHigh;
}
