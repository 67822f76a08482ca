// The names of a queue's items, and their order.
//
//   entries/entry-<priority>-<sequence>                      as kazoo's LockingQueue has them
//   special/entry-<priority>-<due>-<id>-<sequence>           with a time before which nobody gets it, or an id
//
// kazoo sorts names as text and knows no other fields, so what needs them is in a directory of its own.

import { compareSequences, parseSequence } from '../core/sequence.ts';

export const ENTRIES = 'entries';
export const SPECIAL = 'special';

export interface ItemName {
  readonly directory: typeof ENTRIES | typeof SPECIAL;
  readonly name: string;
  readonly priority: number;
  /** Milliseconds of the wall clock before which it is not handed out; 0 for at once. */
  readonly dueMs: number;
  readonly id: string | undefined;
  readonly sequence: number;
}

const PLAIN = /^entry-(\d{3})-(?:\d{10}|-\d{9,10})$/;
const DATED = /^entry-(\d{3})-(\d{15})-([^-]*)-(?:\d{10}|-\d{9,10})$/;

/** What is put, before the server appends the number. */
export function itemPrefix({
  priority,
  dueMs,
  id,
}: {
  priority: number;
  dueMs: number;
  id: string | undefined;
}): { directory: ItemName['directory']; prefix: string } {
  const front = `entry-${String(priority).padStart(3, '0')}-`;
  if (dueMs === 0 && id === undefined) return { directory: ENTRIES, prefix: front };
  const due = String(dueMs).padStart(15, '0');
  return { directory: SPECIAL, prefix: `${front}${due}-${idText(id)}-` };
}

/** Undefined for what is no item. */
export function parseItemName(
  directory: ItemName['directory'],
  name: string,
): ItemName | undefined {
  const match = (directory === ENTRIES ? PLAIN : DATED).exec(name);
  if (match === null) return undefined;
  const [, priority = '', due = '0', id = ''] = match;
  const front = directory === ENTRIES ? `entry-${priority}-` : `entry-${priority}-${due}-${id}-`;
  const sequence = parseSequence(name, [front]);
  if (sequence === undefined) return undefined;
  return {
    directory,
    name,
    priority: Number(priority),
    dueMs: Number(due),
    id: id === '' ? undefined : decodeURIComponent(id.replaceAll('~', '%')),
    sequence,
  };
}

/** The lowest priority number first; of one priority what has a time by that, then in the order of putting. */
export function compareItems(a: ItemName, b: ItemName): number {
  if (a.priority !== b.priority) return a.priority - b.priority;
  // Numbers of two directories do not compare.
  if (a.directory !== b.directory) return a.directory === SPECIAL ? -1 : 1;
  if (a.dueMs !== b.dueMs) return a.dueMs - b.dueMs;
  return compareSequences(a.sequence, b.sequence);
}

/** No slash, no minus, so that it can be a part of the name. */
function idText(id: string | undefined): string {
  if (id === undefined) return '';
  return encodeURIComponent(id)
    .replace(/[-~.!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%', '~');
}
