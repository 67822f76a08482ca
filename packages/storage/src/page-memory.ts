// Memory that begins at a page, which O_DIRECT needs and Buffer.alloc does not promise.
//
//   Buffer.allocUnsafeSlow(size, alignment)   where Node has the second argument (26.12)
//   WebAssembly.Memory                        before. Each reserves 8 GB of addresses (not of memory), of which a
//                                             process has a limited number
//
// So there is one pool for all files of the process, and its chunks go from one to the next. Where neither is to
// be had, memory begins anywhere, and the disk goes through the page cache.

/** What the memory, position and length of a direct write are multiples of. Larger blocks of a disk: see node-disk.ts. */
export const PAGE_BYTES = 4096;

export const CHUNK_BYTES: number = 64 * PAGE_BYTES;

/** Chunks that are kept: as many as a start reads ahead, or a snapshot has in flight. More are made on demand. */
const KEPT_CHUNKS = 16;
const WASM_PAGE_BYTES = 64 * 1024;

/** The one thing of WebAssembly that is used here; its types come with the DOM's, which we do without. */
interface WebAssemblyApi {
  Memory: new (limits: { initial: number; maximum: number }) => { buffer: ArrayBuffer };
}

/** Of memory that begins anywhere: where in it pages begin, less than PAGE_BYTES. Elsewhere at 0, if at all. */
const pageStarts = new WeakMap<ArrayBufferLike, number>();

type Allocate = (bytes: number, alignment?: number) => Buffer;

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

/** Neither this process nor the kernel uses the chunk any more. */
export function giveChunk(chunk: Buffer): void {
  if (spare.length < KEPT_CHUNKS) spare.push(chunk);
}

/**
 * False when `buffer[offset]` is known not to be the first byte of a page. JavaScript does not see addresses: only
 * the system can say that it is.
 */
export function mayBeAtPage(buffer: Buffer, offset: number): boolean {
  const start = pageStarts.get(buffer.buffer) ?? 0;
  return (buffer.byteOffset + offset - start) % PAGE_BYTES === 0;
}

/** At a page where this runtime can do that; else anywhere. */
export function allocatePages(bytes: number, allocate: Allocate = Buffer.allocUnsafeSlow): Buffer {
  // A Node without the second argument ignores it.
  if (allocate.length >= 2) {
    const aligned = allocate(bytes, PAGE_BYTES);
    if (aligned.length === bytes) {
      pageStarts.set(aligned.buffer, aligned.byteOffset % PAGE_BYTES);
      return aligned;
    }
  }
  const { WebAssembly } = globalThis as { WebAssembly?: WebAssemblyApi };
  if (WebAssembly !== undefined) {
    const pages = Math.ceil(bytes / WASM_PAGE_BYTES);
    try {
      const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
      return Buffer.from(memory.buffer, 0, bytes);
    } catch {
      // No room for its addresses (ulimit -v).
    }
  }
  return Buffer.allocUnsafeSlow(bytes);
}
