// Brings one learner up to date, as the core has planned it.
//
//   DIFF, TRUNC   the packet, then PROPOSAL and COMMIT of every txn that the learner lacks: from the logs on disk
//                 as far as the committed log does not reach back, then from that
//   SNAP          the packet, the tree as a raw stream, "BenWasHere", then the txns that were committed meanwhile
//
// The stream is fuzzy: txns are applied while it is written, and those that it may hold already are sent again.
// What the learner needs later stays in the committed log until end().
// Source: LearnerHandler.run, syncFollower (3.9.5).

import { formatZxid, type Zxid } from '@zebu/protocol';
import { openTxnFeed, type TxnFeed, type TxnFeedOutcome } from '@zebu/storage';
import { SyncMode, type SyncPlan } from '@zebu/zab';
import type { Member } from '../member.ts';
import type { Serving } from '../serving.ts';
import { SnapshotPump } from '../snapshots/snapshot-pump.ts';
import type { Hold } from '../txns/committed-log.ts';
import type { LearnerLink } from './learner-link.ts';
import type { TxnHistory } from './txn-history.ts';

/** What is sent to a learner in one turn: clients wait that long. */
const PART_BYTES = 256 << 10;

export interface SyncSenderOptions {
  readonly member: Member;
  readonly serving: Serving;
  readonly history: TxnHistory;
  readonly link: LearnerLink;
  readonly plan: SyncPlan;
  /** The last byte was handed to the link. */
  readonly onSent: () => void;
  /** A part was sent: the learner is busy, not silent. */
  readonly onActive: () => void;
  readonly onFailed: (error: Error) => void;
}

export class SyncSender {
  private readonly options: SyncSenderOptions;
  private readonly hold: Hold;
  private pump: SnapshotPump | undefined;
  private feed: TxnFeed | undefined;
  private isEnded: boolean;

  constructor(options: SyncSenderOptions) {
    this.options = options;
    this.hold = {
      afterZxid: options.plan.after,
      overflowed: () =>
        options.onFailed(new Error('The learner is too slow to be brought up to date')),
    };
    this.pump = undefined;
    this.feed = undefined;
    this.isEnded = false;
  }

  get isSnapshot(): boolean {
    return this.options.plan.mode === SyncMode.SNAP;
  }

  start(): void {
    const { serving, link, plan, member, onActive, onFailed } = this.options;
    serving.database.committedLog.hold(this.hold);
    link.beginSync();
    link.sendBare(plan.mode, plan.packetZxid);
    if (plan.fromLogs) {
      this.streamLogs();
      return;
    }
    if (plan.mode !== SyncMode.SNAP) {
      this.finish(plan.after);
      return;
    }
    const { environment } = member;
    environment.logger.info('Sending a snapshot to a learner', {
      sid: link.sid,
      zxid: formatZxid(plan.packetZxid),
    });
    const pump = new SnapshotPump({
      environment,
      tree: serving.tree,
      sessions: serving.sessions,
      isSigned: true,
      sink: {
        failure: undefined,
        write: (bytes, start, end) => {
          onActive();
          return link.sendRaw(bytes, start, end);
        },
      },
      onEnd: (error) => {
        link.onDrained = undefined;
        this.pump = undefined;
        if (error === undefined) this.finish(plan.after);
        else if (!this.isEnded) onFailed(error);
      },
    });
    this.pump = pump;
    link.onDrained = () => {
      onActive();
      pump.resume();
    };
    pump.start();
  }

  /** The learner is in sync, or gone: what was held for it is let go. */
  end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    const { serving, link } = this.options;
    link.onDrained = undefined;
    this.pump?.stop(new Error('The sync is over'));
    this.pump = undefined;
    this.feed?.close();
    this.feed = undefined;
    serving.database.committedLog.release(this.hold);
  }

  /** Sends what the committed log does not have, a chunk at a time and no faster than the learner takes it. */
  private streamLogs(): void {
    const { member, serving, plan, link } = this.options;
    const { minZxid } = serving.database.committedLog;
    const { directory } = member;
    if (directory === undefined) return;
    member.environment.logger.info('Sending txns from the logs to a learner', {
      sid: link.sid,
      after: formatZxid(plan.after),
      upTo: formatZxid(plan.upTo),
    });
    const feed = openTxnFeed({
      disk: member.environment.disk,
      directory,
      fromZxid: plan.after,
      toZxid: Math.min(plan.upTo, minZxid),
      pins: member.pins,
    });
    this.feed = feed;
    feed.next(this.takeChunk);
  }

  private readonly takeChunk = (outcome: TxnFeedOutcome): void => {
    const { feed } = this;
    if (feed === undefined) return;
    const { member, link, plan, onActive, onFailed } = this.options;
    member.turns.readClock();
    onActive();
    switch (outcome.kind) {
      case 'txns': {
        const { bytes, count, zxids, starts, ends } = outcome;
        for (let i = 0; i < count; i++) {
          const zxid = zxids[i] as Zxid;
          if (zxid <= plan.after || zxid > plan.upTo) continue;
          link.sendLoggedPair(zxid, bytes, starts[i] as number, ends[i] as number);
        }
        link.flush();
        if (link.backlogBytes === 0) feed.next(this.takeChunk);
        else {
          link.onDrained = () => {
            link.onDrained = undefined;
            this.feed?.next(this.takeChunk);
          };
        }
        return;
      }
      case 'end':
        feed.close();
        this.feed = undefined;
        this.finish(outcome.lastZxid);
        return;
      case 'unreachable':
        onFailed(new Error(`The logs do not reach back: ${outcome.reason}`));
        return;
      case 'failed':
        onFailed(outcome.error);
    }
  };

  /** Sends what the committed log has, a part each turn and no faster than the learner takes it. */
  private finish(after: Zxid): void {
    const { link, history, plan, member, onSent, onActive } = this.options;
    const end = history.partEnd(after, plan.upTo, PART_BYTES);
    link.sendPairs(history, after, end);
    if (end === plan.upTo) {
      link.endSync();
      link.flush();
      onSent();
      return;
    }
    link.flush();
    const next = (): void => {
      if (this.isEnded) return;
      link.onDrained = undefined;
      member.turns.readClock();
      onActive();
      this.finish(end);
    };
    if (link.backlogBytes === 0) member.environment.scheduler.afterTurn(next);
    else link.onDrained = next;
  }
}
