// One member of the engine's ensemble: the core, and around it the smallest host there can be. A log of txn ids with a
// disk that takes its time, a tree that is a number of applied txns, links that are the world's.

import { epochOf, formatZxid, PacketType, type Zxid } from '@zebu/protocol';
import {
  type CoreMessage,
  type Notification,
  type Output,
  type PlanRequest,
  type RoleChange,
  SendKind,
  type SyncFacts,
  SyncMode,
  type SyncPlan,
  Zab,
  type ZabConfig,
} from '@zebu/zab';
import { demand, Violation } from '../violation.ts';
import type { ZabWorld } from './world.ts';

interface Batch {
  readonly number: number;
  readonly truncateAfter: Zxid;
  readonly ids: readonly number[];
  readonly acceptedEpoch: number;
  readonly currentEpoch: number;
}

/** What travels on a link. */
export type Packet =
  | { readonly kind: 'open' }
  | { readonly kind: 'close' }
  | { readonly kind: 'message'; readonly message: CoreMessage }
  | { readonly kind: 'proposal' | 'inform'; readonly id: number }
  | { readonly kind: 'commit' | 'ack'; readonly zxid: Zxid }
  | { readonly kind: 'snapshot'; readonly zxid: Zxid; readonly ids: readonly number[] };

export class ZabMember {
  readonly index: number;
  readonly sid: number;
  readonly world: ZabWorld;
  readonly config: ZabConfig;

  // On disk.
  /** The whole history, as ids of txns. Before `base` it is in the snapshot only. */
  log: number[];
  base: number;
  acceptedEpoch: number;
  currentEpoch: number;
  isDiscarded: boolean;

  // In memory.
  /** undefined while the member is down. */
  zab: Zab | undefined;
  /** Whether a connection to it is refused while it is down, rather than lost. */
  isMachineUp: boolean;
  /** Numbers the lives of all members. */
  life: number;
  /** The log as it will be: durable, in flight, and not handed over yet. */
  sequence: number[];
  /** How much of `sequence` was handed to the disk. */
  handed: number;
  /** Txns in the tree. */
  applied: number;
  /** The tree holds half of a leader's snapshot. */
  isTreeHalf: boolean;
  /** The tree holds txns that are committed only once this member is established as leader. */
  isTreeTentative: boolean;
  batches: Batch[];
  /** How many of them are being written. */
  writing: number;
  diskFreeAt: number;
  /** The process is stopped until then. */
  pausedUntil: number;
  diskLatency: number;
  linkLatency: number;
  isDraining: boolean;
  /** Its history is thrown away at the end of the role. */
  mustDiscard: boolean;
  /** Counts the leaders it was told to dial. */
  dialNumber: number;
  /** The open link to its leader; -1: none. */
  leaderLink: number;
  /** Of the last LEADERINFO. */
  offeredEpoch: number;
  snapshot:
    | { readonly zxid: Zxid; readonly ids: readonly number[]; readonly link: number }
    | undefined;
  /** By token: how much was decided when the barrier was asked for. */
  readonly barriers: Map<number, number>;

  constructor(world: ZabWorld, index: number, config: ZabConfig) {
    this.world = world;
    this.index = index;
    this.sid = config.sid;
    this.config = config;
    this.log = [];
    this.base = 0;
    this.acceptedEpoch = 0;
    this.currentEpoch = 0;
    this.isDiscarded = false;
    this.zab = undefined;
    this.isMachineUp = true;
    this.life = -1;
    this.sequence = [];
    this.handed = 0;
    this.applied = 0;
    this.isTreeHalf = false;
    this.isTreeTentative = false;
    this.batches = [];
    this.writing = 0;
    this.diskFreeAt = 0;
    this.pausedUntil = 0;
    this.diskLatency = 1;
    this.linkLatency = 1;
    this.isDraining = false;
    this.mustDiscard = false;
    this.dialNumber = 0;
    this.leaderLink = -1;
    this.offeredEpoch = -1;
    this.snapshot = undefined;
    this.barriers = new Map();
  }

  get isUp(): boolean {
    return this.zab !== undefined;
  }

  get isServing(): boolean {
    return this.zab?.phase === 'broadcast';
  }

  zxidAt(position: number): Zxid {
    return position < 0 ? 0 : this.world.oracle.txns.zxidOf(this.sequence[position] as number);
  }

  // Life

  start(life: number): void {
    this.life = life;
    this.isMachineUp = true;
    this.sequence = this.log.slice();
    this.handed = this.log.length;
    this.applied = this.base;
    this.isTreeHalf = false;
    this.isTreeTentative = false;
    this.batches = [];
    this.writing = 0;
    this.isDraining = false;
    this.mustDiscard = false;
    this.leaderLink = -1;
    this.snapshot = undefined;
    this.barriers.clear();
    this.zab = new Zab(
      this.config,
      {
        acceptedEpoch: this.acceptedEpoch,
        currentEpoch: this.currentEpoch,
        lastZxid: this.zxidAt(this.log.length - 1),
        appliedZxid: this.zxidAt(this.base - 1),
        trust: this.isDiscarded ? 'discarded' : 'judge',
      },
      () => this.world.prng.next(),
    );
    this.pump();
  }

  /** The process is gone. The batch that is being written may be there in part. */
  die(): void {
    this.zab = undefined;
    this.pausedUntil = 0;
    // Of the write that is under way some batches may be there, and of one of them a part.
    const whole = this.world.prng.below(this.writing + 1);
    for (let i = 0; i < whole; i++) this.tear(this.batches[i] as Batch, Number.POSITIVE_INFINITY);
    const next = whole < this.writing ? this.batches[whole] : undefined;
    if (next !== undefined) this.tear(next, this.world.prng.below(next.ids.length + 4));
    this.batches = [];
    this.writing = 0;
  }

  /** Carries out the first steps of a batch: truncate, each append, acceptedEpoch, currentEpoch. */
  private tear(batch: Batch, steps: number): void {
    if (steps === 0) return;
    this.world.coverage.add('torn batch');
    if (!this.canTruncate(batch.truncateAfter)) return;
    if (batch.truncateAfter >= 0) this.truncate(batch.truncateAfter);
    const { length } = batch.ids;
    for (let i = 0; i < Math.min(steps - 1, length); i++)
      this.appendDurably(batch.ids[i] as number);
    if (steps > length + 1 && batch.acceptedEpoch >= 0) this.acceptedEpoch = batch.acceptedEpoch;
    if (steps > length + 2 && batch.currentEpoch >= 0) this.setCurrentEpoch(batch.currentEpoch);
  }

  wipe(): void {
    this.log = [];
    this.base = 0;
    this.acceptedEpoch = 0;
    this.currentEpoch = 0;
    this.isDiscarded = false;
  }

  /** As a host does with a history that it cannot read: acceptedEpoch, a promise, is kept. */
  discard(): void {
    this.isDiscarded = true;
    this.currentEpoch = 0;
    this.log = [];
    this.base = 0;
  }

  takeSnapshot(): void {
    if (this.isTreeHalf || this.applied > this.log.length) return;
    this.base = Math.max(this.base, this.applied);
  }

  // Inputs

  tick(): void {
    this.zab?.tick();
    this.pump();
  }

  notification(sid: number, notification: Notification): void {
    this.zab?.notification(sid, notification);
    this.pump();
  }

  memberUnreachable(sid: number): void {
    this.zab?.memberUnreachable(sid);
    this.pump();
  }

  linkClosed(link: number): void {
    if (this.leaderLink === link) this.leaderLink = -1;
    this.zab?.linkClosed(link);
    this.pump();
  }

  leaderConnected(link: number): void {
    this.leaderLink = link;
    this.zab?.leaderConnected(link);
    this.pump();
  }

  leaderUnreachable(): void {
    this.zab?.leaderUnreachable();
    this.pump();
  }

  receive(link: number, packet: Packet): void {
    const { zab, world } = this;
    if (zab === undefined) return;
    switch (packet.kind) {
      case 'open':
        zab.learnerConnected(link);
        break;
      case 'message':
        if (packet.message.type === PacketType.SNAP) this.isTreeHalf = true;
        if (packet.message.type === PacketType.LEADERINFO) this.offeredEpoch = packet.message.epoch;
        if (packet.message.type === PacketType.ACK) zab.receiveAck(link, packet.message.zxid);
        else zab.receive(link, packet.message);
        break;
      case 'proposal':
      case 'inform': {
        const zxid = world.oracle.txns.zxidOf(packet.id);
        // A txn that the snapshot holds already is not kept.
        if (zxid > this.lastReceivedZxid()) this.sequence.push(packet.id);
        if (packet.kind === 'proposal') zab.receiveProposal(link, zxid);
        else zab.receiveInform(link, zxid);
        break;
      }
      case 'commit':
        zab.receiveCommit(link, packet.zxid);
        break;
      case 'ack':
        zab.receiveAck(link, packet.zxid);
        break;
      case 'snapshot':
        zab.linkActive(link);
        this.snapshot = { zxid: packet.zxid, ids: packet.ids, link };
        // From here on what is received follows the snapshot.
        this.sequence = packet.ids.slice();
        this.handed = this.sequence.length;
        world.finishSnapshot(this);
        break;
      case 'close':
        this.linkClosed(link);
        return;
    }
    this.pump();
  }

  private lastReceivedZxid(): Zxid {
    return this.zxidAt(this.sequence.length - 1);
  }

  /** The leader's snapshot is on disk. */
  snapshotInstalled(): void {
    const { zab, snapshot, world } = this;
    if (zab === undefined || snapshot === undefined) return;
    this.snapshot = undefined;
    world.logBecomes(this, world.commonLength(this.log, snapshot.ids));
    this.log = snapshot.ids.slice();
    for (const id of this.log) world.oracle.txns.markDurable(id, this.index);
    this.base = this.log.length;
    this.applied = this.log.length;
    this.isTreeHalf = false;
    zab.snapshotInstalled(snapshot.zxid);
    this.pump();
  }

  propose(count: number): void {
    const { zab, world } = this;
    for (let i = 0; i < count; i++) {
      const zxid = zab?.nextZxid ?? -1;
      if (zab === undefined || zxid < 0) break;
      demand(
        world.hardCounter === 0 || zxid >>> 0 <= world.hardCounter,
        'zxid rollover',
        () => `${formatZxid(zxid)} is proposed`,
      );
      this.sequence.push(world.oracle.txns.add(zxid));
      zab.propose(zxid);
      world.coverage.add('proposal');
    }
    this.pump();
  }

  askBarrier(token: number): void {
    if (this.zab?.role !== 'leading' || !this.isServing) return;
    this.barriers.set(token, this.world.oracle.decided.length);
    this.zab.readBarrier(token);
    this.pump();
  }

  // Disk

  writeDone(): void {
    const { zab } = this;
    if (zab === undefined) return;
    const done = this.batches.splice(0, this.writing);
    this.writing = 0;
    for (const batch of done) {
      if (!this.canTruncate(batch.truncateAfter)) {
        // The snapshot holds what is to go, and nothing older is there: the history is thrown away.
        this.world.coverage.add('cannot truncate');
        this.mustDiscard = true;
        this.batches = [];
        zab.syncFailed(`the snapshot holds more than ${formatZxid(batch.truncateAfter)}`);
        this.pump();
        return;
      }
      if (batch.truncateAfter >= 0) this.truncate(batch.truncateAfter);
      for (const id of batch.ids) this.appendDurably(id);
      if (batch.acceptedEpoch >= 0) this.acceptedEpoch = batch.acceptedEpoch;
      if (batch.currentEpoch >= 0) this.setCurrentEpoch(batch.currentEpoch);
    }
    const last = done.at(-1);
    if (last === undefined) return;
    zab.durable(last.number);
    this.pump();
  }

  private canTruncate(zxid: Zxid): boolean {
    return (
      zxid < 0 ||
      this.base === 0 ||
      this.world.oracle.txns.zxidOf(this.log[this.base - 1] as number) <= zxid
    );
  }

  private setCurrentEpoch(epoch: number): void {
    this.isDiscarded = false;
    this.currentEpoch = epoch;
  }

  private truncate(zxid: Zxid): void {
    const { world } = this;
    const { oracle, coverage } = world;
    let length = this.log.length;
    while (length > 0 && oracle.txns.zxidOf(this.log[length - 1] as number) > zxid) length--;
    const found = length === 0 ? 0 : oracle.txns.zxidOf(this.log[length - 1] as number);
    demand(
      found === zxid,
      'truncation',
      () => `the log has ${formatZxid(found)}, not ${formatZxid(zxid)}`,
    );
    demand(length >= this.base, 'truncation', () => `${formatZxid(zxid)} lies before the snapshot`);
    world.logBecomes(this, length);
    if (length < this.log.length) coverage.add('log truncated');
    this.log.length = length;
    this.applied = Math.min(this.applied, length);
  }

  private appendDurably(id: number): void {
    this.world.oracle.appends(this.log, id);
    this.log.push(id);
    this.world.oracle.txns.markDurable(id, this.index);
  }

  // Output

  pump(): void {
    for (let i = 0; i < 100; i++) {
      const { zab } = this;
      if (zab === undefined || !zab.hasOutput) return;
      this.carryOut(zab, zab.takeOutput());
      zab.checkInvariants();
    }
    demand(false, 'output', () => 'the core has something to say for ever');
  }

  private carryOut(zab: Zab, output: Output): void {
    const { world } = this;
    for (const { link, reason } of output.closes) {
      world.coverage.add(`close: ${reason.code}`);
      demand(reason.code !== 'protocol', 'protocol', () => `${this.sid}: ${reason.text}`);
      if (link === this.leaderLink) this.leaderLink = -1;
      world.close(this, link);
    }
    if (output.leaving !== undefined) this.leave(output.leaving.discardTree);
    for (const send of output.sends) {
      switch (send.kind) {
        case SendKind.MESSAGE:
          this.sendMessage(send.link, send.message as CoreMessage);
          break;
        case SendKind.SYNC:
          this.sendSync(send.link, send.plan as SyncPlan);
          break;
        case SendKind.ACKS:
          this.checkDurable('ack', send.upTo);
          this.sendRange(send.link, 'ack', send.after, send.upTo);
          break;
        case SendKind.PROPOSALS:
          this.sendRange(send.link, 'proposal', send.after, send.upTo);
          break;
        case SendKind.COMMITS:
          this.sendRange(send.link, 'commit', send.after, send.upTo);
          break;
        case SendKind.INFORMS:
          this.sendRange(send.link, 'inform', send.after, send.upTo);
          break;
      }
    }
    if (output.batch > 0) this.handToDisk(output);
    if (output.commitTo >= 0) this.apply(output.commitTo);
    if (output.change !== undefined) this.changed(output.change);
    for (const token of output.barriers) this.barrierDone(token);
    for (const { sid, notification } of output.votes) world.sendVote(this, sid, notification);
    // An answer makes output of its own, which would be taken out of turn here.
    const requests = output.planRequests.slice();
    for (const request of requests) zab.syncFacts(request.link, this.factsFor(zab, request));
  }

  private leave(discardTree: boolean): void {
    this.sequence.length = Math.min(this.sequence.length, this.handed);
    if (this.snapshot !== undefined) {
      // It was not installed: the history is still the member's own.
      this.snapshot = undefined;
      this.sequence = this.log.slice();
      this.handed = this.log.length;
    }
    if (discardTree) {
      this.isTreeHalf = false;
      this.isTreeTentative = false;
      this.world.coverage.add('tree discarded');
    }
    this.barriers.clear();
    this.leaderLink = -1;
    this.isDraining = true;
    if (this.batches.length > 0) this.world.coverage.add('drain with writes in flight');
    this.world.whenDrained(this);
  }

  /** Called by the world until it holds. */
  tryDrained(): void {
    if (!this.isDraining || this.zab === undefined) return;
    if (this.zab.phase !== 'draining' || this.batches.length > 0) return;
    this.isDraining = false;
    const { mustDiscard } = this;
    this.mustDiscard = false;
    if (mustDiscard) {
      this.world.logBecomes(this, 0);
      this.discard();
      this.sequence = [];
      this.handed = 0;
      this.applied = 0;
    }
    this.zab.drained(this.zxidAt(this.log.length - 1), mustDiscard);
    this.pump();
  }

  private sendMessage(link: number, message: CoreMessage): void {
    const { world } = this;
    switch (message.type) {
      case PacketType.LEADERINFO:
        demand(
          this.acceptedEpoch >= message.epoch,
          'acked is durable',
          () => `LEADERINFO ${message.epoch}`,
        );
        break;
      case PacketType.ACKEPOCH:
        if (message.currentEpoch === -1)
          world.coverage.add(message.lastZxid === -1 ? 'ack of no history' : 'ack -1');
        else {
          const epoch = this.offeredEpoch;
          demand(this.acceptedEpoch >= epoch, 'acked is durable', () => `ACKEPOCH ${epoch}`);
          if (!this.config.observer) {
            world.oracle.promisesEpoch(this.index, epoch, world.lifeAtOtherEnd(this, link));
          }
        }
        if (message.lastZxid >= 0) this.checkDurable('ACKEPOCH', message.lastZxid);
        break;
      case PacketType.ACK: {
        const epoch = epochOf(message.zxid);
        demand(
          this.currentEpoch >= epoch && this.acceptedEpoch >= epoch,
          'acked is durable',
          () => `NEWLEADER of epoch ${epoch} is acked, currentEpoch is ${this.currentEpoch}`,
        );
        break;
      }
      case PacketType.UPTODATE:
        world.coverage.add('UPTODATE');
        break;
      default:
        break;
    }
    world.send(this, link, { kind: 'message', message });
  }

  private checkDurable(what: string, zxid: Zxid): void {
    const last =
      this.log.length === 0
        ? 0
        : this.world.oracle.txns.zxidOf(this.log[this.log.length - 1] as number);
    if (last < zxid) {
      throw new Violation(
        'acked is durable',
        `${what} of ${formatZxid(zxid)}, the log ends at ${formatZxid(last)}`,
      );
    }
  }

  private sendRange(
    link: number,
    kind: 'proposal' | 'commit' | 'inform' | 'ack',
    after: Zxid,
    upTo: Zxid,
  ): void {
    for (let i = this.positionAfter(after); i < this.sequence.length; i++) {
      const id = this.sequence[i] as number;
      const zxid = this.world.oracle.txns.zxidOf(id);
      if (zxid > upTo) break;
      if (kind === 'proposal' || kind === 'inform') this.world.send(this, link, { kind, id });
      else this.world.send(this, link, { kind, zxid });
    }
  }

  /** The position of the first txn after this zxid. */
  private positionAfter(zxid: Zxid): number {
    let low = 0;
    let high = this.sequence.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.zxidAt(middle) <= zxid) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private sendSync(link: number, plan: SyncPlan): void {
    const { world } = this;
    world.coverage.add(`sync ${plan.row}`);
    world.coverage.add(
      plan.mode === SyncMode.DIFF ? 'DIFF' : plan.mode === SyncMode.TRUNC ? 'TRUNC' : 'SNAP',
    );
    world.send(this, link, {
      kind: 'message',
      message: { type: plan.mode, zxid: plan.packetZxid },
    });
    if (plan.mode === SyncMode.SNAP) {
      const held = this.positionAfter(plan.packetZxid);
      if (held > this.applied && !this.isServing) {
        this.isTreeTentative = true;
        world.coverage.add('tentative tree');
      }
      const ids = this.sequence.slice(0, held);
      world.sendSlowly(this, link, { kind: 'snapshot', zxid: plan.packetZxid, ids });
    }
    for (let i = this.positionAfter(plan.after); i < this.sequence.length; i++) {
      const id = this.sequence[i] as number;
      if (world.oracle.txns.zxidOf(id) > plan.upTo) break;
      demand(
        plan.mode === SyncMode.SNAP || i >= this.base,
        'sync',
        () => `${world.oracle.print(id)} is sent from a log that begins after it`,
      );
      world.send(this, link, { kind: 'proposal', id });
      world.send(this, link, { kind: 'commit', zxid: world.oracle.txns.zxidOf(id) });
    }
    this.zab?.syncSent(link);
  }

  private factsFor(zab: Zab, request: PlanRequest): SyncFacts {
    const { plan } = this.world;
    const end = this.positionAfter(zab.horizonZxid);
    const floor = Math.min(this.positionAfter(request.learnerZxid), end) - 1;
    const memory = Math.max(this.base, end - plan.committedLog);
    return {
      appliedZxid: this.zxidAt(this.applied - 1),
      minCommittedZxid: memory < end ? this.zxidAt(memory) : -1,
      logAfterZxid: plan.syncFromLogs ? this.zxidAt(this.base - 1) : -1,
      floorZxid: floor >= 0 ? this.zxidAt(floor) : -1,
      ceilingZxid: floor + 1 < end ? this.zxidAt(floor + 1) : -1,
      forceSnapshot: plan.forceSnapshots,
    };
  }

  private handToDisk(output: Output): void {
    if (output.truncateAfter >= 0) {
      this.sequence.length = Math.min(
        this.sequence.length,
        this.positionAfter(output.truncateAfter),
      );
      this.handed = this.sequence.length;
    }
    const from = this.handed;
    if (output.appendTo >= 0) {
      this.handed = this.positionAfter(output.appendTo);
      demand(
        this.zxidAt(this.handed - 1) === output.appendTo,
        'append',
        () => `told to append up to ${formatZxid(output.appendTo)}, which is not there`,
      );
    }
    this.batches.push({
      number: output.batch,
      truncateAfter: output.truncateAfter,
      ids: this.sequence.slice(from, this.handed),
      acceptedEpoch: output.acceptedEpoch,
      currentEpoch: output.currentEpoch,
    });
    this.world.writeBatches(this);
  }

  private apply(zxid: Zxid): void {
    const { oracle } = this.world;
    if (this.isTreeHalf) {
      throw new Violation('half a snapshot', `${formatZxid(zxid)} is applied to half a tree`);
    }
    this.decideTree();
    while (this.applied < this.sequence.length && this.zxidAt(this.applied) <= zxid) {
      const id = this.sequence[this.applied] as number;
      if (this.log[this.applied] !== id) {
        throw new Violation(
          'applied is durable',
          `${oracle.print(id)} is applied and not in the log`,
        );
      }
      oracle.applies(this.applied, id);
      this.applied++;
    }
    if (this.zxidAt(this.applied - 1) !== zxid) {
      throw new Violation(
        'commit',
        `told to apply up to ${formatZxid(zxid)}, got to ${formatZxid(this.zxidAt(this.applied - 1))}`,
      );
    }
  }

  /** What came with a snapshot is decided at the latest when the member serves it. */
  private decideTree(): void {
    const { oracle } = this.world;
    for (let i = oracle.decided.length; i < this.applied; i++) {
      oracle.applies(i, this.sequence[i] as number);
    }
  }

  private changed(change: RoleChange): void {
    const { world } = this;
    world.note(this.index, change);
    if (change.phase === 'discovery' && change.role !== 'leading' && change.epoch === -1) {
      this.dialNumber++;
      world.dial(this, change.leaderSid, this.dialNumber, 0);
    }
    if (change.phase === 'draining') {
      world.coverage.add(`leave: ${change.reason.code}`);
      demand(
        change.reason.code !== 'protocol',
        'protocol',
        () => `${this.sid}: ${change.reason.text}`,
      );
    }
    if (change.phase !== 'broadcast') return;
    this.decideTree();
    if (change.role === 'leading') {
      world.coverage.add('election');
      world.oracle.isEstablished(change.epoch, this.life, this.sequence);
    } else {
      world.coverage.add('follower in sync');
    }
    demand(!this.isTreeHalf, 'half a snapshot', () => `${this.sid} serves half a tree`);
    demand(
      !this.isTreeTentative || change.role === 'leading',
      'half a snapshot',
      () => `${this.sid} serves txns of a leadership that was not established`,
    );
    this.isTreeTentative = false;
  }

  private barrierDone(token: number): void {
    const { oracle, coverage } = this.world;
    const decided = this.barriers.get(token);
    demand(decided !== undefined, 'barrier', () => `nobody asked for barrier ${token}`);
    this.barriers.delete(token);
    coverage.add('barrier');
    if (decided === 0) return;
    const last = oracle.txns.zxidOf(oracle.decided[decided - 1] as number);
    const committed = this.zab?.committedZxid ?? -1;
    demand(
      committed >= last,
      'linearizable barrier',
      () =>
        `${formatZxid(last)} was decided before the barrier, ${formatZxid(committed)} is committed`,
    );
  }

  describe(): string {
    const { zab } = this;
    const state =
      zab === undefined
        ? 'down'
        : `${zab.role} ${zab.phase} of ${zab.leaderSid}, committed ${formatZxid(zab.committedZxid)}, durable ${formatZxid(zab.durableZxid)}`;
    return `server ${this.sid}: ${state}; epochs ${this.acceptedEpoch}/${this.currentEpoch}, ${this.log.length} txns, ${this.applied} applied`;
  }
}

/** So that the world can tell who hears a connection. */
export function listens(member: ZabMember, early: boolean): boolean {
  const { zab } = member;
  if (zab === undefined) return false;
  return zab.role === 'leading' || (early && zab.phase === 'election');
}
