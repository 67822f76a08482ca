// Whether a snapshot file is whole, and how far it reaches, without looking at what is in it: its last seal
// covers every byte before it, and the sections between the seals have fixed lengths.
//
//   ... znodes | seal A | zxid, version, digest | seal B | lastProcessedZxid | seal C

import { adler32, type Zxid } from '@zebu/protocol';
import type { Disk } from './disk.ts';
import type { SnapshotName } from './file-names.ts';
import { SEAL_BYTES, SNAPSHOT_END, TRAILER_MAX_BYTES } from './snapshot-reader.ts';
import { feedSnapshotFile, type SnapshotFileProgress } from './snapshot-source.ts';
import { StorageError } from './storage-error.ts';

/** From the end of the file: where each seal of a possible trailer begins, and its lastProcessedZxid or digest zxid. */
const LAYOUTS: readonly { readonly seals: readonly number[]; readonly zxid: number | undefined }[] =
  [
    { seals: [67, 34, 13], zxid: 21 },
    { seals: [46, 13], zxid: 33 },
    { seals: [34, 13], zxid: 21 },
    { seals: [13], zxid: undefined },
  ];

/**
 * Reads the whole file. Returns the highest zxid of which it may show an effect: a fuzzy snapshot holds
 * more than its name says. Throws StorageError `BAD_SNAPSHOT` when it is not whole.
 */
export function* checkSnapshot(
  disk: Disk,
  path: string,
  snapshot: SnapshotName,
): Generator<SnapshotFileProgress, Zxid, void> {
  const seals = new SealCheck(path);
  yield* feedSnapshotFile(disk, path, snapshot.compression, seals);
  return Math.max(snapshot.zxid, seals.finish());
}

class SealCheck {
  private readonly path: string;
  /** Of every byte but the latest, which are in `tail`. */
  private sum = 1;
  private tail: Buffer = Buffer.alloc(0);

  constructor(path: string) {
    this.path = path;
  }

  feed(bytes: Buffer, start: number, end: number): void {
    const joined = Buffer.concat([this.tail, bytes.subarray(start, end)]);
    const kept = Math.min(joined.length, TRAILER_MAX_BYTES);
    this.sum = adler32(joined, 0, joined.length - kept, this.sum);
    this.tail = Buffer.from(joined.subarray(joined.length - kept));
  }

  /** The zxid in the trailer; -1 for none. */
  finish(): Zxid {
    const layout = LAYOUTS.find(({ seals }) => seals.every((fromEnd) => this.isSeal(fromEnd)));
    if (layout === undefined) throw this.bad('The snapshot is cut short or damaged');
    const { zxid } = layout;
    return zxid === undefined ? -1 : Number(this.tail.readBigInt64BE(this.tail.length - zxid));
  }

  bad(what: string, cause?: unknown): StorageError {
    return new StorageError('BAD_SNAPSHOT', what, { file: this.path, cause });
  }

  private isSeal(fromEnd: number): boolean {
    const tail = this.tail;
    const at = tail.length - fromEnd;
    return (
      at >= 0 &&
      tail.readInt32BE(at) === 0 &&
      tail.readUInt32BE(at + 4) === adler32(tail, 0, at, this.sum) &&
      tail.compare(SNAPSHOT_END, 0, 5, at + 8, at + SEAL_BYTES) === 0
    );
  }
}
