// Variable-length bytes (paths, data, ACL lists) outside the garbage collector's sight.
//
// Memory comes in chunks of 1 MiB, cut into spans of 64 KiB. A span serves slots of one size class
// and keeps its own free list and count; a span whose last slot is freed serves any class again.
// So a workload that changes its value sizes reuses the memory of the old ones, and churn of any
// length holds what its first minute held. Longer values get a buffer of their own.
//
//   reference > 0: position in units of 16 bytes (31 bits: up to 32 GiB)
//   reference < 0: ~index of an own buffer          reference 0: no bytes
//
// Must never move bytes: a reference stays good until it is freed.

import { Buffer } from 'node:buffer';
import { copyBytes } from '@zebu/protocol';
import { RecordSlab } from './record-slab.ts';

const UNIT_BITS = 4;
const CHUNK_BYTES = 2 ** 20;
const CHUNK_UNIT_BITS = 16;
const CHUNK_UNIT_MASK = (1 << CHUNK_UNIT_BITS) - 1;
const SPAN_BYTES = 2 ** 16;
const SPAN_UNIT_BITS = 12;
const SPANS_PER_CHUNK = CHUNK_BYTES / SPAN_BYTES;

/** Longer values get a buffer of their own. */
const LARGEST_SLOT_BYTES = SPAN_BYTES / 2;

/** Words of a span's record; its id is its number plus one. */
const CLASS = 0;
const FREE_HEAD = 1;
const BUMP = 2;
const LIVE = 3;
const NEXT = 4;
const PREV = 5;
const SPAN_WORDS = 6;

/** Slot sizes: every 16 bytes to 512, then steps of about a fifth, so that waste stays small. */
const CLASS_BYTES: readonly number[] = makeClasses();
/** Class of a length, by units of 16 bytes rounded up. */
const CLASS_OF_UNITS: Uint8Array = makeClassTable();

/** Allocator of byte strings. Lengths are the caller's to remember, references its to free. */
export class ByteArena {
  /** Bytes in slots handed out, slot sizes summed; own buffers included. */
  liveBytes = 0;
  private readonly chunks: Buffer[] = [];
  private readonly large: (Buffer | undefined)[] = [];
  private readonly largeFree: number[] = [];
  private largeBytes = 0;
  private readonly spans = new RecordSlab(SPAN_WORDS);
  private spanCount = 0;
  /** Head of the list of spans that serve no class. */
  private emptySpans = 0;
  /** Per class, the head of its spans that have room. */
  private readonly partial = new Int32Array(CLASS_BYTES.length);

  /** Room for `length` bytes; 0 for none. The content is undefined until written. */
  allocate(length: number): number {
    if (length === 0) return 0;
    if (length > LARGEST_SLOT_BYTES) return this.allocateLarge(length);
    const sizeClass = CLASS_OF_UNITS[(length + 15) >>> UNIT_BITS] as number;
    const slotBytes = CLASS_BYTES[sizeClass] as number;
    let span = this.partial[sizeClass] as number;
    if (span === 0) span = this.openSpan(sizeClass);
    this.liveBytes += slotBytes;
    return this.takeSlot(span, sizeClass, slotBytes);
  }

  /** Gives the bytes back; 0 is allowed. */
  free(reference: number): void {
    if (reference > 0) this.freeSlot(reference);
    else if (reference < 0) this.freeLarge(~reference);
  }

  /** A copy of source[start, end) in the arena. */
  store(source: Uint8Array, start: number, end: number): number {
    const reference = this.allocate(end - start);
    this.write(reference, source, start, end);
    return reference;
  }

  /**
   * Replaces the bytes of `reference`, `oldLength` long, in place where they fit without waste;
   * returns the reference that holds them now.
   */
  replace(
    reference: number,
    oldLength: number,
    source: Uint8Array,
    start: number,
    end: number,
  ): number {
    if (slotBytesOf(oldLength) === slotBytesOf(end - start)) {
      this.write(reference, source, start, end);
      return reference;
    }
    this.free(reference);
    return this.store(source, start, end);
  }

  /** The buffer that holds a reference's bytes, from `offsetOf(reference)` on. Not for 0. */
  bufferOf(reference: number): Buffer {
    return (
      reference > 0 ? this.chunks[reference >>> CHUNK_UNIT_BITS] : this.large[~reference]
    ) as Buffer;
  }

  offsetOf(reference: number): number {
    return reference > 0 ? (reference & CHUNK_UNIT_MASK) << UNIT_BITS : 0;
  }

  /** Bytes of memory held. */
  get heldBytes(): number {
    return this.chunks.length * CHUNK_BYTES + this.largeBytes + this.spans.heldBytes;
  }

  private write(reference: number, source: Uint8Array, start: number, end: number): void {
    if (reference === 0) return;
    copyBytes(source, start, end, this.bufferOf(reference), this.offsetOf(reference));
  }

  private takeSlot(span: number, sizeClass: number, slotBytes: number): number {
    const spans = this.spans;
    spans.set(span, LIVE, spans.get(span, LIVE) + 1);
    let reference = spans.get(span, FREE_HEAD);
    if (reference !== 0) {
      spans.set(span, FREE_HEAD, this.readLink(reference));
    } else {
      const at = spans.get(span, BUMP);
      spans.set(span, BUMP, at + slotBytes);
      reference = ((span - 1) << SPAN_UNIT_BITS) + (at >>> UNIT_BITS);
    }
    if (isFull(spans, span, slotBytes)) this.unlinkPartial(span, sizeClass);
    return reference;
  }

  private freeSlot(reference: number): void {
    const span = (reference >>> SPAN_UNIT_BITS) + 1;
    const spans = this.spans;
    const sizeClass = spans.get(span, CLASS);
    const slotBytes = CLASS_BYTES[sizeClass] as number;
    this.liveBytes -= slotBytes;
    const wasFull = isFull(spans, span, slotBytes);
    this.writeLink(reference, spans.get(span, FREE_HEAD));
    spans.set(span, FREE_HEAD, reference);
    const live = spans.get(span, LIVE) - 1;
    spans.set(span, LIVE, live);
    if (live === 0) {
      if (!wasFull) this.unlinkPartial(span, sizeClass);
      spans.set(span, NEXT, this.emptySpans);
      this.emptySpans = span;
    } else if (wasFull) {
      this.linkPartial(span, sizeClass);
    }
  }

  /** Gives a span without slots to a class. */
  private openSpan(sizeClass: number): number {
    let span = this.emptySpans;
    if (span !== 0) this.emptySpans = this.spans.get(span, NEXT);
    else span = this.addSpan();
    const spans = this.spans;
    spans.set(span, CLASS, sizeClass);
    spans.set(span, FREE_HEAD, 0);
    // Position 0 of the arena would be reference 0, which means no bytes.
    spans.set(span, BUMP, span === 1 ? 1 << UNIT_BITS : 0);
    spans.set(span, LIVE, 0);
    this.linkPartial(span, sizeClass);
    return span;
  }

  private addSpan(): number {
    if (this.spanCount % SPANS_PER_CHUNK === 0) {
      if (this.chunks.length >= 2 ** (31 - CHUNK_UNIT_BITS)) throw new RangeError('Arena is full');
      this.chunks.push(Buffer.from(new ArrayBuffer(CHUNK_BYTES)));
    }
    this.spanCount++;
    return this.spans.allocate();
  }

  private linkPartial(span: number, sizeClass: number): void {
    const head = this.partial[sizeClass] as number;
    this.spans.set(span, NEXT, head);
    this.spans.set(span, PREV, 0);
    if (head !== 0) this.spans.set(head, PREV, span);
    this.partial[sizeClass] = span;
  }

  private unlinkPartial(span: number, sizeClass: number): void {
    const next = this.spans.get(span, NEXT);
    const prev = this.spans.get(span, PREV);
    if (next !== 0) this.spans.set(next, PREV, prev);
    if (prev !== 0) this.spans.set(prev, NEXT, next);
    else this.partial[sizeClass] = next;
  }

  /** A free slot holds the reference of the next one in its first four bytes. */
  private readLink(reference: number): number {
    return this.bufferOf(reference).readInt32LE(this.offsetOf(reference));
  }

  private writeLink(reference: number, next: number): void {
    this.bufferOf(reference).writeInt32LE(next, this.offsetOf(reference));
  }

  private allocateLarge(length: number): number {
    const size = slotBytesOf(length);
    const index = this.largeFree.pop() ?? this.large.length;
    this.large[index] = Buffer.from(new ArrayBuffer(size));
    this.liveBytes += size;
    this.largeBytes += size;
    return ~index;
  }

  private freeLarge(index: number): void {
    const size = (this.large[index] as Buffer).length;
    this.liveBytes -= size;
    this.largeBytes -= size;
    this.large[index] = undefined;
    this.largeFree.push(index);
  }
}

/** Own buffers are rounded up to 4 KiB, so that values of nearly equal length share one. */
function slotBytesOf(length: number): number {
  if (length === 0) return 0;
  if (length > LARGEST_SLOT_BYTES) return (length + 4095) & ~4095;
  return CLASS_BYTES[CLASS_OF_UNITS[(length + 15) >>> UNIT_BITS] as number] as number;
}

function isFull(spans: RecordSlab, span: number, slotBytes: number): boolean {
  return spans.get(span, FREE_HEAD) === 0 && spans.get(span, BUMP) + slotBytes > SPAN_BYTES;
}

function makeClasses(): number[] {
  const sizes: number[] = [];
  for (let size = 16; size <= 512; size += 16) sizes.push(size);
  for (let slots = Math.floor(SPAN_BYTES / 608); slots >= 2; ) {
    sizes.push(Math.floor(SPAN_BYTES / slots) & ~15);
    slots = Math.min(slots - 1, Math.floor(slots / 1.2));
  }
  return sizes;
}

function makeClassTable(): Uint8Array {
  const table = new Uint8Array(LARGEST_SLOT_BYTES / 16 + 1);
  let sizeClass = 0;
  for (let units = 1; units < table.length; units++) {
    if (units * 16 > (CLASS_BYTES[sizeClass] as number)) sizeClass++;
    table[units] = sizeClass;
  }
  return table;
}
