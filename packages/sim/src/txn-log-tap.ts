// A disk that lets the oracle see what goes into the txn log: each entry when it is handed over, and
// when the disk below has said that it is durable. Changes nothing.

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

/** `disk` with a tap on the files named `log.*` (and their temporary names). */
export function tapTxnLog(disk: Disk, listener: TxnLogListener): Disk {
  return withDisk(disk, {
    openWrite: (path, options) => {
      const file = disk.openWrite(path, options);
      return /\/(?:tmp-)?log\.[^/]*$/.test(path) ? tapFile(file, listener) : file;
    },
  });
}

/** A disk that does as another one does, but for some of its methods. */
export function withDisk(disk: Disk, changed: Partial<Disk>): Disk {
  const all: Disk = {
    list: (directory) => disk.list(directory),
    exists: (path) => disk.exists(path),
    size: (path) => disk.size(path),
    isWritable: (directory) => disk.isWritable(directory),
    makeDirectory: (path) => disk.makeDirectory(path),
    claim: (directory, done) => disk.claim(directory, done),
    identity: (directory) => disk.identity(directory),
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

function tapFile(file: WritableFile, listener: TxnLogListener): WritableFile {
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
        if (error === undefined && zxid > 0) listener.durable(zxid);
        done(error);
      });
    },
    sync: (done) => {
      const zxid = writtenZxid;
      file.sync((error) => {
        if (error === undefined && zxid > 0) listener.durable(zxid);
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
