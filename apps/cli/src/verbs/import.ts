// Makes a subtree of an export. What is there already with the same data and ACL is left alone, so an import that was
// cut off is run again, and goes on. Nothing is replaced without --overwrite. What an ACL keeps us from is named and left
// out, with all below it.

import { type Acl, type Client, MultiError, type Op, ZkError } from '@zebu/client';
import { CommandError, usage } from '../command-error.ts';
import { type Entry, isLeftOut, openExport } from '../export-file.ts';
import { Progress } from '../progress.ts';
import { isRefusal, Refusals, refusalText } from '../refusals.ts';
import { above } from '../subtree.ts';
import type { Call, Run } from '../verb.ts';
import { isAtOrAbove } from '../walk.ts';

/** Of one multi; also of what is compared at a time, which holds two answers each: 250 took 30 MB more. */
const BATCH_ENTRIES = 100;
const BATCH_BYTES = 256 * 1024;
/** Multis on their way. They are carried out in order, so a parent is there before its children. */
const IN_FLIGHT = 4;
/** A batch meets somebody else's changes again and again: then it is given up. */
const REPAIRS = 5;

interface Counts {
  created: number;
  same: number;
  replaced: number;
  leftOut: number;
  /** In the file, as not read when it was written. */
  unreadable: number;
  /** By an ACL of the target, and all below those. */
  refused: number;
}

export const importTree: Run = async (call) => {
  const { words, out, zk, signal, note } = call;
  const [root] = words.operands as [string];
  const source = await openExport(words.value('--file') ?? '-');
  const counts: Counts = {
    created: 0,
    same: 0,
    replaced: 0,
    leftOut: 0,
    unreadable: 0,
    refused: 0,
  };
  const mapAcl = aclMapping(call);
  const takesEphemerals = words.has('--ephemerals');
  const progress = new Progress('import', undefined);
  const unreadable = new Refusals(note, progress);
  const refusals = new Refusals(note, progress);
  const target = new Target(zk, words.has('--overwrite'), counts, refusals);
  if (words.has('-p')) await makeParents(zk, root);
  await using _ = source;
  try {
    let batch: Entry[] = [];
    let bytes = 0;
    for await (const entry of source.entries()) {
      signal.throwIfAborted();
      if (isLeftOut(entry)) {
        counts.unreadable += 1;
        unreadable.add(above(root, entry.leftOut), `not in the export: ${entry.why}`);
        continue;
      }
      if (entry.owner !== undefined && !takesEphemerals) {
        counts.leftOut += 1;
        continue;
      }
      if (
        batch.length >= BATCH_ENTRIES ||
        (batch.length > 0 && bytes + entry.data.length > BATCH_BYTES)
      ) {
        await target.send(batch);
        batch = [];
        bytes = 0;
      }
      batch.push({ ...entry, path: above(root, entry.path), acl: mapAcl(entry.acl) });
      bytes += entry.data.length + entry.path.length + 100;
      progress.add(1, entry.data.length);
    }
    if (batch.length > 0) await target.send(batch);
    await target.settle();
  } finally {
    progress.end();
  }
  if (out.isJson) out.value({ path: root, ...counts });
  else {
    const parts = [`${counts.created} created`, `${counts.same} were there`];
    if (counts.replaced > 0) parts.push(`${counts.replaced} replaced`);
    if (counts.leftOut > 0) parts.push(`${counts.leftOut} ephemeral left out`);
    if (counts.unreadable > 0) parts.push(`${counts.unreadable} not in the export`);
    if (counts.refused > 0) parts.push(`${counts.refused} refused`);
    note(parts.join(', '));
  }
  if (source.znodes === undefined) {
    throw new CommandError('failed', 'The file has no last line: the export was cut off', {
      hint: 'all that it holds is imported; export --resume completes it',
    });
  }
  refusals.throwIfAny('could not be imported: left out, with all below');
  unreadable.throwIfAny('could not be read by the export: left out, with all below');
  return undefined;
};

class Target {
  private readonly zk: Client;
  private readonly overwrites: boolean;
  private readonly counts: Counts;
  private readonly refusals: Refusals;
  /** Paths that an ACL does not let us make. */
  private readonly closed: string[];
  private readonly sent: { batch: readonly Entry[]; done: Promise<unknown> }[];

  constructor(zk: Client, overwrites: boolean, counts: Counts, refusals: Refusals) {
    this.zk = zk;
    this.overwrites = overwrites;
    this.counts = counts;
    this.refusals = refusals;
    this.closed = [];
    this.sent = [];
  }

  async send(batch: readonly Entry[]): Promise<void> {
    while (this.sent.length >= IN_FLIGHT) await this.settleOne();
    const open = this.withoutClosed(batch);
    if (open.length === 0) return;
    const done = this.zk.multi(open.map(createOf));
    // Told when its turn comes.
    done.catch(() => {});
    this.sent.push({ batch: open, done });
  }

  async settle(): Promise<void> {
    while (this.sent.length > 0) await this.settleOne();
  }

  private async settleOne(): Promise<void> {
    const { batch, done } = this.sent.shift() as {
      batch: readonly Entry[];
      done: Promise<unknown>;
    };
    try {
      await done;
      this.counts.created += batch.length;
    } catch (error) {
      if (!mayBeMended(error)) throw error;
      await this.mend(batch);
    }
  }

  /** What does not lie below a path that is closed to us; the rest is counted. */
  private withoutClosed(batch: readonly Entry[]): readonly Entry[] {
    if (this.closed.length === 0) return batch;
    const open = batch.filter(({ path }) => !this.closed.some((one) => isAtOrAbove(one, path)));
    this.counts.refused += batch.length - open.length;
    return open;
  }

  /** One by one: what is there, what is the same, what is missing. */
  private async mend(batch: readonly Entry[]): Promise<void> {
    // Counted already, when it has to be tried again.
    const settled = new Set<Entry>();
    for (let attempt = 1; ; attempt++) {
      const left = this.withoutClosed(batch.filter((entry) => !settled.has(entry)));
      const states = await Promise.all(left.map((entry) => this.compare(entry)));
      const inState = (state: State): Entry[] => left.filter((_, index) => states[index] === state);
      const [first] = inState('other');
      if (first !== undefined && !this.overwrites) {
        throw new CommandError('exists', `${first.path} is there with other data or another ACL`, {
          path: first.path,
          hint: '--overwrite replaces it',
        });
      }
      const replaced = this.overwrites ? [...inState('other'), ...inState('unreadable')] : [];
      try {
        for (const entry of replaced) {
          await this.replace(entry);
          settled.add(entry);
        }
        await this.make(inState('missing'), settled);
      } catch (error) {
        if (!mayBeMended(error) || attempt === REPAIRS) throw error;
        continue;
      }
      this.counts.same += inState('same').length;
      if (this.overwrites) return;
      for (const { path } of inState('unreadable')) {
        this.refuse(path, 'is there and cannot be read, so it was not compared');
      }
      return;
    }
  }

  /** Together, or where an ACL is against one of them, one by one. */
  private async make(missing: readonly Entry[], settled: Set<Entry>): Promise<void> {
    if (missing.length === 0) return;
    try {
      await this.zk.multi(missing.map(createOf));
      this.counts.created += missing.length;
      return;
    } catch (error) {
      if (!(error instanceof MultiError) || !isRefusal(error.cause)) throw error;
    }
    for (const entry of missing) {
      if (this.withoutClosed([entry]).length > 0) {
        try {
          await this.zk.create(entry.path, entry.data, { acl: entry.acl });
          this.counts.created += 1;
        } catch (error) {
          if (!isRefusal(error)) throw error;
          this.closed.push(entry.path);
          this.refuse(entry.path, `cannot be made: ${refusalText(error)}`);
        }
      }
      settled.add(entry);
    }
  }

  /** Each by itself: an ACL may keep us from the data once it is set. */
  private async replace({ path, data, acl }: Entry): Promise<void> {
    try {
      await this.zk.set(path, data);
      await this.zk.setAcl(path, acl);
      this.counts.replaced += 1;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.refuse(path, `cannot be replaced: ${refusalText(error)}`);
    }
  }

  private refuse(path: string, why: string): void {
    this.counts.refused += 1;
    this.refusals.add(path, why);
  }

  private async compare({ path, data, acl }: Entry): Promise<State> {
    try {
      const [there, rights] = await Promise.all([this.zk.get(path), this.zk.getAcl(path)]);
      return there.data.equals(data) && isSameAcl(rights.acl, acl) ? 'same' : 'other';
    } catch (error) {
      if (ZkError.is(error, 'NO_NODE')) return 'missing';
      if (isRefusal(error)) return 'unreadable';
      throw error;
    }
  }
}

function createOf({ path, data, acl }: Entry): Op {
  return { op: 'create', path, data, options: { acl } };
}

type State = 'missing' | 'same' | 'other' | 'unreadable';

/** A znode that is there, a parent that an earlier batch has yet to make, an ACL, a reply that was lost. */
function mayBeMended(error: unknown): boolean {
  if (error instanceof MultiError) {
    return ZkError.is(error.cause, 'NODE_EXISTS', 'NO_NODE', 'NO_AUTH');
  }
  return ZkError.is(error, 'CONNECTION_LOSS', 'NODE_EXISTS', 'NO_NODE');
}

/** The server hides the hashes of an ACL from those who may not change it: then users are compared. */
function isSameAcl(there: readonly Acl[], wanted: readonly Acl[]): boolean {
  if (there.length !== wanted.length) return false;
  return there.every(({ scheme, id, perms }, index) => {
    const other = wanted[index] as Acl;
    const isHidden = scheme === 'digest' && id.endsWith(':x');
    const otherId = isHidden ? other.id.replace(/:.*$/s, ':x') : other.id;
    return scheme === other.scheme && id === otherId && perms === other.perms;
  });
}

/** From --acl and --map. */
function aclMapping({ words }: Call): (acl: readonly Acl[]) => readonly Acl[] {
  const kind = words.value('--acl') ?? 'keep';
  if (kind !== 'keep' && kind !== 'open') throw usage(`--acl is "${kind}": it is keep or open`);
  if (kind === 'open') return () => [{ scheme: 'world', id: 'anyone', perms: 31 }];
  const map = new Map<string, { scheme: string; id: string }>();
  for (const text of words.values('--map')) {
    // The last one: hashes end in "=" themselves.
    const arrow = text.lastIndexOf('=>');
    const to = /^([^:]+):(.*)$/s.exec(text.slice(arrow + 2).trim());
    if (arrow < 0 || to === null)
      throw usage(`--map is "${text}"`, 'as in digest:alice:HASH=>digest:bob:HASH');
    map.set(text.slice(0, arrow).trim(), { scheme: to[1] as string, id: to[2] as string });
  }
  return (acl) => {
    if (acl.length === 0) {
      throw usage('The export has no ACLs (--no-acl)', '--acl open lets everyone do everything');
    }
    return acl.map((entry) => ({ ...entry, ...map.get(`${entry.scheme}:${entry.id}`) }));
  };
}

async function makeParents(zk: Client, path: string): Promise<void> {
  const slash = path.lastIndexOf('/');
  if (slash <= 0) return;
  try {
    await zk.create(path.slice(0, slash), null, { parents: 'persistent' });
  } catch (error) {
    if (!ZkError.is(error, 'NODE_EXISTS')) throw error;
  }
}
