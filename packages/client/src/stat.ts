// The Stat that calls return.

import { type ByteReader, formatZxid, type Stat as ProtocolStat } from '@zebu/protocol';

const TWO_32 = 2 ** 32;

/**
 * A znode's counters and times. Zxids are exact numbers (epoch * 2^32 + counter, epochs below
 * 2^21); times are milliseconds of the server's wall clock.
 */
export class Stat implements ProtocolStat {
  readonly czxid: number;
  readonly mzxid: number;
  readonly ctime: number;
  readonly mtime: number;
  readonly version: number;
  readonly cversion: number;
  readonly aversion: number;
  /** The session that an ephemeral znode belongs to; 0 for all others. */
  readonly ephemeralOwner: bigint;
  readonly dataLength: number;
  readonly numChildren: number;
  readonly pzxid: number;

  constructor(reader: ByteReader) {
    this.czxid = reader.int64();
    this.mzxid = reader.int64();
    this.ctime = reader.int64();
    this.mtime = reader.int64();
    this.version = reader.int32();
    this.cversion = reader.int32();
    this.aversion = reader.int32();
    const high = reader.int32();
    const low = reader.int32();
    // Most znodes are not ephemeral, and a bigint costs an allocation.
    this.ephemeralOwner =
      high === 0 && low === 0 ? 0n : BigInt(high) * BigInt(TWO_32) + BigInt(low >>> 0);
    this.dataLength = reader.int32();
    this.numChildren = reader.int32();
    this.pzxid = reader.int64();
  }

  /** Zxids and the owner in hex, as ZooKeeper's tools print them. */
  toJSON(): Record<string, string | number> {
    return {
      czxid: formatZxid(this.czxid),
      mzxid: formatZxid(this.mzxid),
      ctime: this.ctime,
      mtime: this.mtime,
      version: this.version,
      cversion: this.cversion,
      aversion: this.aversion,
      ephemeralOwner: formatSessionId(this.ephemeralOwner),
      dataLength: this.dataLength,
      numChildren: this.numChildren,
      pzxid: formatZxid(this.pzxid),
    };
  }
}

/** "0x1000123abc0000", as ZooKeeper's tools print a session. */
export function formatSessionId(sessionId: bigint): string {
  return `0x${BigInt.asUintN(64, sessionId).toString(16)}`;
}
