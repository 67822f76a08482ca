// A disk in memory: embedded servers that keep nothing, and unit tests. Every write is "durable" at
// once. It lives as long as the object does, so a server can be restarted on it.

import type {
  Claimed,
  Disk,
  DiskError,
  Done,
  FileKind,
  OpenWriteOptions,
  ReadableFile,
  WritableFile,
} from './disk.ts';
import { baseName, diskError, normalPath, parentPath } from './disk-paths.ts';

/** Where completions go; must run each `fn` later than the call, in the order of the calls. */
type Schedule = (fn: () => void) => void;

interface MemoryFile {
  /** No two files of a disk have the same. */
  readonly id: number;
  /** The bytes written; shorter than `size` where only zeros would follow. */
  bytes: Buffer;
  size: number;
}

export interface MemoryDiskOptions {
  /** Default: queueMicrotask. */
  schedule?: Schedule;
}

export class MemoryDisk implements Disk {
  private readonly files = new Map<string, MemoryFile>();
  private readonly directories = new Set<string>(['/', '.']);
  private readonly claims = new Set<string>();
  private readonly schedule: Schedule;
  private filesMade = 0;

  constructor(options: MemoryDiskOptions = {}) {
    this.schedule = options.schedule ?? queueMicrotask;
  }

  list(directory: string): string[] {
    const path = normalPath(directory);
    if (!this.directories.has(path)) throw diskError('ENOENT', 'scandir', directory);
    const names: string[] = [];
    for (const name of this.files.keys()) {
      if (parentPath(name) === path) names.push(baseName(name));
    }
    for (const name of this.directories) {
      if (name !== path && parentPath(name) === path) names.push(baseName(name));
    }
    return names.sort();
  }

  exists(path: string): boolean {
    return this.files.has(normalPath(path)) || this.directories.has(normalPath(path));
  }

  kind(path: string): FileKind | undefined {
    const key = normalPath(path);
    if (this.files.has(key)) return 'file';
    return this.directories.has(key) ? 'directory' : undefined;
  }

  size(path: string): number {
    return this.file(path, 'stat').size;
  }

  isWritable(directory: string): boolean {
    return this.directories.has(normalPath(directory));
  }

  makeDirectory(path: string): void {
    for (let made = normalPath(path); !this.directories.has(made); made = parentPath(made)) {
      this.directories.add(made);
    }
  }

  claim(directory: string, done: Claimed): void {
    const path = normalPath(directory);
    this.schedule(() => {
      if (!this.directories.has(path)) {
        done(diskError('ENOENT', 'stat', directory));
      } else if (this.claims.has(path)) {
        done(diskError('EBUSY', 'claim', directory));
      } else {
        this.claims.add(path);
        done(undefined, {
          release: (released) => {
            this.claims.delete(path);
            if (released !== undefined) this.schedule(released);
          },
        });
      }
    });
  }

  identity(path: string): string | undefined {
    const key = normalPath(path);
    const file = this.files.get(key);
    if (file !== undefined) return `file ${file.id}`;
    return this.directories.has(key) ? key : undefined;
  }

  readFile(path: string): Buffer {
    const file = this.file(path, 'open');
    const bytes = Buffer.alloc(file.size);
    file.bytes.copy(bytes, 0, 0, Math.min(file.size, file.bytes.length));
    return bytes;
  }

  writeFile(path: string, bytes: Uint8Array): void {
    put(this.create(path, true), bytes, bytes.length, 0);
  }

  rename(from: string, to: string): void {
    const file = this.file(from, 'rename');
    this.files.delete(normalPath(from));
    this.files.set(normalPath(to), file);
  }

  unlink(path: string): void {
    this.file(path, 'unlink');
    this.files.delete(normalPath(path));
  }

  truncate(path: string, size: number): void {
    resize(this.file(path, 'open'), size);
  }

  syncFile(path: string): void {
    this.file(path, 'open');
  }

  syncDirectory(path: string): void {
    if (!this.directories.has(normalPath(path))) throw diskError('ENOENT', 'open', path);
  }

  renameAsync(from: string, to: string, done: Done): void {
    this.later(() => this.rename(from, to), done);
  }

  unlinkAsync(path: string, done: Done): void {
    this.later(() => this.unlink(path), done);
  }

  syncDirectoryAsync(path: string, done: Done): void {
    this.later(() => this.syncDirectory(path), done);
  }

  openRead(path: string): ReadableFile {
    const file = this.file(path, 'open');
    const size = file.size;
    const read: ReadableFile['read'] = (target, offset, length, position) => {
      const end = Math.min(position + length, file.size);
      if (end <= position) return 0;
      const held = Math.min(end, file.bytes.length);
      const copied = position < held ? file.bytes.copy(target, offset, position, held) : 0;
      target.fill(0, offset + copied, offset + end - position);
      return end - position;
    };
    return {
      size,
      allocatedBytes: size,
      read,
      readAsync: (target, offset, length, position, done) =>
        this.schedule(() => done(undefined, read(target, offset, length, position))),
      close: () => {},
    };
  }

  openWrite(path: string, options: OpenWriteOptions = {}): WritableFile {
    let failure: DiskError | undefined;
    // Opening is the first operation of the queue, so the operations after it report its failure.
    const act = (operation: () => void, done: Done | undefined): void => {
      this.later(() => {
        if (failure !== undefined) throw failure;
        try {
          operation();
        } catch (error) {
          failure = error as DiskError;
          throw error;
        }
      }, done);
    };
    let file: MemoryFile;
    act(() => {
      file = this.create(path, options.truncate === true);
    }, undefined);
    const write: WritableFile['write'] = (buffer, length, position, done) =>
      act(() => put(file, buffer, length, position), done);
    return {
      path,
      write,
      writeDurable: write,
      resize: (size, done) => act(() => resize(file, size), done),
      sync: (done) => act(() => {}, done),
      close: (done) =>
        this.later(() => {
          failure ??= diskError('EBADF', 'write', path);
        }, done),
    };
  }

  private later(operation: () => void, done: Done | undefined): void {
    this.schedule(() => {
      let failure: DiskError | undefined;
      try {
        operation();
      } catch (error) {
        failure = error as DiskError;
      }
      if (done === undefined) return;
      if (failure === undefined) done();
      else done(failure);
    });
  }

  private file(path: string, syscall: string): MemoryFile {
    const file = this.files.get(normalPath(path));
    if (file === undefined) throw diskError('ENOENT', syscall, path);
    return file;
  }

  private create(path: string, truncate: boolean): MemoryFile {
    const key = normalPath(path);
    if (!this.directories.has(parentPath(key))) throw diskError('ENOENT', 'open', path);
    const existing = this.files.get(key);
    if (existing !== undefined) {
      if (truncate) resize(existing, 0);
      return existing;
    }
    this.filesMade += 1;
    const file = { id: this.filesMade, bytes: Buffer.alloc(0), size: 0 };
    this.files.set(key, file);
    return file;
  }
}

function put(file: MemoryFile, source: Uint8Array, length: number, position: number): void {
  const end = position + length;
  if (end > file.bytes.length) {
    const grown = Buffer.alloc(Math.max(end, 2 * file.bytes.length, 256));
    file.bytes.copy(grown);
    file.bytes = grown;
  }
  file.bytes.set(source.subarray(0, length), position);
  if (end > file.size) file.size = end;
}

function resize(file: MemoryFile, size: number): void {
  if (size < file.size && size < file.bytes.length) {
    const kept = Buffer.alloc(size);
    file.bytes.copy(kept, 0, 0, size);
    file.bytes = kept;
  }
  file.size = size;
}
