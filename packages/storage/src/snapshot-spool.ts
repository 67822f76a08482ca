// A snapshot that a leader sends (SNAP), loaded and written to a temporary file in one pass:
//
//   link ──► feed ──► SnapshotReader ──► handler: the state under construction
//                                   └──► SnapshotWriter: tmp-snapshot.<hex>, for adoptSnapshot
//
// Neither is of any use before the stream has ended with its signature: half a snapshot must never be
// taken for one (ZOOKEEPER-3642). The file has no digest and no last zxid in it; the stream has none.

import type { Zxid } from '@zebu/protocol';
import type { Disk } from './disk.ts';
import { SnapshotWriter } from './snapshot-file.ts';
import { type SnapshotHandler, SnapshotReader } from './snapshot-reader.ts';

export interface SnapshotSpoolOptions {
  readonly disk: Disk;
  /** The `version-2` directory of the snapshots. */
  readonly directory: string;
  /** As the SNAP packet says. */
  readonly zxid: Zxid;
  /** A fresh, empty state. */
  readonly handler: SnapshotHandler;
  /** Who sends it: for messages. */
  readonly name: string;
  /** A longer record is damage. Default 512 MiB. */
  readonly maxRecordBytes?: number;
  /** `isReady` is true again, or the disk failed. */
  readonly onReady: () => void;
}

export class SnapshotSpool {
  /** For adoptSnapshot, once `finish` was called. */
  readonly writer: SnapshotWriter;
  private readonly reader: SnapshotReader;

  /** Throws what opening the file throws. */
  constructor(options: SnapshotSpoolOptions) {
    const { disk, directory, zxid, handler, name, maxRecordBytes, onReady } = options;
    const writer = new SnapshotWriter({ disk, directory, zxid, onReady });
    this.writer = writer;
    this.reader = new SnapshotReader({
      kind: 'stream',
      handler,
      name,
      ...(maxRecordBytes === undefined ? {} : { maxRecordBytes }),
      onSections: (bytes, start, end) => writer.write(bytes, start, end),
    });
  }

  /**
   * Takes `bytes[start, end)`, which may be used again afterwards; returns how many bytes belong to the
   * snapshot. Fewer than given only once `isDone`: the rest are packets. Throws as SnapshotReader does.
   */
  feed(bytes: Buffer, start: number, end: number): number {
    return this.reader.feed(bytes, start, end);
  }

  /** False asks not to read on from the link before `onReady`: the disk is slower. */
  get isReady(): boolean {
    return this.writer.ready;
  }

  /** The signature has come. */
  get isDone(): boolean {
    return this.reader.isDone;
  }

  /** Throws StorageError `BAD_SNAPSHOT` unless the stream ended as it should; then the file is sealed. */
  finish(): void {
    this.reader.finish();
    this.writer.seal();
  }

  /** Gives the snapshot up and removes its file. */
  abort(done?: () => void): void {
    this.writer.abort(done);
  }
}
