// A disk that lets the oracle see what goes into the txn log: each entry when it is handed over, and
// when the disk below has said that it is durable, and the name of its file too. Changes nothing.

import { dirname } from 'node:path/posix';
import type { Disk, OpenWriteOptions, WritableFile } from '@zebu/storage';

export interface TxnLogListener {
  /** Entry bytes, valid during the call. */
  issued(entry: Buffer): void;
  /** Everything issued up to this zxid is durable. */
  durable(zxid: number): void;
}

const RECORD_HEAD_BYTES = 12;
const FILE_HEADER_BYTES = 16;
const ZXID_OFFSET = 12;

/** What is known of a log file: entries count once they are durable and their file has its name for good. */
class TappedLog {
  private readonly listener: TxnLogListener;
  private isNamed: boolean;
  private writtenZxid = 0;

  constructor(listener: TxnLogListener, isNamed: boolean) {
    this.listener = listener;
    this.isNamed = isNamed;
  }

  written(zxid: number): void {
    if (zxid === 0) return;
    this.writtenZxid = zxid;
    if (this.isNamed) this.listener.durable(zxid);
  }

  named(): void {
    this.isNamed = true;
    if (this.writtenZxid > 0) this.listener.durable(this.writtenZxid);
  }
}

/** `disk` with a tap on the files named `log.*` (and their temporary names). */
export function tapTxnLog(disk: Disk, listener: TxnLogListener): Disk {
  /** By temporary path, as opened; then those whose new name awaits a sync of its directory. */
  const unnamed = new Map<string, TappedLog>();
  const renamed = new Map<TappedLog, string>();
  return withDisk(disk, {
    openWrite: (path, options) => {
      const file = disk.openWrite(path, options);
      const name = /\/(tmp-)?log\.[^/]*$/.exec(path);
      if (name === null) return file;
      const log = new TappedLog(listener, name[1] === undefined);
      if (name[1] !== undefined) unnamed.set(path, log);
      return tapFile(file, listener, log);
    },
    renameAsync: (from, to, done) => {
      disk.renameAsync(from, to, (error) => {
        const log = unnamed.get(from);
        if (error === undefined && log !== undefined) renamed.set(log, dirname(to));
        unnamed.delete(from);
        done(error);
      });
    },
    syncDirectoryAsync: (path, done) => {
      const covered = [...renamed].filter(([, directory]) => directory === path);
      disk.syncDirectoryAsync(path, (error) => {
        for (const [log] of error === undefined ? covered : []) {
          if (renamed.delete(log)) log.named();
        }
        done(error);
      });
    },
  });
}

/** A disk that does as another one does, but for some of its methods. */
export function withDisk(disk: Disk, changed: Partial<Disk>): Disk {
  const all: Disk = {
    list: (directory) => disk.list(directory),
    exists: (path) => disk.exists(path),
    kind: (path) => disk.kind(path),
    size: (path) => disk.size(path),
    isWritable: (directory) => disk.isWritable(directory),
    makeDirectory: (path) => disk.makeDirectory(path),
    claim: (directory, done) => disk.claim(directory, done),
    identity: (path) => disk.identity(path),
    readFile: (path) => disk.readFile(path),
    writeFile: (path, bytes) => disk.writeFile(path, bytes),
    rename: (from, to) => disk.rename(from, to),
    unlink: (path) => disk.unlink(path),
    truncate: (path, size) => disk.truncate(path, size),
    syncFile: (path) => disk.syncFile(path),
    syncDirectory: (path) => disk.syncDirectory(path),
    renameAsync: (from, to, done) => disk.renameAsync(from, to, done),
    unlinkAsync: (path, done) => disk.unlinkAsync(path, done),
    syncDirectoryAsync: (path, done) => disk.syncDirectoryAsync(path, done),
    openRead: (path) => disk.openRead(path),
    openWrite: (path: string, options?: OpenWriteOptions) => disk.openWrite(path, options),
  };
  return { ...all, ...changed };
}

/** A file that does as another one does, but for some of its methods. */
export function withFile(file: WritableFile, changed: Partial<WritableFile>): WritableFile {
  return {
    path: file.path,
    write: (buffer, length, position, done) => file.write(buffer, length, position, done),
    writeDurable: (buffer, length, position, done) =>
      file.writeDurable(buffer, length, position, done),
    resize: (size, done) => file.resize(size, done),
    sync: (done) => file.sync(done),
    close: (done) => file.close(done),
    ...changed,
  };
}

function tapFile(file: WritableFile, listener: TxnLogListener, log: TappedLog): WritableFile {
  /** What was written, by an ordinary write, and waits for a sync. */
  let writtenZxid = 0;
  return withFile(file, {
    write: (buffer, length, position, done) => {
      writtenZxid = Math.max(writtenZxid, readEntries(buffer, length, position, listener));
      file.write(buffer, length, position, done);
    },
    writeDurable: (buffer, length, position, done) => {
      const zxid = readEntries(buffer, length, position, listener);
      file.writeDurable(buffer, length, position, (error) => {
        if (error === undefined) log.written(zxid);
        done(error);
      });
    },
    sync: (done) => {
      const zxid = writtenZxid;
      file.sync((error) => {
        if (error === undefined) log.written(zxid);
        done(error);
      });
    },
  });
}

/** Records: long checksum, int length, entry, one byte 'B'. Returns the last zxid; 0 for none. */
function readEntries(
  buffer: Buffer,
  length: number,
  position: number,
  listener: TxnLogListener,
): number {
  let zxid = 0;
  let at = position === 0 ? FILE_HEADER_BYTES : 0;
  while (at + RECORD_HEAD_BYTES <= length) {
    const start = at + RECORD_HEAD_BYTES;
    const end = start + buffer.readInt32BE(at + 8);
    if (end === start || end > length) break;
    zxid = Number(buffer.readBigInt64BE(start + ZXID_OFFSET));
    listener.issued(buffer.subarray(start, end));
    at = end + 1;
  }
  return zxid;
}
