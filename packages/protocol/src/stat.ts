// The Stat of a znode as clients receive it.

import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { Zxid } from './zxid.ts';

/**
 * Stat, 68 bytes: long czxid, long mzxid, long ctime, long mtime, int version, int cversion,
 * int aversion, long ephemeralOwner, int dataLength, int numChildren, long pzxid.
 * Times are milliseconds of wall clock. `ephemeralOwner` is 0 for all but ephemeral znodes.
 */
export interface Stat {
  readonly czxid: Zxid;
  readonly mzxid: Zxid;
  readonly ctime: number;
  readonly mtime: number;
  readonly version: number;
  readonly cversion: number;
  readonly aversion: number;
  readonly ephemeralOwner: bigint;
  readonly dataLength: number;
  readonly numChildren: number;
  readonly pzxid: Zxid;
}

export const STAT_BYTES = 68;

/** Offsets of the fields inside the 68 bytes. */
export const StatOffset = {
  czxid: 0,
  mzxid: 8,
  ctime: 16,
  mtime: 24,
  version: 32,
  cversion: 36,
  aversion: 40,
  ephemeralOwner: 44,
  dataLength: 52,
  numChildren: 56,
  pzxid: 60,
} as const;

export function readStat(reader: ByteReader): Stat {
  return {
    czxid: reader.int64(),
    mzxid: reader.int64(),
    ctime: reader.int64(),
    mtime: reader.int64(),
    version: reader.int32(),
    cversion: reader.int32(),
    aversion: reader.int32(),
    ephemeralOwner: reader.bigint64(),
    dataLength: reader.int32(),
    numChildren: reader.int32(),
    pzxid: reader.int64(),
  };
}

export function writeStat(writer: ByteWriter, stat: Stat): void {
  writer.int64(stat.czxid);
  writer.int64(stat.mzxid);
  writer.int64(stat.ctime);
  writer.int64(stat.mtime);
  writer.int32(stat.version);
  writer.int32(stat.cversion);
  writer.int32(stat.aversion);
  writer.bigint64(stat.ephemeralOwner);
  writer.int32(stat.dataLength);
  writer.int32(stat.numChildren);
  writer.int64(stat.pzxid);
}
