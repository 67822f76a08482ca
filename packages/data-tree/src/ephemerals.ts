// Which session owns which ephemeral znodes.
//
// A session's znodes are a list through their records, oldest first, so closing a session is a walk
// of its list and everything else is O(1). Sessions without ephemerals have no record here.

import { HashIndex } from './hash-index.ts';
import { append, unlink } from './linked-list.ts';
import { hashInts, type PathId } from './path-table.ts';
import { RecordSlab } from './record-slab.ts';
import { Field, type ZnodeStore } from './znode-store.ts';

const HASH = 0;
const CHAIN = 1;
const HIGH = 2;
const LOW = 3;
const FIRST = 4;
const COUNT = 5;
const WORDS = 6;

export class Ephemerals {
  /** Ephemeral znodes in all. */
  count = 0;
  private readonly store: ZnodeStore;
  private readonly slab = new RecordSlab(WORDS);
  private readonly index: HashIndex;

  constructor(store: ZnodeStore) {
    this.store = store;
    this.index = new HashIndex(this.slab, HASH, CHAIN);
  }

  /** Sessions that own at least one. */
  get sessionCount(): number {
    return this.slab.live;
  }

  /** The oldest ephemeral of a session, or 0. Session ids are two 32-bit halves, signed. */
  first(high: number, low: number): PathId {
    const session = this.find(high, low);
    return session === 0 ? 0 : this.slab.get(session, FIRST);
  }

  /** The next younger ephemeral of the same session, or 0. */
  next(id: PathId): PathId {
    return this.store.slab.get(id, Field.OWNED_NEXT);
  }

  countOf(high: number, low: number): number {
    const session = this.find(high, low);
    return session === 0 ? 0 : this.slab.get(session, COUNT);
  }

  /** Visits every session that owns an ephemeral, with its oldest one. Nothing may change meanwhile. */
  forEachSession(visit: (high: number, low: number, first: PathId, count: number) => void): void {
    const slab = this.slab;
    this.index.forEach((session) => {
      visit(
        slab.get(session, HIGH),
        slab.get(session, LOW),
        slab.get(session, FIRST),
        slab.get(session, COUNT),
      );
    });
  }

  /** Enters a znode under the owner in its record. For the tree's own use. */
  add(id: PathId): void {
    const znodes = this.store.slab;
    const high = znodes.get(id, Field.OWNER_HIGH);
    const low = znodes.get(id, Field.OWNER_LOW);
    const slab = this.slab;
    let session = this.find(high, low);
    if (session === 0) {
      session = slab.allocate();
      slab.set(session, HIGH, high);
      slab.set(session, LOW, low);
      this.index.insert(session, hashInts(high, low, 0));
    }
    znodes.set(id, Field.OWNER_RECORD, session);
    slab.set(
      session,
      FIRST,
      append(this.store.slab, slab.get(session, FIRST), id, Field.OWNED_NEXT),
    );
    slab.set(session, COUNT, slab.get(session, COUNT) + 1);
    this.count++;
  }

  /** Removes a znode that is going away. For the tree's own use. */
  remove(id: PathId): void {
    const slab = this.slab;
    const session = this.store.slab.get(id, Field.OWNER_RECORD);
    const count = slab.get(session, COUNT) - 1;
    slab.set(
      session,
      FIRST,
      unlink(this.store.slab, slab.get(session, FIRST), id, Field.OWNED_NEXT),
    );
    slab.set(session, COUNT, count);
    this.count--;
    if (count === 0) {
      this.index.remove(session);
      slab.free(session);
    }
  }

  private find(high: number, low: number): number {
    const slab = this.slab;
    let session = this.index.first(hashInts(high, low, 0));
    while (session !== 0 && (slab.get(session, HIGH) !== high || slab.get(session, LOW) !== low)) {
      session = slab.get(session, CHAIN);
    }
    return session;
  }
}
