// Doubly linked lists through the records of a slab.
//
// A link is two words, `next` and, after it, `previous`. The last's `next` is 0; the first's
// `previous` is the last, so that both ends are at hand from the head alone. The head is the caller's
// to keep: each function returns what it is afterwards.

import type { RecordSlab } from './record-slab.ts';

/** Adds a record at the end. */
export function append(slab: RecordSlab, head: number, id: number, next: number): number {
  slab.set(id, next, 0);
  if (head === 0) {
    slab.set(id, next + 1, id);
    return id;
  }
  const last = slab.get(head, next + 1);
  slab.set(last, next, id);
  slab.set(id, next + 1, last);
  slab.set(head, next + 1, id);
  return head;
}

/** Adds a record at the front. */
export function prepend(slab: RecordSlab, head: number, id: number, next: number): number {
  append(slab, head, id, next);
  if (head !== 0) {
    // But for the last's `next` the list is a ring: its end and its front are the same place.
    slab.set(slab.get(id, next + 1), next, 0);
    slab.set(id, next, head);
  }
  return id;
}

/** Takes a record out, wherever in the list it is. */
export function unlink(slab: RecordSlab, head: number, id: number, next: number): number {
  const after = slab.get(id, next);
  const before = slab.get(id, next + 1);
  slab.set(id, next, 0);
  slab.set(id, next + 1, 0);
  if (id === head) {
    if (after !== 0) slab.set(after, next + 1, before);
    return after;
  }
  slab.set(before, next, after);
  slab.set(after === 0 ? head : after, next + 1, before);
  return head;
}
