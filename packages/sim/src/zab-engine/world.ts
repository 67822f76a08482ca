// An ensemble of cores in one thread: virtual time, links that keep their order, disks that take their time, and the
// faults of a plan. The same plan gives the same run.

import {
  DEFAULT_LIMITS,
  type Notification,
  type Plant,
  type RoleChange,
  type ZabLimits,
} from '@zebu/zab';
import { Prng } from '../prng.ts';
import { demand } from '../violation.ts';
import { Coverage } from './coverage.ts';
import { EventHeap } from './event-heap.ts';
import { listens, type Packet, ZabMember } from './member.ts';
import { ZabOracle } from './oracle.ts';
import type { Fault, ZabPlan } from './plan.ts';

const Event = {
  TICK: 0,
  LINK: 1,
  VOTE: 2,
  UNREACHABLE: 3,
  DISK: 4,
  DIAL: 5,
  DRAINED: 6,
  SNAPSHOT: 7,
  FAULT: 8,
  LOAD: 9,
  TRIGGERED: 10,
  RESUMED: 11,
  SCRIPTED: 12,
} as const;

/** Short limits: what takes a second there takes twenty ticks here. */
const LIMITS: ZabLimits = {
  ...DEFAULT_LIMITS,
  init: 40,
  sync: 24,
  connect: 40,
  quorumCheck: 8,
  ping: 4,
  finalizeWait: 4,
  minNotification: 3,
  maxNotification: 24,
  epochWait: 20,
  observerDelay: 4,
  snapSyncs: 2,
  diffSyncs: 3,
};

const CONNECT_ATTEMPTS = 5;

interface Link {
  readonly id: number;
  /** Member and life of each end: the one that dialled, the one that accepted. */
  readonly ends: readonly [number, number];
  readonly lives: readonly [number, number];
  readonly isOpen: [boolean, boolean];
  /** Packets to each end. */
  readonly queues: [Packet[], Packet[]];
  readonly dueAt: [number, number];
  /** Packets to each end whose turn came while the way was cut. */
  readonly stalled: [number, number];
}

interface Dial {
  readonly life: number;
  readonly number: number;
  readonly leaderSid: number;
  readonly attempt: number;
}

interface VoteEvent {
  readonly from: number;
  readonly notification: Notification;
}

export interface WorldOptions {
  readonly plant?: Plant | undefined;
  /** Prints each event. */
  readonly trace?: ((line: string) => void) | undefined;
}

export class ZabWorld {
  readonly plan: ZabPlan;
  readonly prng: Prng;
  readonly oracle: ZabOracle;
  readonly coverage: Coverage;
  readonly members: ZabMember[];
  readonly hardCounter: number;
  now: number;
  /** Of everything that happened, in order. */
  hash: number;
  /** Events that were carried out. */
  steps: number;
  /** Events that were not ticks: what strikes are counted by. */
  happened: number;
  private readonly events: EventHeap;
  private readonly links: (Link | undefined)[];
  /** cuts[from * members + to]. */
  private readonly cuts: Uint8Array;
  private readonly voteDueAt: Float64Array;
  private readonly lastVotes: (Notification | undefined)[];
  private readonly tickPeriods: number[];
  private readonly network: Prng;
  private readonly disks: Prng;
  private readonly load: Prng;
  private readonly listensEarly: boolean;
  private readonly trace: ((line: string) => void) | undefined;
  /** How often a leader entered each phase. */
  private nextStrike: number;
  private scripted: number;
  private readonly phaseCounts: Map<string, number>;
  private isHealed: boolean;
  private nextLife: number;
  private nextToken: number;

  constructor(plan: ZabPlan, options: WorldOptions = {}) {
    const root = new Prng(plan.seed ^ 0x5eb0);
    this.plan = plan;
    this.prng = root.fork('members');
    this.network = root.fork('network');
    this.disks = root.fork('disks');
    this.load = root.fork('load');
    const clocks = root.fork('clocks');
    this.listensEarly = root.fork('ports').chance(0.5);
    this.oracle = new ZabOracle(plan.voters);
    this.coverage = new Coverage();
    this.hardCounter = plan.hardCounter;
    this.now = 0;
    this.hash = 0x811c9dc5;
    this.steps = 0;
    this.happened = 0;
    this.events = new EventHeap();
    this.links = [];
    this.trace = options.trace;
    this.nextStrike = 0;
    this.scripted = 0;
    this.phaseCounts = new Map();
    this.isHealed = false;
    this.nextLife = 0;
    this.nextToken = 0;
    const count = plan.voters + plan.observers;
    this.cuts = new Uint8Array(count * count);
    this.voteDueAt = new Float64Array(count * count);
    this.lastVotes = new Array(count * count).fill(undefined);
    const voters = Array.from({ length: plan.voters }, (_, index) => index + 1);
    const limits =
      plan.hardCounter === 0
        ? LIMITS
        : { ...LIMITS, softCounter: plan.hardCounter - 4, hardCounter: plan.hardCounter };
    this.members = Array.from(
      { length: count },
      (_, index) =>
        new ZabMember(this, index, {
          sid: index + 1,
          voters,
          observer: index >= plan.voters,
          configVersion: 0,
          limits,
          plant: options.plant,
        }),
    );
    this.tickPeriods = this.members.map(() => 1 + plan.drift * (clocks.next() - 0.5));
    for (const member of this.members) {
      this.startMember(member);
      this.events.push(clocks.next(), Event.TICK, member.index);
    }
    plan.faults.forEach((fault, index) => {
      this.events.push(fault.at, Event.FAULT, index);
    });
    if (plan.load > 0) this.events.push(1, Event.LOAD, 0);
  }

  // Running

  runUntil(time: number): void {
    while (this.step(time));
  }

  /** Runs until the condition holds; false when the time is over before it does. */
  runUntilTrue(time: number, condition: () => boolean): boolean {
    let checkAt = this.now;
    while (this.step(time)) {
      if (this.now < checkAt) continue;
      checkAt = this.now + 1;
      if (condition()) return true;
    }
    return condition();
  }

  private step(until: number): boolean {
    const { events } = this;
    if (!events.pop()) return false;
    if (events.time > until) {
      events.push(events.time, events.kind, events.argument, events.payload);
      return false;
    }
    this.now = events.time;
    const { kind, argument, payload } = events;
    const pausedUntil = this.pausedUntil(kind, argument);
    if (pausedUntil > this.now) {
      // What comes meanwhile waits, in order.
      events.push(pausedUntil, kind, argument, payload);
      return true;
    }
    this.steps++;
    if (kind !== Event.TICK) this.strike();
    this.mix(kind * 64 + argument);
    switch (kind) {
      case Event.TICK: {
        const member = this.members[argument] as ZabMember;
        member.tick();
        events.push(this.now + (this.tickPeriods[argument] as number), Event.TICK, argument);
        break;
      }
      case Event.LINK:
        this.deliver(this.links[argument >> 1] as Link, (argument & 1) as 0 | 1);
        break;
      case Event.VOTE:
        this.deliverVote(argument, payload as VoteEvent);
        break;
      case Event.UNREACHABLE:
        this.members[argument]?.memberUnreachable(payload as number);
        break;
      case Event.DISK: {
        const member = this.members[argument] as ZabMember;
        if (member.life !== payload) break;
        if (member.diskFreeAt > this.now) {
          events.push(member.diskFreeAt, Event.DISK, argument, payload);
          break;
        }
        member.writeDone();
        this.writeBatches(member);
        member.tryDrained();
        break;
      }
      case Event.DIAL:
        this.tryDial(this.members[argument] as ZabMember, payload as Dial);
        break;
      case Event.DRAINED: {
        const member = this.members[argument] as ZabMember;
        if (member.life === payload) member.tryDrained();
        break;
      }
      case Event.SNAPSHOT: {
        const member = this.members[argument] as ZabMember;
        if (member.snapshot === payload) member.snapshotInstalled();
        break;
      }
      case Event.FAULT:
        this.happen(this.plan.faults[argument] as Fault);
        break;
      case Event.LOAD:
        this.makeLoad();
        break;
      case Event.SCRIPTED:
        this.members[argument]?.propose(1);
        break;
      case Event.TRIGGERED:
        this.happen(payload as Fault);
        break;
      case Event.RESUMED: {
        const member = this.members[argument] as ZabMember;
        member.askBarrier(this.nextToken++);
        member.propose(1);
        break;
      }
      default:
        break;
    }
    return true;
  }

  /** Until when the member that an event concerns is stopped; 0: it is not. */
  private pausedUntil(kind: number, argument: number): number {
    switch (kind) {
      case Event.TICK:
      case Event.VOTE:
      case Event.UNREACHABLE:
      case Event.DISK:
      case Event.DIAL:
      case Event.DRAINED:
      case Event.SNAPSHOT:
        return this.members[argument]?.pausedUntil ?? 0;
      case Event.LINK: {
        const end = this.links[argument >> 1]?.ends[argument & 1] ?? 0;
        return this.members[end]?.pausedUntil ?? 0;
      }
      default:
        return 0;
    }
  }

  private mix(value: number): void {
    this.hash = Math.imul(this.hash ^ value, 0x01000193);
    this.hash = Math.imul(this.hash ^ (this.now * 1024), 0x01000193) >>> 0;
  }

  /** For the hash, and for a trace. */
  note(member: number, change: RoleChange): void {
    this.mix(member * 1024 + change.phase.length * 64 + change.leaderSid);
    if (change.role === 'leading') this.trigger(member, change.phase);
    if (this.trace === undefined) return;
    const { role, phase, leaderSid, epoch, reason } = change;
    this.trace(
      `${this.now.toFixed(2)} server ${member + 1}: ${role} ${phase}, leader ${leaderSid}, epoch ${epoch} (${reason.code}: ${reason.text})`,
    );
  }

  private strike(): void {
    for (;;) {
      const strike = this.plan.strikes[this.nextStrike];
      if (strike === undefined || strike.event > this.happened) break;
      this.nextStrike++;
      const { kind, member, pause } = strike;
      this.happen({ at: this.now, kind, member, other: member });
      const back = kind === 'isolate' ? 'mend' : 'start';
      const end: Fault = { at: this.now + pause, kind: back, member, other: member };
      this.events.push(end.at, Event.TRIGGERED, member, end);
    }
    this.happened++;
  }

  private trigger(member: number, phase: string): void {
    // A leader enters discovery once, and tells its epoch in it.
    const count = (this.phaseCounts.get(phase) ?? 0) + 1;
    this.phaseCounts.set(phase, count);
    if (this.now > this.plan.duration) return;
    if (phase === 'broadcast') {
      for (let i = 0; this.scripted < this.plan.scriptedTxns && i < 2; i++, this.scripted++) {
        this.events.push(this.now + 0.5 + i, Event.SCRIPTED, member);
      }
    }
    for (const { phase: wanted, count: at, delay, kind, pause } of this.plan.triggers) {
      if (wanted !== phase || at !== count) continue;
      const fault: Fault = { at: this.now + delay, kind, member, other: member };
      this.events.push(fault.at, Event.TRIGGERED, member, fault);
      const back = kind === 'isolate' ? 'mend' : 'start';
      if (kind === 'pause') continue;
      this.events.push(fault.at + pause, Event.TRIGGERED, member, { ...fault, kind: back });
    }
  }

  // Load

  private makeLoad(): void {
    const { load } = this;
    this.events.push(this.now + 0.5 + load.next(), Event.LOAD, 0);
    if (this.now > this.plan.duration) return;
    const doesPropose = load.chance(this.plan.load);
    const count = 1 + load.below(4);
    const asks = load.chance(0.1);
    for (const member of this.members) {
      if (member.pausedUntil > this.now) continue;
      if (doesPropose) member.propose(count);
      if (asks) member.askBarrier(this.nextToken++);
    }
  }

  askBarriers(): void {
    for (const member of this.members) member.askBarrier(this.nextToken++);
  }

  // Faults

  private happen(fault: Fault): void {
    if (this.isHealed) return;
    const member = this.members[fault.member] as ZabMember;
    this.trace?.(`${this.now.toFixed(2)} ${fault.kind} of server ${member.sid}`);
    const count = this.members.length;
    this.coverage.add(`fault: ${fault.kind}`);
    switch (fault.kind) {
      case 'kill':
        this.kill(member);
        break;
      case 'power-cut':
        this.cutPower(member);
        break;
      case 'start':
        if (!member.isUp) this.startMember(member);
        break;
      case 'start-wiped':
        if (!member.isUp) {
          if (this.canLoseHistory(member)) {
            member.wipe();
            this.coverage.add('wiped');
          }
          this.startMember(member);
        }
        break;
      case 'start-discarded':
        if (!member.isUp) {
          if (this.canLoseHistory(member)) {
            member.discard();
            this.coverage.add('discarded');
          }
          this.startMember(member);
        }
        break;
      case 'stop':
        member.zab?.stop();
        member.pump();
        this.kill(member);
        break;
      case 'isolate':
        for (let other = 0; other < count; other++) this.cutBoth(fault.member, other);
        break;
      case 'mute':
        for (let other = 0; other < count; other++) {
          if (other !== fault.member) this.cuts[fault.member * count + other] = 1;
        }
        break;
      case 'split':
        for (let one = 0; one < count; one++) {
          for (let other = 0; other < count; other++) {
            if (one < fault.other !== other < fault.other) this.cutBoth(one, other);
          }
        }
        break;
      case 'mend':
        this.mend();
        break;
      case 'reset-link':
        this.resetLink(fault.member);
        break;
      case 'slow-disk':
        member.diskLatency = 10;
        break;
      case 'fast-disk':
        member.diskLatency = 1;
        break;
      case 'stall-disk':
        member.diskFreeAt = Math.max(member.diskFreeAt, this.now) + 10 + this.disks.below(50);
        break;
      case 'slow-links':
        member.linkLatency = 8;
        break;
      case 'fast-links':
        member.linkLatency = 1;
        break;
      case 'snapshot':
        member.takeSnapshot();
        break;
      case 'pause':
        if (!member.isUp) break;
        member.pausedUntil = this.now + 5 + this.network.below(70);
        this.events.push(member.pausedUntil, Event.RESUMED, member.index);
        break;
    }
  }

  startMember(member: ZabMember): void {
    if (!member.isMachineUp) this.forgetLinks(member);
    this.nextLife++;
    member.start(this.nextLife);
  }

  kill(member: ZabMember): void {
    if (!member.isUp) return;
    const life = member.life;
    member.die();
    this.loseSent(member);
    for (const link of this.links) {
      if (link === undefined) continue;
      const end = this.endOf(link, member.index);
      if (end < 0 || link.lives[end] !== life || !link.isOpen[end]) continue;
      link.isOpen[end as 0 | 1] = false;
      this.enqueue(link, (1 - end) as 0 | 1, { kind: 'close' }, 1);
    }
    for (const other of this.members) this.tellUnreachable(other, member);
  }

  /** As kill, but nobody is told. */
  cutPower(member: ZabMember): void {
    if (!member.isUp) return;
    member.die();
    this.loseSent(member);
    member.isMachineUp = false;
  }

  /** What a process wrote to its sockets does not always leave the machine. */
  private loseSent(member: ZabMember): void {
    for (const link of this.links) {
      if (link === undefined) continue;
      const end = this.endOf(link, member.index);
      if (end < 0 || !this.network.chance(0.5)) continue;
      const queue = link.queues[1 - end] as Packet[];
      queue.length = this.network.below(queue.length + 1);
    }
  }

  /** A machine that comes back answers with a reset to what it does not know. */
  private forgetLinks(member: ZabMember): void {
    for (const link of this.links) {
      if (link === undefined) continue;
      const end = this.endOf(link, member.index);
      if (end < 0 || !link.isOpen[end]) continue;
      link.isOpen[end as 0 | 1] = false;
      if (this.network.chance(0.5)) this.enqueue(link, (1 - end) as 0 | 1, { kind: 'close' }, 1);
    }
  }

  private tellUnreachable(to: ZabMember, of: ZabMember): void {
    if (to === of || this.isCut(to.index, of.index) || this.isCut(of.index, to.index)) return;
    this.events.push(this.now + this.network.next(), Event.UNREACHABLE, to.index, of.sid);
  }

  /**
   * Whether the ensemble can bear that this member loses its history: only a minority of voters may be without
   * theirs, and the others must have been in sync once. Beyond that nothing could be kept.
   */
  private canLoseHistory(member: ZabMember): boolean {
    if (member.config.observer) return true;
    let without = 1;
    for (const other of this.members) {
      if (other === member || other.config.observer) continue;
      if (other.currentEpoch === 0) without++;
    }
    return without <= Math.floor((this.plan.voters - 1) / 2);
  }

  private cutBoth(one: number, other: number): void {
    if (one === other) return;
    const count = this.members.length;
    this.cuts[one * count + other] = 1;
    this.cuts[other * count + one] = 1;
  }

  isCut(from: number, to: number): boolean {
    return this.cuts[from * this.members.length + to] === 1;
  }

  mend(): void {
    this.cuts.fill(0);
    for (const link of this.links) {
      if (link === undefined) continue;
      for (const end of [0, 1] as const) {
        for (let i = 0; i < link.stalled[end]; i++) {
          link.dueAt[end] = Math.max(link.dueAt[end], this.now + this.network.next());
          this.events.push(link.dueAt[end], Event.LINK, link.id * 2 + end);
        }
        link.stalled[end] = 0;
      }
    }
    // The connection of two members comes back with the last message of each.
    const count = this.members.length;
    for (let from = 0; from < count; from++) {
      for (let to = 0; to < count; to++) {
        const vote = this.lastVotes[from * count + to];
        const sender = this.members[from] as ZabMember;
        if (vote !== undefined && sender.isUp) this.sendVote(sender, to + 1, vote);
      }
    }
  }

  /** What the faults did is undone, and who is down comes back. */
  heal(): void {
    this.isHealed = true;
    for (const member of this.members) {
      member.diskLatency = 1;
      member.linkLatency = 1;
      member.diskFreeAt = Math.min(member.diskFreeAt, this.now);
      member.pausedUntil = Math.min(member.pausedUntil, this.now);
    }
    this.mend();
    for (const member of this.members) if (!member.isUp) this.startMember(member);
  }

  private resetLink(index: number): void {
    for (const link of this.links) {
      if (link === undefined || this.endOf(link, index) < 0) continue;
      if (!link.isOpen[0] || !link.isOpen[1]) continue;
      // Both ends hear of it, and what was under way is gone.
      for (const end of [0, 1] as const) {
        link.queues[end].length = 0;
        link.stalled[end] = 0;
        this.enqueue(link, end, { kind: 'close' }, 1);
      }
      return;
    }
  }

  // Links

  private endOf(link: Link, index: number): number {
    return link.ends[0] === index ? 0 : link.ends[1] === index ? 1 : -1;
  }

  lifeAtOtherEnd(member: ZabMember, id: number): number {
    const link = this.links[id] as Link;
    return link.lives[1 - this.endOf(link, member.index)] as number;
  }

  send(from: ZabMember, link: number, packet: Packet): void {
    this.transmit(from, link, packet, from.linkLatency);
  }

  /** A snapshot's stream. */
  sendSlowly(from: ZabMember, link: number, packet: Packet): void {
    this.transmit(from, link, packet, from.linkLatency * 6);
  }

  private transmit(from: ZabMember, id: number, packet: Packet, latency: number): void {
    const link = this.links[id];
    if (link === undefined) return;
    const end = this.endOf(link, from.index);
    if (end < 0 || !link.isOpen[end]) return;
    this.enqueue(link, (1 - end) as 0 | 1, packet, latency);
  }

  private enqueue(link: Link, to: 0 | 1, packet: Packet, latency: number): void {
    link.queues[to].push(packet);
    link.dueAt[to] = Math.max(
      link.dueAt[to],
      this.now + latency * (0.05 + 0.5 * this.network.next()),
    );
    this.events.push(link.dueAt[to], Event.LINK, link.id * 2 + to);
  }

  close(from: ZabMember, id: number): void {
    const link = this.links[id];
    if (link === undefined) return;
    const end = this.endOf(link, from.index);
    if (end < 0 || !link.isOpen[end]) return;
    link.isOpen[end as 0 | 1] = false;
    this.enqueue(link, (1 - end) as 0 | 1, { kind: 'close' }, from.linkLatency);
  }

  private deliver(link: Link, to: 0 | 1): void {
    if (link.queues[to].length === 0) return;
    const receiver = this.members[link.ends[to]] as ZabMember;
    const sender = link.ends[1 - to] as number;
    if (this.isCut(sender, receiver.index)) {
      link.stalled[to]++;
      return;
    }
    const packet = link.queues[to].shift() as Packet;
    if (!link.isOpen[to] || receiver.life !== link.lives[to] || !receiver.isUp) {
      // A machine that is up answers with a reset.
      const from = (1 - to) as 0 | 1;
      if (
        receiver.isMachineUp &&
        link.isOpen[from] &&
        packet.kind !== 'close' &&
        link.queues[from].length === 0
      ) {
        link.isOpen[to] = false;
        this.enqueue(link, from, { kind: 'close' }, 1);
      }
      return;
    }
    this.mix(link.id * 16 + packet.kind.length);
    if (packet.kind === 'close') link.isOpen[to] = false;
    receiver.receive(link.id, packet);
  }

  dial(member: ZabMember, leaderSid: number, number: number, attempt: number): void {
    const dial: Dial = { life: member.life, number, leaderSid, attempt };
    const pause = attempt === 0 ? this.network.next() : 1 + 2 * this.network.next();
    this.events.push(this.now + pause, Event.DIAL, member.index, dial);
  }

  private tryDial(member: ZabMember, dial: Dial): void {
    const { zab } = member;
    if (zab === undefined || member.life !== dial.life || member.dialNumber !== dial.number) return;
    if (member.leaderLink >= 0 || zab.phase !== 'discovery') return;
    const leader = this.members[dial.leaderSid - 1] as ZabMember;
    const isLost =
      this.isCut(member.index, leader.index) ||
      this.isCut(leader.index, member.index) ||
      !leader.isMachineUp;
    // The core's own limit ends what nobody answers.
    if (isLost) return;
    if (!listens(leader, this.listensEarly)) {
      if (dial.attempt + 1 < CONNECT_ATTEMPTS) {
        this.dial(member, dial.leaderSid, dial.number, dial.attempt + 1);
      } else member.leaderUnreachable();
      return;
    }
    const link: Link = {
      id: this.links.length,
      ends: [member.index, leader.index],
      lives: [member.life, leader.life],
      isOpen: [true, true],
      queues: [[], []],
      dueAt: [this.now, this.now],
      stalled: [0, 0],
    };
    this.links.push(link);
    this.enqueue(link, 1, { kind: 'open' }, 1);
    member.leaderConnected(link.id);
  }

  // Votes

  sendVote(from: ZabMember, sid: number, notification: Notification): void {
    const to = sid - 1;
    const member = this.members[to];
    demand(member !== undefined, 'vote', () => `a vote goes to server ${sid}`);
    const pair = from.index * this.members.length + to;
    this.lastVotes[pair] = notification;
    if (this.isCut(from.index, to)) return;
    const due = Math.max(
      this.voteDueAt[pair] as number,
      this.now + from.linkLatency * (0.05 + 0.5 * this.network.next()),
    );
    this.voteDueAt[pair] = due;
    const event: VoteEvent = { from: from.index, notification };
    this.events.push(due, Event.VOTE, to, event);
  }

  private deliverVote(to: number, event: VoteEvent): void {
    const receiver = this.members[to] as ZabMember;
    if (this.isCut(event.from, to)) return;
    if (!receiver.isUp) {
      const sender = this.members[event.from] as ZabMember;
      if (receiver.isMachineUp) this.tellUnreachable(sender, receiver);
      return;
    }
    receiver.notification(event.from + 1, event.notification);
  }

  // Disks

  /** One write at a time: what gathers meanwhile goes into the next one (group commit). */
  writeBatches(member: ZabMember): void {
    if (member.writing > 0 || member.batches.length === 0) return;
    member.writing = member.batches.length;
    const start = Math.max(this.now, member.diskFreeAt);
    const done = start + member.diskLatency * (0.1 + 0.6 * this.disks.next());
    this.events.push(done, Event.DISK, member.index, member.life);
  }

  whenDrained(member: ZabMember): void {
    this.events.push(this.now, Event.DRAINED, member.index, member.life);
  }

  finishSnapshot(member: ZabMember): void {
    const wait = member.diskLatency * (1 + 2 * this.disks.next());
    this.events.push(this.now + wait, Event.SNAPSHOT, member.index, member.snapshot);
  }

  /** A member is about to keep so many txns of its log. */
  logBecomes(member: ZabMember, length: number): void {
    const logs = this.members.map((one) => (one.currentEpoch === 0 ? undefined : one.log));
    this.oracle.logBecomes(member.index, member.log, length, logs);
  }

  /** How many txns two logs have in common from the beginning. */
  commonLength(left: readonly number[], right: readonly number[]): number {
    const shorter = Math.min(left.length, right.length);
    let length = 0;
    while (length < shorter && left[length] === right[length]) length++;
    return length;
  }
}
