// What becomes of this member's own history: cut to its leader's (TRUNC), replaced by it (SNAP), thrown away where
// neither can be done, and read again where the tree holds what the disk does not.
//
//   a sync begins ─► SyncIntake ─► database, core, batches ─► the link is read on
//   a role ends   ─► the log and the directory come to rest ─► Zab.drained()

import { formatZxid, PacketType, type Zxid } from '@zebu/protocol';
import type { Zab } from '@zebu/zab';
import type { Database } from '../database.ts';
import type { CurrentRole } from './current-role.ts';
import type { DiskBatches } from './disk-batches.ts';
import type { LeaderLink } from './leader-link.ts';
import type { SyncIntake } from './sync-intake.ts';

export interface OwnHistoryOptions {
  readonly core: Zab;
  readonly intake: SyncIntake;
  readonly role: CurrentRole;
  readonly batches: DiskBatches;
  readonly isLinkOfLeader: (link: LeaderLink) => boolean;
  /** The database is what the leader wants it to be: a learner's serving begins. */
  readonly beginLearning: () => void;
  /** Something was completed in a turn of the disk's. */
  readonly readClock: () => void;
  readonly drive: () => void;
  readonly driveSoon: () => void;
}

export class OwnHistory {
  private readonly options: OwnHistoryOptions;
  private isTruncating: boolean;
  private afterTruncation: (() => void) | undefined;
  /** It cannot be cut to the leader's: it is thrown away when the role ends. */
  private mustDiscard: boolean;

  constructor(options: OwnHistoryOptions) {
    this.options = options;
    this.isTruncating = false;
    this.afterTruncation = undefined;
    this.mustDiscard = false;
  }

  // ---- A sync -------------------------------------------------------------------------------

  /** False: nothing of the link may be read on before its resume(). */
  syncBegins(link: LeaderLink, mode: number, zxid: Zxid): boolean {
    const { intake, beginLearning } = this.options;
    if (mode === PacketType.SNAP) {
      intake.begin(zxid);
      return true;
    }
    if (!this.isTruncating) {
      beginLearning();
      return true;
    }
    this.afterTruncation = () => this.continueSync(link);
    return false;
  }

  snapshotBytes(
    link: LeaderLink,
    bytes: Buffer,
    start: number,
    end: number,
  ): { used: number; isDone: boolean } {
    const { intake, core, role, batches, isLinkOfLeader } = this.options;
    const { used, isDone, isFull } = intake.feed(bytes, start, end);
    if (isFull) {
      link.stop();
      intake.whenReady(() => link.resume());
    }
    if (isDone) {
      link.stop();
      intake.install((database, zxid) => {
        if (!isLinkOfLeader(link)) return;
        role.database = database;
        batches.restartAt(zxid);
        core.snapshotInstalled(zxid);
        this.continueSync(link);
      });
    }
    return { used, isDone };
  }

  /** The database is what the leader wants it to be: its txns may come. */
  private continueSync(link: LeaderLink): void {
    const { isLinkOfLeader, readClock, beginLearning, driveSoon } = this.options;
    if (!isLinkOfLeader(link)) return;
    readClock();
    beginLearning();
    link.resume();
    driveSoon();
  }

  truncate(zxid: Zxid, done: () => void): void {
    const { intake, core, role, drive } = this.options;
    this.isTruncating = true;
    intake.truncate(zxid, (database) => {
      this.isTruncating = false;
      if (database === undefined) {
        this.mustDiscard = true;
        this.afterTruncation = undefined;
        core.syncFailed(`The log cannot be cut to ${formatZxid(zxid)}`);
        drive();
        return;
      }
      role.database = database;
      done();
      const { afterTruncation } = this;
      this.afterTruncation = undefined;
      afterTruncation?.();
    });
  }

  // ---- The end of a role --------------------------------------------------------------------

  /** A stream that is not installed is given up. */
  abort(): void {
    this.options.intake.abort();
  }

  /**
   * Calls `done` once nothing is in flight to the disk, and the database is what the disk holds; with whether the history
   * was thrown away. What was handed to the log becomes durable first, where it is not thrown away.
   */
  rest(discardTree: boolean, done: (isDiscarded: boolean) => void): void {
    const { intake, core, role, batches } = this.options;
    const { mustDiscard } = this;
    this.mustDiscard = false;
    const withDatabase = (database: Database): void => {
      role.database = database;
      done(mustDiscard);
    };
    const settle = (isReplaced: boolean): void => {
      if (mustDiscard) {
        batches.dropAll(0);
        intake.discard(withDatabase);
      } else if (discardTree || isReplaced) intake.reload(withDatabase);
      else done(false);
    };
    const rested = (): void => {
      intake.whenAtRest((replacedAt) => {
        // It counts as installed although the role that asked for it is over.
        if (replacedAt !== undefined) {
          batches.restartAt(replacedAt);
          core.historyReplaced(replacedAt);
        }
        settle(replacedAt !== undefined);
      });
    };
    if (mustDiscard) role.rest(rested);
    else batches.whenIdle(() => role.rest(rested));
  }
}
