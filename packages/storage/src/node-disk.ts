// The real disk, on node:fs. Asynchronous calls go to libuv's thread pool, one at a time per file.

import * as fs from 'node:fs';
import { dirname } from 'node:path';
import { ClaimedDirectories, identityOf } from './claimed-directories.ts';
import { busy, claimDirectory } from './directory-claim.ts';
import { findWriters } from './directory-writers.ts';
import {
  type Claimed,
  type Disk,
  type DiskError,
  type Done,
  type FileKind,
  ignore,
  type OpenReadOptions,
  type OpenWriteOptions,
  type ReadableFile,
  type WritableFile,
} from './disk.ts';
import { CHUNK_BYTES, mayBeAtPage, PAGE_BYTES } from './page-memory.ts';
import { ReadAhead } from './read-ahead.ts';

const { O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY } = fs.constants;
/** Absent on Windows: there a durable write is a write and an fdatasync. */
const O_DSYNC: number = fs.constants.O_DSYNC ?? 0;
/** Absent on macOS and Windows. */
const O_DIRECT: number = fs.constants.O_DIRECT ?? 0;

/**
 * A descriptor opened for reading can be synced, so a file that may not be written (a backup that was put
 * back with mode 0444) can be. Windows wants one that may be written to.
 */
const SYNC_FLAGS = process.platform === 'win32' ? 'r+' : 'r';

/**
 * Owns no state but its claims: any number of these may serve the same directory. In a claimed directory
 * that was moved away or replaced nothing is made, renamed, cut or removed any more (claimed-directories.ts).
 * Every error names the path.
 */
export class NodeDisk implements Disk {
  private readonly claimed = new ClaimedDirectories();

  list(directory: string): string[] {
    return fs.readdirSync(directory).sort();
  }

  exists(path: string): boolean {
    return fs.existsSync(path);
  }

  kind(path: string): FileKind | undefined {
    const stats = fs.statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    return stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : 'other';
  }

  size(path: string): number {
    return fs.statSync(path).size;
  }

  isWritable(directory: string): boolean {
    try {
      fs.accessSync(directory, fs.constants.W_OK | fs.constants.X_OK);
      return true;
    } catch {
      return false;
    }
  }

  makeDirectory(path: string): void {
    if (fs.existsSync(path)) return;
    const parent = dirname(path);
    // One at a time: where a directory cannot be made at all (below /proc), Node's recursive mkdir
    // never comes back.
    if (parent !== path) this.makeDirectory(parent);
    fs.mkdirSync(path);
    this.syncDirectory(parent);
  }

  claim(directory: string, done: Claimed): void {
    claimDirectory(directory, (error, claim) => {
      if (claim === undefined) {
        done(error);
        return;
      }
      findWriters(directory, ({ writer, unseen }) => {
        const fail = (failure: DiskError): void => claim.release(() => done(failure));
        if (writer !== undefined) {
          fail(busy(directory, `${writer.process} has ${writer.file} open for writing`));
          return;
        }
        let forget: () => void;
        try {
          forget = this.claimed.add(directory);
        } catch (failure) {
          fail(failure as DiskError);
          return;
        }
        const release = (released?: Done): void => {
          forget();
          claim.release(released);
        };
        done(undefined, unseen.length === 0 ? { release } : { release, unseen });
      });
    });
  }

  identity(path: string): string | undefined {
    return identityOf(path);
  }

  readFile(path: string): Buffer {
    return naming(path, () => fs.readFileSync(path));
  }

  writeFile(path: string, bytes: Uint8Array): void {
    this.claimed.check(path, 'open');
    naming(path, () => fs.writeFileSync(path, bytes, { flush: true }));
  }

  rename(from: string, to: string): void {
    this.claimed.check(from, 'rename');
    fs.renameSync(from, to);
  }

  unlink(path: string): void {
    this.claimed.check(path, 'unlink');
    fs.unlinkSync(path);
  }

  truncate(path: string, size: number): void {
    this.claimed.check(path, 'open');
    withOpen(path, 'r+', (fd) => {
      fs.ftruncateSync(fd, size);
      fs.fsyncSync(fd);
    });
  }

  syncFile(path: string): void {
    withOpen(path, SYNC_FLAGS, (fd) => fs.fsyncSync(fd));
  }

  syncDirectory(path: string): void {
    if (process.platform === 'win32') return; // A directory cannot be opened there.
    withOpen(path, 'r', (fd) => fs.fsyncSync(fd));
  }

  renameAsync(from: string, to: string, done: Done): void {
    if (this.isStale(from, 'rename', done)) return;
    fs.rename(from, to, (error) => finish(done, error));
  }

  unlinkAsync(path: string, done: Done): void {
    if (this.isStale(path, 'unlink', done)) return;
    fs.unlink(path, (error) => finish(done, error));
  }

  syncDirectoryAsync(path: string, done: Done): void {
    if (process.platform === 'win32') {
      setImmediate(done);
      return;
    }
    // Opened at once: that takes microseconds, another trip to the thread pool a turn of a busy loop.
    let fd: number;
    try {
      fd = fs.openSync(path, 'r');
    } catch (error) {
      setImmediate(done, error as DiskError);
      return;
    }
    fs.fsync(fd, (error) => {
      // What is durable stays so, however closing the directory ends.
      fs.close(fd, ignore);
      finish(done, error && named(error, path));
    });
  }

  openRead(path: string, options: OpenReadOptions = {}): ReadableFile {
    return new NodeReadableFile(path, options);
  }

  openWrite(path: string, options: OpenWriteOptions = {}): WritableFile {
    return new NodeWritableFile(path, options, this.claimed);
  }

  /** True when the directory is no longer the one that was claimed; then `done` gets the error. */
  private isStale(path: string, syscall: string, done: Done): boolean {
    try {
      this.claimed.check(path, syscall);
      return false;
    } catch (error) {
      setImmediate(done, error as DiskError);
      return true;
    }
  }
}

function withOpen(path: string, flags: string, use: (fd: number) => void): void {
  const fd = fs.openSync(path, flags);
  try {
    naming(path, () => use(fd));
  } finally {
    fs.closeSync(fd);
  }
}

/** Does `work`; what it throws names `path`. */
function naming<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw named(error as DiskError, path);
  }
}

/** Node's errors about a descriptor do not say which file it is. */
function named<E extends DiskError>(error: E, path: string): E {
  if (error.path === undefined) {
    error.path = path;
    error.message = `${error.message} '${path}'`;
  }
  return error;
}

class NodeReadableFile implements ReadableFile {
  readonly size: number;
  readonly allocatedBytes: number;
  private readonly path: string;
  private readonly fd: number;
  private readonly ahead: ReadAhead | undefined;
  private underWay = 0;
  private isClosed = false;

  constructor(path: string, options: OpenReadOptions) {
    this.path = path;
    this.fd = fs.openSync(path, 'r');
    const stat = fs.fstatSync(this.fd);
    this.size = stat.size;
    // Counted in units of 512 bytes wherever the system counts them at all (not on Windows).
    this.allocatedBytes = process.platform === 'win32' ? stat.size : stat.blocks * 512;
    this.ahead = options.sequential === true ? readAhead(this.fd, this.size) : undefined;
  }

  read(target: Buffer, offset: number, length: number, position: number): number {
    let filled = this.ahead?.take(target, offset, length, position) ?? 0;
    try {
      while (filled < length) {
        const at = position + filled;
        const got = fs.readSync(this.fd, target, offset + filled, length - filled, at);
        if (got === 0) break;
        filled += got;
      }
    } catch (error) {
      throw named(error as DiskError, this.path);
    }
    return filled;
  }

  readAsync(
    target: Buffer,
    offset: number,
    length: number,
    position: number,
    done: (error: DiskError | undefined, bytes: number) => void,
  ): void {
    let filled = 0;
    this.underWay += 1;
    const onRead = (error: NodeJS.ErrnoException | null, bytes: number): void => {
      if (error === null) filled += bytes;
      if (error === null && bytes > 0 && filled < length) {
        readRest();
        return;
      }
      this.underWay -= 1;
      if (this.isClosed) this.closeIfIdle();
      done(error === null ? undefined : named(error, this.path), filled);
    };
    const readRest = (): void =>
      fs.read(this.fd, target, offset + filled, length - filled, position + filled, onRead);
    readRest();
  }

  close(): void {
    this.ahead?.close();
    this.isClosed = true;
    this.closeIfIdle();
  }

  /** Not before: the pool would read from what has the descriptor's number then. */
  private closeIfIdle(): void {
    if (this.underWay === 0) fs.closeSync(this.fd);
  }
}

/** Leads to an open file, whatever has its name by now. Linux alone has such paths, as it alone has O_DIRECT. */
function descriptorPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** Undefined where there is no way past the page cache (then the kernel reads ahead), or nothing to read ahead. */
function readAhead(fd: number, size: number): ReadAhead | undefined {
  if (O_DIRECT === 0 || size <= CHUNK_BYTES) return undefined;
  try {
    return new ReadAhead(fs.openSync(descriptorPath(fd), O_RDONLY | O_DIRECT), size);
  } catch {
    return undefined;
  }
}

const OPEN = 0;
const WRITE = 1;
const WRITE_DURABLE = 2;
const RESIZE = 3;
const SYNC = 4;
const CLOSE = 5;

interface Operation {
  kind: number;
  buffer: Buffer | undefined;
  /** Bytes of `buffer`, or the new size. */
  length: number;
  position: number;
  done: Done | undefined;
}

/** One operation is with the thread pool at a time; the others wait in `queue`. Allocates per call, not per byte. */
class NodeWritableFile implements WritableFile {
  readonly path: string;
  private readonly claimed: ClaimedDirectories;
  private readonly flags: number;
  /** True when each write is durable by itself. */
  private readonly writesThrough: boolean;
  private fd = -1;
  private readonly isUncached: boolean;
  /** The way past the page cache, for whole pages; -1 where there is none. */
  private directFd = -1;
  private readonly queue: Operation[] = [];
  private running: Operation | undefined;
  /** Bytes of the running write that the kernel has taken. */
  private written = 0;
  /** The running write goes past the page cache. */
  private isDirect = false;
  private failure: DiskError | undefined;

  constructor(path: string, options: OpenWriteOptions, claimed: ClaimedDirectories) {
    this.path = path;
    this.claimed = claimed;
    this.writesThrough = options.writeThrough === true && O_DSYNC !== 0;
    this.isUncached = options.uncached === true && O_DIRECT !== 0;
    this.flags =
      O_WRONLY |
      O_CREAT |
      (options.truncate === true ? O_TRUNC : 0) |
      (this.writesThrough ? O_DSYNC : 0);
    this.add(OPEN, undefined, 0, 0, undefined);
  }

  write(buffer: Buffer, length: number, position: number, done: Done): void {
    this.add(WRITE, buffer, length, position, done);
  }

  writeDurable(buffer: Buffer, length: number, position: number, done: Done): void {
    this.add(WRITE_DURABLE, buffer, length, position, done);
  }

  resize(size: number, done: Done): void {
    this.add(RESIZE, undefined, size, 0, done);
  }

  sync(done: Done): void {
    this.add(SYNC, undefined, 0, 0, done);
  }

  close(done?: Done): void {
    this.add(CLOSE, undefined, 0, 0, done);
  }

  private add(
    kind: number,
    buffer: Buffer | undefined,
    length: number,
    position: number,
    done: Done | undefined,
  ): void {
    this.queue.push({ kind, buffer, length, position, done });
    if (this.running === undefined) this.next();
  }

  private next(): void {
    const operation = this.queue.shift();
    this.running = operation;
    if (operation === undefined) return;
    if (operation.kind === CLOSE) {
      this.failure ??= closedError(this.path);
      this.closeDirect(this.closeRest);
      return;
    }
    if (this.failure !== undefined) {
      process.nextTick(this.onEnd, this.failure);
      return;
    }
    switch (operation.kind) {
      case OPEN:
        this.open();
        break;
      case WRITE:
      case WRITE_DURABLE:
        this.written = 0;
        this.writeRest(operation);
        break;
      case RESIZE:
        fs.ftruncate(this.fd, operation.length, this.onEnd);
        break;
      case SYNC:
        fs.fsync(this.fd, this.onEnd);
        break;
    }
  }

  private open(): void {
    try {
      this.claimed.check(this.path, 'open');
    } catch (error) {
      process.nextTick(this.onEnd, error);
      return;
    }
    fs.open(this.path, this.flags, 0o644, this.onOpen);
  }

  private writeRest(operation: Operation): void {
    const buffer = operation.buffer as Buffer;
    const length = operation.length - this.written;
    const position = operation.position + this.written;
    const isOfPages = (length | position) % PAGE_BYTES === 0 && mayBeAtPage(buffer, this.written);
    this.isDirect = isOfPages && this.directFd >= 0;
    const fd = this.isDirect ? this.directFd : this.fd;
    fs.write(fd, buffer, this.written, length, position, this.onWritten);
  }

  private closeDirect(next: () => void): void {
    const fd = this.directFd;
    this.directFd = -1;
    if (fd >= 0) fs.close(fd, next);
    else next();
  }

  private readonly closeRest = (): void => {
    const fd = this.fd;
    this.fd = -1;
    if (fd >= 0) fs.close(fd, this.onEnd);
    else process.nextTick(this.onEnd, null);
  };

  private readonly onOpen = (error: NodeJS.ErrnoException | null, fd: number): void => {
    if (error === null) this.fd = fd;
    if (error === null && this.isUncached) {
      const flags = (this.flags & ~(O_CREAT | O_TRUNC)) | O_DIRECT;
      fs.open(descriptorPath(fd), flags, this.onDirectOpen);
    } else {
      this.onEnd(error);
    }
  };

  /** Not every file system has such a way: then all goes through the page cache. */
  private readonly onDirectOpen = (error: NodeJS.ErrnoException | null, fd: number): void => {
    if (error === null) this.directFd = fd;
    this.onEnd(null);
  };

  private readonly onWritten = (error: NodeJS.ErrnoException | null, bytes: number): void => {
    const operation = this.running as Operation;
    if (this.isDirect && (error?.code === 'EINVAL' || error?.code === 'ENOTSUP')) {
      // The buffer does not begin at a page, or the file system opens what it cannot write.
      this.closeDirect(() => this.writeRest(operation));
      return;
    }
    if (error !== null) {
      this.onEnd(error);
      return;
    }
    this.written += bytes;
    if (this.written < operation.length) {
      // A short write comes before ENOSPC: the next one names the reason.
      if (bytes === 0) {
        this.onEnd(shortWrite(this.path, this.written, operation.length));
        return;
      }
      this.writeRest(operation);
      return;
    }
    if (operation.kind === WRITE_DURABLE && !this.writesThrough) {
      fs.fdatasync(this.fd, this.onEnd);
    } else {
      this.onEnd(null);
    }
  };

  private readonly onEnd = (error: NodeJS.ErrnoException | null): void => {
    const operation = this.running as Operation;
    if (error !== null && operation.kind !== CLOSE) {
      this.failure ??= named(error, this.path);
    }
    this.next();
    if (operation.done !== undefined) finish(operation.done, error);
  };
}

function finish(done: Done, error: NodeJS.ErrnoException | null | undefined): void {
  if (error === null || error === undefined) done();
  else done(error);
}

function shortWrite(path: string, written: number, length: number): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException = new Error(
    `EIO: wrote ${written} of ${length} bytes, write '${path}'`,
  );
  error.code = 'EIO';
  error.path = path;
  error.syscall = 'write';
  return error;
}

function closedError(path: string): DiskError {
  const error: DiskError = new Error(`EBADF: file is closed, write '${path}'`);
  error.code = 'EBADF';
  error.path = path;
  return error;
}
