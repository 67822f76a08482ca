// A hash table over records that hold their own hash and chain link.
//
// Linear hashing: the table has `count` buckets, not a power of two of them. Each insert beyond
// a load of 1 splits exactly one bucket, so growing from nothing to millions of entries never
// costs more than a short chain walk in any one insert: a Map of that size stops for 100 ms.
//
//   bucket(hash) = hash & highMask, or, where that bucket does not exist yet, hash & lowMask
//
// Must never allocate per entry: buckets are 32-bit ids in chunks, chains run through the records.

import { CHUNK_BITS, CHUNK_MASK, CHUNK_RECORDS, type RecordSlab } from './record-slab.ts';

const FIRST_BUCKETS = 64;

/**
 * Index of the records of one slab. Records are found by hash only: the caller walks
 * `first(hash)`, `next(id)` and compares what it looks for.
 */
export class HashIndex {
  /** Entries in the index. */
  size = 0;
  private readonly slab: RecordSlab;
  private readonly hashField: number;
  private readonly nextField: number;
  private readonly buckets: Int32Array[] = [new Int32Array(CHUNK_RECORDS)];
  private count = FIRST_BUCKETS;
  /** Invariant: highMask / 2 < count <= highMask + 1. */
  private highMask = FIRST_BUCKETS - 1;

  /** `hashField` and `nextField` are words of the slab's record that this index owns. */
  constructor(slab: RecordSlab, hashField: number, nextField: number) {
    this.slab = slab;
    this.hashField = hashField;
    this.nextField = nextField;
  }

  /** First record of the bucket of `hash`, or 0. Others in it may have another hash. */
  first(hash: number): number {
    const bucket = this.bucketOf(hash);
    return (this.buckets[bucket >>> CHUNK_BITS] as Int32Array)[bucket & CHUNK_MASK] as number;
  }

  next(id: number): number {
    return this.slab.get(id, this.nextField);
  }

  insert(id: number, hash: number): void {
    this.size++;
    if (this.size > this.count) this.split();
    this.slab.set(id, this.hashField, hash);
    this.push(this.bucketOf(hash), id);
  }

  /** Makes the buckets for this many entries at once: before a bulk load, while there are few. */
  reserve(entries: number): void {
    while (this.count < entries) this.split();
  }

  /** The record must be in the index. */
  remove(id: number): void {
    const bucket = this.bucketOf(this.slab.get(id, this.hashField));
    const after = this.next(id);
    this.size--;
    const heads = this.buckets[bucket >>> CHUNK_BITS] as Int32Array;
    let at = heads[bucket & CHUNK_MASK] as number;
    if (at === id) {
      heads[bucket & CHUNK_MASK] = after;
      return;
    }
    for (let next = this.next(at); next !== id; next = this.next(at)) at = next;
    this.slab.set(at, this.nextField, after);
  }

  /** Visits every entry, in no order. The index must not change meanwhile. */
  forEach(visit: (id: number) => void): void {
    for (let bucket = 0; bucket < this.count; bucket++) {
      let id = (this.buckets[bucket >>> CHUNK_BITS] as Int32Array)[bucket & CHUNK_MASK] as number;
      for (; id !== 0; id = this.next(id)) visit(id);
    }
  }

  /** Bytes of memory held by the buckets. */
  get heldBytes(): number {
    return this.buckets.length * CHUNK_RECORDS * 4;
  }

  private bucketOf(hash: number): number {
    const bucket = hash & this.highMask;
    return bucket < this.count ? bucket : bucket & (this.highMask >>> 1);
  }

  private push(bucket: number, id: number): void {
    const heads = this.buckets[bucket >>> CHUNK_BITS] as Int32Array;
    this.slab.set(id, this.nextField, heads[bucket & CHUNK_MASK] as number);
    heads[bucket & CHUNK_MASK] = id;
  }

  /** Adds one bucket and moves to it what belongs there from the one bucket it splits. */
  private split(): void {
    const added = this.count;
    if (added > this.highMask) this.highMask = this.highMask * 2 + 1;
    if (added >>> CHUNK_BITS === this.buckets.length) {
      this.buckets.push(new Int32Array(CHUNK_RECORDS));
    }
    const source = added & (this.highMask >>> 1);
    const heads = this.buckets[source >>> CHUNK_BITS] as Int32Array;
    let id = heads[source & CHUNK_MASK] as number;
    heads[source & CHUNK_MASK] = 0;
    this.count++;
    while (id !== 0) {
      const after = this.next(id);
      this.push(this.bucketOf(this.slab.get(id, this.hashField)), id);
      id = after;
    }
  }
}
