// CRC-32 as zlib computes it (polynomial 0xEDB88320): the node digest of disk.md section 6.
//
// Eight tables let a step take 8 bytes with no dependency between its look-ups; for the ~200
// bytes of a usual znode this beats the call into node:zlib (bench/checksums.ts).

const TABLES: readonly Int32Array[] = makeTables();
const [T0, T1, T2, T3, T4, T5, T6, T7] = TABLES as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

/** Continues `seed` (0 for a fresh sum) over bytes[start, end). Unsigned 32 bits. */
export function crc32(bytes: Uint8Array, start: number, end: number, seed = 0): number {
  let crc = ~seed;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    crc =
      (T7[((bytes[at] as number) ^ crc) & 0xff] as number) ^
      (T6[((bytes[at + 1] as number) ^ (crc >>> 8)) & 0xff] as number) ^
      (T5[((bytes[at + 2] as number) ^ (crc >>> 16)) & 0xff] as number) ^
      (T4[(bytes[at + 3] as number) ^ (crc >>> 24)] as number) ^
      (T3[bytes[at + 4] as number] as number) ^
      (T2[bytes[at + 5] as number] as number) ^
      (T1[bytes[at + 6] as number] as number) ^
      (T0[bytes[at + 7] as number] as number);
  }
  for (; at < end; at++) {
    crc = (crc >>> 8) ^ (T0[(crc ^ (bytes[at] as number)) & 0xff] as number);
  }
  return ~crc >>> 0;
}

function makeTables(): Int32Array[] {
  const tables = Array.from({ length: 8 }, () => new Int32Array(256));
  const first = tables[0] as Int32Array;
  for (let n = 0; n < 256; n++) {
    let crc = n;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    first[n] = crc;
  }
  for (let k = 1; k < 8; k++) {
    const previous = tables[k - 1] as Int32Array;
    const table = tables[k] as Int32Array;
    for (let n = 0; n < 256; n++) {
      const crc = previous[n] as number;
      table[n] = (crc >>> 8) ^ (first[crc & 0xff] as number);
    }
  }
  return tables;
}
