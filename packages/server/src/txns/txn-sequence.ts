// The txns that are in the log's hands and not yet applied, in the order of their zxids.
//
//   appliedZxid <= min(durableZxid, committedZxid) <= appendedZxid
//
// `durable` is what this member's disk holds, `committed` what a quorum holds. On a server that is alone
// the one follows from the other; on a leader and on a follower either may be ahead. Only what is both is
// applied, on every member: no tree and no snapshot ever holds more than the log.
//
// A ring of reused records. Nothing is allocated per txn in the steady state.

import { strict as assert } from 'node:assert';
import type { ByteWriter, Zxid } from '@zebu/protocol';
import { TxnChunk, TxnChunks } from './txn-chunks.ts';

const NO_CHUNK = new TxnChunk(Buffer.alloc(0));

/** One txn: header, body and digest are bytes[start, end) of its chunk. */
export class Txn {
  zxid: Zxid = 0;
  chunk: TxnChunk = NO_CHUNK;
  bytes: Buffer = NO_CHUNK.bytes;
  start = 0;
  end = 0;
  /** Error decided when it was prepared; 0 for a txn that will be applied, and on a learner. */
  error = 0;
  /** Monotonic ms at which it was prepared: on a learner as far as two clocks can tell. */
  preparedMs = 0;
}

export class TxnSequence {
  readonly chunks: TxnChunks;
  private ring: Txn[];
  private mask: number;
  private head: number;
  private tail: number;
  /** The first txn that was not taken by nextUnlogged(). Invariant: head <= unlogged <= tail. */
  private unlogged: number;
  private appended: Zxid;
  private durableTo: Zxid;
  private committedTo: Zxid;
  private applied: Zxid;

  /** `lastZxid`: the last txn that is in the log and applied. */
  constructor(lastZxid: Zxid, chunks: TxnChunks = new TxnChunks()) {
    this.chunks = chunks;
    this.ring = Array.from({ length: 1024 }, () => new Txn());
    this.mask = this.ring.length - 1;
    this.head = 0;
    this.tail = 0;
    this.unlogged = 0;
    this.appended = lastZxid;
    this.durableTo = lastZxid;
    this.committedTo = lastZxid;
    this.applied = lastZxid;
  }

  /** Txns that are not applied yet. */
  get size(): number {
    return this.tail - this.head;
  }

  get appendedZxid(): Zxid {
    return this.appended;
  }

  get durableZxid(): Zxid {
    return this.durableTo;
  }

  get committedZxid(): Zxid {
    return this.committedTo;
  }

  get appliedZxid(): Zxid {
    return this.applied;
  }

  /** Where the entry in preparation is written; see TxnChunks. */
  get writer(): ByteWriter {
    return this.chunks.writer;
  }

  /** Makes room for the entry of a request of `requestBytes`; returns the offset at which it begins. */
  begin(requestBytes: number): number {
    return this.chunks.begin(requestBytes);
  }

  /** Adds the entry that begins at `start` and ends at the writer's offset. Zxids must rise. */
  append(zxid: Zxid, start: number, preparedMs: number): Txn {
    assert(zxid > this.appended, 'zxids must rise');
    if (this.size === this.ring.length) this.grow();
    const txn = this.ring[this.tail & this.mask] as Txn;
    this.tail++;
    txn.zxid = zxid;
    txn.start = start;
    txn.end = this.chunks.writer.offset;
    txn.chunk = this.chunks.end();
    txn.bytes = txn.chunk.bytes;
    txn.error = 0;
    txn.preparedMs = preparedMs;
    this.appended = zxid;
    return txn;
  }

  /** The oldest txn that was not handed to the log, if it is at most `upTo`; it counts as handed over then. */
  nextUnlogged(upTo: Zxid): Txn | undefined {
    if (this.unlogged === this.tail) return undefined;
    const txn = this.ring[this.unlogged & this.mask] as Txn;
    if (txn.zxid > upTo) return undefined;
    this.unlogged++;
    return txn;
  }

  /** This member's disk holds everything up to `zxid`. */
  durable(zxid: Zxid): void {
    assert(zxid <= this.appended, 'durable beyond what was appended');
    if (zxid > this.durableTo) this.durableTo = zxid;
  }

  /** A quorum holds everything up to `zxid`. */
  commit(zxid: Zxid): void {
    assert(zxid <= this.appended, 'committed beyond what was appended');
    if (zxid > this.committedTo) this.committedTo = zxid;
  }

  /** The oldest txn, if it is durable and committed: the next to be applied. */
  next(): Txn | undefined {
    if (this.head === this.tail) return undefined;
    const txn = this.ring[this.head & this.mask] as Txn;
    return txn.zxid <= this.durableTo && txn.zxid <= this.committedTo ? txn : undefined;
  }

  /** The oldest txn, whatever is known of it; undefined when there is none. */
  first(): Txn | undefined {
    return this.head === this.tail ? undefined : (this.ring[this.head & this.mask] as Txn);
  }

  /** The txn that next() returned is applied. Its record will be reused: read nothing of it afterwards. */
  shift(): void {
    assert(this.head < this.tail, 'there is no txn to shift');
    const txn = this.ring[this.head & this.mask] as Txn;
    this.head++;
    if (this.unlogged < this.head) this.unlogged = this.head;
    assert(txn.zxid > this.applied, 'txns are applied in order');
    this.applied = txn.zxid;
    const { chunk } = txn;
    txn.chunk = NO_CHUNK;
    txn.bytes = NO_CHUNK.bytes;
    this.chunks.release(chunk);
  }

  /** Calls `each` for every txn that is not applied and in (afterZxid, upTo], oldest first. */
  forEachIn(afterZxid: Zxid, upTo: Zxid, each: (txn: Txn) => void): void {
    // What was appended last is asked for most: the search goes from the end.
    let first = this.tail;
    while (first > this.head && (this.ring[(first - 1) & this.mask] as Txn).zxid > afterZxid) {
      first--;
    }
    for (let at = first; at < this.tail; at++) {
      const txn = this.ring[at & this.mask] as Txn;
      if (txn.zxid > upTo) return;
      each(txn);
    }
  }

  /** Lets go of everything that is not applied: the life of serving that it belonged to is over. */
  drop(): void {
    while (this.head < this.tail) {
      const txn = this.ring[this.head & this.mask] as Txn;
      this.head++;
      const { chunk } = txn;
      txn.chunk = NO_CHUNK;
      txn.bytes = NO_CHUNK.bytes;
      this.chunks.release(chunk);
    }
    this.unlogged = this.tail;
  }

  private grow(): void {
    const grown: Txn[] = [];
    for (let at = this.head; at < this.tail; at++) grown.push(this.ring[at & this.mask] as Txn);
    const size = grown.length;
    while (grown.length < 2 * size) grown.push(new Txn());
    this.ring = grown;
    this.mask = grown.length - 1;
    this.unlogged -= this.head;
    this.head = 0;
    this.tail = size;
  }
}
