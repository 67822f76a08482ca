// Who is next: contenders are ephemeral sequential znodes in one directory, and each waits for the one that stands
// before it. Only that one is watched, so one hand-over wakes one waiter.

import { type Client, type OpOptions, type ReadOptions, ZkError } from '@zebu/client';
import { CallLimit } from './call-limit.ts';
import { confirmHeld, heldByList } from './confirm-held.ts';
import { HeldZnode } from './held.ts';
import { awaitChange } from './one-shot.ts';
import type { RecipeSettings } from './options.ts';
import { childPath, createOwnedZnode, deleteOwnedZnode, type OwnedZnode } from './owned-znode.ts';
import { untilAnswered } from './persistence.ts';
import { compareSequences, parseSequence } from './sequence.ts';
import { standBy } from './stand-by.ts';

/** One that wants, or has, what the contest is about. */
export interface Contender {
  /** Its identity, as it wrote it into its znode. */
  readonly identity: string;
  readonly path: string;
  /** The zxid of the znode's creation; the token of its grant. */
  readonly token: number;
  /** The first has what the contest is about, or is about to find out that it has. */
  readonly holder: boolean;
}

/** A contender's name, and its number. */
export interface Entry {
  readonly name: string;
  readonly sequence: number;
}

export interface ContestSettings extends RecipeSettings {
  readonly directory: string;
  /** What our znodes' names end with before the number, as in "lock-". */
  readonly label: string;
  /** What the names of all that count end with; others in the directory are ignored. */
  readonly labels: readonly string[];
  /**
   * Whom the one at `index` has to wait for; undefined if for nobody. Default: the one before it.
   * `entries` are in the order of creation.
   */
  readonly blockerOf?: (entries: readonly Entry[], index: number) => Entry | undefined;
  /** Whether one that leaves may give its number to another znode. Default: no, so that nobody gets in front. */
  readonly isNumberPassedOn?: boolean;
}

export class Contest {
  private readonly zk: Client;
  private readonly settings: ContestSettings;

  constructor(zk: Client, settings: ContestSettings) {
    this.zk = zk;
    this.settings = settings;
  }

  /** Waits for its turn; over lost connections, and in a later session from the end of the line. */
  async enter(op: string, options: OpOptions | undefined): Promise<HeldZnode> {
    using limit = new CallLimit(this.zk, op, this.settings.directory, options);
    return (await this.contend(limit, 'wait')) as HeldZnode;
  }

  /** Undefined if somebody is in front; no znode stays then. */
  async tryEnter(op: string, options: OpOptions | undefined): Promise<HeldZnode | undefined> {
    using limit = new CallLimit(this.zk, op, this.settings.directory, options);
    return await this.contend(limit, 'try');
  }

  /** In the order of their turns. */
  async contenders(options?: ReadOptions): Promise<Contender[]> {
    const found: Contender[] = [];
    for await (const one of this.inOrder(options)) found.push(one);
    return found;
  }

  /** The one whose turn it is. */
  async first(options?: ReadOptions): Promise<Contender | undefined> {
    for await (const one of this.inOrder(options)) return one;
    return undefined;
  }

  private async *inOrder(options: ReadOptions | undefined): AsyncGenerator<Contender, void, void> {
    const { zk, settings } = this;
    const entries = await this.entries(options);
    let holder = true;
    for (const { name } of entries) {
      const path = childPath(settings.directory, name);
      try {
        const { data, stat } = await zk.get(path, options);
        yield { identity: data.toString('utf8'), path, token: stat.czxid, holder };
        holder = false;
      } catch (error) {
        // It has left meanwhile.
        if (!ZkError.is(error, 'NO_NODE')) throw error;
      }
    }
  }

  private async contend(limit: CallLimit, kind: 'wait' | 'try'): Promise<HeldZnode | undefined> {
    const { zk, settings } = this;
    for (;;) {
      let isInterrupted = false;
      using _ = zk.on('state', () => {
        isInterrupted = true;
      });
      const creating = createOwnedZnode(
        zk,
        { ...settings, isSequential: true, data: settings.identity },
        limit,
      );
      // Sent with the create, and answered after it: a contender that is alone, or next, is a trip earlier there.
      const listing = this.entries({ signal: limit.signal, timeoutMs: 0 }).catch(() => undefined);
      const znode = await creating;
      const listed = await listing;
      let turn: HeldZnode | 'lost' | 'blocked';
      try {
        turn = await this.awaitTurn(znode, isInterrupted ? undefined : listed, limit, kind);
      } catch (error) {
        // The caller goes on at once; the znode is deleted as soon as there is a connection.
        void deleteOwnedZnode(zk, znode).catch(() => {});
        throw limit.signal.aborted ? limit.error : error;
      }
      if (turn instanceof HeldZnode) {
        if (!limit.signal.aborted) return turn;
        void turn.release().catch(() => {});
        throw limit.error;
      }
      if (turn === 'blocked') {
        await deleteOwnedZnode(zk, znode);
        return undefined;
      }
      // Deleted by somebody, or with its session: again, from the end of the line.
    }
  }

  /** `listed` are the contenders after the znode's creation, if they are known and the connection still stands. */
  private async awaitTurn(
    znode: OwnedZnode,
    listed: readonly Entry[] | undefined,
    limit: CallLimit,
    kind: 'wait' | 'try',
  ): Promise<HeldZnode | 'lost' | 'blocked'> {
    const { zk } = this;
    const { directory, blockerOf = predecessor, isNumberPassedOn = false } = this.settings;
    const isOwn = ({ name }: Entry): boolean => name === znode.name;
    // Without our own znode the list is older than that: the create was made again.
    let known = listed?.some(isOwn) ? listed : undefined;
    let isListed = known !== undefined;
    let isLikelyNext = false;
    while (!znode.session.signal.aborted) {
      const { entries, confirmed } =
        known === undefined
          ? await this.look(znode, limit, isLikelyNext)
          : { entries: known, confirmed: undefined };
      known = undefined;
      const index = entries.findIndex(isOwn);
      const blocker = index < 0 ? undefined : blockerOf(entries, index);
      if (index < 0 || blocker !== undefined) {
        if (confirmed instanceof HeldZnode) confirmed.forget();
        if (index < 0) return 'lost';
        if (kind === 'try') return 'blocked';
        const front = childPath(directory, (blocker as Entry).name);
        if (index === 1 && !isNumberPassedOn) {
          const turn = await standBy(zk, znode, front, this.settings.onSuspend, limit);
          if (turn !== 'again') return turn;
        } else {
          await awaitChange(zk, front, limit);
        }
        isLikelyNext = true;
      } else {
        const { onSuspend } = this.settings;
        const turn =
          (isListed ? heldByList(zk, znode, onSuspend, limit) : confirmed) ??
          (await confirmHeld(zk, znode, onSuspend, limit));
        if (turn !== 'again') return turn;
        isLikelyNext = false;
      }
      isListed = false;
    }
    return 'lost';
  }

  /**
   * Lists the contenders. Where it is likely our turn, confirms it with the same trip to the server: a lock goes
   * from hand to hand as fast as its waiters get there.
   */
  private async look(
    znode: OwnedZnode,
    limit: CallLimit,
    confirms: boolean,
  ): Promise<{
    entries: readonly Entry[];
    confirmed: HeldZnode | 'lost' | 'again' | undefined;
  }> {
    const { zk } = this;
    const { signal } = limit;
    const listing = untilAnswered(zk, () => this.entries({ signal, timeoutMs: 0 }), signal);
    const confirming = confirms
      ? confirmHeld(zk, znode, this.settings.onSuspend, limit)
      : undefined;
    const [listed, confirmed] = await Promise.allSettled([listing, confirming]);
    if (listed.status === 'fulfilled' && confirmed.status === 'fulfilled') {
      return { entries: listed.value, confirmed: confirmed.value };
    }
    if (confirmed.status === 'fulfilled' && confirmed.value instanceof HeldZnode) {
      confirmed.value.forget();
    }
    throw listed.status === 'rejected'
      ? listed.reason
      : (confirmed as PromiseRejectedResult).reason;
  }

  private async entries(options: ReadOptions | undefined): Promise<Entry[]> {
    const { directory, labels } = this.settings;
    try {
      const { names } = await this.zk.children(directory, options);
      return sortEntries(names, labels);
    } catch (error) {
      if (ZkError.is(error, 'NO_NODE')) return [];
      throw error;
    }
  }
}

/** Those whose names end in a label and a number, in the order of creation. */
export function sortEntries(names: readonly string[], labels: readonly string[]): Entry[] {
  const entries: Entry[] = [];
  for (const name of names) {
    const sequence = parseSequence(name, labels);
    if (sequence !== undefined) entries.push({ name, sequence });
  }
  return entries.sort((a, b) => compareSequences(a.sequence, b.sequence));
}

function predecessor(entries: readonly Entry[], index: number): Entry | undefined {
  return entries[index - 1];
}
