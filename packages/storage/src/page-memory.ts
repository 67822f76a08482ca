// Memory that begins at a page, which O_DIRECT needs and Buffer.alloc does not promise.
//
// WebAssembly does. Each of its memories reserves gigabytes of addresses, though not of memory, so one holds
// several chunks, and they go from one file to the next.

/** What the memory, position and length of a direct write are multiples of: no disk asks for more. */
export const PAGE_BYTES = 4096;

const WASM_PAGE_BYTES = 64 * 1024;

/** The one thing of WebAssembly that is used here; its types come with the DOM's, which we do without. */
interface WebAssemblyApi {
  Memory: new (limits: { initial: number; maximum: number }) => { buffer: ArrayBuffer };
}

/** Chunks of one size, lent to whoever writes a file. */
export class PageMemory {
  readonly #chunkBytes: number;
  readonly #count: number;
  readonly #spare: Buffer[];

  /** `count` chunks of `chunkBytes`, a multiple of PAGE_BYTES, are kept; more are made when they are asked for. */
  constructor(chunkBytes: number, count: number) {
    this.#chunkBytes = chunkBytes;
    this.#count = count;
    this.#spare = [];
  }

  /** A chunk, with anything in it. */
  take(): Buffer {
    if (this.#spare.length === 0) {
      const memory = allocatePages(this.#chunkBytes * this.#count);
      for (let at = 0; at < memory.length; at += this.#chunkBytes) {
        this.#spare.push(memory.subarray(at, at + this.#chunkBytes));
      }
    }
    return this.#spare.pop() as Buffer;
  }

  /** Nobody uses it any more, the kernel neither. */
  give(chunk: Buffer): void {
    if (this.#spare.length < this.#count) this.#spare.push(chunk);
  }
}

/** At a page; anywhere where there is no WebAssembly (--jitless), or no room for its addresses (ulimit -v). */
function allocatePages(bytes: number): Buffer {
  const { WebAssembly } = globalThis as { WebAssembly?: WebAssemblyApi };
  if (WebAssembly !== undefined) {
    const pages = Math.ceil(bytes / WASM_PAGE_BYTES);
    try {
      return Buffer.from(new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer);
    } catch {}
  }
  return Buffer.allocUnsafeSlow(bytes);
}
