// Adler-32 as zlib computes it: the checksum of log records and snapshots.
//
// Long runs are copied into the memory of a small WebAssembly function that sums 16 bytes a step
// (adler32.wat; SIMD). Against the loop below, on 2 cores with Node 24.21: 250 bytes 0.13 instead of
// 0.18 us, 256 KiB 36 instead of 169 us (bench/adler32.ts). Without WebAssembly
// (node --jitless), or where addresses are limited (ulimit -v), the loop does it all.

import { copyBytes } from './byte-writer.ts';

const BASE = 65521;
/** The most bytes that can be summed before the second sum could pass 2^31 (zlib's NMAX is 5552). */
const RUN = 3800;
/** Below this the loop is faster than a copy and a call. */
const MIN_VECTOR_BYTES = 160;

/** Continues `seed` (1 for a fresh sum) over bytes[start, end). Unsigned 32 bits. */
export function adler32(bytes: Uint8Array, start: number, end: number, seed = 1): number {
  if (vector === undefined || end - start < MIN_VECTOR_BYTES) {
    return adler32Loop(bytes, start, end, seed);
  }
  const { memory, sum } = vector;
  let result = seed;
  for (let from = start; from < end; ) {
    const length = Math.min(memory.length, end - from);
    copyBytes(bytes, from, from + length, memory, 0);
    result = sum(0, length, result);
    from += length;
  }
  return result >>> 0;
}

/** The same in plain JavaScript. */
export function adler32Loop(bytes: Uint8Array, start: number, end: number, seed = 1): number {
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

/** `sum(offset, length, seed)` works on what is in `memory`. */
interface VectorSum {
  readonly memory: Uint8Array;
  readonly sum: (offset: number, length: number, seed: number) => number;
}

/** The two things of WebAssembly that are used here; its types come with the DOM's, which we do without. */
interface WebAssemblyApi {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (
    module: object,
  ) => { exports: { memory: { buffer: ArrayBuffer }; adler32: VectorSum['sum'] } };
}

// Made once, when the module loads: 438 bytes compile in well under a millisecond. Nothing of a sum
// stays in the memory between calls.
const vector: VectorSum | undefined = makeVectorSum();

function makeVectorSum(): VectorSum | undefined {
  const { WebAssembly } = globalThis as { WebAssembly?: WebAssemblyApi };
  if (WebAssembly === undefined) return undefined;
  const code = Buffer.from(
    [
      'AGFzbQEAAAABCAFgA39/fwF/AwIBAAUDAQABBxQCBm1lbW9yeQIAB2FkbGVyMzIAAAqNAwGKAwIEfwR7IAJB//8D',
      'cSEDIAJBEHYhBCAAIAFqIQUCQANAIAUgAGtBEEkNASAFIABrQXBxIQYgBkGgK0sEQEGgKyEGCyAEIAMgBmxqIQQg',
      'BiAAaiEG/QwAAAAAAAAAAAAAAAAAAAAAIQf9DAAAAAAAAAAAAAAAAAAAAAAhCP0MAAAAAAAAAAAAAAAAAAAAACEJ',
      'A0AgCSAH/a4BIQkgAP0ABAAhCiAHIAr9ff1//a4BIQcgCCAK/YkB/QwQAA8ADgANAAwACwAKAAkA/boBIAr9igH9',
      'DAgABwAGAAUABAADAAIAAQD9ugH9rgH9rgEhCCAAQRBqIQAgACAGSQ0ACyAIIAlBBP2rAf2uASEIIAMgB/0bACAH',
      '/RsBaiAH/RsCIAf9GwNqampB8f8DcCEDIAQgCP0bACAI/RsBaiAI/RsCIAj9GwNqampB8f8DcCEEDAALCwJAA0Ag',
      'ACAFTw0BIAMgAC0AAGohAyAEIANqIQQgAEEBaiEADAALCyAEQfH/A3BBEHQgA0Hx/wNwcgs=',
    ].join(''),
    'base64',
  );
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code));
    return { memory: Buffer.from(exports.memory.buffer), sum: exports.adler32 };
  } catch {
    // No room for its 8 GB of addresses (ulimit -v).
    return undefined;
  }
}
