// Adler-32 as zlib computes it: the checksum of log records and snapshots.

const BASE = 65521;
/** The most bytes that can be summed before the second sum could pass 2^31 (zlib's NMAX is 5552). */
const RUN = 3800;

/** Continues `seed` (1 for a fresh sum) over bytes[start, end). Unsigned 32 bits. */
export function adler32(bytes: Uint8Array, start: number, end: number, seed = 1): number {
  let a = seed & 0xffff;
  let b = seed >>> 16;
  let at = start;
  while (at < end) {
    const stop = Math.min(at + RUN, end);
    for (; at + 8 <= stop; at += 8) {
      a += bytes[at] as number;
      b += a;
      a += bytes[at + 1] as number;
      b += a;
      a += bytes[at + 2] as number;
      b += a;
      a += bytes[at + 3] as number;
      b += a;
      a += bytes[at + 4] as number;
      b += a;
      a += bytes[at + 5] as number;
      b += a;
      a += bytes[at + 6] as number;
      b += a;
      a += bytes[at + 7] as number;
      b += a;
    }
    for (; at < stop; at++) {
      a += bytes[at] as number;
      b += a;
    }
    a %= BASE;
    b %= BASE;
  }
  return ((b << 16) | a) >>> 0;
}
