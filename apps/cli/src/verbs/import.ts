// Makes a subtree of an export. What is there already with the same data and ACL is left alone, so an import that was
// cut off is run again, and goes on. Nothing is replaced without --overwrite.

import { type Acl, type Client, MultiError, type Op, ZkError } from '@zebu/client';
import { CommandError, usage } from '../command-error.ts';
import { type Entry, openExport } from '../export-file.ts';
import { Progress } from '../progress.ts';
import { above } from '../subtree.ts';
import type { Call, Run } from '../verb.ts';

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
}

export const importTree: Run = async (call) => {
  const { words, out, zk, signal, note } = call;
  const [root] = words.operands as [string];
  const source = await openExport(words.value('--file') ?? '-');
  const counts: Counts = { created: 0, same: 0, replaced: 0, leftOut: 0 };
  const mapAcl = aclMapping(call);
  const takesEphemerals = words.has('--ephemerals');
  const target = new Target(zk, words.has('--overwrite'), counts);
  if (words.has('-p')) await makeParents(zk, root);
  const progress = new Progress('import', undefined);
  await using _ = source;
  try {
    let batch: Entry[] = [];
    let bytes = 0;
    for await (const entry of source.entries()) {
      signal.throwIfAborted();
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
    note(parts.join(', '));
  }
  if (source.znodes === undefined) {
    throw new CommandError('failed', 'The file has no last line: the export was cut off', {
      hint: 'all that it holds is imported; export --resume completes it',
    });
  }
  return undefined;
};

class Target {
  private readonly zk: Client;
  private readonly overwrites: boolean;
  private readonly counts: Counts;
  private readonly sent: { batch: readonly Entry[]; done: Promise<unknown> }[];

  constructor(zk: Client, overwrites: boolean, counts: Counts) {
    this.zk = zk;
    this.overwrites = overwrites;
    this.counts = counts;
    this.sent = [];
  }

  async send(batch: readonly Entry[]): Promise<void> {
    while (this.sent.length >= IN_FLIGHT) await this.settleOne();
    const done = this.zk.multi(batch.map(createOf));
    // Told when its turn comes.
    done.catch(() => {});
    this.sent.push({ batch, done });
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

  /** One by one: what is there, what is the same, what is missing. */
  private async mend(batch: readonly Entry[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const missing: Entry[] = [];
      const other: Entry[] = [];
      let same = 0;
      const states = await Promise.all(batch.map((entry) => this.compare(entry)));
      for (const [index, state] of states.entries()) {
        const entry = batch[index] as Entry;
        if (state === 'missing') missing.push(entry);
        else if (state === 'other') other.push(entry);
        else same += 1;
      }
      const [first] = other;
      if (first !== undefined && !this.overwrites) {
        throw new CommandError('exists', `${first.path} is there with other data or another ACL`, {
          path: first.path,
          hint: '--overwrite replaces it',
        });
      }
      try {
        // Each by itself: an ACL may keep us from the data once it is set.
        for (const { path, data, acl } of other) {
          await this.zk.set(path, data);
          await this.zk.setAcl(path, acl);
        }
        if (missing.length > 0) await this.zk.multi(missing.map(createOf));
        this.counts.created += missing.length;
        this.counts.replaced += other.length;
        this.counts.same += same;
        return;
      } catch (error) {
        if (!mayBeMended(error) || attempt === REPAIRS) throw error;
      }
    }
  }

  private async compare({ path, data, acl }: Entry): Promise<'missing' | 'same' | 'other'> {
    try {
      const [there, rights] = await Promise.all([this.zk.get(path), this.zk.getAcl(path)]);
      return there.data.equals(data) && isSameAcl(rights.acl, acl) ? 'same' : 'other';
    } catch (error) {
      if (ZkError.is(error, 'NO_NODE')) return 'missing';
      throw error;
    }
  }
}

function createOf({ path, data, acl }: Entry): Op {
  return { op: 'create', path, data, options: { acl } };
}

/** A znode that is there, a parent that an earlier batch has yet to make, a reply that was lost. */
function mayBeMended(error: unknown): boolean {
  if (error instanceof MultiError) return ZkError.is(error.cause, 'NODE_EXISTS', 'NO_NODE');
  return ZkError.is(error, 'CONNECTION_LOSS');
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
  return (acl) => acl.map((entry) => ({ ...entry, ...map.get(`${entry.scheme}:${entry.id}`) }));
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
