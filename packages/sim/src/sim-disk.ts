// A disk that crashes, in virtual time. It serves the same Disk interface as the real one, keeps what is
// durable apart from what was only written, and at `crash` decides by a seed which of the latter
// survives.
//
// What it may do at a crash:
//   - keep or lose any 512-byte sector of any write that was not synced, each for itself, and any of the
//     versions a sector had since it was last durable; or keep a prefix of the writes of a file, the
//     last of them cut at any byte;
//   - choose so for each file alone, so that writes to different files are reordered;
//   - keep any size a file had since it was last synced;
//   - forget names that were created, renamed or removed since the directory was last synced: in each
//     directory a prefix of these changes survives.
// What it may do before one: fail a write (having written a part of it) or a sync, be full, be slow. After
// a failed sync the unsynced bytes can be read until the crash and are lost in it, whatever later syncs
// say (this is what Linux does, ZOOKEEPER-4882).
//
// What it may NOT do, and what the code under test may therefore count on:
//   - lose, change or reorder anything that was synced (bit rot is a separate call, `rot`);
//   - tear inside a sector and keep later bytes of that write;
//   - invent bytes: what was never written reads as zeros;
//   - reorder the changes of one directory, or do a rename by half;
//   - write to the wrong place.

import {
  baseName,
  type Claimed,
  type Disk,
  type DiskError,
  type Done,
  diskError,
  type FileKind,
  normalPath,
  type OpenWriteOptions,
  parentPath,
  type ReadableFile,
  type WritableFile,
} from '@zebu/storage';
import { Prng } from './prng.ts';

const SECTOR_BYTES = 512;
const ZEROS = Buffer.alloc(SECTOR_BYTES);

export type SimOperation =
  | 'open'
  | 'read'
  | 'write'
  | 'writeDurable'
  | 'resize'
  | 'sync'
  | 'close'
  | 'rename'
  | 'unlink'
  | 'syncDirectory'
  | 'syncFile'
  | 'truncate'
  | 'writeFile';

/** One step of one operation: `started` may be undone by a crash, `done` is before its completion is told. */
export interface SimDiskEvent {
  /** Counts from 1. */
  readonly index: number;
  readonly operation: SimOperation;
  readonly phase: 'started' | 'done';
  readonly path: string;
}

export interface SimDiskOptions {
  /** Runs `fn` after `delayMs` of virtual time. */
  schedule: (delayMs: number, fn: () => void) => void;
  /** Deterministic, 0 <= x < 1: the default latency draws from it. */
  random: () => number;
  /** Milliseconds that an asynchronous operation takes. Default: 0.02 to 0.3, and 0.5 per MiB. */
  latencyMs?: (operation: SimOperation, bytes: number) => number;
  /** Sees every event, in order. */
  onEvent?: (event: SimDiskEvent) => void;
}

export interface Fault {
  operation: SimOperation;
  /** Only operations on a path that contains this. */
  path?: string;
  /** Errno name. Default EIO. */
  code?: string;
  /** Fails every such operation from now on. Default: the next one. */
  always?: boolean;
}

/** Thrown by synchronous calls from the moment of a crash until `crash` has settled it. */
export class SimulatedCrash extends Error {
  override readonly name = 'SimulatedCrash';
}

export class SimDisk implements Disk {
  /** Events so far. */
  events: number;
  /** True from a crash until `crash` was called: calls throw, nothing completes. */
  down: boolean;
  /** Bytes that new sectors may still take; more than that fails with ENOSPC. */
  freeBytes: number;
  /** Operations that failed, by a fault or for want of space. */
  failures: number;

  private readonly options: SimDiskOptions;
  private readonly directories = new Map<string, Directory>();
  private readonly faults: Fault[] = [];
  private readonly claims = new Set<string>();
  private sequence = 0;
  private crashAt = 0;
  /** Grows at each crash: completions of earlier lives are dropped. */
  private life = 0;

  constructor(options: SimDiskOptions) {
    this.events = 0;
    this.down = false;
    this.freeBytes = Number.POSITIVE_INFINITY;
    this.failures = 0;
    this.options = options;
    this.directories.set('/', newDirectory());
  }

  // ---- faults ----

  /** Goes down at the event with this index (see `events`); 0 never. */
  crashAtEvent(index: number): void {
    this.crashAt = index;
  }

  /** Makes the next matching operation fail. */
  injectFault(fault: Fault): void {
    this.faults.push(fault);
  }

  clearFaults(): void {
    this.faults.length = 0;
  }

  /**
   * Power fails, and comes back. What survives of the unsynced writes is drawn from `seed`. Operations under
   * way never complete; files that are open stay dead. The disk can be used again at once.
   */
  crash(options: { seed: number }): void {
    this.life += 1;
    this.claims.clear();
    this.down = false;
    this.crashAt = 0;
    const prng = new Prng(options.seed);
    // Inodes are visited in the order of their names, so that one seed means one outcome.
    const seen = new Set<Inode>();
    for (const path of [...this.directories.keys()].sort()) {
      const directory = this.directories.get(path) as Directory;
      settleNames(directory, prng);
      for (const name of [...directory.names.keys()].sort()) {
        const inode = directory.names.get(name) as Inode;
        if (seen.has(inode)) continue;
        seen.add(inode);
        inode.settle(prng);
      }
    }
  }

  /**
   * The process is killed, the machine lives on: what was written stays, synced or not. Operations
   * that wait in this process never start; the one under way in each file has happened.
   */
  kill(): void {
    this.life += 1;
    this.claims.clear();
    this.down = false;
    this.crashAt = 0;
  }

  /** Flips one bit of a durable byte, as rotten media do. Returns where, or undefined when there is none. */
  rot(path: string, options: { seed: number }): number | undefined {
    const inode = this.inode(path, 'open');
    if (inode.size === 0) return undefined;
    const prng = new Prng(options.seed);
    const at = prng.below(inode.size);
    inode.flip(at, 1 << prng.below(8));
    return at;
  }

  // ---- Disk ----

  list(directory: string): string[] {
    this.checkUp();
    const path = normalPath(directory);
    const names = [...this.directory(path, 'scandir').names.keys()];
    for (const other of this.directories.keys()) {
      if (other !== path && parentPath(other) === path) names.push(baseName(other));
    }
    return names.sort();
  }

  exists(path: string): boolean {
    this.checkUp();
    const key = normalPath(path);
    return (
      this.directories.has(key) ||
      (this.directories.get(parentPath(key))?.names.has(baseName(key)) ?? false)
    );
  }

  kind(path: string): FileKind | undefined {
    this.checkUp();
    const key = normalPath(path);
    if (this.directories.has(key)) return 'directory';
    return this.exists(path) ? 'file' : undefined;
  }

  size(path: string): number {
    this.checkUp();
    return this.inode(path, 'stat').size;
  }

  isWritable(directory: string): boolean {
    this.checkUp();
    return this.directories.has(normalPath(directory));
  }

  makeDirectory(path: string): void {
    this.checkUp();
    for (let made = normalPath(path); !this.directories.has(made); made = parentPath(made)) {
      this.directories.set(made, newDirectory());
    }
  }

  claim(directory: string, done: Claimed): void {
    this.checkUp();
    const life = this.life;
    const path = normalPath(directory);
    this.options.schedule(0, () => {
      if (this.down || life !== this.life) return;
      if (!this.directories.has(path)) {
        done(diskError('ENOENT', 'stat', directory, 'simulated'));
      } else if (this.claims.has(path)) {
        done(diskError('EBUSY', 'claim', directory, 'simulated'));
      } else {
        this.claims.add(path);
        done(undefined, { release: (released) => this.release(path, life, released) });
      }
    });
  }

  private release(path: string, life: number, released: Done | undefined): void {
    if (life !== this.life) return;
    this.claims.delete(path);
    if (released !== undefined) this.options.schedule(0, released);
  }

  identity(path: string): string | undefined {
    this.checkUp();
    const key = normalPath(path);
    if (this.directories.has(key)) return key;
    return this.exists(path) ? `file ${this.inode(path, 'stat').id}` : undefined;
  }

  readFile(path: string): Buffer {
    this.checkUp();
    const inode = this.inode(path, 'open');
    const bytes = Buffer.alloc(inode.size);
    inode.read(bytes, 0, inode.size, 0);
    return bytes;
  }

  writeFile(path: string, bytes: Uint8Array): void {
    this.now('writeFile', path, () => {
      const inode = this.open(path, true);
      const seq = this.next();
      this.write(inode, seq, Buffer.from(bytes), bytes.length, 0, path);
      return () => inode.makeDurable(seq);
    });
  }

  rename(from: string, to: string): void {
    this.now('rename', from, () => {
      this.applyRename(from, to);
      return undefined;
    });
  }

  unlink(path: string): void {
    this.now('unlink', path, () => {
      this.applyUnlink(path);
      return undefined;
    });
  }

  truncate(path: string, size: number): void {
    this.now('truncate', path, () => {
      const inode = this.inode(path, 'open');
      const seq = this.next();
      inode.resize(seq, size);
      return () => inode.makeDurable(seq);
    });
  }

  syncFile(path: string): void {
    this.now('syncFile', path, () => {
      const inode = this.inode(path, 'open');
      const seq = this.next();
      return () => inode.makeDurable(seq);
    });
  }

  syncDirectory(path: string): void {
    this.now('syncDirectory', path, () => this.durableNames(path));
  }

  renameAsync(from: string, to: string, done: Done): void {
    this.later(
      'rename',
      from,
      () => {
        this.applyRename(from, to);
        return undefined;
      },
      done,
    );
  }

  unlinkAsync(path: string, done: Done): void {
    this.later(
      'unlink',
      path,
      () => {
        this.applyUnlink(path);
        return undefined;
      },
      done,
    );
  }

  syncDirectoryAsync(path: string, done: Done): void {
    this.later('syncDirectory', path, () => this.durableNames(path), done);
  }

  openRead(path: string): ReadableFile {
    this.checkUp();
    const inode = this.inode(path, 'open');
    return {
      size: inode.size,
      allocatedBytes: inode.size,
      read: (target, offset, length, position) => {
        this.checkUp();
        return inode.read(target, offset, length, position);
      },
      readAsync: (target, offset, length, position, done) => {
        let got = 0;
        const perform = () => () => {
          got = inode.read(target, offset, length, position);
        };
        this.later('read', path, perform, (error) => done(error, got), length);
      },
      close: () => {},
    };
  }

  openWrite(path: string, options: OpenWriteOptions = {}): WritableFile {
    const queue: (() => void)[] = [];
    const life = this.life;
    let running = false;
    let failure: DiskError | undefined;
    let inode: Inode;
    const next = (): void => {
      const start = queue.shift();
      running = start !== undefined;
      start?.();
    };
    const add = (
      operation: SimOperation,
      bytes: number,
      perform: () => (() => void) | undefined,
      done: Done | undefined,
    ): void => {
      if (life !== this.life) return;
      queue.push(() => {
        const run = (): (() => void) | undefined => {
          if (failure !== undefined && operation !== 'close') throw failure;
          return perform();
        };
        const end: Done = (error) => {
          if (error !== undefined && operation !== 'close') failure ??= error;
          next();
          done?.(error);
        };
        this.later(operation, path, run, end, bytes);
      });
      if (!running) next();
    };
    const write = (
      operation: 'write' | 'writeDurable',
      buffer: Buffer,
      length: number,
      position: number,
      done: Done,
    ): void => {
      const before = Buffer.from(buffer.subarray(0, length));
      let seq = 0;
      add(
        operation,
        length,
        () => {
          seq = this.next();
          this.write(inode, seq, before, length, position, path);
          return operation === 'writeDurable'
            ? () => inode.makeRangeDurable(seq, position, position + length)
            : undefined;
        },
        (error) => {
          if (!before.equals(buffer.subarray(0, length))) {
            throw new Error(`Buffer was changed while it was written to ${path}`);
          }
          done(error);
        },
      );
    };
    add(
      'open',
      0,
      () => {
        inode = this.open(path, options.truncate === true);
        return undefined;
      },
      undefined,
    );
    return {
      path,
      write: (buffer, length, position, done) => write('write', buffer, length, position, done),
      writeDurable: (buffer, length, position, done) =>
        write('writeDurable', buffer, length, position, done),
      resize: (size, done) =>
        add(
          'resize',
          0,
          () => {
            inode.resize(this.next(), size);
            return undefined;
          },
          done,
        ),
      sync: (done) =>
        add(
          'sync',
          0,
          () => {
            const seq = this.next();
            const fault = this.takeFault('sync', path);
            if (fault !== undefined) {
              inode.forgetUnsynced(seq);
              throw fault;
            }
            return () => inode.makeDurable(seq);
          },
          done,
        ),
      close: (done) =>
        add(
          'close',
          0,
          () => {
            failure ??= diskError('EBADF', 'write', path, 'simulated');
            return undefined;
          },
          done,
        ),
    };
  }

  // ---- events ----

  /** Runs a synchronous operation; the closure that `perform` returns makes it durable. */
  private now(
    operation: SimOperation,
    path: string,
    perform: () => (() => void) | undefined,
  ): void {
    this.checkUp();
    this.throwFault(operation, path);
    const finish = perform();
    this.event(operation, 'started', path);
    this.checkUp();
    finish?.();
    this.event(operation, 'done', path);
    this.checkUp();
  }

  /** Starts at once, ends after the latency. Errors go to `done`. */
  private later(
    operation: SimOperation,
    path: string,
    perform: () => (() => void) | undefined,
    done: Done,
    bytes = 0,
  ): void {
    if (this.down) return;
    const life = this.life;
    let finish: (() => void) | undefined;
    let failure: DiskError | undefined;
    try {
      if (operation !== 'sync') this.throwFault(operation, path);
      finish = perform();
    } catch (error) {
      failure = error as DiskError;
      if (failure.code === undefined) throw error;
    }
    this.event(operation, 'started', path);
    if (this.down) return;
    const latency = this.options.latencyMs ?? this.defaultLatency;
    this.options.schedule(latency(operation, bytes), () => {
      if (this.down || life !== this.life) return;
      if (failure === undefined) finish?.();
      this.event(operation, 'done', path);
      if (this.down) return;
      if (failure === undefined) done();
      else done(failure);
    });
  }

  private readonly defaultLatency = (_operation: SimOperation, bytes: number): number =>
    0.02 + this.options.random() * 0.28 + (bytes / 1_048_576) * 0.5;

  private event(operation: SimOperation, phase: 'started' | 'done', path: string): void {
    this.events += 1;
    this.options.onEvent?.({ index: this.events, operation, phase, path });
    if (this.events === this.crashAt) this.down = true;
  }

  private checkUp(): void {
    if (this.down) throw new SimulatedCrash('The disk is down');
  }

  private next(): number {
    this.sequence += 1;
    return this.sequence;
  }

  private takeFault(operation: SimOperation, path: string): DiskError | undefined {
    const index = this.faults.findIndex(
      (fault) => fault.operation === operation && path.includes(fault.path ?? ''),
    );
    if (index < 0) return undefined;
    const fault = this.faults[index] as Fault;
    if (fault.always !== true) this.faults.splice(index, 1);
    this.failures += 1;
    return diskError(fault.code ?? 'EIO', operation, path, 'simulated');
  }

  private throwFault(operation: SimOperation, path: string): void {
    // A faulty write writes a part first: see write.
    if (operation === 'write' || operation === 'writeDurable') return;
    const fault = this.takeFault(operation, path);
    if (fault !== undefined) throw fault;
  }

  // ---- effects ----

  private open(path: string, truncate: boolean): Inode {
    const key = normalPath(path);
    const directory = this.directory(parentPath(key), 'open');
    const existing = directory.names.get(baseName(key));
    if (existing !== undefined) {
      if (truncate) existing.resize(this.next(), 0);
      return existing;
    }
    const inode = new Inode(this.next());
    change(directory, [[baseName(key), inode]]);
    return inode;
  }

  private write(
    inode: Inode,
    seq: number,
    buffer: Buffer,
    length: number,
    position: number,
    path: string,
  ): void {
    const fault =
      this.takeFault('write', path) ?? this.takeFault('writeDurable', path) ?? undefined;
    const room = fault === undefined ? length : Math.floor(this.options.random() * length);
    const fits = Math.min(room, inode.fits(position, length, this.freeBytes));
    this.freeBytes -= inode.write(seq, buffer, fits, position);
    if (fault !== undefined) throw fault;
    if (fits < length) {
      this.failures += 1;
      throw diskError('ENOSPC', 'write', path, 'simulated');
    }
  }

  private applyRename(from: string, to: string): void {
    const inode = this.inode(from, 'rename');
    const directory = this.directory(parentPath(normalPath(from)), 'rename');
    if (parentPath(normalPath(to)) !== parentPath(normalPath(from))) {
      throw new Error('The simulated disk renames inside one directory only');
    }
    change(directory, [
      [baseName(normalPath(from)), undefined],
      [baseName(normalPath(to)), inode],
    ]);
  }

  private applyUnlink(path: string): void {
    const inode = this.inode(path, 'unlink');
    change(this.directory(parentPath(normalPath(path)), 'unlink'), [
      [baseName(normalPath(path)), undefined],
    ]);
    this.freeBytes += inode.usedBytes;
  }

  private durableNames(path: string): () => void {
    const directory = this.directory(path, 'open');
    const count = directory.pending.length;
    return () => {
      for (const changes of directory.pending.splice(0, count)) apply(directory.durable, changes);
    };
  }

  private directory(path: string, syscall: string): Directory {
    const directory = this.directories.get(normalPath(path));
    if (directory === undefined) throw diskError('ENOENT', syscall, path, 'simulated');
    return directory;
  }

  private inode(path: string, syscall: string): Inode {
    const key = normalPath(path);
    const inode = this.directories.get(parentPath(key))?.names.get(baseName(key));
    if (inode === undefined) throw diskError('ENOENT', syscall, path, 'simulated');
    return inode;
  }
}

/** Names that got an inode, or lost it, in one step. */
type NameChanges = readonly (readonly [name: string, inode: Inode | undefined])[];

interface Directory {
  /** As programs see it. */
  names: Map<string, Inode>;
  /** As it is after a crash that loses all pending changes. */
  durable: Map<string, Inode>;
  readonly pending: NameChanges[];
}

function newDirectory(): Directory {
  return { names: new Map(), durable: new Map(), pending: [] };
}

function change(directory: Directory, changes: NameChanges): void {
  apply(directory.names, changes);
  directory.pending.push(changes);
}

function apply(names: Map<string, Inode>, changes: NameChanges): void {
  for (const [name, inode] of changes) {
    if (inode === undefined) names.delete(name);
    else names.set(name, inode);
  }
}

function settleNames(directory: Directory, prng: Prng): void {
  const survivors = prng.below(directory.pending.length + 1);
  for (const changes of directory.pending.slice(0, survivors)) apply(directory.durable, changes);
  directory.pending.length = 0;
  directory.names = new Map(directory.durable);
}

/** What a sector holds after the write with number `seq`. */
interface Version {
  readonly seq: number;
  readonly bytes: Buffer;
}

interface Sector {
  current: Buffer;
  durable: Buffer;
  /** Written since it was last durable, oldest first. */
  versions: Version[];
}

class Inode {
  /** No two inodes of a disk have the same. */
  readonly id: number;
  size = 0;
  private durableSize = 0;
  /** Sizes since the last sync, oldest first. */
  private sizes: { seq: number; size: number }[] = [];
  private readonly sectors = new Map<number, Sector>();
  /** Sectors that have versions: a sync need not look at the others. */
  private readonly dirty = new Set<number>();

  constructor(id: number) {
    this.id = id;
  }

  get usedBytes(): number {
    return this.sectors.size * SECTOR_BYTES;
  }

  read(target: Buffer, offset: number, length: number, position: number): number {
    const end = Math.min(position + length, this.size);
    for (let at = position; at < end; ) {
      const start = at % SECTOR_BYTES;
      const count = Math.min(SECTOR_BYTES - start, end - at);
      const bytes = this.sectors.get((at - start) / SECTOR_BYTES)?.current ?? ZEROS;
      bytes.copy(target, offset + at - position, start, start + count);
      at += count;
    }
    return Math.max(0, end - position);
  }

  /** How many of `length` bytes at `position` can be written when new sectors may take `free` bytes. */
  fits(position: number, length: number, free: number): number {
    let left = free;
    for (let at = position; at < position + length; ) {
      const sector = Math.floor(at / SECTOR_BYTES);
      if (!this.sectors.has(sector)) {
        if (left < SECTOR_BYTES) return at - position;
        left -= SECTOR_BYTES;
      }
      at = (sector + 1) * SECTOR_BYTES;
    }
    return length;
  }

  /** Returns the bytes that new sectors took. */
  write(seq: number, source: Buffer, length: number, position: number): number {
    const before = this.sectors.size;
    for (let at = 0; at < length; ) {
      const start = (position + at) % SECTOR_BYTES;
      const count = Math.min(SECTOR_BYTES - start, length - at);
      this.change((position + at - start) / SECTOR_BYTES, seq, (bytes) => {
        source.copy(bytes, start, at, at + count);
      });
      at += count;
    }
    if (length > 0 && position + length > this.size) this.resizeTo(seq, position + length);
    return (this.sectors.size - before) * SECTOR_BYTES;
  }

  resize(seq: number, size: number): void {
    if (size < this.size) {
      for (const index of this.sectors.keys()) {
        const keep = size - index * SECTOR_BYTES;
        if (keep < SECTOR_BYTES)
          this.change(index, seq, (bytes) => bytes.fill(0, Math.max(0, keep)));
      }
    }
    if (size !== this.size) this.resizeTo(seq, size);
  }

  /** Everything up to `seq` is on stable storage. */
  makeDurable(seq: number): void {
    for (const index of this.dirty) this.settleSector(index, seq);
    const sizes = this.sizes.filter((entry) => entry.seq <= seq);
    this.durableSize = sizes.at(-1)?.size ?? this.durableSize;
    this.sizes = this.sizes.filter((entry) => entry.seq > seq);
  }

  /** These bytes, and a size that reaches them, are on stable storage; other bytes of the file need not be. */
  makeRangeDurable(seq: number, start: number, end: number): void {
    for (let index = Math.floor(start / SECTOR_BYTES); index * SECTOR_BYTES < end; index += 1) {
      this.settleSector(index, seq);
    }
    if (end > this.durableSize) this.durableSize = end;
    this.sizes = this.sizes.filter((entry) => entry.seq > seq || entry.size >= end);
  }

  /** A sync failed: what it should have written stays readable and will never be written. */
  forgetUnsynced(seq: number): void {
    for (const sector of this.sectors.values()) {
      sector.versions = sector.versions.filter((version) => version.seq > seq);
    }
    this.sizes = this.sizes.filter((entry) => entry.seq > seq);
  }

  flip(position: number, mask: number): void {
    const index = Math.floor(position / SECTOR_BYTES);
    const at = position % SECTOR_BYTES;
    const sector = this.sector(index);
    for (const bytes of new Set([sector.current, sector.durable])) {
      bytes[at] = (bytes[at] as number) ^ mask;
    }
  }

  /** Draws what survives of the unsynced writes, and makes that the content. */
  settle(prng: Prng): void {
    const sequences = new Set<number>(this.sizes.map((entry) => entry.seq));
    for (const sector of this.sectors.values()) {
      for (const version of sector.versions) sequences.add(version.seq);
    }
    const ordered = [...sequences].sort((a, b) => a - b);
    const mode = prng.below(5);
    switch (mode) {
      case 0: // All is lost.
        this.settleTo(0);
        break;
      case 1: // All is kept.
        this.settleTo(Number.POSITIVE_INFINITY);
        break;
      case 2: // Each sector for itself.
        this.settleEach(prng);
        break;
      default: {
        // A prefix of the writes; the last of them by sectors, or cut at a byte.
        const kept = prng.below(ordered.length + 1);
        const torn = ordered[kept];
        if (torn !== undefined) this.tear(torn, mode === 3, prng);
        this.settleTo(kept === 0 ? 0 : (ordered[kept - 1] as number), torn);
      }
    }
    this.sizes = [];
    this.dirty.clear();
    this.size = this.durableSize;
    for (const [index, sector] of this.sectors) {
      sector.versions = [];
      const keep = this.size - index * SECTOR_BYTES;
      if (keep <= 0) {
        this.sectors.delete(index);
        continue;
      }
      if (keep < SECTOR_BYTES) {
        sector.durable = Buffer.from(sector.durable);
        sector.durable.fill(0, keep);
      }
      sector.current = sector.durable;
    }
  }

  /** Durable is what was written up to `seq`, and by the write `also` (already reduced by tear). */
  private settleTo(seq: number, also = -1): void {
    for (const sector of this.sectors.values()) {
      const kept = sector.versions.filter((version) => version.seq <= seq || version.seq === also);
      sector.durable = kept.at(-1)?.bytes ?? sector.durable;
    }
    const sizes = this.sizes.filter((entry) => entry.seq <= seq || entry.seq === also);
    this.durableSize = sizes.at(-1)?.size ?? this.durableSize;
  }

  private settleEach(prng: Prng): void {
    for (const index of [...this.sectors.keys()].sort((a, b) => a - b)) {
      const sector = this.sectors.get(index) as Sector;
      const choice = prng.below(sector.versions.length + 1);
      sector.durable = sector.versions[choice - 1]?.bytes ?? sector.durable;
    }
    const choice = prng.below(this.sizes.length + 1);
    this.durableSize = this.sizes[choice - 1]?.size ?? this.durableSize;
  }

  /** Takes a part of the write `seq` back: any of its sectors, or all bytes after one of them. */
  private tear(seq: number, bySector: boolean, prng: Prng): void {
    const touched = [...this.sectors.entries()]
      .filter(([, sector]) => sector.versions.some((version) => version.seq === seq))
      .sort(([a], [b]) => a - b);
    const cut = prng.below(touched.length * SECTOR_BYTES);
    touched.forEach(([, sector], i) => {
      const at = sector.versions.findIndex((version) => version.seq === seq);
      const version = sector.versions[at] as Version;
      if (bySector) {
        if (prng.chance(0.5)) sector.versions.splice(at, 1);
        return;
      }
      const keep = cut - i * SECTOR_BYTES;
      if (keep >= SECTOR_BYTES) return;
      const bytes = Buffer.from(sector.versions[at - 1]?.bytes ?? sector.durable);
      if (keep > 0) version.bytes.copy(bytes, 0, 0, keep);
      sector.versions[at] = { seq, bytes };
    });
    if (prng.chance(0.5)) this.sizes = this.sizes.filter((entry) => entry.seq !== seq);
  }

  private resizeTo(seq: number, size: number): void {
    this.size = size;
    this.sizes.push({ seq, size });
  }

  private change(index: number, seq: number, edit: (bytes: Buffer) => void): void {
    const sector = this.sector(index);
    const bytes = Buffer.from(sector.current);
    edit(bytes);
    sector.current = bytes;
    sector.versions.push({ seq, bytes });
    this.dirty.add(index);
  }

  private settleSector(index: number, seq: number): void {
    const versions = this.sectors.get(index)?.versions ?? [];
    let count = 0;
    while (count < versions.length && (versions[count] as Version).seq <= seq) count += 1;
    if (count > 0) {
      this.sector(index).durable = (versions[count - 1] as Version).bytes;
      versions.splice(0, count);
    }
    if (versions.length === 0) this.dirty.delete(index);
  }

  private sector(index: number): Sector {
    let sector = this.sectors.get(index);
    if (sector === undefined) {
      sector = { current: Buffer.alloc(SECTOR_BYTES), durable: ZEROS, versions: [] };
      // Its own zeros: rot flips bits in place.
      sector.durable = sector.current;
      this.sectors.set(index, sector);
    }
    return sector;
  }
}
