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
import { swapInt32 } from './wire-order.ts';
import { Field } from './znode-store.ts';

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
