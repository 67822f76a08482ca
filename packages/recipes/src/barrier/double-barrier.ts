// Parties that begin together and end together. Each has an ephemeral znode under the path; the one that completes the
// number creates `ready`, and the last to leave takes it away. The znodes are those of Curator's
// DistributedDoubleBarrier and kazoo's DoubleBarrier.
//
//   enter   member, then: `ready` there or members >= parties ──> in
//   leave   not the lowest: delete the member, wait for the lowest to go
//           the lowest: wait for the highest to go; alone: delete the member and `ready` in one multi

import { type Client, MultiError, type Session, type Stat, ZkError } from '@zebu/client';
import { inAnySession, throwUnlessExpired } from '../core/any-session.ts';
import { CallLimit } from '../core/call-limit.ts';
import { awaitChange, awaitEvent } from '../core/one-shot.ts';
import { type OpOptions, type RecipeOptions, recipeSettings } from '../core/options.ts';
import {
  childPath,
  createOwnedZnode,
  deleteOwnedZnode,
  isStillOwned,
  type OwnedZnode,
} from '../core/owned-znode.ts';
import { isPassing, untilAnswered } from '../core/persistence.ts';
import { readNames } from '../core/read.ts';

export interface DoubleBarrier {
  readonly path: string;
  readonly parties: number;
  /**
   * Resolves when so many have entered. Across lost connections, and in the next session from the beginning. More than
   * `parties` may enter: it is a threshold. When the caller's limit is reached first, no znode stays.
   */
  enter(options?: OpOptions): Promise<Party>;
}

/** One that is in. Disposing it leaves. */
export interface Party extends AsyncDisposable {
  readonly path: string;
  /** Aborts when our session ends: the others may go on without us. */
  readonly signal: AbortSignal;
  /** Resolves when all have left. A limit ends the waiting; our znode is gone in any case. */
  leave(options?: OpOptions): Promise<void>;
}

const READY = 'ready';

export function doubleBarrier(
  zk: Client,
  path: string,
  parties: number,
  options?: Pick<RecipeOptions, 'acl' | 'identity'>,
): DoubleBarrier {
  if (!Number.isSafeInteger(parties) || parties < 1) {
    throw new TypeError(`A barrier needs at least 1 party, not ${parties}`);
  }
  return new ZnodeDoubleBarrier(zk, path, parties, recipeSettings('doubleBarrier', options));
}

/** When it was created; undefined where the server does not say. */
interface Ready {
  readonly czxid: number | undefined;
}

interface Settings {
  readonly acl: RecipeOptions['acl'];
  readonly identity: string;
}

class ZnodeDoubleBarrier implements DoubleBarrier {
  readonly path: string;
  readonly parties: number;
  private readonly zk: Client;
  private readonly settings: Settings;
  private readonly readyPath: string;

  constructor(zk: Client, path: string, parties: number, settings: Settings) {
    this.path = path;
    this.parties = parties;
    this.zk = zk;
    this.settings = settings;
    this.readyPath = childPath(path, READY);
  }

  async enter(options?: OpOptions): Promise<Party> {
    const { zk, path, settings } = this;
    using limit = new CallLimit(zk, 'enter', path, options);
    for (;;) {
      const member = await createOwnedZnode(
        zk,
        {
          directory: path,
          label: 'member',
          isSequential: false,
          data: settings.identity,
          acl: settings.acl,
        },
        limit,
      );
      try {
        const ready = await this.awaitReady(member, limit);
        if (ready !== undefined) return new EnteredParty(zk, path, member, ready.czxid);
        // The session ended, or somebody deleted the member: from the beginning.
        await deleteOwnedZnode(zk, member);
      } catch (error) {
        void deleteOwnedZnode(zk, member).catch(() => {});
        throw limit.signal.aborted ? limit.error : error;
      }
    }
  }

  /** `ready` of our round; undefined if our member is gone. */
  private async awaitReady(member: OwnedZnode, limit: CallLimit): Promise<Ready | undefined> {
    const { zk, path, parties, readyPath } = this;
    const { signal } = limit;
    while (!member.session.signal.aborted) {
      limit.throwIfOver();
      try {
        const { stat, watch } = await untilAnswered(
          zk,
          () => zk.exists(readyPath, { watch: true, signal, timeoutMs: 0 }),
          signal,
        );
        // Whatever ends this round of the loop, an abort during the next read too, ends the watch.
        using _ = watch;
        if (stat !== undefined) {
          const isStanding = await this.isOfThisRound(stat, member, signal);
          if (isStanding) {
            return (await isStillOwnedSurely(zk, member, signal)) ? stat : undefined;
          }
          await removeReady(zk, readyPath, stat, signal);
          continue;
        }
        const names = (await readNames(zk, path, signal)) ?? [];
        const members = membersAmong(names);
        if (!members.includes(member.name)) return undefined;
        if (members.length >= parties) {
          // So many have entered, and that is enough for us; `ready` is for the others.
          const ready = await this.createReady(signal);
          return (await isStillOwnedSurely(zk, member, signal)) ? ready : undefined;
        }
        const event = await awaitEvent(watch, limit);
        // It was there after our member: that is enough, also if kazoo has taken it away since.
        if (event.type === 'created' && (await isStillOwnedSurely(zk, member, signal))) {
          return { czxid: event.zxid };
        }
      } catch (error) {
        if (signal.aborted) throw limit.error;
        throwUnlessExpired(zk, error);
      }
    }
    return undefined;
  }

  /**
   * A `ready` that is older than our member is of a round that is under way, if a member of that round is left; else its
   * last member died before it could take it away.
   */
  private async isOfThisRound(
    ready: Stat,
    member: OwnedZnode,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (ready.czxid > member.czxid) return true;
    const { zk, path } = this;
    const names = membersAmong((await readNames(zk, path, signal)) ?? []);
    for (const name of names) {
      if (name === member.name) continue;
      const stat = await untilAnswered(
        zk,
        () => zk.exists(childPath(path, name), { signal, timeoutMs: 0 }),
        signal,
      );
      if (stat !== undefined && stat.czxid < ready.czxid) return true;
    }
    return false;
  }

  private async createReady(signal: AbortSignal): Promise<Ready> {
    const { zk, readyPath, settings } = this;
    const options = { acl: settings.acl, signal, timeoutMs: 0 };
    try {
      const { stat } = await untilAnswered(
        zk,
        () => zk.create(readyPath, undefined, options),
        signal,
      );
      return { czxid: stat.czxid };
    } catch (error) {
      // Another one was first; or all have left again meanwhile, and taken the directory along.
      if (!ZkError.is(error, 'NODE_EXISTS', 'NO_NODE')) throw error;
      const found = await untilAnswered(
        zk,
        () => zk.exists(readyPath, { signal, timeoutMs: 0 }),
        signal,
      );
      return { czxid: found?.czxid };
    }
  }
}

class EnteredParty implements Party {
  readonly path: string;
  private readonly zk: Client;
  private readonly directory: string;
  private readonly member: OwnedZnode;
  /** When `ready` of our round was created. */
  private readonly readyCzxid: number | undefined;
  private leaving: Promise<void> | undefined;

  constructor(zk: Client, directory: string, member: OwnedZnode, readyCzxid: number | undefined) {
    this.path = member.path;
    this.zk = zk;
    this.directory = directory;
    this.member = member;
    this.readyCzxid = readyCzxid;
    this.leaving = undefined;
  }

  get signal(): AbortSignal {
    return this.member.session.signal;
  }

  leave(options?: OpOptions): Promise<void> {
    this.leaving ??= this.leaveOnce(options);
    return this.leaving;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }

  /** If the session of the last member ended before it could take `ready` away. */
  private async clearReady(signal: AbortSignal): Promise<void> {
    const { zk, directory, readyCzxid } = this;
    const readyPath = childPath(directory, READY);
    const options = { signal, timeoutMs: 0 };
    const stat = await untilAnswered(zk, () => zk.exists(readyPath, options), signal);
    // Another one is of the next round.
    if (stat !== undefined && stat.czxid === readyCzxid)
      await removeReady(zk, readyPath, stat, signal);
  }

  private async leaveOnce(options: OpOptions | undefined): Promise<void> {
    const { zk, directory, member } = this;
    using limit = new CallLimit(zk, 'leave', directory, options);
    const { signal } = limit;
    try {
      for (;;) {
        limit.throwIfOver();
        const members = membersAmong(
          (await limit.race(readNames(zk, directory, signal))) ?? [],
        ).sort();
        const [lowest] = members;
        if (lowest === undefined) {
          await limit.race(this.clearReady(signal));
          return;
        }
        // One of a session that is over cannot be deleted by us, and goes by itself.
        const isOurs = !member.session.signal.aborted;
        if (lowest !== member.name || !isOurs) {
          if (members.includes(member.name)) await limit.race(deleteOwnedZnode(zk, member));
          await awaitChange(zk, childPath(directory, lowest), limit);
        } else if (members.length > 1) {
          await awaitChange(zk, childPath(directory, members.at(-1) as string), limit);
        } else {
          await limit.race(deleteWithReady(zk, directory, member));
        }
      }
    } catch (error) {
      void deleteOwnedZnode(zk, member).catch(() => {});
      throw signal.aborted ? limit.error : error;
    }
  }
}

async function removeReady(
  zk: Client,
  readyPath: string,
  { version }: Stat,
  signal: AbortSignal,
): Promise<void> {
  const options = { version, missingOk: true, signal, timeoutMs: 0 };
  try {
    await inAnySession(zk, () => zk.delete(readyPath, options), signal);
  } catch (error) {
    if (!ZkError.is(error, 'BAD_VERSION')) throw error;
  }
}

/** The last member, and `ready` with it, so that the next round cannot see it. */
async function deleteWithReady(zk: Client, directory: string, member: OwnedZnode): Promise<void> {
  const { session } = member;
  while (!session.signal.aborted) {
    try {
      await zk.multi(
        [
          { op: 'delete', path: member.path },
          { op: 'delete', path: childPath(directory, READY) },
        ],
        { timeoutMs: 0 },
      );
      return;
    } catch (error) {
      if (error instanceof MultiError && ZkError.is(error.cause, 'NO_NODE')) {
        // Others (kazoo) take `ready` away at once; and a lost reply may have been of a multi that was carried out.
        return await deleteOwnedZnode(zk, member);
      }
      if (isOver(error, session)) return;
      if (!isPassing(error)) throw error;
    }
  }
}

function isOver(error: unknown, session: Session): boolean {
  return session.signal.aborted || ZkError.is(error, 'SESSION_EXPIRED', 'CLOSED');
}

async function isStillOwnedSurely(
  zk: Client,
  member: OwnedZnode,
  signal: AbortSignal,
): Promise<boolean> {
  return await untilAnswered(zk, () => isStillOwned(zk, member), signal);
}

function membersAmong(names: readonly string[]): string[] {
  return names.filter((name) => name !== READY);
}
