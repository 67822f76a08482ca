// The disk as this package needs it, and no wider: a real one (node-disk.ts), one in memory
// (memory-disk.ts) and a simulated one that crashes (packages/sim). All three pass compliance.ts.
//
// Plain calls are synchronous and meant for start-up, recovery and rare steps; they throw. What the
// running server does is asynchronous, reports through a callback, and never calls back before the
// call has returned. There are no promises.

/** Called once, later than the call it belongs to. Without an error the operation is done. */
export type Done = (error?: DiskError) => void;

/** For an operation whose failure the next operation reports, or that does not matter. */
export function ignore(): void {}

/** As Node's own: `code` is an errno name such as `ENOSPC`, `EIO`, `ENOENT`. */
export interface DiskError extends Error {
  code?: string | undefined;
  path?: string | undefined;
  syscall?: string | undefined;
  /** Of a claim that failed: which process has the directory, and which file of it, where that is known. */
  holder?: string | undefined;
}

/** `other`: a socket, a named pipe or a device. Opening a pipe would wait for its writer. */
export type FileKind = 'file' | 'directory' | 'other';

/** Called once, later than the call. Without an error there is a claim. */
export type Claimed = (error: DiskError | undefined, claim?: DirectoryClaim) => void;

export interface DirectoryClaim {
  /** Processes that may be using the directory: they are its owner's, and their files cannot be seen. */
  readonly unseen?: readonly string[];
  /** To be called once. When `done` is called, the directory can be claimed again. */
  release(done?: Done): void;
}

export interface Disk {
  /** Names in the directory, sorted; no path. Throws ENOENT when there is no such directory. */
  list(directory: string): string[];
  exists(path: string): boolean;
  /** What has this name, links followed; undefined when nothing has. Only a `file` may be opened. */
  kind(path: string): FileKind | undefined;
  /** Bytes. Throws ENOENT. */
  size(path: string): number;
  /** True when files can be made in the directory. */
  isWritable(directory: string): boolean;
  /** Makes the directory and those above it, and makes the new names durable. Fine if it exists. */
  makeDirectory(path: string): void;
  /**
   * Takes the directory for one server, until the claim is released or its process ends. Fails with
   * EBUSY while another claim of it stands that this disk can see, by whatever path it was made, and while
   * another process writes to its files; how far the real one sees, directory-claim.ts and
   * directory-writers.ts say.
   */
  claim(directory: string, done: Claimed): void;
  /** Tells a file or directory from another one that has its name now; undefined where there is none. */
  identity(path: string): string | undefined;
  /** A whole small file. Throws ENOENT. */
  readFile(path: string): Buffer;
  /** Creates or replaces a small file; its bytes are durable on return, its name is not. */
  writeFile(path: string, bytes: Uint8Array): void;
  /** Replaces `to` if it exists. Durable after `syncDirectory`. */
  rename(from: string, to: string): void;
  /** Durable after `syncDirectory`. */
  unlink(path: string): void;
  /** Cuts (or extends with zeros) a file; durable on return. */
  truncate(path: string, size: number): void;
  /** Makes all bytes of an existing file durable. */
  syncFile(path: string): void;
  /** Makes names that were created, renamed or removed in the directory durable. */
  syncDirectory(path: string): void;

  renameAsync(from: string, to: string, done: Done): void;
  unlinkAsync(path: string, done: Done): void;
  syncDirectoryAsync(path: string, done: Done): void;

  /** Opens for synchronous reading: recovery, and streaming a log to a learner. Throws ENOENT. */
  openRead(path: string, options?: OpenReadOptions): ReadableFile;
  /** Returns at once; the file is opened first in its queue, and a failure to open fails that queue. */
  openWrite(path: string, options?: OpenWriteOptions): WritableFile;
}

export interface OpenReadOptions {
  /** It is going to be read once, from its first byte to its last: the disk may read ahead, and past the page cache. */
  sequential?: boolean;
}

export interface OpenWriteOptions {
  /** Empties the file if it exists. */
  truncate?: boolean;
  /**
   * Every write of this file is going to be followed by a sync: the disk may open it so that a write
   * is durable by itself (O_DSYNC), which saves a trip to the thread pool.
   */
  writeThrough?: boolean;
  /**
   * Nobody is going to read it soon: the disk may take whole pages of page-aligned memory (page-memory.ts)
   * without the system's page cache between (O_DIRECT).
   */
  uncached?: boolean;
}

export interface BlockingFile {
  /** Bytes, when it was opened. */
  readonly size: number;
  /** Bytes that take room on the disk; less than `size` when parts were never written. */
  readonly allocatedBytes: number;
  /** Fills `target[offset, offset + length)` from `position`. Returns less only at the end of the file. */
  read(target: Buffer, offset: number, length: number, position: number): number;
  close(): void;
}

export interface ReadableFile extends BlockingFile {
  /**
   * As `read`, without blocking. `target` is the disk's until `done`, which is also called when the file is
   * closed meanwhile.
   */
  readAsync(
    target: Buffer,
    offset: number,
    length: number,
    position: number,
    done: (error: DiskError | undefined, bytes: number) => void,
  ): void;
}

/**
 * Operations run one at a time, in the order of the calls. Once one fails, all later ones but `close`
 * fail with the same error: a file whose sync failed has unknown content (ZOOKEEPER-4882).
 */
export interface WritableFile {
  readonly path: string;
  /** Writes `buffer[0, length)` at `position`. `buffer` must not change until `done`. */
  write(buffer: Buffer, length: number, position: number, done: Done): void;
  /** As `write`, and `done` means that these bytes are on stable storage, with the file size they need. */
  writeDurable(buffer: Buffer, length: number, position: number, done: Done): void;
  /** Sets the size; what it adds reads as zeros and may take no space. */
  resize(size: number, done: Done): void;
  /** Makes all that was written, and the size, durable. */
  sync(done: Done): void;
  /** After all that was asked before. Does not sync. */
  close(done?: Done): void;
}
