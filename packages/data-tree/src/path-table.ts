// Paths, interned: each has a small integer while anything uses it.
//
// A path is looked up as bytes, straight from the socket, and everything else in the server names
// it by its id: the znode's record has the same number, watches and pending changes hold it.
//
//   record: hash, chain, parent, bytes, length, uses, crc, pending | up to 32 bytes of path
//
// Most paths fit into their record: finding one then touches a bucket and one cache line or two.
// Longer ones have their bytes in an arena.
//
// The root is known as "" inside and "/" outside; both find ROOT_ID. A path need not be a znode,
// nor even valid: `exists` leaves a watch on whatever bytes the client sent. Only a path with a
// znode is linked to its parent, since only there the parent surely is a znode too: a client
// cannot make one watch on a path of 500,000 segments cost 500,000 records.

import type { Buffer } from 'node:buffer';
import { assertInvariant, copyBytes, crc32, decodeJavaUtf8 } from '@zebu/protocol';
import { ByteArena } from './byte-arena.ts';
import { HashIndex } from './hash-index.ts';
import { CHUNK_BITS, CHUNK_MASK, RecordSlab } from './record-slab.ts';

/** Interned path; 0 is none. Stable while a znode, a watch or a pending change uses it. */
export type PathId = number;

export const ROOT_ID: PathId = 1;

const HASH = 0;
const CHAIN = 1;
const PARENT = 2;
const BYTES = 3;
const LENGTH = 4;
const USES = 5;
const CRC = 6;
const PENDING = 7;
const INLINE = 8;
const WORDS = 16;
const INLINE_BYTES = (WORDS - INLINE) * 4;

const SLASH = 0x2f;

export class PathTable {
  private readonly slab = new RecordSlab(WORDS);
  private readonly index: HashIndex;
  private readonly arena = new ByteArena();
  private readonly seed: number;

  /**
   * `hashSeed`: 32 random bits, so that a client cannot choose paths that share one bucket. Ids
   * do not depend on it.
   */
  constructor(hashSeed = 0) {
    this.seed = hashSeed | 0;
    this.index = new HashIndex(this.slab, HASH, CHAIN);
    const root = this.slab.allocate();
    this.index.insert(root, hashBytes(EMPTY, 0, 0, this.seed));
    this.slab.set(root, USES, 1);
  }

  /** Interned paths, the root among them. */
  get size(): number {
    return this.index.size;
  }

  /** Prepares for this many paths: before a bulk load, while there are few. */
  reserve(paths: number): void {
    this.index.reserve(paths);
  }

  /** The id of bytes[start, end), or 0. Adds no use. */
  find(bytes: Uint8Array, start: number, end: number): PathId {
    if (end - start <= 1 && (end === start || bytes[start] === SLASH)) return ROOT_ID;
    return this.lookUp(bytes, start, end, hashBytes(bytes, start, end, this.seed));
  }

  /** The id of bytes[start, end), interned if it was not. Adds a use; copies the bytes. */
  intern(bytes: Uint8Array, start: number, end: number): PathId {
    let id: PathId = ROOT_ID;
    if (end - start > 1 || (end > start && bytes[start] !== SLASH)) {
      const hash = hashBytes(bytes, start, end, this.seed);
      id = this.lookUp(bytes, start, end, hash);
      if (id === 0) id = this.insert(bytes, start, end, hash);
    }
    this.retain(id);
    return id;
  }

  /** Adds a use to an interned path. */
  retain(id: PathId): void {
    this.slab.set(id, USES, this.slab.get(id, USES) + 1);
  }

  /** Takes one use away; at the last one the id is free for another path. */
  release(id: PathId): void {
    let at = id;
    while (at !== 0) {
      const uses = this.slab.get(at, USES) - 1;
      assertInvariant(uses >= 0, 'a path has fewer than no uses');
      this.slab.set(at, USES, uses);
      if (uses > 0) return;
      const parent = this.slab.get(at, PARENT);
      this.index.remove(at);
      this.arena.free(this.slab.get(at, BYTES));
      this.slab.free(at);
      at = parent;
    }
  }

  uses(id: PathId): number {
    return this.slab.get(id, USES);
  }

  /** Tells a path its parent, which gains a use for as long as the path is interned. */
  link(id: PathId, parent: PathId): void {
    if (this.slab.get(id, PARENT) !== 0) return;
    this.slab.set(id, PARENT, parent);
    this.retain(parent);
  }

  /** The interned parent of a path; 0 for the root and where the parent is not interned. */
  parent(id: PathId): PathId {
    const linked = this.slab.get(id, PARENT);
    if (linked !== 0 || id === ROOT_ID) return linked;
    const bytes = this.bufferOf(id);
    const start = this.offsetOf(id);
    const slash = lastSlash(bytes, start, start + this.length(id));
    return slash < start ? 0 : this.find(bytes, start, slash);
  }

  /** Bytes of the path as clients see it: 1 for the root. */
  byteLength(id: PathId): number {
    return id === ROOT_ID ? 1 : this.length(id);
  }

  /** Writes the path; returns the bytes written. The target must have room. */
  copyPath(id: PathId, target: Uint8Array, at: number): number {
    if (id === ROOT_ID) {
      target[at] = SLASH;
      return 1;
    }
    const length = this.length(id);
    const from = this.offsetOf(id);
    copyBytes(this.bufferOf(id), from, from + length, target, at);
    return length;
  }

  pathString(id: PathId): string {
    if (id === ROOT_ID) return '/';
    const at = this.offsetOf(id);
    return decodeJavaUtf8(this.bufferOf(id), at, at + this.length(id));
  }

  /** Bytes of the last segment; 0 for the root. */
  nameLength(id: PathId): number {
    return this.length(id) - this.nameStart(id);
  }

  /** Writes the last segment; returns the bytes written. The target must have room. */
  copyName(id: PathId, target: Uint8Array, at: number): number {
    if (id === ROOT_ID) return 0;
    const start = this.nameStart(id);
    const length = this.length(id) - start;
    const from = this.offsetOf(id) + start;
    copyBytes(this.bufferOf(id), from, from + length, target, at);
    return length;
  }

  nameString(id: PathId): string {
    if (id === ROOT_ID) return '';
    const at = this.offsetOf(id);
    return decodeJavaUtf8(this.bufferOf(id), at + this.nameStart(id), at + this.length(id));
  }

  /** Whether the path, kept as "" for the root, is bytes[start, end). */
  equals(id: PathId, bytes: Uint8Array, start: number, end: number): boolean {
    const length = this.length(id);
    if (length !== end - start) return false;
    return length === 0 || equal(this.bufferOf(id), this.offsetOf(id), bytes, start, length);
  }

  /** Whether the path is `ancestor` or below it. */
  isWithin(id: PathId, ancestor: PathId): boolean {
    const length = this.length(ancestor);
    const own = this.length(id);
    if (own < length) return false;
    if (length === 0) return true;
    const bytes = this.bufferOf(id);
    const at = this.offsetOf(id);
    if (own > length && bytes[at + length] !== SLASH) return false;
    return equal(bytes, at, this.bufferOf(ancestor), this.offsetOf(ancestor), length);
  }

  /** Length as kept: 0 for the root. */
  length(id: PathId): number {
    return this.slab.get(id, LENGTH);
  }

  /** Where the path's bytes are, valid until the path is released. Not for the root. */
  bufferOf(id: PathId): Buffer {
    const reference = this.slab.get(id, BYTES);
    if (reference !== 0) return this.arena.bufferOf(reference);
    return this.slab.bytes[id >>> CHUNK_BITS] as Buffer;
  }

  offsetOf(id: PathId): number {
    const reference = this.slab.get(id, BYTES);
    if (reference !== 0) return this.arena.offsetOf(reference);
    return ((id & CHUNK_MASK) * WORDS + INLINE) * 4;
  }

  /** CRC-32 of the path's bytes, the seed of its node digest. Computed once per interned path. */
  crc(id: PathId): number {
    let crc = this.slab.get(id, CRC);
    if (crc === 0 && id !== ROOT_ID) {
      const at = this.offsetOf(id);
      crc = crc32(this.bufferOf(id), at, at + this.length(id));
      this.slab.set(id, CRC, crc);
    }
    return crc >>> 0;
  }

  /** One word per path that belongs to PendingChanges: its record, or 0. */
  pending(id: PathId): number {
    return this.slab.get(id, PENDING);
  }

  setPending(id: PathId, record: number): void {
    this.slab.set(id, PENDING, record);
  }

  get heldBytes(): number {
    return this.slab.heldBytes + this.index.heldBytes + this.arena.heldBytes;
  }

  private nameStart(id: PathId): number {
    const parent = this.slab.get(id, PARENT);
    if (parent !== 0) return this.length(parent) + 1;
    if (id === ROOT_ID) return 0;
    const start = this.offsetOf(id);
    const slash = lastSlash(this.bufferOf(id), start, start + this.length(id));
    return slash < 0 ? 0 : slash + 1 - start;
  }

  private lookUp(bytes: Uint8Array, start: number, end: number, hash: number): PathId {
    const slab = this.slab;
    const length = end - start;
    for (let id = this.index.first(hash); id !== 0; id = slab.get(id, CHAIN)) {
      if (slab.get(id, HASH) !== hash || slab.get(id, LENGTH) !== length) continue;
      if (equal(this.bufferOf(id), this.offsetOf(id), bytes, start, length)) return id;
    }
    return 0;
  }

  private insert(bytes: Uint8Array, start: number, end: number, hash: number): PathId {
    const id = this.slab.allocate();
    this.slab.set(id, LENGTH, end - start);
    if (end - start <= INLINE_BYTES) {
      copyBytes(bytes, start, end, this.bufferOf(id), this.offsetOf(id));
    } else {
      this.slab.set(id, BYTES, this.arena.store(bytes, start, end));
    }
    this.index.insert(id, hash);
    return id;
  }
}

const EMPTY = new Uint8Array(0);

/**
 * A seeded hash of four bytes a step (the mixing of MurmurHash3). Paths differ mostly in their last
 * bytes, so the last step is mixed as well as the first.
 */
export function hashBytes(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = seed ^ (end - start);
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    hash = mix(hash, word);
  }
  if (at < end) {
    let word = bytes[at] as number;
    if (at + 1 < end) word |= (bytes[at + 1] as number) << 8;
    if (at + 2 < end) word |= (bytes[at + 2] as number) << 16;
    hash = mix(hash, word);
  }
  return finish(hash);
}

/** The same mixing for keys that are integers. */
export function hashInts(a: number, b: number, seed: number): number {
  return finish(mix(mix(seed, a), b));
}

function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const h = hash ^ Math.imul(k, 0x1b873593);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function equal(a: Uint8Array, aStart: number, b: Uint8Array, bStart: number, length: number) {
  // From the end: paths under one parent differ there.
  for (let i = length - 1; i >= 0; i--) if (a[aStart + i] !== b[bStart + i]) return false;
  return true;
}

/** Position of the last slash in bytes[start, end), or -1. */
export function lastSlash(bytes: Uint8Array, start: number, end: number): number {
  let at = end - 1;
  while (at >= start && bytes[at] !== SLASH) at--;
  return at < start ? -1 : at;
}
