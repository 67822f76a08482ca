// Many readers or one writer, in the order of arrival: a reader waits for the writers before it, a writer for all before
// it, so neither starves the other. Shares its znodes with Curator's InterProcessReadWriteLock.

import { type Client, type OpOptions, ZkError } from '@zebu/client';
import { CallLimit } from '../core/call-limit.ts';
import { confirmHeld } from '../core/confirm-held.ts';
import type { ContestSettings, Entry } from '../core/contest.ts';
import { type Held, type HeldZnode, lockLost } from '../core/held.ts';
import { type RecipeOptions, recipeSettings } from '../core/options.ts';
import { childPath, deleteOwnedZnode, type OwnedZnode, znodeId } from '../core/owned-znode.ts';
import { ContestLock, type Lock } from './lock.ts';

export interface WriteHeld extends Held {
  /**
   * Becomes a reader without letting a writer in between; this one is then released. Rejects with LOCK_LOST, and
   * nothing is held, if it was lost or the connection is lost meanwhile. A reader never becomes a writer: two that
   * tried would wait for each other.
   */
  downgrade(): Promise<Held>;
}

export interface RwLock {
  readonly read: Lock;
  readonly write: WriteLock;
}

export interface WriteLock extends Lock {
  acquire(options?: OpOptions): Promise<WriteHeld>;
  tryAcquire(options?: OpOptions): Promise<WriteHeld | undefined>;
  run<T>(work: (held: WriteHeld) => Promise<T> | T, options?: OpOptions): Promise<T>;
}

const READ = '__READ__';
const WRITE = '__WRIT__';
const LABELS = [READ, WRITE] as const;

export function rwLock(zk: Client, path: string, options?: RecipeOptions): RwLock {
  const settings = {
    ...recipeSettings('rwLock', options),
    directory: path,
    labels: LABELS,
    // By downgrade().
    isNumberPassedOn: true,
  };
  const reading: ContestSettings = { ...settings, label: READ, blockerOf: writerBefore };
  return {
    read: new ContestLock(zk, reading, (held) => held),
    write: new ContestLock<WriteHeld>(zk, { ...settings, label: WRITE }, (held) =>
      writeHeld(zk, held, reading),
    ),
  };
}

/** The nearest: when it is gone, those before it are looked for again. */
function writerBefore(entries: readonly Entry[], index: number): Entry | undefined {
  return entries.slice(0, index).findLast(({ name }) => name.includes(WRITE));
}

function writeHeld(zk: Client, held: HeldZnode, reading: ContestSettings): WriteHeld & HeldZnode {
  return Object.assign(held, { downgrade: () => downgrade(zk, held, reading) });
}

async function downgrade(zk: Client, held: HeldZnode, reading: ContestSettings): Promise<Held> {
  const { path, session, signal, isReleased } = held;
  const lost = (cause: unknown): ZkError => lockLost('downgrade', path, 'failed', cause);
  if (signal.aborted) throw lost((signal.reason as ZkError).cause);
  if (isReleased) throw lost(undefined);
  // The reader takes the writer's place in the line, with its number.
  const number = path.slice(path.lastIndexOf(WRITE) + WRITE.length);
  const name = `_c_${znodeId(() => zk.environment.random())}-${READ}${number}`;
  const readPath = childPath(reading.directory, name);
  const mode = 'ephemeral';
  const { acl, identity } = reading;
  // Otherwise the delete would look like a loss.
  held.forget();
  let reader: OwnedZnode | undefined;
  try {
    const [, created] = await zk.multi([
      { op: 'delete', path },
      { op: 'create', path: readPath, data: identity, options: { mode, acl } },
    ]);
    reader = { path: readPath, name, czxid: created.stat.czxid, session: created.session };
    using limit = new CallLimit(zk, 'downgrade', path, undefined);
    const confirmed = await confirmHeld(zk, reader, reading.onSuspend, limit);
    if (typeof confirmed === 'object') return confirmed;
    throw lost(new ZkError('CONNECTION_LOSS', { path: readPath, outcome: 'failed' }));
  } catch (error) {
    // Whatever came of it, nothing stays.
    for (const one of [path, readPath]) {
      void deleteOwnedZnode(zk, { ...(reader ?? held.znode), path: one, session }).catch(() => {});
    }
    throw ZkError.is(error, 'LOCK_LOST') ? error : lost(error);
  }
}
