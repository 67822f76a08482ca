import { encodeTxn, OpCode, type Zxid } from '@zebu/protocol';
import { encodeFileHeader, LOG_MAGIC } from '../src/file-header.ts';
import {
  type DataDirectory,
  type Disk,
  logName,
  openDataDirectory,
  type RecoverOptions,
  type RecoveryResult,
  type RecoveryTarget,
  recover,
  type SnapshotCompression,
  type SnapshotTrailer,
  SnapshotWriter,
  TxnLogWriter,
} from '../src/index.ts';
import { frameRecord, RECORD_FRAME_BYTES, RECORD_HEAD_BYTES } from '../src/log-record.ts';

export const EPOCH: number = 2 ** 32;

/** A log entry that sets `/a`; `padding` makes it longer. */
export function entry(zxid: Zxid, padding = 0): Buffer {
  return encodeTxn({
    header: { clientId: 0x100n, cxid: 1, zxid, time: 1_700_000_000_000, type: OpCode.setData },
    body: { type: OpCode.setData, path: '/a', data: Buffer.alloc(padding, 0x61), version: 1 },
    digest: { version: 2, treeDigest: 0x1234n },
  });
}

export function record(bytes: Buffer): Buffer {
  const framed = Buffer.alloc(bytes.length + RECORD_FRAME_BYTES);
  bytes.copy(framed, RECORD_HEAD_BYTES);
  frameRecord(framed, 0, bytes.length);
  return framed;
}

/** The bytes of a log file with these entries, and `zeros` after them. */
export function logBytes(zxids: readonly Zxid[], zeros = 1024, padding = 0): Buffer {
  return Buffer.concat([
    encodeFileHeader(LOG_MAGIC, 0),
    ...zxids.map((zxid) => record(entry(zxid, padding))),
    Buffer.alloc(zeros),
  ]);
}

export function range(first: Zxid, last: Zxid): Zxid[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

export function directoryOn(disk: Disk): DataDirectory {
  return openDataDirectory({ disk, dataDir: '/data' });
}

export function writeLog(disk: Disk, directory: DataDirectory, name: Zxid, bytes: Buffer): string {
  const path = `${directory.logDirectory}/${logName(name)}`;
  disk.writeFile(path, bytes);
  return path;
}

/** Sessions: none; ACLs: none; nodes: one path per name. */
export function treeBytes(names: readonly string[] = ['']): Buffer {
  const parts = [Buffer.alloc(8)];
  for (const name of [...names, '/']) {
    const length = Buffer.alloc(4);
    length.writeInt32BE(name.length);
    parts.push(length, Buffer.from(name));
  }
  return Buffer.concat(parts);
}

/** What `treeBytes` wrote, and the entries replayed after it. */
export class NamesTarget implements RecoveryTarget {
  names: string[] = [];
  snapshotZxid: Zxid | undefined;
  trailer: SnapshotTrailer | undefined;
  zxids: Zxid[] = [];
  calls = 0;
  isComplete = false;
  private started = false;

  session(): void {}

  records(bytes: Buffer, start: number, end: number): number {
    this.calls += 1;
    let at = start;
    if (!this.started) {
      if (end - at < 4) return 0;
      at += 4;
      this.started = true;
    }
    while (end - at >= 4) {
      const length = bytes.readInt32BE(at);
      if (length < 0) throw new Error(`Unreasonable length ${length}`);
      if (end - at - 4 < length) break;
      const name = bytes.toString('latin1', at + 4, at + 4 + length);
      at += 4 + length;
      if (name === '/') {
        this.isComplete = true;
        break;
      }
      this.names.push(name);
    }
    return at - start;
  }

  snapshotLoaded(zxid: Zxid, trailer: SnapshotTrailer): void {
    this.snapshotZxid = zxid;
    this.trailer = trailer;
  }

  applyEntry(_bytes: Buffer, _start: number, _end: number, zxid: Zxid): void {
    this.zxids.push(zxid);
  }
}

export function recoverAll(
  disk: Disk,
  directory: DataDirectory,
  options: Partial<RecoverOptions<NamesTarget>> = {},
): RecoveryResult<NamesTarget> {
  return drain(recover({ disk, directory, createTarget: () => new NamesTarget(), ...options }));
}

/** Runs a generator to its end. */
export function drain<R>(steps: Generator<unknown, R, void>): R {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

export interface SnapshotContent {
  zxid: Zxid;
  names?: readonly string[];
  compression?: SnapshotCompression;
  digest?: boolean;
  lastZxid?: boolean;
  /** The last txn applied when it was finished; default: its zxid. */
  reachZxid?: Zxid;
}

export async function writeSnapshot(
  disk: Disk,
  directory: DataDirectory,
  content: SnapshotContent,
): Promise<SnapshotWriter> {
  let wake: (() => void) | undefined;
  const writer = new SnapshotWriter({
    disk,
    directory: directory.snapshotDirectory,
    zxid: content.zxid,
    compression: content.compression ?? '',
    onReady: () => wake?.(),
  });
  const tree = treeBytes(content.names ?? ['', '/a']);
  for (let at = 0; at < tree.length; at += 10_000) {
    if (!writer.write(tree, at, Math.min(tree.length, at + 10_000))) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
  writer.seal();
  if (content.digest !== false) {
    const digest = Buffer.alloc(20);
    digest.writeBigInt64BE(BigInt(content.reachZxid ?? content.zxid), 0);
    digest.writeInt32BE(2, 8);
    digest.writeUInt32BE(7, 16);
    writer.write(digest, 0, 20);
    writer.seal();
  }
  if (content.lastZxid !== false) {
    const last = Buffer.alloc(8);
    last.writeBigInt64BE(BigInt(content.reachZxid ?? content.zxid), 0);
    writer.write(last, 0, 8);
    writer.seal();
  }
  await new Promise<void>((resolve, reject) => {
    writer.finish((error) => (error === undefined ? resolve() : reject(error)));
  });
  return writer;
}

/** Appends the entries in batches of `batch`, waits until they are durable, closes. */
export async function appendAll(
  disk: Disk,
  directory: DataDirectory,
  zxids: readonly Zxid[],
  options: { lastZxid?: Zxid; batch?: number; padding?: number; preAllocBytes?: number } = {},
): Promise<Zxid[]> {
  const durable: Zxid[] = [];
  const writer = new TxnLogWriter({
    disk,
    directory: directory.logDirectory,
    lastZxid: options.lastZxid ?? 0,
    ...(options.preAllocBytes === undefined ? {} : { preAllocBytes: options.preAllocBytes }),
    onDurable: (zxid) => durable.push(zxid),
    onFailure: (error) => {
      throw error;
    },
  });
  const batch = options.batch ?? 10;
  zxids.forEach((zxid, i) => {
    const bytes = entry(zxid, options.padding ?? 0);
    writer.append(zxid, bytes, 0, bytes.length);
    if (i % batch === batch - 1) writer.flush();
  });
  await new Promise<void>((resolve) => writer.close(() => resolve()));
  return durable;
}
