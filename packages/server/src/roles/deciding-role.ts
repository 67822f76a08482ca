// The part of a member that decides: on a standalone server, and on a leader. It gives out zxids, expires
// sessions and sweeps containers.

import type { PendingChanges } from '@zebu/data-tree';
import type { Zxid } from '@zebu/protocol';
import type { Session } from '@zebu/session';
import type { Member } from '../member.ts';
import type { Serving, ServingRole } from '../serving.ts';
import { ContainerSweeper } from '../sessions/container-sweeper.ts';
import { Expiry } from '../sessions/expiry.ts';
import { LeaderWrites } from '../txns/leader-writes.ts';
import type { Txn } from '../txns/txn-sequence.ts';
import type { WritePath } from '../txns/write-path.ts';

export class DecidingRole implements ServingRole {
  protected readonly member: Member;
  protected parts:
    | { serving: Serving; writes: LeaderWrites; expiry: Expiry; sweeper: ContainerSweeper }
    | undefined;

  constructor(member: Member) {
    this.member = member;
    this.parts = undefined;
  }

  makeWrites(serving: Serving): { writes: WritePath; pending: PendingChanges } {
    const { member } = this;
    const { environment, config, turns } = member;
    const writes = new LeaderWrites(
      {
        config,
        clock: environment.clock,
        logger: environment.logger,
        turns,
        metrics: member.metrics,
        access: member.access,
        audit: member.audit,
        reader: member.reader,
        tree: serving.tree,
        sessions: serving.sessions,
        sequence: serving.sequence,
        waiting: serving.waiting,
        lastZxid: this.firstZxidAfter(serving),
        mayPropose: () => this.mayPropose(),
        confirm: (decides) => this.confirm(decides),
        enterLog: (txn) => this.enterLog(serving, txn),
        noteDefect: (error) => member.noteDefect(error),
      },
      this.sync(serving),
    );
    const expiry = new Expiry({
      scheduler: environment.scheduler,
      config,
      turns,
      sessions: serving.sessions,
      onExpired: (session) => writes.expire(session),
      mayExpire: () => this.mayExpire(),
    });
    const sweeper = new ContainerSweeper({
      environment,
      config: config.containers,
      tree: serving.tree,
      deleteContainer: (id) => {
        if (serving.isOpen) writes.deleteContainer(id);
      },
    });
    this.parts = { serving, writes, expiry, sweeper };
    return { writes, pending: writes.preparation.pending };
  }

  /** Begins to expire and to sweep: the serving is open. */
  start(): void {
    this.parts?.expiry.start();
    this.parts?.sweeper.start();
    this.parts?.writes.closeOrphans();
  }

  stop(): void {
    this.parts?.expiry.stop();
    this.parts?.sweeper.stop();
  }

  touch(session: Session, nowMs: number): void {
    this.parts?.serving.sessions.touch(session, nowMs);
  }

  /** A standalone server is a quorum of its own. */
  durable(zxid: Zxid): void {
    this.parts?.serving.commit(zxid);
  }

  /** The first txn gets the zxid after this one. */
  protected firstZxidAfter(serving: Serving): Zxid {
    return serving.tree.lastProcessedZxid;
  }

  protected enterLog(serving: Serving, txn: Txn): void {
    serving.enterLog(txn);
  }

  /** Undefined: every read is in order after the writes before it, and a sync is such a read. */
  protected sync(_serving: Serving): WritePath['sync'] {
    return undefined;
  }

  protected mayPropose(): boolean {
    return true;
  }

  /** Nobody else decides beside a standalone server. */
  protected confirm(decides: () => void): void {
    decides();
  }

  protected mayExpire(): boolean {
    return true;
  }
}
