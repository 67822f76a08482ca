// The tree digest: the sum, modulo 2^64, of a CRC-32 per znode. Equal trees have equal sums, and a
// change costs two additions.
//
//   node digest = CRC-32 of path, data (nothing if null), and 60 bytes:
//     czxid, mzxid, pzxid, ctime, mtime (longs), version, cversion as stored, aversion (ints),
//     ephemeralOwner as stored (long)
//
// The root's path is "" here. Znodes below /zookeeper/ are left out, /zookeeper itself is not.
// Version 2 of org.apache.zookeeper.server.DigestCalculator; sums as in AdHash.

import { crc32 } from '@zebu/protocol';
import { ZOOKEEPER_ID } from './base-znodes.ts';
import type { PathId } from './path-table.ts';
import { CHUNK_BITS, CHUNK_MASK, type RecordSlab } from './record-slab.ts';
import { swapInt32 } from './wire-order.ts';
import { Field, Flag, ZNODE_WORDS } from './znode-store.ts';

const TWO_32 = 2 ** 32;

/** A 64-bit sum as two unsigned halves: bigints would be made for every write otherwise. */
export class DigestSum {
  /** Unsigned. */
  high = 0;
  /** Unsigned. */
  low = 0;

  /** Adds a node digest: unsigned, 32 bits. */
  add(nodeDigest: number): void {
    const sum = this.low + nodeDigest;
    if (sum < TWO_32) {
      this.low = sum;
    } else {
      this.low = sum - TWO_32;
      this.high = (this.high + 1) >>> 0;
    }
  }

  subtract(nodeDigest: number): void {
    const difference = this.low - nodeDigest;
    if (difference >= 0) {
      this.low = difference;
    } else {
      this.low = difference + TWO_32;
      this.high = (this.high - 1) >>> 0;
    }
  }

  set(high: number, low: number): void {
    this.high = high >>> 0;
    this.low = low >>> 0;
  }

  /** Whether it equals a long given as two halves of any sign. */
  equals(high: number, low: number): boolean {
    return this.high === high >>> 0 && this.low === low >>> 0;
  }

  get value(): bigint {
    return (BigInt(this.high) << 32n) | BigInt(this.low);
  }
}

/** Computes node digests; holds the scratch memory for it. */
export class NodeDigester {
  private readonly words = new Int32Array(15);
  private readonly bytes = new Uint8Array(this.words.buffer);

  /**
   * The digest of the znode whose record (layout of znode-store.ts) starts at `records[at]`, from
   * the CRC of its path and data that is kept there. Unsigned.
   */
  digestOf(records: Int32Array, at: number): number {
    const words = this.words;
    words[0] = records[at + Field.CZXID] as number;
    words[1] = records[at + Field.CZXID + 1] as number;
    words[2] = records[at + Field.MZXID] as number;
    words[3] = records[at + Field.MZXID + 1] as number;
    words[4] = records[at + Field.PZXID] as number;
    words[5] = records[at + Field.PZXID + 1] as number;
    words[6] = records[at + Field.CTIME] as number;
    words[7] = records[at + Field.CTIME + 1] as number;
    words[8] = records[at + Field.MTIME] as number;
    words[9] = records[at + Field.MTIME + 1] as number;
    words[10] = records[at + Field.VERSION] as number;
    words[11] = swapInt32(records[at + Field.CVERSION] as number);
    words[12] = records[at + Field.AVERSION] as number;
    words[13] = swapInt32(records[at + Field.OWNER_HIGH] as number);
    words[14] = swapInt32(records[at + Field.OWNER_LOW] as number);
    return crc32(this.bytes, 0, 60, (records[at + Field.CRC] as number) >>> 0);
  }
}

/** Flag.NO_DIGEST for a child of `parent`, whose record has these flags; 0 for one that is summed. */
export function digestFlagOfChild(parent: PathId, parentFlags: number): number {
  return parent === ZOOKEEPER_ID ? Flag.NO_DIGEST : parentFlags & Flag.NO_DIGEST;
}

/**
 * The sum over the znode records of one slab. Each record keeps its own digest in Field.DIGEST, so that
 * taking it out of the sum needs no computing. Records with Flag.NO_DIGEST stay out; so does every record
 * where digests are switched off.
 */
export class DigestedRecords {
  readonly sum = new DigestSum();
  private readonly slab: RecordSlab;
  private readonly isEnabled: boolean;
  private readonly digester = new NodeDigester();

  constructor(slab: RecordSlab, isEnabled: boolean) {
    this.slab = slab;
    this.isEnabled = isEnabled;
  }

  /** Takes a record's digest out of the sum: before the record changes. */
  subtract(record: number): void {
    if (!this.isSummed(record)) return;
    this.sum.subtract(this.slab.get(record, Field.DIGEST) >>> 0);
  }

  /** Adds a record's digest, computed anew unless it is known: after the record changed. */
  add(record: number, known?: number): void {
    if (!this.isSummed(record)) return;
    const digest = known ?? this.digestOf(record);
    this.slab.set(record, Field.DIGEST, digest);
    this.sum.add(digest >>> 0);
  }

  private digestOf(record: number): number {
    const records = this.slab.chunks[record >>> CHUNK_BITS] as Int32Array;
    return this.digester.digestOf(records, (record & CHUNK_MASK) * ZNODE_WORDS);
  }

  private isSummed(record: number): boolean {
    return this.isEnabled && (this.slab.get(record, Field.FLAGS) & Flag.NO_DIGEST) === 0;
  }
}
