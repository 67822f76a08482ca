// What a leader's host sends to its learners: messages of the core, txns and commits from its history, and the syncs
// that bring them up to date, with the facts that the core plans those by.

import { PacketType, type PeerMessage, type Zxid } from '@zebu/protocol';
import { type CoreMessage, type Send, SendKind, type SyncFacts, type Zab } from '@zebu/zab';
import type { EnsembleConfig } from '../config/ensemble-config.ts';
import type { Member } from '../member.ts';
import type { Hold } from '../txns/committed-log.ts';
import type { CurrentRole } from './current-role.ts';
import type { EnsembleFigures } from './ensemble-figures.ts';
import type { LearnerLink } from './learner-link.ts';
import { areLogsWorthIt, askLogs } from './log-reach.ts';
import { SyncSender } from './sync-sender.ts';

export interface LearnerFeedOptions {
  readonly member: Member;
  readonly ensemble: EnsembleConfig;
  readonly core: Zab;
  readonly figures: EnsembleFigures;
  readonly role: CurrentRole;
  /** Fills in what the core does not know. */
  readonly completed: (message: CoreMessage) => PeerMessage;
  /** A sync was sent, at a time of its own. */
  readonly onSent: (learner: LearnerLink) => void;
  /** Takes the core's output, now. */
  readonly drive: () => void;
}

export class LearnerFeed {
  private readonly options: LearnerFeedOptions;
  /** Under way, by link. */
  private readonly syncs: Map<number, SyncSender>;
  /** Learners that were told that they are up to date in the output at hand. */
  private readonly syncsToEnd: number[];

  constructor(options: LearnerFeedOptions) {
    this.options = options;
    this.syncs = new Map();
    this.syncsToEnd = [];
  }

  send(learner: LearnerLink, send: Send): void {
    const { history } = this.options.role;
    const { after, upTo } = send;
    switch (send.kind) {
      case SendKind.MESSAGE:
        if (send.message === undefined) return;
        learner.sendMessage(this.options.completed(send.message));
        // What was held for it follows in this output.
        if (send.message.type === PacketType.UPTODATE) {
          learner.isSynced = true;
          this.syncsToEnd.push(learner.number);
        }
        return;
      case SendKind.SYNC:
        this.beginSync(learner, send);
        return;
      default:
        if (history === undefined) return;
        if (send.kind === SendKind.PROPOSALS) {
          learner.timeAck(upTo, this.options.member.turns.nowMs);
          learner.sendProposals(history, after, upTo);
        } else if (send.kind === SendKind.COMMITS) learner.sendCommits(history, after, upTo);
        else learner.sendInforms(history, after, upTo);
    }
  }

  /** The core's output is sent: syncs that came to their end in it are over. */
  sent(): void {
    for (const link of this.syncsToEnd) this.endSync(link);
    this.syncsToEnd.length = 0;
  }

  endSync(link: number): void {
    const sender = this.syncs.get(link);
    if (sender === undefined) return;
    sender.end();
    this.syncs.delete(link);
    this.options.figures.syncEnded(sender.isSnapshot, this.syncs.values());
  }

  endAllSyncs(): void {
    for (const link of [...this.syncs.keys()]) this.endSync(link);
  }

  private beginSync(learner: LearnerLink, { plan }: Send): void {
    const { member, core, figures, onSent, role } = this.options;
    const { history, serving } = role;
    if (history === undefined || plan === undefined || serving === undefined) return;
    const sender = new SyncSender({
      member,
      serving,
      history,
      link: learner,
      plan: { ...plan },
      onSent: () => {
        core.syncSent(learner.number);
        onSent(learner);
      },
      onActive: () => core.linkActive(learner.number),
      onFailed: (error) => learner.close(error),
    });
    this.endSync(learner.number);
    this.syncs.set(learner.number, sender);
    figures.syncBegan(sender.isSnapshot, this.syncs.values());
    sender.start();
  }

  /** Answers the core at once, or once the logs on disk were asked. */
  answerPlanRequest(link: number, learnerZxid: Zxid): void {
    const { member, ensemble, core, role, drive } = this.options;
    const { serving, history, database } = role;
    if (serving === undefined || history === undefined) return;
    const facts = (): SyncFacts => {
      const { minZxid } = database.committedLog;
      return {
        appliedZxid: serving.tree.lastProcessedZxid,
        minCommittedZxid: minZxid >= 0 ? minZxid : (serving.sequence.first()?.zxid ?? -1),
        logAfterZxid: -1,
        ...history.neighbours(learnerZxid),
        forceSnapshot: ensemble.forceSnapshotSync,
      };
    };
    const now = facts();
    const { directory } = member;
    const { minZxid } = database.committedLog;
    if (
      learnerZxid < 0 ||
      learnerZxid >= now.minCommittedZxid ||
      ensemble.forceSnapshotSync ||
      directory === undefined ||
      minZxid < 0 ||
      !areLogsWorthIt(member.environment.disk, directory, learnerZxid, ensemble.snapshotSizeFactor)
    ) {
      core.syncFacts(link, now);
      return;
    }
    // What is in memory now is still there when the logs have been sent.
    const hold: Hold = { afterZxid: minZxid - 1, overflowed: () => {} };
    database.committedLog.hold(hold);
    askLogs(member, directory, { fromZxid: learnerZxid, toZxid: minZxid }, (reach) => {
      if (role.serving === serving) {
        core.syncFacts(link, { ...facts(), ...reach });
        drive();
      }
      database.committedLog.release(hold);
    });
  }
}
