// The leader's role: an epoch that a quorum promises to keep to, learners brought up to date, then proposals, acks
// and commits (Leader, LearnerHandler).
//
//   discovery        a quorum of voters connects ─► epoch chosen, durable ─► LEADERINFO ─► a quorum acks it
//   synchronization  currentEpoch durable; each learner: plan, NEWLEADER ─► a quorum acks that
//   broadcast        UPTODATE; propose ─► PROPOSAL ─► acks ─► COMMIT, INFORM
//
// What was brought into the epoch is committed once a quorum acked NEWLEADER, and not before: commits are counted
// only over txns of the leader's own epoch.

import {
  type AckEpochMessage,
  counterOf,
  ElectionState,
  epochOf,
  type LearnerInfoMessage,
  MAX_EPOCH,
  makeZxid,
  PacketType,
  PEER_PROTOCOL_VERSION,
  type Zxid,
} from '@zebu/protocol';
import type { Core } from './core.ts';
import type { Elected } from './election.ts';
import { assert } from './invariants.ts';
import { LearnerProgress, LearnerStep } from './learner-progress.ts';
import type { CoreMessage, Notification } from './messages.ts';
import { type Phase, type Reason, type ReasonCode, SendKind } from './output.ts';
import { planSync, type SyncFacts, SyncMode } from './sync-plan.ts';

/** What the leader waits for. */
type Step = 'epoch' | 'epoch-durable' | 'epoch-acks' | 'newleader-acks' | 'established';

interface Barrier {
  readonly token: number;
  /** Lets go only once this is committed. */
  readonly zxid: Zxid;
  /** Lets go only once a quorum has answered something of this round. */
  readonly round: number;
}

/** By how much a learner without a vote raises the epoch at most. */
const MAX_STEP_WITHOUT_VOTE = 1024;

export class Leader {
  /** -1 until it is chosen. */
  epoch: number;
  /** Last txn of the history that this leader brings into its epoch. */
  readonly historyZxid: Zxid;
  private readonly core: Core;
  private readonly elected: Elected;
  private step: Step;
  private stepAt: number;
  private readonly learners: Map<number, LearnerProgress>;
  private maxAcceptedEpoch: number;
  private readonly connected: Set<number>;
  private readonly epochAcks: Set<number>;
  private readonly newLeaderAcks: Set<number>;
  private proposedZxid: Zxid;
  /** The highest zxid that each voter has acked in this epoch, in the order of the quorum's voters. */
  private readonly acked: Float64Array;
  private nextPingAt: number;
  private nextCheckAt: number;
  private nextAnonymousSid: number;
  private readonly barriers: Barrier[];
  private barrierRound: number;
  /** Whether a barrier came since the last round of pings. */
  private roundWanted: boolean;
  /** Last proposal when the current round began: an ack of a later one answers the round too. */
  private roundZxid: Zxid;
  /** The last round that each voter has answered. */
  private readonly answered: Float64Array;
  /** The tree was taken for a snapshot with txns that are committed only once this leader is established. */
  private isTreeTentative: boolean;
  /** Since when voters that have accepted a higher epoch keep coming, and when the last one came. */
  private aheadSince: number;
  private aheadAt: number;
  /** Voters that vote for somebody else since this election, or whose election port cannot be reached. */
  private readonly strays: Set<number>;
  /** Since when the others are no quorum; Infinity while they are. */
  private strandedSince: number;

  constructor(core: Core, elected: Elected) {
    const { limits, sid } = core.config;
    this.core = core;
    this.elected = elected;
    this.epoch = -1;
    this.historyZxid = core.plant === 'lead-by-applied' ? core.appliedZxid : core.disk.durableZxid;
    this.step = 'epoch';
    this.stepAt = core.now;
    this.learners = new Map();
    this.maxAcceptedEpoch = Math.max(core.disk.acceptedEpoch, core.epochFloor);
    this.connected = new Set([sid]);
    this.epochAcks = new Set();
    this.newLeaderAcks = new Set();
    this.proposedZxid = -1;
    this.acked = new Float64Array(core.quorum.voters.length).fill(-1);
    this.nextPingAt = core.now + limits.ping;
    this.nextCheckAt = core.now + limits.quorumCheck;
    this.nextAnonymousSid = -1;
    this.barriers = [];
    this.barrierRound = 0;
    this.roundWanted = false;
    this.roundZxid = -1;
    this.answered = new Float64Array(core.quorum.voters.length).fill(-1);
    this.isTreeTentative = false;
    this.aheadSince = core.now;
    this.aheadAt = Number.NEGATIVE_INFINITY;
    this.strays = new Set();
    this.strandedSince = Number.POSITIVE_INFINITY;
    this.chooseEpoch();
  }

  /** Whether the host's tree has to be thrown away if the role ends now. */
  get leavesTree(): boolean {
    return this.isTreeTentative && this.step !== 'established';
  }

  get phase(): Phase {
    if (this.step === 'established') return 'broadcast';
    return this.step === 'newleader-acks' ? 'synchronization' : 'discovery';
  }

  /** Why this leader is in its phase; of the first one the election says it. */
  get phaseReason(): Reason {
    switch (this.step) {
      case 'established':
        return { code: 'in-sync', text: `Servers ${[...this.newLeaderAcks]} are in sync` };
      case 'newleader-acks': {
        const text = `Servers ${[...this.epochAcks]} acked epoch ${this.epoch}`;
        return { code: 'epoch-acked', text };
      }
      default: {
        const text = `Epoch ${this.epoch} is above what servers ${[...this.connected]} accepted`;
        return { code: 'epoch-chosen', text };
      }
    }
  }

  /** -1 while nothing may be proposed. */
  get nextZxid(): Zxid {
    if (this.step !== 'established' || this.core.leaving !== undefined) return -1;
    if (counterOf(this.proposedZxid) >= this.core.config.limits.hardCounter) return -1;
    return this.proposedZxid + 1;
  }

  /** Whether flush() has something to say. */
  get hasOutput(): boolean {
    if (this.step !== 'established') return false;
    if (this.roundWanted) return true;
    const { committedZxid } = this.core;
    for (const learner of this.learners.values()) {
      if (learner.step !== LearnerStep.FORWARDING) continue;
      if (learner.sentCommitZxid < committedZxid) return true;
      if (!learner.isObserver && learner.sentProposalZxid < this.proposedZxid) return true;
    }
    return false;
  }

  // Links

  learnerConnected(link: number): void {
    const { limits } = this.core.config;
    const deadline = this.core.now + limits.init + limits.sync;
    this.learners.set(link, new LearnerProgress(link, this.core.now, deadline));
  }

  linkClosed(link: number): void {
    this.learners.delete(link);
  }

  linkActive(link: number): void {
    const learner = this.learners.get(link);
    if (learner !== undefined) this.heard(learner);
  }

  /** Ends every link, as the role ends. */
  end(): void {
    for (const learner of this.learners.values()) {
      this.core.outbox.close(learner.link, {
        code: 'role-over',
        text: `Server ${this.core.config.sid} does not lead any more`,
      });
    }
    this.learners.clear();
  }

  receive(link: number, message: CoreMessage): void {
    const learner = this.learners.get(link);
    if (learner === undefined) return;
    this.heard(learner);
    const isInfo =
      message.type === PacketType.FOLLOWERINFO || message.type === PacketType.OBSERVERINFO;
    if (isInfo !== (learner.step === LearnerStep.CONNECTED)) {
      this.closeUnexpected(learner, message.type);
      return;
    }
    switch (message.type) {
      case PacketType.FOLLOWERINFO:
      case PacketType.OBSERVERINFO:
        this.receiveInfo(learner, message);
        break;
      case PacketType.ACKEPOCH:
        if (learner.step === LearnerStep.EPOCH_SENT) this.receiveAckEpoch(learner, message);
        else this.closeUnexpected(learner, message.type);
        break;
      case PacketType.ACK:
        this.receiveAck(link, message.zxid);
        break;
      case PacketType.PING:
        this.receivePong(learner);
        break;
      default:
        // Apache's leader ignores what it does not know, too.
        break;
    }
  }

  // Discovery

  private receiveInfo(learner: LearnerProgress, message: LearnerInfoMessage): void {
    const { core } = this;
    const { sid, protocolVersion, configVersion } = message.info;
    if (protocolVersion < PEER_PROTOCOL_VERSION) {
      const text = `A learner speaks version 0x${protocolVersion.toString(16)} of the peer protocol, of before 3.4`;
      this.close(learner, 'old-protocol', text);
      return;
    }
    if (configVersion !== undefined && configVersion > core.config.configVersion) {
      const text = `The learner's config has version 0x${configVersion.toString(16)}, ours 0x${core.config.configVersion.toString(16)}`;
      this.close(learner, 'config-ahead', text);
      return;
    }
    learner.sid = sid ?? this.nextAnonymousSid--;
    learner.isObserver = message.type === PacketType.OBSERVERINFO;
    if (!learner.isObserver) {
      learner.voterIndex = core.quorum.indexOf(learner.sid);
    }
    if (learner.sid === core.config.sid) {
      this.close(learner, 'protocol', `A learner has our own sid ${learner.sid}`);
      return;
    }
    if (message.acceptedEpoch >= MAX_EPOCH) {
      const text = `Server ${learner.sid} says it accepted epoch ${message.acceptedEpoch}: no epoch could follow`;
      this.close(learner, 'protocol', text);
      return;
    }
    this.replaceOlderLink(learner);
    learner.step = LearnerStep.WAITS_FOR_EPOCH;
    this.noteAcceptedEpoch(learner, message.acceptedEpoch);
    if (core.leaving !== undefined) return;
    if (this.step === 'epoch') {
      if (this.counts(learner)) this.connected.add(learner.sid);
      this.chooseEpoch();
    } else if (this.step !== 'epoch-durable') this.sendEpoch(learner);
  }

  /** A member that comes back by a new link has given up the old one. */
  private replaceOlderLink(learner: LearnerProgress): void {
    for (const other of this.learners.values()) {
      if (other === learner || other.sid !== learner.sid || other.step === LearnerStep.CONNECTED) {
        continue;
      }
      this.close(other, 'replaced', `Server ${learner.sid} came back by link ${learner.link}`);
    }
    // What it acked by the old link may be cut off by its next sync.
    if (learner.voterIndex >= 0) this.acked[learner.voterIndex] = -1;
  }

  private noteAcceptedEpoch(learner: LearnerProgress, acceptedEpoch: number): void {
    const { core } = this;
    const known = Math.max(this.maxAcceptedEpoch, this.epoch);
    // An observer raises the epoch, as on Apache's leaders; nobody without a vote uses up the epochs that there are.
    if (learner.voterIndex < 0 && acceptedEpoch > known + MAX_STEP_WITHOUT_VOTE) return;
    if (this.step === 'epoch') {
      this.maxAcceptedEpoch = Math.max(this.maxAcceptedEpoch, acceptedEpoch);
      return;
    }
    if (acceptedEpoch <= this.epoch) return;
    // It will refuse our epoch, and come back for ever. The next epoch that this member leads is above its own; and
    // where the rest of the voters can do without the current one for a moment, that is now.
    core.epochFloor = Math.max(core.epochFloor, acceptedEpoch);
    if (learner.voterIndex < 0 || core.plant === 'keep-leading-below-epoch') return;
    const { init } = core.config.limits;
    if (core.now - this.aheadAt > init) this.aheadSince = core.now;
    this.aheadAt = core.now;
    if (this.step !== 'established' || core.now - this.aheadSince < init) return;
    core.leave(
      'higher-epoch-seen',
      `Server ${learner.sid} has accepted epoch ${acceptedEpoch}, ours is ${this.epoch}`,
    );
  }

  private chooseEpoch(): void {
    const { core } = this;
    if (!this.isQuorum(this.connected)) return;
    this.epoch = this.maxAcceptedEpoch + 1;
    // Throws beyond the last epoch that a zxid can hold.
    this.proposedZxid = makeZxid(this.epoch, 0);
    core.disk.setAcceptedEpoch(this.epoch);
    this.enter('epoch-durable');
    if (core.plant === 'epoch-before-durable') this.epochIsDurable();
  }

  private epochIsDurable(): void {
    this.enter('epoch-acks');
    for (const learner of this.learners.values()) {
      if (learner.step === LearnerStep.WAITS_FOR_EPOCH) this.sendEpoch(learner);
    }
    if (this.core.historyCounts) this.epochAcks.add(this.core.config.sid);
    this.countEpochAcks();
  }

  private sendEpoch(learner: LearnerProgress): void {
    learner.step = LearnerStep.EPOCH_SENT;
    learner.heardAt = this.core.now;
    this.core.outbox.message(learner.link, {
      type: PacketType.LEADERINFO,
      epoch: this.epoch,
      protocolVersion: PEER_PROTOCOL_VERSION,
    });
  }

  private receiveAckEpoch(learner: LearnerProgress, message: AckEpochMessage): void {
    const { core } = this;
    learner.learnerZxid = message.lastZxid;
    learner.step = LearnerStep.WAITS_FOR_QUORUM;
    if (this.step !== 'epoch-acks') {
      this.requestPlan(learner);
      return;
    }
    const counts = message.currentEpoch !== -1 || core.plant === 'count-minus-one';
    if (counts && this.isAhead(message)) {
      const text = `Server ${learner.sid} is ahead: currentEpoch ${message.currentEpoch}, zxid 0x${message.lastZxid.toString(16)}`;
      this.close(learner, 'learner-ahead', text);
      return;
    }
    if (counts && message.lastZxid !== -1 && this.counts(learner)) {
      this.epochAcks.add(learner.sid);
      this.countEpochAcks();
    }
  }

  private isAhead(message: AckEpochMessage): boolean {
    const { currentEpoch } = this.core.disk;
    if (message.currentEpoch !== currentEpoch) return message.currentEpoch > currentEpoch;
    return message.lastZxid > this.historyZxid;
  }

  /** Once a quorum promised to keep to the epoch, nobody else can lead an older one any more. */
  private countEpochAcks(): void {
    const { core } = this;
    if (!this.epochAcks.has(core.config.sid) || !this.isQuorum(this.epochAcks)) return;
    core.disk.setCurrentEpoch(this.epoch);
    this.enter('newleader-acks');
    for (const learner of this.learners.values()) {
      if (learner.step === LearnerStep.WAITS_FOR_QUORUM) this.requestPlan(learner);
    }
  }

  // Synchronization

  private requestPlan(learner: LearnerProgress): void {
    learner.step = LearnerStep.PLANNING;
    learner.waitsForTree = false;
    const { link, sid, learnerZxid } = learner;
    this.core.outbox.planRequest({ link, sid, learnerZxid });
  }

  syncFacts(link: number, facts: SyncFacts): void {
    const learner = this.learners.get(link);
    if (learner === undefined || learner.step !== LearnerStep.PLANNING) return;
    const plan = planSync(
      {
        learnerZxid: learner.learnerZxid,
        horizonZxid: this.horizonZxid,
        leaderEpoch: this.epoch,
        tentativeZxid: this.step === 'established' ? -1 : this.historyZxid,
      },
      facts,
      this.core.plant,
    );
    learner.waitsForTree = plan === undefined;
    if (plan === undefined) return;
    if (plan.packetZxid > this.core.committedZxid && plan.mode === SyncMode.SNAP) {
      this.isTreeTentative = true;
    }
    learner.mode = plan.mode;
    if (learner.isObserver && this.isThrottled(plan.mode)) {
      this.close(learner, 'throttled', `Observer ${learner.sid} waits: too many syncs at once`);
      return;
    }
    learner.step = LearnerStep.SYNCING;
    learner.heardAt = this.core.now;
    // From here on the learner gets everything: what is proposed or committed until its ack of NEWLEADER follows
    // UPTODATE, in order.
    learner.sentProposalZxid = Math.max(plan.upTo, makeZxid(this.epoch, 0));
    learner.sentCommitZxid = plan.upTo;
    this.core.outbox.plan(link, plan);
    this.core.outbox.message(link, { type: PacketType.NEWLEADER, zxid: makeZxid(this.epoch, 0) });
  }

  /** The last txn that a learner may be told to be committed: all that was brought in, then what is committed. */
  get horizonZxid(): Zxid {
    return this.step === 'established' ? this.core.committedZxid : this.historyZxid;
  }

  private isThrottled(mode: SyncMode): boolean {
    const { limits } = this.core.config;
    const isSnapshot = mode === SyncMode.SNAP;
    let running = 0;
    for (const other of this.learners.values()) {
      if (other.step === LearnerStep.SYNCING && (other.mode === SyncMode.SNAP) === isSnapshot) {
        running++;
      }
    }
    return running >= (isSnapshot ? limits.snapSyncs : limits.diffSyncs);
  }

  syncSent(link: number): void {
    const learner = this.learners.get(link);
    if (learner === undefined) return;
    learner.isPlanSent = true;
    learner.heardAt = this.core.now;
  }

  private receiveNewLeaderAck(learner: LearnerProgress): void {
    learner.step = LearnerStep.SYNCED;
    learner.ackedZxid = Math.max(learner.ackedZxid, learner.sentCommitZxid);
    if (this.counts(learner)) this.newLeaderAcks.add(learner.sid);
    if (learner.voterIndex >= 0) {
      this.acked[learner.voterIndex] = learner.ackedZxid;
    }
    if (this.step === 'established') {
      this.sendUpToDate(learner);
      this.countAcks();
      this.releaseBarriers();
    } else this.countNewLeaderAcks();
  }

  private countNewLeaderAcks(): void {
    const { core } = this;
    if (this.step !== 'newleader-acks' || core.leaving !== undefined) return;
    if (core.disk.currentEpoch !== this.epoch) return;
    this.newLeaderAcks.add(core.config.sid);
    if (!this.isQuorum(this.newLeaderAcks) && core.plant !== 'establish-without-acks') return;
    this.enter('established');
    core.commit(this.historyZxid);
    for (const learner of this.learners.values()) {
      if (learner.step === LearnerStep.SYNCED) this.sendUpToDate(learner);
    }
  }

  private sendUpToDate(learner: LearnerProgress): void {
    const { core } = this;
    learner.step = LearnerStep.FORWARDING;
    learner.deadline = core.now + core.config.limits.sync;
    learner.pingRounds.length = 0;
    if (core.plant === 'forward-from-ack') {
      learner.sentProposalZxid = this.proposedZxid;
      learner.sentCommitZxid = core.committedZxid;
    }
    core.outbox.message(learner.link, { type: PacketType.UPTODATE, zxid: -1 });
  }

  // Broadcast

  propose(zxid: Zxid): void {
    assert(zxid === this.nextZxid, 'The next zxid is proposed', { zxid, next: this.nextZxid });
    this.proposedZxid = zxid;
    this.core.disk.append(zxid);
  }

  receiveAck(link: number, zxid: Zxid): void {
    const learner = this.learners.get(link);
    if (learner === undefined) return;
    this.heard(learner);
    if (learner.step < LearnerStep.SYNCING) {
      this.closeUnexpected(learner, PacketType.ACK);
      return;
    }
    if (counterOf(zxid) === 0) {
      // The ack of NEWLEADER; the one that follows UPTODATE says nothing new.
      if (learner.step === LearnerStep.SYNCING && zxid === makeZxid(this.epoch, 0)) {
        this.receiveNewLeaderAck(learner);
      }
      return;
    }
    if (zxid > this.proposedZxid) {
      const text = `Server ${learner.sid} acks 0x${zxid.toString(16)}, the last proposal is 0x${this.proposedZxid.toString(16)}`;
      this.close(learner, 'protocol', text);
      return;
    }
    if (zxid <= learner.ackedZxid) return;
    learner.ackedZxid = zxid;
    const index = learner.voterIndex;
    if (index < 0 || learner.step === LearnerStep.SYNCING) return;
    this.acked[index] = zxid;
    if (zxid > this.roundZxid) this.answered[index] = this.barrierRound;
    this.countAcks();
    this.releaseBarriers();
  }

  private countAcks(): void {
    const { core } = this;
    if (this.step !== 'established') return;
    const reached =
      core.plant === 'commit-by-minority'
        ? Math.max(...this.acked)
        : core.quorum.reachedBy(this.acked);
    const upTo = Math.min(reached, this.proposedZxid);
    if (upTo <= core.committedZxid) return;
    assert(epochOf(upTo) === this.epoch, 'A leader commits txns of its own epoch', {
      upTo,
      epoch: this.epoch,
    });
    core.commit(upTo);
  }

  readBarrier(token: number): void {
    if (this.step !== 'established') return;
    if (!this.roundWanted) {
      this.roundWanted = true;
      this.barrierRound++;
      this.roundZxid = this.proposedZxid;
    } else {
      // Nothing was sent since the round was asked for: it serves this one too, if later acks are not taken for it.
      this.roundZxid = Math.max(this.roundZxid, this.proposedZxid);
    }
    // (epoch,0) is no txn: what was brought in is committed already.
    const zxid = counterOf(this.proposedZxid) === 0 ? this.historyZxid : this.proposedZxid;
    this.barriers.push({ token, zxid, round: this.barrierRound });
  }

  private releaseBarriers(): void {
    const { core, barriers } = this;
    if (barriers.length === 0) return;
    const own = core.quorum.indexOf(core.config.sid);
    if (own >= 0) this.answered[own] = this.barrierRound;
    const answered =
      core.plant === 'barrier-without-quorum'
        ? this.barrierRound
        : core.quorum.reachedBy(this.answered);
    let released = 0;
    for (const barrier of barriers) {
      if (barrier.round > answered || barrier.zxid > core.committedZxid) break;
      core.outbox.barrier(barrier.token);
      released++;
    }
    if (released > 0) barriers.splice(0, released);
  }

  private receivePong(learner: LearnerProgress): void {
    if (learner.step !== LearnerStep.FORWARDING) return;
    const round = learner.pingRounds.shift();
    if (round === undefined || learner.voterIndex < 0) return;
    this.answered[learner.voterIndex] = Math.max(
      this.answered[learner.voterIndex] as number,
      round,
    );
    this.releaseBarriers();
  }

  /** Puts what became due since the last time into the outbox: one range for each learner, whatever it holds. */
  flush(): void {
    if (this.step !== 'established') return;
    const { outbox, committedZxid } = this.core;
    const asksAll = this.roundWanted;
    this.roundWanted = false;
    for (const learner of this.learners.values()) {
      if (learner.step !== LearnerStep.FORWARDING) continue;
      if (!learner.isObserver && learner.sentProposalZxid < this.proposedZxid) {
        outbox.range(learner.link, SendKind.PROPOSALS, learner.sentProposalZxid, this.proposedZxid);
        learner.sentProposalZxid = this.proposedZxid;
        if (learner.sampleZxid < 0) this.takeSample(learner);
      }
      if (learner.sentCommitZxid < committedZxid) {
        outbox.range(
          learner.link,
          learner.isObserver ? SendKind.INFORMS : SendKind.COMMITS,
          learner.sentCommitZxid,
          committedZxid,
        );
        learner.sentCommitZxid = committedZxid;
      }
      if (asksAll && learner.voterIndex >= 0) this.ping(learner);
    }
    if (asksAll) this.releaseBarriers();
  }

  // Time and disk

  tick(): void {
    const { core } = this;
    const { limits } = core.config;
    if (core.now - core.disk.oldestSealedAt > limits.sync) {
      const ticks = core.now - core.disk.oldestSealedAt;
      core.leave('disk-stalled', `The disk has not finished a write for ${ticks} ticks`);
      return;
    }
    if (this.step !== 'established') {
      if (core.now - this.stepAt > limits.init) this.giveUp();
      else this.checkStrays();
    } else this.checkCounter();
    this.checkLearners();
    if (core.now >= this.nextPingAt) {
      this.nextPingAt = core.now + limits.ping;
      for (const learner of this.learners.values()) {
        if (learner.step < LearnerStep.SYNCED && !learner.isPlanSent) continue;
        this.ping(learner);
      }
    }
    if (core.now >= this.nextCheckAt) {
      this.nextCheckAt = core.now + limits.quorumCheck;
      if (this.step === 'established') this.checkQuorum();
    }
  }

  private giveUp(): void {
    const { core } = this;
    const ticks = core.now - this.stepAt;
    if (this.step === 'newleader-acks') {
      const text = `Only servers ${[...this.newLeaderAcks]} are in sync after ${ticks} ticks`;
      core.leave('newleader-timeout', text);
    } else if (this.step === 'epoch-acks') {
      const text = `Only servers ${[...this.epochAcks]} acked epoch ${this.epoch} after ${ticks} ticks`;
      core.leave('epoch-ack-timeout', text);
    } else {
      const text = `Only servers ${[...this.connected]} came after ${ticks} ticks`;
      core.leave('epoch-timeout', text);
    }
  }

  /**
   * A leadership that is not established ends once no quorum can come to it any more, rather than after initLimit:
   * until it ends, the voters that look for a leader have one member less to elect.
   */
  private checkStrays(): void {
    const { core, strays } = this;
    const left = new Set(core.quorum.voters.filter((sid) => !strays.has(sid)));
    left.add(core.config.sid);
    for (const { voterIndex, sid } of this.learners.values()) if (voterIndex >= 0) left.add(sid);
    if (core.quorum.includedIn(left)) {
      this.strandedSince = Number.POSITIVE_INFINITY;
      return;
    }
    this.strandedSince = Math.min(this.strandedSince, core.now);
    const ticks = core.now - this.strandedSince;
    // A voter that dials may have been out of reach for a moment.
    if (ticks < core.config.limits.finalizeWait) return;
    const gone = core.quorum.voters.filter((sid) => !left.has(sid));
    core.leave(
      'not-followed',
      `Servers ${gone} vote for others or are out of reach for ${ticks} ticks; ${[...left]} are no quorum`,
    );
  }

  /** Ends the leadership before its zxids do, at a quiet moment if there is one (ZOOKEEPER-1277). */
  private checkCounter(): void {
    const { core } = this;
    const { softCounter, hardCounter } = core.config.limits;
    const counter = counterOf(this.proposedZxid);
    if (core.plant === 'zxid-wraps') return;
    if (counter < softCounter) return;
    if (counter < hardCounter && core.committedZxid !== this.proposedZxid) return;
    core.leave(
      'zxid-rollover',
      `The zxids of epoch ${this.epoch} come to an end, at 0x${counter.toString(16)}`,
    );
  }

  private checkLearners(): void {
    const { core } = this;
    const { init, sync } = core.config.limits;
    for (const learner of this.learners.values()) {
      // The tree may hold more by now: its disk, or the host's turns, kept it back.
      if (learner.waitsForTree) this.requestPlan(learner);
      const silent = core.now - learner.heardAt;
      switch (learner.step) {
        case LearnerStep.CONNECTED:
        case LearnerStep.EPOCH_SENT:
        case LearnerStep.SYNCING:
          if (silent > init) this.closeSilent(learner, silent);
          break;
        case LearnerStep.FORWARDING:
          if (silent > sync) this.closeSilent(learner, silent);
          else this.checkSample(learner);
          break;
        default:
          // It waits for us.
          break;
      }
    }
  }

  /** One proposal after the other is watched until it is acked (LearnerHandler.SyncLimitCheck). */
  private checkSample(learner: LearnerProgress): void {
    const { core } = this;
    if (learner.sampleZxid < 0) return;
    if (learner.ackedZxid >= learner.sampleZxid) {
      if (learner.ackedZxid < learner.sentProposalZxid) this.takeSample(learner);
      else learner.sampleZxid = -1;
      return;
    }
    const late = core.now - learner.sampleAt;
    if (late <= core.config.limits.sync) return;
    const text = `Server ${learner.sid} has not acked 0x${learner.sampleZxid.toString(16)} for ${late} ticks`;
    this.close(learner, 'ack-late', text);
  }

  private takeSample(learner: LearnerProgress): void {
    learner.sampleZxid = learner.sentProposalZxid;
    learner.sampleAt = this.core.now;
  }

  private checkQuorum(): void {
    const { core } = this;
    const inTime = [core.config.sid];
    for (const learner of this.learners.values()) {
      if (learner.voterIndex >= 0 && core.now <= learner.deadline) inTime.push(learner.sid);
    }
    if (core.quorum.includedIn(inTime) || core.plant === 'lead-without-quorum') return;
    core.leave('quorum-lost', `Only servers ${inTime} are in time`);
  }

  diskAdvanced(): void {
    const { core } = this;
    if (this.step === 'epoch-durable' && core.disk.acceptedEpoch === this.epoch) {
      this.epochIsDurable();
    }
    this.countNewLeaderAcks();
    const own = core.quorum.indexOf(core.config.sid);
    if (own >= 0) this.acked[own] = core.disk.durableZxid;
    core.applyCommitted();
    this.countAcks();
    this.releaseBarriers();
  }

  /** What a voter says of its vote, which it changes by a new round, or in this one for a better candidate. */
  voterSaid(sid: number, vote: Notification): void {
    const isOfOtherRound =
      vote.state === ElectionState.LOOKING && vote.electionEpoch !== this.elected.electionEpoch;
    if (vote.leader === this.core.config.sid && !isOfOtherRound) this.strays.delete(sid);
    else this.strays.add(sid);
  }

  voterUnreachable(sid: number): void {
    if (this.core.quorum.isVoter(sid)) this.strays.add(sid);
  }

  /** A voter looks for a leader while this one still waits for its epoch: it may have been forgotten (3109). */
  voterLooks(sid: number): void {
    const { core } = this;
    const { epochWait } = core.config.limits;
    if (this.step !== 'epoch' || epochWait < 0 || !this.elected.by.includes(sid)) return;
    const waited = core.now - this.stepAt;
    if (waited <= epochWait) return;
    core.leave(
      'disloyal-voter',
      `Server ${sid} looks for a leader again, ${waited} ticks after it voted`,
    );
  }

  /** What this member answers to those that look for a leader. */
  answer(): Notification {
    return {
      state: ElectionState.LEADING,
      leader: this.elected.leader,
      zxid: this.elected.zxid,
      electionEpoch: this.elected.electionEpoch,
      peerEpoch: this.step === 'established' ? this.epoch : this.elected.peerEpoch,
      version: 2,
    };
  }

  checkInvariants(): void {
    const { core } = this;
    if (this.step !== 'established') return;
    assert(this.proposedZxid >= makeZxid(this.epoch, 0), 'A leader proposes in its own epoch');
    assert(core.committedZxid <= this.proposedZxid, 'A commit is of a proposal');
  }

  /** Whether what the learner acks helps a quorum. */
  private counts(learner: LearnerProgress): boolean {
    return learner.voterIndex >= 0 || this.core.plant === 'count-observers';
  }

  private isQuorum(sids: ReadonlySet<number>): boolean {
    const { plant, quorum } = this.core;
    if (plant === 'count-observers') return sids.size * 2 > quorum.voters.length;
    return quorum.includedIn(sids);
  }

  private ping(learner: LearnerProgress): void {
    if (learner.step === LearnerStep.FORWARDING) learner.pingRounds.push(this.barrierRound);
    this.core.outbox.message(learner.link, { type: PacketType.PING, zxid: this.proposedZxid });
  }

  private heard(learner: LearnerProgress): void {
    const { core } = this;
    learner.heardAt = core.now;
    if (learner.step === LearnerStep.FORWARDING) {
      learner.deadline = core.now + core.config.limits.sync;
    }
  }

  private enter(step: Step): void {
    this.step = step;
    this.stepAt = this.core.now;
  }

  private closeSilent(learner: LearnerProgress, ticks: number): void {
    const text = `Server ${learner.sid} was silent for ${ticks} ticks`;
    this.close(learner, 'learner-silent', text);
  }

  private closeUnexpected(learner: LearnerProgress, type: number): void {
    const text = `Packet type ${type} of learner ${learner.sid} is not expected at step ${learner.step}`;
    this.close(learner, 'protocol', text);
  }

  private close(learner: LearnerProgress, code: ReasonCode, text: string): void {
    this.learners.delete(learner.link);
    this.core.outbox.close(learner.link, { code, text });
  }
}
