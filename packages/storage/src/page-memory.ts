// Memory that begins at a page, which O_DIRECT needs and Buffer.alloc does not promise.
//
// WebAssembly does. Each of its memories reserves 8 GB of addresses (not of memory), of which a process has a
// limited number: so there is one pool for all files of the process, and its chunks go from one to the next.

/** What the memory, position and length of a direct write are multiples of. Larger blocks of a disk: see node-disk.ts. */
export const PAGE_BYTES = 4096;

export const CHUNK_BYTES: number = 64 * PAGE_BYTES;

/** Kept: what a start reads ahead, or a snapshot has under way. More are made when they are asked for. */
const KEPT_CHUNKS = 16;
const WASM_PAGE_BYTES = 64 * 1024;

/** The one thing of WebAssembly that is used here; its types come with the DOM's, which we do without. */
interface WebAssemblyApi {
  Memory: new (limits: { initial: number; maximum: number }) => { buffer: ArrayBuffer };
}

const spare: Buffer[] = [];

/** CHUNK_BYTES, with anything in them. */
export function takeChunk(): Buffer {
  if (spare.length === 0) {
    const memory = allocatePages(CHUNK_BYTES * KEPT_CHUNKS);
    for (let i = 0; i < KEPT_CHUNKS; i++) {
      spare.push(memory.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES));
    }
  }
  return spare.pop() as Buffer;
}

/** Nobody uses it any more, the kernel neither. */
export function giveChunk(chunk: Buffer): void {
  if (spare.length < KEPT_CHUNKS) spare.push(chunk);
}

/** At a page; anywhere where there is no WebAssembly (--jitless). */
function allocatePages(bytes: number): Buffer {
  const { WebAssembly } = globalThis as { WebAssembly?: WebAssemblyApi };
  if (WebAssembly !== undefined) {
    const pages = Math.ceil(bytes / WASM_PAGE_BYTES);
    try {
      return Buffer.from(new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer);
    } catch {
      // No room for its addresses (ulimit -v).
    }
  }
  return Buffer.allocUnsafeSlow(bytes);
}
