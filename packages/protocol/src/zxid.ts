// A zxid orders every txn: epoch in the high 32 bits, counter in the low 32.
//
// It is kept as a plain number `epoch * 2**32 + counter`, which is exact while epoch < 2^21,
// compares with `<`, keys a Map and needs no bigint. makeZxid asserts the bound, so every zxid
// that exists is exact.

/** Transaction id. Integer in 0 .. 2^53-1; -1 means "none". */
export type Zxid = number;

const COUNTER_SPAN = 2 ** 32;
/** Epochs must stay below this for a zxid to be an exact number. */
export const MAX_EPOCH: number = 2 ** 21 - 1;
/** The last counter of an epoch; past it the leader must begin a new epoch. */
export const MAX_COUNTER: number = COUNTER_SPAN - 1;

/** Joins an epoch and a counter. Throws RangeError outside 0..MAX_EPOCH or 0..MAX_COUNTER. */
export function makeZxid(epoch: number, counter: number): Zxid {
  if (!(Number.isInteger(epoch) && epoch >= 0 && epoch <= MAX_EPOCH)) {
    throw new RangeError(`Epoch ${epoch} is outside 0..${MAX_EPOCH}`);
  }
  if (!(Number.isInteger(counter) && counter >= 0 && counter <= MAX_COUNTER)) {
    throw new RangeError(`Counter ${counter} is outside 0..${MAX_COUNTER}`);
  }
  return epoch * COUNTER_SPAN + counter;
}

export function epochOf(zxid: Zxid): number {
  return Math.floor(zxid / COUNTER_SPAN);
}

export function counterOf(zxid: Zxid): number {
  return zxid >>> 0;
}

/** `0x500000003`, the form that Apache's logs and four-letter words use. -1 prints all ones. */
export function formatZxid(zxid: Zxid): string {
  return zxid < 0 ? '0xffffffffffffffff' : `0x${zxid.toString(16)}`;
}
