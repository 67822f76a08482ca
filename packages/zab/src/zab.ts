// One member's part in the protocol of an ensemble: leader election, discovery, synchronization and broadcast, as
// Apache ZooKeeper's servers speak it.
//
// A pure state machine. It knows zxids, counters and messages, never a txn's bytes; the host keeps those. Inputs are
// methods, time is tick(), and what has to be done is taken with takeOutput(): the order of its fields is the order
// in which the driver does it (output.ts). Every ack is made here, after the batch it speaks of is durable.
//
//                       ┌──────────────── drained() ◄── draining ◄──────────────┐
//                       ▼                                                       │ link or quorum lost,
//   new Zab ──► looking: election ──┬─► leading:   discovery ─► synchronization ─► broadcast
//                                   └─► following, discovery ─► synchronization ─► broadcast
//                                       observing
//
// Links are numbers that the driver gives, one for each connection, never used again: a member may come back by a
// new connection before the old one is known to be dead. Election messages go by sid.

import { ElectionState, epochOf, NO_VOTE, type Zxid } from '@zebu/protocol';
import type { ZabConfig, ZabStart } from './config.ts';
import { Core } from './core.ts';
import { Election } from './election.ts';
import { assert } from './invariants.ts';
import { Leader } from './leader.ts';
import { Learner } from './learner.ts';
import type { CoreMessage, Notification } from './messages.ts';
import type { Output, Phase, Reason, Role, RoleChange } from './output.ts';
import type { SyncFacts } from './sync-plan.ts';
import type { Candidate } from './vote.ts';

const STARTED: Reason = { code: 'started', text: 'The member starts' };

export class Zab {
  private readonly core: Core;
  private readonly election: Election;
  /** Uniform in [0, 1). */
  private readonly random: () => number;
  /** The role of this member; neither of them while it is looking. At most one is set. */
  private leader: Leader | undefined;
  private learner: Learner | undefined;
  private state: 'electing' | 'waiting' | 'draining' | 'stopped' | 'in-role';
  private isStopping: boolean;
  /** When an observer looks for a leader again. */
  private electAt: number;
  /** Learners that dialled before this member knows whether it leads, and what they said. */
  private readonly early: Map<number, CoreMessage | undefined>;
  private told: RoleChange;

  /** `random` gives numbers in [0, 1): only an observer's pause before an election depends on it. */
  constructor(config: ZabConfig, start: ZabStart, random: () => number) {
    const { acceptedEpoch, currentEpoch, lastZxid, appliedZxid } = start;
    assert(currentEpoch <= acceptedEpoch, 'currentEpoch is at most acceptedEpoch', {
      currentEpoch,
      acceptedEpoch,
    });
    assert(appliedZxid <= lastZxid, 'The tree holds no more than the log', {
      appliedZxid,
      lastZxid,
    });
    // A member that makes no promise, because its history does not count, logs txns before it accepts their epoch.
    assert(
      epochOf(lastZxid) <= acceptedEpoch || acceptedEpoch === 0 || start.trust === 'discarded',
      'A txn is of an accepted epoch',
      { lastZxid, acceptedEpoch },
    );
    assert(new Set(config.voters).size === config.voters.length, 'Each voter is named once');
    assert(!config.observer || !config.voters.includes(config.sid), 'An observer has no vote');
    this.core = new Core(config, start);
    this.election = new Election(config, this.core.quorum, this.core.outbox);
    this.random = random;
    this.leader = undefined;
    this.learner = undefined;
    this.state = 'electing';
    this.isStopping = false;
    this.electAt = 0;
    this.early = new Map();
    this.told = { role: 'looking', phase: 'election', leaderSid: -1, epoch: -1, reason: STARTED };
    this.core.outbox.change(this.told);
    this.election.start(this.candidate(), 0);
    this.settle();
  }

  // State

  get role(): Role {
    return this.told.role;
  }

  get phase(): Phase {
    return this.told.phase;
  }

  /** Sid of the leader, this member's own when it leads; -1 while there is none. */
  get leaderSid(): number {
    return this.told.leaderSid;
  }

  /** Durable. */
  get acceptedEpoch(): number {
    return this.core.disk.acceptedEpoch;
  }

  /** Durable. */
  get currentEpoch(): number {
    return this.core.disk.currentEpoch;
  }

  /** Last txn that the host was told to append, or will be. Invariant: durableZxid <= appendedZxid. */
  get appendedZxid(): Zxid {
    return this.core.disk.appendedZxid;
  }

  /** Last txn that is durable in this member's log. */
  get durableZxid(): Zxid {
    return this.core.disk.durableZxid;
  }

  /** Last txn that is known to be committed; the tree may hold min(committedZxid, durableZxid). */
  get committedZxid(): Zxid {
    return this.core.committedZxid;
  }

  /** What the host was told to apply: min(committedZxid, durableZxid), or what recovery found. */
  get appliedZxid(): Zxid {
    return this.core.appliedZxid;
  }

  /**
   * The zxid of the next txn, or -1 when nothing may be proposed: this member does not lead, is not established, or
   * is about to step down. It moves with every propose().
   */
  get nextZxid(): Zxid {
    return this.leader?.nextZxid ?? -1;
  }

  /**
   * On a leader: the last txn that a learner may be told to be committed in a sync. While the leader establishes
   * itself that is all that it brought into its epoch, later its last commit. -1 on any other member.
   */
  get horizonZxid(): Zxid {
    return this.leader?.horizonZxid ?? -1;
  }

  /** Whether this member's acks and votes may be counted (config.ts, HistoryTrust). */
  get historyCounts(): boolean {
    return this.core.historyCounts;
  }

  /** Whether takeOutput() has something to say. */
  get hasOutput(): boolean {
    return (
      !this.core.outbox.isEmpty ||
      this.core.disk.hasRequests ||
      (this.leader?.hasOutput ?? false) ||
      (this.learner?.hasOutput ?? false)
    );
  }

  // Time and life

  /** One unit of logical time has passed. */
  tick(): void {
    this.core.now++;
    switch (this.state) {
      case 'electing':
        this.election.tick(this.core.now);
        break;
      case 'waiting':
        if (this.core.now >= this.electAt) this.elect();
        break;
      default:
        this.leader?.tick();
        this.learner?.tick();
        break;
    }
    this.settle();
  }

  /** Stops for good: no role, no vote. The host drains as at the end of any role, and calls drained(). */
  stop(): void {
    if (this.isStopping) return;
    this.isStopping = true;
    if (this.state === 'draining') return;
    this.core.leave('stopped', 'The member stops');
    this.settle();
  }

  // Election

  /** A notification from a member's election port. */
  notification(sid: number, notification: Notification): void {
    if (sid === this.core.config.sid || this.state === 'draining' || this.state === 'stopped')
      return;
    if (!this.core.quorum.isVoter(sid)) {
      // Members without a vote only ask.
      this.core.outbox.vote(sid, this.answer());
      return;
    }
    this.core.noteVote(notification);
    this.election.heard(sid);
    if (this.state === 'electing') {
      this.election.receive(sid, notification, this.core.now);
    } else if (this.state === 'in-role') this.hearInRole(sid, notification);
    this.settle();
  }

  private hearInRole(sid: number, notification: Notification): void {
    this.leader?.voterSaid(sid, notification);
    if (sid === this.leaderSid) this.learner?.leaderSaid(notification);
    if (notification.state !== ElectionState.LOOKING) return;
    this.leader?.voterLooks(sid);
    // Whoever leaves its role answers with its next vote.
    if (this.core.leaving === undefined) this.core.outbox.vote(sid, this.answer());
  }

  /** Dialling this member's election port was refused, or its election link was reset: it does not vote now. */
  memberUnreachable(sid: number): void {
    this.election.memberUnreachable(sid, this.core.now, this.state === 'electing');
    this.leader?.voterUnreachable(sid);
    this.settle();
  }

  // Links of the quorum port

  /** A learner dialled. It speaks first. Allowed in every role: a member that does not lead closes the link. */
  learnerConnected(link: number): void {
    if (this.leader !== undefined) this.leader.learnerConnected(link);
    else if (this.state === 'electing') this.early.set(link, undefined);
    else this.turnAway(link);
  }

  /** The link to the leader that change.leaderSid named is up. */
  leaderConnected(link: number): void {
    if (this.learner !== undefined) this.learner.leaderConnected(link);
    else {
      const text = 'This member does not follow any more';
      this.core.outbox.close(link, { code: 'role-over', text });
    }
  }

  /** The leader could not be reached; the driver gave up. */
  leaderUnreachable(): void {
    this.learner?.leaderUnreachable();
    this.settle();
  }

  /** A link ended, for whatever reason; one that the core had closed may be reported or not. */
  linkClosed(link: number): void {
    this.early.delete(link);
    this.leader?.linkClosed(link);
    this.learner?.linkClosed(link);
    this.settle();
  }

  /**
   * Bytes came in on a link, or a part of a sync went out: it is not dead. Once for each read is enough; the
   * receive methods imply it.
   */
  linkActive(link: number): void {
    this.leader?.linkActive(link);
    this.learner?.linkActive(link);
  }

  /** Any message that is none of the four below. Types that the core does not know are ignored. */
  receive(link: number, message: CoreMessage): void {
    if (this.early.has(link)) this.early.set(link, this.early.get(link) ?? message);
    this.leader?.receive(link, message);
    this.learner?.receive(link, message);
    this.settle();
  }

  /** PROPOSAL from the leader; the host keeps its txn. */
  receiveProposal(link: number, zxid: Zxid): void {
    this.learner?.receiveProposal(link, zxid);
    if (this.core.leaving !== undefined) this.settle();
  }

  /** COMMIT from the leader. */
  receiveCommit(link: number, zxid: Zxid): void {
    this.learner?.receiveCommit(link, zxid);
    if (this.core.leaving !== undefined) this.settle();
  }

  /** INFORM from the leader; the host keeps its txn. */
  receiveInform(link: number, zxid: Zxid): void {
    this.learner?.receiveInform(link, zxid);
    if (this.core.leaving !== undefined) this.settle();
  }

  /** ACK from a learner, of a proposal or of NEWLEADER. Of a run of proposals that was read at once the last is enough. */
  receiveAck(link: number, zxid: Zxid): void {
    this.leader?.receiveAck(link, zxid);
    this.settle();
  }

  // Leader

  /** The host proposes the txn with the number nextZxid. */
  propose(zxid: Zxid): void {
    assert(this.leader !== undefined, 'Only a leader proposes');
    this.leader.propose(zxid);
  }

  /** Answers a planRequest, at once or later: how the learner is synced is decided now, with these facts. */
  syncFacts(link: number, facts: SyncFacts): void {
    this.leader?.syncFacts(link, facts);
  }

  /** The last byte of a plan was handed to the link. */
  syncSent(link: number): void {
    this.leader?.syncSent(link);
  }

  /**
   * Answered by output.barriers once a quorum has answered something that was sent after this call, and all that
   * was proposed before it is committed. Tokens of a role that ends are never answered: the host drops them with
   * the role.
   */
  readBarrier(token: number): void {
    this.leader?.readBarrier(token);
  }

  // Learner

  /**
   * The leader's snapshot is durable, the host's own history before it is gone, and its tree is that of the
   * snapshot. Appends may follow from here.
   */
  snapshotInstalled(zxid: Zxid): void {
    this.learner?.snapshotInstalled(zxid);
  }

  /**
   * The host cannot do what the sync asks for: no such zxid to truncate to, a broken stream. It carries out nothing
   * of the batches that are not durable; it discards its history, or keeps it where it is still whole, and says so
   * in drained().
   */
  syncFailed(why: string): void {
    this.learner?.syncFailed(why);
    this.settle();
  }

  // Disk

  /** This batch and all before it are on disk. */
  durable(batch: number): void {
    const { core } = this;
    const epochBefore = core.disk.currentEpoch;
    core.disk.durable(batch);
    // A history that is whole under a new epoch is the member's own again, whether or not its leader still is.
    if (core.disk.currentEpoch > epochBefore && core.trust === 'discarded') core.trust = 'judge';
    if (core.leaving !== undefined || this.state === 'draining') return;
    this.leader?.diskAdvanced();
    this.learner?.diskAdvanced();
    this.settle();
  }

  /**
   * The snapshot that the leader of the role which is over had sent is this member's history now: durable, as for
   * snapshotInstalled(). Called before drained(), with the tree as that history has it.
   */
  historyReplaced(zxid: Zxid): void {
    const { core } = this;
    assert(this.state === 'draining', 'A history is replaced late only at the end of a role');
    core.disk.replaceHistory(zxid);
    core.committedZxid = zxid;
    core.appliedZxid = zxid;
  }

  /**
   * Answers output.leaving: nothing is in flight to the disk, the history ends with this txn, and the tree holds what
   * was to be applied (appliedZxid). `discarded` says that the host threw its history away: lastZxid is 0 then.
   */
  drained(lastZxid: Zxid, discarded: boolean): void {
    const { core } = this;
    assert(this.state === 'draining', 'A member is drained at the end of a role');
    if (discarded) {
      assert(lastZxid === 0, 'A discarded history is empty', { lastZxid });
      core.disk.dropBatches();
      core.trust = 'discarded';
      core.disk.replaceHistory(0);
      core.historyEndsAt(0);
    }
    assert(core.disk.isIdle, 'Every batch is reported before the member is drained');
    assert(lastZxid === core.disk.durableZxid, 'The log ends where it was reported to end', {
      lastZxid,
      durableZxid: core.disk.durableZxid,
    });
    this.beginElection();
    this.settle();
  }

  /** What is to be done. The object and everything in it are valid until the next call. */
  takeOutput(): Output {
    const { core } = this;
    this.leader?.flush();
    this.learner?.flush();
    core.disk.seal(core.outbox.output, core.now);
    return core.outbox.take();
  }

  /** Throws where the state contradicts itself. For tests: the cheap ones run in production anyway. */
  checkInvariants(): void {
    const { core } = this;
    const { disk } = core;
    assert(disk.currentEpoch <= disk.acceptedEpoch, 'currentEpoch is at most acceptedEpoch');
    assert(
      disk.durableZxid <= disk.appendedZxid || disk.hasRequests,
      'What is durable was appended',
    );
    assert(this.leader === undefined || this.learner === undefined, 'A member has one role');
    assert(core.appliedZxid <= disk.durableZxid, 'Only durable txns are applied', {
      appliedZxid: core.appliedZxid,
      durableZxid: disk.durableZxid,
    });
    assert(core.appliedZxid <= core.committedZxid, 'Only committed txns are applied');
    this.leader?.checkInvariants();
    this.learner?.checkInvariants();
  }

  // Transitions: all of them happen here, once an input is done.

  private settle(): void {
    const { core } = this;
    if (core.leaving !== undefined) this.endRole();
    if (this.state === 'electing' && this.election.elected !== undefined) this.beginRole();
    this.tellChange(core.leaving?.reason);
  }

  private beginRole(): void {
    const { core } = this;
    const { elected } = this.election;
    assert(elected !== undefined, 'A role begins with an election');
    this.state = 'in-role';
    if (elected.leader === core.config.sid) {
      const leader = new Leader(core, elected);
      this.leader = leader;
      for (const sid of this.election.unreachable) leader.voterUnreachable(sid);
      for (const [link, message] of this.early) {
        leader.learnerConnected(link);
        if (message !== undefined) leader.receive(link, message);
      }
    } else {
      this.learner = new Learner(core, elected);
      for (const link of this.early.keys()) this.turnAway(link);
    }
    this.early.clear();
    const text = `Servers ${elected.by} voted for server ${elected.leader} in round ${elected.electionEpoch}`;
    this.tellChange({ code: 'elected', text });
  }

  private endRole(): void {
    const { core } = this;
    const { leaving } = core;
    assert(leaving !== undefined, 'A role ends for a reason');
    core.leaving = undefined;
    for (const link of this.early.keys()) this.turnAway(link);
    this.early.clear();
    core.outbox.leave(leaving.reason, leaving.discardTree || (this.leader?.leavesTree ?? false));
    this.leader?.end();
    this.learner?.end();
    this.leader = undefined;
    this.learner = undefined;
    core.disk.dropRequests();
    this.state = 'draining';
    this.tellChange(leaving.reason);
    if (core.plant === 'no-drain') this.beginElection();
  }

  /** Between two roles the log comes to rest: a vote speaks of what is on disk (ZOOKEEPER-4541, 4712). */
  private beginElection(): void {
    if (this.isStopping) {
      this.state = 'stopped';
      return;
    }
    const { observer, limits } = this.core.config;
    if (!observer || limits.observerDelay === 0) {
      this.elect();
      return;
    }
    // Observers that lose their leader together do not all ask at once.
    this.state = 'waiting';
    this.electAt = this.core.now + Math.floor(this.random() * limits.observerDelay);
  }

  private elect(): void {
    this.state = 'electing';
    this.election.start(this.candidate(), this.core.now);
  }

  /** Whom this member proposes at first: itself, if it has a vote and a history that counts. */
  private candidate(): Candidate {
    const { core } = this;
    const { disk, config } = core;
    if (!core.quorum.isVoter(config.sid) || !core.historyCounts) {
      return { leader: NO_VOTE, zxid: NO_VOTE, peerEpoch: NO_VOTE };
    }
    const zxid = core.plant === 'vote-by-applied' ? core.appliedZxid : disk.durableZxid;
    const peerEpoch = core.plant === 'vote-by-zxid-epoch' ? epochOf(zxid) : disk.currentEpoch;
    return { leader: config.sid, zxid, peerEpoch };
  }

  private answer(): Notification {
    return (this.leader ?? this.learner ?? this.election).answer();
  }

  private turnAway(link: number): void {
    const text = `Server ${this.core.config.sid} does not lead`;
    this.core.outbox.close(link, { code: 'not-leading', text });
  }

  /** Tells the host where the member stands, if that changed. */
  private tellChange(reason: Reason | undefined): void {
    const role = this.currentRole();
    const phase = this.currentPhase();
    const leaderSid =
      this.leader !== undefined ? this.core.config.sid : (this.learner?.leaderSid ?? -1);
    const epoch = this.leader?.epoch ?? this.learner?.epoch ?? -1;
    const { told } = this;
    if (
      told.role === role &&
      told.phase === phase &&
      told.leaderSid === leaderSid &&
      told.epoch === epoch
    ) {
      return;
    }
    const why = reason ?? this.leader?.phaseReason ?? this.learner?.phaseReason ?? told.reason;
    this.told = { role, phase, leaderSid, epoch, reason: why };
    this.core.outbox.change(this.told);
  }

  private currentRole(): Role {
    if (this.leader !== undefined) return 'leading';
    if (this.learner === undefined) return 'looking';
    return this.core.config.observer ? 'observing' : 'following';
  }

  private currentPhase(): Phase {
    switch (this.state) {
      case 'draining':
        return 'draining';
      case 'stopped':
        return 'stopped';
      case 'in-role':
        return this.leader?.phase ?? this.learner?.phase ?? 'election';
      default:
        return 'election';
    }
  }
}
