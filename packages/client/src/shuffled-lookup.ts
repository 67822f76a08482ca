// Resolves a name at each connection, its addresses in an order of our own: where one name stands for
// a whole ensemble, a crowd of clients spreads over it, whatever order the resolver prefers.

import type { LookupAddress, LookupOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';

type LookupAll = (
  name: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * The family that the resolver puts first stays first: it knows which one this machine has a route for. Node tries
 * the addresses one after another until one takes the connection.
 */
export function shuffledLookup(lookup: LookupAll, random: () => number): LookupFunction {
  return (name, options, callback) => {
    lookup(name, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      const shuffled = byFamily(addresses).flatMap((some) => shuffle(some, random));
      const [first] = shuffled;
      if (options.all === true || first === undefined) callback(null, shuffled);
      else callback(null, first.address, first.family);
    });
  };
}

function byFamily(addresses: readonly LookupAddress[]): LookupAddress[][] {
  const families = new Map<number, LookupAddress[]>();
  for (const one of addresses) families.set(one.family, [...(families.get(one.family) ?? []), one]);
  return [...families.values()];
}

/** Fisher and Yates'. */
export function shuffle<T>(list: readonly T[], random: () => number): T[] {
  const shuffled = [...list];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j] as T, shuffled[i] as T];
  }
  return shuffled;
}
