// The role of a follower or an observer: joins a leader's epoch, takes its history over, then logs, acks and applies
// what the leader sends (Learner, Follower, Observer).
//
//   discovery        FOLLOWERINFO ─► LEADERINFO ─► acceptedEpoch durable ─► ACKEPOCH
//   synchronization  DIFF, TRUNC or SNAP, PROPOSALs and COMMITs ─► NEWLEADER ─► history durable, then currentEpoch
//                    durable ─► ACK ─► UPTODATE
//   broadcast        PROPOSAL ─► durable ─► ACK; COMMIT ─► applied.   Observers: INFORM ─► durable ─► applied
//
// Everything that comes is logged as it comes, in every kind of sync: one batch and one completion lie between the
// history and the ack of NEWLEADER (ZOOKEEPER-3911, 4643, 4646, 4785). What the leader calls committed during the
// sync is applied after UPTODATE, when a quorum has the history: a tree never has to be undone for it.

import {
  ElectionState,
  epochOf,
  makeZxid,
  PacketType,
  PEER_PROTOCOL_VERSION,
  type Zxid,
} from '@zebu/protocol';
import type { Core } from './core.ts';
import type { Elected } from './election.ts';
import { assert } from './invariants.ts';
import type { CoreMessage, Notification } from './messages.ts';
import { type Phase, type Reason, type ReasonCode, SendKind } from './output.ts';
import { ZxidWindow } from './zxid-window.ts';

/** What the learner waits for. */
type Step =
  | 'link'
  | 'leaderinfo'
  | 'epoch-durable'
  | 'sync'
  | 'snapshot'
  | 'newleader'
  | 'history-durable'
  | 'uptodate'
  | 'broadcast';

export class Learner {
  readonly leaderSid: number;
  /** -1 until the leader has said it. */
  epoch: number;
  private readonly core: Core;
  private readonly elected: Elected;
  private readonly isObserver: boolean;
  private step: Step;
  private stepAt: number;
  private link: number;
  private heardAt: number;
  /** Last txn that was received, or that the sync began with. */
  private receivedZxid: Zxid;
  /** Received and not known to be committed. */
  private readonly window: ZxidWindow;
  /** The end of what the sync gave: it is committed once the leader is established. */
  private syncedZxid: Zxid;
  /** Zxid of the snapshot that the host is loading; -1: none. */
  private installingZxid: Zxid;
  /** Zxid of the snapshot that this sync gave: txns up to it may be sent again, and are in it already. */
  private snapshotZxid: Zxid;
  /** NEWLEADER came while the snapshot was being loaded. */
  private newLeaderWaits: boolean;
  private ackedZxid: Zxid;

  constructor(core: Core, elected: Elected) {
    this.core = core;
    this.elected = elected;
    this.leaderSid = elected.leader;
    this.epoch = -1;
    this.isObserver = core.config.observer;
    this.step = 'link';
    this.stepAt = core.now;
    this.link = -1;
    this.heardAt = core.now;
    this.receivedZxid = core.disk.durableZxid;
    this.window = new ZxidWindow();
    this.syncedZxid = core.disk.durableZxid;
    this.installingZxid = -1;
    this.snapshotZxid = -1;
    this.newLeaderWaits = false;
    this.ackedZxid = -1;
  }

  get phase(): Phase {
    switch (this.step) {
      case 'link':
      case 'leaderinfo':
      case 'epoch-durable':
        return 'discovery';
      case 'broadcast':
        return 'broadcast';
      default:
        return 'synchronization';
    }
  }

  /** Why this learner is in its phase; of the first one the election says it. */
  get phaseReason(): Reason {
    const { leaderSid, epoch } = this;
    if (this.step === 'broadcast') {
      return { code: 'in-sync', text: `Server ${leaderSid} says that this member is up to date` };
    }
    return { code: 'leader-answered', text: `Server ${leaderSid} leads epoch ${epoch}` };
  }

  get hasOutput(): boolean {
    return (
      this.step === 'broadcast' && !this.isObserver && this.ackedZxid < this.core.disk.durableZxid
    );
  }

  // Link

  leaderConnected(link: number): void {
    const { core } = this;
    if (this.step !== 'link') {
      core.outbox.close(link, { code: 'replaced', text: 'There is a link to the leader already' });
      return;
    }
    this.link = link;
    this.enter('leaderinfo');
    core.outbox.message(link, {
      type: this.isObserver ? PacketType.OBSERVERINFO : PacketType.FOLLOWERINFO,
      acceptedEpoch: core.disk.acceptedEpoch,
      info: {
        sid: core.config.sid,
        protocolVersion: PEER_PROTOCOL_VERSION,
        configVersion: core.config.configVersion,
      },
    });
  }

  leaderUnreachable(): void {
    if (this.step !== 'link') return;
    this.core.leave('leader-unreachable', `Server ${this.leaderSid} cannot be reached`);
  }

  /**
   * The leader votes again, or for somebody else: it will not take this member up in the role that it has. Each would
   * wait for the other until initLimit, if the leader needs this member's vote.
   */
  leaderSaid(vote: Notification): void {
    if (this.step !== 'link' && this.step !== 'leaderinfo') return;
    if (vote.state !== ElectionState.LOOKING) return;
    const { leader, electionEpoch } = this.elected;
    // A vote of an earlier round may have been on its way; the links of a member that was started again end.
    if (vote.electionEpoch < electionEpoch) return;
    if (vote.electionEpoch === electionEpoch && vote.leader === leader) return;
    this.leave(
      'leader-looks',
      `Server ${leader} was elected in round ${electionEpoch}, and votes for server ${vote.leader} in round ${vote.electionEpoch}`,
    );
  }

  linkClosed(link: number): void {
    if (link !== this.link) return;
    this.link = -1;
    this.leave('leader-lost', `The link to server ${this.leaderSid} ended`);
  }

  linkActive(link: number): void {
    if (link === this.link) this.heardAt = this.core.now;
  }

  end(): void {
    if (this.link < 0) return;
    this.core.outbox.close(this.link, { code: 'role-over', text: 'This member leaves its leader' });
  }

  // Messages

  receive(link: number, message: CoreMessage): void {
    if (link !== this.link || this.core.leaving !== undefined) return;
    this.heardAt = this.core.now;
    switch (message.type) {
      case PacketType.LEADERINFO:
        if (this.step === 'leaderinfo') this.receiveLeaderInfo(message.epoch);
        else this.leaveUnexpected(message.type);
        break;
      case PacketType.DIFF:
        if (this.step === 'sync') this.receiveDiff();
        else this.leaveUnexpected(message.type);
        break;
      case PacketType.TRUNC:
        if (this.step === 'sync') this.receiveTrunc(message.zxid);
        else this.leaveUnexpected(message.type);
        break;
      case PacketType.SNAP:
        if (this.step === 'sync') this.receiveSnap(message.zxid);
        else this.leaveUnexpected(message.type);
        break;
      case PacketType.NEWLEADER:
        if (this.step === 'newleader' || this.step === 'snapshot') {
          this.receiveNewLeader(message.zxid);
        } else this.leaveUnexpected(message.type);
        break;
      case PacketType.UPTODATE:
        if (this.step === 'uptodate') this.receiveUpToDate();
        else this.leaveUnexpected(message.type);
        break;
      case PacketType.PING:
        // One that comes during the sync is not answered, as Apache's learners do not.
        if (this.step === 'broadcast') {
          this.core.outbox.message(link, { type: PacketType.PING, zxid: message.zxid });
        }
        break;
      default:
        if (this.step === 'leaderinfo' || this.step === 'sync') this.leaveUnexpected(message.type);
        break;
    }
  }

  // Discovery

  private receiveLeaderInfo(epoch: number): void {
    const { core } = this;
    const { acceptedEpoch } = core.disk;
    if (epoch < acceptedEpoch) {
      const text = `Server ${this.leaderSid} leads epoch ${epoch}, this member has accepted ${acceptedEpoch}`;
      this.leave('leader-epoch-too-old', text);
      return;
    }
    this.epoch = epoch;
    if (!core.historyCounts) {
      // No promise is made: a member whose acks count for nothing stays as new as it is until it is synced.
      this.sendAckEpoch(-1, -1);
    } else if (epoch === acceptedEpoch) {
      this.sendAckEpoch(
        this.historyZxid,
        core.plant === 'count-minus-one' ? core.disk.currentEpoch : -1,
      );
    } else {
      core.disk.setAcceptedEpoch(epoch);
      this.enter('epoch-durable');
      if (core.plant === 'epoch-ack-before-durable') {
        this.sendAckEpoch(this.historyZxid, core.disk.currentEpoch);
      }
    }
  }

  /** The last logged zxid, not the applied one: what is on disk may be committed already. */
  private get historyZxid(): Zxid {
    const { core } = this;
    return core.plant === 'vote-by-applied' ? core.appliedZxid : core.disk.durableZxid;
  }

  private sendAckEpoch(lastZxid: Zxid, currentEpoch: number): void {
    this.core.outbox.message(this.link, { type: PacketType.ACKEPOCH, lastZxid, currentEpoch });
    this.enter('sync');
  }

  // Synchronization

  private receiveDiff(): void {
    this.enter('newleader');
  }

  private receiveTrunc(zxid: Zxid): void {
    const { core } = this;
    if (zxid > core.disk.durableZxid) {
      const text = `Told to cut the log to 0x${zxid.toString(16)}, it ends at 0x${core.disk.durableZxid.toString(16)}`;
      this.leave('protocol', text);
      return;
    }
    if (zxid < core.disk.durableZxid) core.disk.truncate(zxid);
    core.historyEndsAt(zxid);
    this.beginAt(zxid);
    this.enter('newleader');
  }

  private receiveSnap(zxid: Zxid): void {
    this.installingZxid = zxid;
    this.snapshotZxid = zxid;
    this.beginAt(zxid);
    this.enter('snapshot');
  }

  private beginAt(zxid: Zxid): void {
    this.receivedZxid = zxid;
    this.syncedZxid = zxid;
  }

  snapshotInstalled(zxid: Zxid): void {
    const { core } = this;
    if (this.step !== 'snapshot' || core.leaving !== undefined) return;
    assert(zxid === this.installingZxid, 'The snapshot that was asked for is installed', {
      zxid,
      expected: this.installingZxid,
    });
    core.disk.replaceHistory(zxid);
    core.committedZxid = zxid;
    core.appliedZxid = zxid;
    this.installingZxid = -1;
    this.enter('newleader');
    if (this.receivedZxid > zxid) core.disk.append(this.receivedZxid);
    if (!this.newLeaderWaits) return;
    this.newLeaderWaits = false;
    this.takeHistory();
  }

  syncFailed(why: string): void {
    this.core.leave('sync-failed', why, true);
  }

  private receiveNewLeader(zxid: Zxid): void {
    if (zxid !== makeZxid(this.epoch, 0)) {
      const text = `NEWLEADER has zxid 0x${zxid.toString(16)} in epoch ${this.epoch}`;
      this.leave('protocol', text);
      return;
    }
    if (this.newLeaderWaits) {
      this.leaveUnexpected(PacketType.NEWLEADER);
      return;
    }
    if (this.step === 'snapshot') this.newLeaderWaits = true;
    else this.takeHistory();
  }

  /** History first, then currentEpoch, then the ack: one batch, one completion (ZOOKEEPER-4643, 4646). */
  private takeHistory(): void {
    const { core } = this;
    if (core.disk.acceptedEpoch < this.epoch) core.disk.setAcceptedEpoch(this.epoch);
    core.disk.setCurrentEpoch(this.epoch);
    if (core.plant === 'epoch-before-history') core.disk.currentEpoch = this.epoch;
    // What is committed by now needs no ack; everything later gets one, as Apache's leader counts by exact zxid.
    this.ackedZxid = this.syncedZxid;
    this.enter('history-durable');
    if (core.plant === 'newleader-ack-before-history') this.ackNewLeader();
  }

  private ackNewLeader(): void {
    this.core.outbox.message(this.link, {
      type: PacketType.ACK,
      zxid: makeZxid(this.epoch, 0),
    });
    this.enter('uptodate');
  }

  private receiveUpToDate(): void {
    const { core } = this;
    core.outbox.message(this.link, { type: PacketType.ACK, zxid: makeZxid(this.epoch, 0) });
    this.enter('broadcast');
    core.commit(Math.max(core.committedZxid, this.syncedZxid));
  }

  // Txns

  receiveProposal(link: number, zxid: Zxid): void {
    if (!this.takesTxns(link)) return;
    if (this.isObserver && this.step === 'broadcast') {
      this.leave('protocol', `An observer was sent the proposal 0x${zxid.toString(16)}`);
      return;
    }
    if (this.takeTxn(zxid)) this.window.push(zxid);
  }

  receiveCommit(link: number, zxid: Zxid): void {
    if (!this.takesTxns(link)) return;
    const { window } = this;
    if (zxid <= this.snapshotZxid) return;
    // Another txn than the oldest one, or none at all: a packet is missing (ZOOKEEPER-4394).
    if (window.first !== zxid) {
      const text = `COMMIT of 0x${zxid.toString(16)}, the oldest proposal is 0x${window.first.toString(16)}`;
      this.leave('protocol', text);
      return;
    }
    window.shift();
    this.txnIsCommitted(zxid);
  }

  receiveInform(link: number, zxid: Zxid): void {
    if (!this.takesTxns(link)) return;
    if (!this.isObserver || !this.window.isEmpty) {
      const text = `INFORM of 0x${zxid.toString(16)}, the oldest proposal is 0x${this.window.first.toString(16)}`;
      this.leave('protocol', text);
      return;
    }
    if (this.takeTxn(zxid)) this.txnIsCommitted(zxid);
  }

  private takesTxns(link: number): boolean {
    if (link !== this.link || this.core.leaving !== undefined) return false;
    this.heardAt = this.core.now;
    switch (this.step) {
      case 'newleader':
      case 'snapshot':
      case 'history-durable':
      case 'uptodate':
      case 'broadcast':
        return true;
      default:
        this.leave('protocol', `A txn came while this member waited for ${this.step}`);
        return false;
    }
  }

  /** Whether the txn is new; a gap ends the role, as nothing that follows could be trusted. */
  private takeTxn(zxid: Zxid): boolean {
    if (zxid <= this.snapshotZxid) return false;
    if (!this.follows(zxid)) {
      const text = `Txn 0x${zxid.toString(16)} came after 0x${this.receivedZxid.toString(16)} in epoch ${this.epoch}`;
      this.leave('protocol', text);
      return false;
    }
    this.receivedZxid = zxid;
    if (this.installingZxid < 0) this.core.disk.append(zxid);
    return true;
  }

  private follows(zxid: Zxid): boolean {
    const isNext = zxid === this.receivedZxid + 1;
    if (this.step === 'broadcast') {
      // What came from older epochs belongs to the sync.
      if (epochOf(this.receivedZxid) < this.epoch) return zxid === makeZxid(this.epoch, 1);
      return isNext;
    }
    if (isNext) return true;
    // Epochs end anywhere, and may have had no txn.
    return epochOf(zxid) > epochOf(this.receivedZxid) && epochOf(zxid) <= this.epoch;
  }

  private txnIsCommitted(zxid: Zxid): void {
    const { core } = this;
    if (this.step !== 'broadcast') {
      this.syncedZxid = zxid;
      if (core.plant !== 'commit-before-sync') return;
    }
    // An earlier leader may have said so already, before the txn was durable here.
    if (zxid > core.committedZxid) core.commit(zxid);
  }

  // Time and disk

  tick(): void {
    const { core } = this;
    const { limits } = core.config;
    if (this.step === 'link') {
      if (core.now - this.stepAt > limits.connect) {
        const text = `No link to server ${this.leaderSid} after ${core.now - this.stepAt} ticks`;
        this.leave('leader-unreachable', text);
      }
      return;
    }
    // While this member's own disk is busy the leader has nothing to say.
    if (this.step === 'epoch-durable' || this.step === 'history-durable') return;
    if (this.newLeaderWaits) return;
    const silent = core.now - this.heardAt;
    if (silent <= (this.step === 'broadcast' ? limits.sync : limits.init)) return;
    this.leave('leader-silent', `Server ${this.leaderSid} was silent for ${silent} ticks`);
  }

  diskAdvanced(): void {
    const { core } = this;
    if (this.step === 'epoch-durable' && core.disk.acceptedEpoch === this.epoch) {
      this.sendAckEpoch(this.historyZxid, core.disk.currentEpoch);
    } else if (this.step === 'history-durable' && core.disk.currentEpoch === this.epoch) {
      this.ackNewLeader();
    }
    core.applyCommitted();
  }

  /** One range of acks for what became durable since the last time. */
  flush(): void {
    if (this.step !== 'broadcast' || this.isObserver) return;
    const { core } = this;
    const upTo =
      core.plant === 'ack-before-durable' ? core.disk.appendedZxid : core.disk.durableZxid;
    if (upTo <= this.ackedZxid) return;
    core.outbox.range(this.link, SendKind.ACKS, this.ackedZxid, upTo);
    this.ackedZxid = upTo;
  }

  answer(): Notification {
    const { elected } = this;
    return {
      state: this.isObserver ? ElectionState.OBSERVING : ElectionState.FOLLOWING,
      leader: elected.leader,
      zxid: elected.zxid,
      electionEpoch: elected.electionEpoch,
      peerEpoch: this.step === 'broadcast' ? this.epoch : elected.peerEpoch,
      version: 2,
    };
  }

  checkInvariants(): void {
    const { core } = this;
    if (this.step === 'broadcast') {
      assert(core.committedZxid <= this.receivedZxid, 'A commit is of a received txn');
    }
    assert(
      this.window.isEmpty || this.window.last <= this.receivedZxid,
      'The window holds received txns',
    );
  }

  private enter(step: Step): void {
    this.step = step;
    this.stepAt = this.core.now;
    this.heardAt = this.core.now;
  }

  /** A half-loaded snapshot is no tree (ZOOKEEPER-3642). */
  private leave(code: ReasonCode, text: string): void {
    const discardTree = this.step === 'snapshot' && this.core.plant !== 'keep-half-snapshot';
    this.core.leave(code, text, discardTree);
  }

  private leaveUnexpected(type: number): void {
    const text = `Packet type ${type} came while this member waited for ${this.step}`;
    this.leave('protocol', text);
  }
}
