// Fixed-size records outside the garbage collector's sight.
//
// Records live in chunks of 4,096; a table grows by one chunk at a time and never copies a record,
// so no insert pauses, and a million of them are a few hundred typed arrays to the collector.
//
//   id  -> chunk = id >>> 12, record = id & 4095;  field f of it is word  record * words + f
//
// A record is `words` 32-bit integers. Id 0 is never handed out: it means "none" in every link.
// Must never shrink or move a record: ids and views stay good while the owner holds them.

import { Buffer } from 'node:buffer';
import { assertInvariant } from '@zebu/protocol';

/** Records of one chunk, as a power of two. */
export const CHUNK_BITS = 12;
export const CHUNK_RECORDS: number = 1 << CHUNK_BITS;
export const CHUNK_MASK: number = CHUNK_RECORDS - 1;

/** Most records a slab holds: ids stay positive 32-bit integers. */
const MAX_CHUNKS = 2 ** (31 - CHUNK_BITS);

/**
 * A growing table of fixed-size integer records. Either ask `allocate` for ids, or address it by
 * the ids of another slab with `ensure`; one slab must use only one of the two.
 */
export class RecordSlab {
  /** 32-bit words of one record. */
  readonly words: number;
  /** Chunk n holds records n * 4096 ...; chunks that were never written to share one of zeros. */
  readonly chunks: Int32Array[] = [];
  /** The same memory as bytes, for native copies. */
  readonly bytes: Buffer[] = [];
  /** Records handed out and not yet freed. */
  live = 0;
  /** Stands in for chunks that were never written to, when foreign ids leave gaps. */
  private zeros: Int32Array | undefined;
  private freeHead = 0;
  private nextUnused = 1;

  constructor(words: number) {
    this.words = words;
    this.zeros = undefined;
    this.addChunk();
  }

  /** A zeroed record. Takes the most recently freed one, so that churn stays in warm memory. */
  allocate(): number {
    this.live++;
    const id = this.freeHead;
    if (id !== 0) {
      this.freeHead = this.get(id, 0);
      const at = (id & CHUNK_MASK) * this.words;
      (this.chunks[id >>> CHUNK_BITS] as Int32Array).fill(0, at, at + this.words);
      return id;
    }
    const fresh = this.nextUnused++;
    if (fresh >>> CHUNK_BITS === this.chunks.length) this.addChunk();
    return fresh;
  }

  free(id: number): void {
    this.live--;
    assertInvariant(this.live >= 0, 'more records are freed than were allocated');
    this.set(id, 0, this.freeHead);
    this.freeHead = id;
  }

  /** Makes record `id` writable, for a slab addressed by foreign ids. */
  ensure(id: number): void {
    const chunk = id >>> CHUNK_BITS;
    if (chunk < this.chunks.length && this.chunks[chunk] !== this.zeros) return;
    this.zeros ??= new Int32Array(CHUNK_RECORDS * this.words);
    while (chunk > this.chunks.length) {
      this.chunks.push(this.zeros);
      this.bytes.push(Buffer.from(this.zeros.buffer));
    }
    this.fillChunk(chunk);
  }

  /** Whether `get` may be asked about this foreign id; it reads zeros unless `ensure` made it. */
  covers(id: number): boolean {
    return id >>> CHUNK_BITS < this.chunks.length;
  }

  /** Bytes of memory held. */
  get heldBytes(): number {
    let chunks = 0;
    for (const chunk of this.chunks) if (chunk !== this.zeros) chunks++;
    return chunks * CHUNK_RECORDS * this.words * 4;
  }

  get(id: number, field: number): number {
    return (this.chunks[id >>> CHUNK_BITS] as Int32Array)[
      (id & CHUNK_MASK) * this.words + field
    ] as number;
  }

  set(id: number, field: number, value: number): void {
    (this.chunks[id >>> CHUNK_BITS] as Int32Array)[(id & CHUNK_MASK) * this.words + field] = value;
  }

  private addChunk(): void {
    this.fillChunk(this.chunks.length);
  }

  private fillChunk(chunk: number): void {
    if (chunk >= MAX_CHUNKS)
      throw new RangeError(`More than ${MAX_CHUNKS * CHUNK_RECORDS} records`);
    const memory = new ArrayBuffer(CHUNK_RECORDS * this.words * 4);
    this.chunks[chunk] = new Int32Array(memory);
    this.bytes[chunk] = Buffer.from(memory);
  }
}
