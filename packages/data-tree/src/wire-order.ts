// Integers in the byte order of the wire, inside words of the host's order.
//
// A znode's Stat is kept as its 68 wire bytes in an Int32Array. Swapping a word in arithmetic costs
// less than a DataView or four byte stores (bench/copy.ts).

const LITTLE_ENDIAN = new Uint8Array(new Int32Array([1]).buffer)[0] === 1;

/** A 32-bit integer to or from big-endian order: the swap is its own inverse. */
export const swapInt32: (value: number) => number = LITTLE_ENDIAN
  ? (value) => (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)
  : (value) => value | 0;

const TWO_32 = 2 ** 32;

/** A long from its halves as a number: exact for -2^53 .. 2^53. */
export function joinInt64(high: number, low: number): number {
  return high * TWO_32 + (low >>> 0);
}

/** High half of a number's 64 bits; the low half is `value | 0`. */
export function highInt32(value: number): number {
  return Math.floor(value / TWO_32) | 0;
}
