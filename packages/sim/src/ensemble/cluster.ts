// A whole ensemble in virtual time: production members, each with its host, disk, clock and process; clients that
// move between them; and what goes wrong.
//
//   clients ─ SimNetwork ─ members ─ tap ─ SimDisks
//      └── what was said ──┴── what was applied ──► History
//
// At the end everything is healed, and every member must serve, with the same tree as the others.

import { formatZxid, OPEN_ACL_UNSAFE, OpCode, PacketType } from '@zebu/protocol';
import { DEFAULT_ENSEMBLE } from '@zebu/server/internal';
import { Prng } from '../prng.ts';
import { SimScheduler } from '../scheduler.ts';
import { type ClientObserver, PING, SimClient } from '../sim-client.ts';
import { SimNetwork } from '../sim-network.ts';
import { SimProcess } from '../sim-process.ts';
import { Transcript } from '../transcript.ts';
import { demand } from '../violation.ts';
import type { Answer, Ask } from '../wire.ts';
import { ClientChecks } from './client-checks.ts';
import { History } from './history.ts';
import { CLIENT_PORT, ELECTION_PORT, hostOf, QUORUM_PORT } from './hosts.ts';
import type { EnsembleFault, EnsemblePlan, FaultKind } from './plan.ts';
import type { EnsemblePlant } from './plants.ts';
import { Promises } from './promises.ts';
import { type Actor, isScene, playScene, type Stage } from './scenes.ts';
import { SimMember } from './sim-member.ts';

const TICK_MS = 100;
const BEAT_MS = 40;
const PUMP_MS = 7;
/** Microtasks between two callbacks while a member starts: promises exist only there. */
const DRAINED_MICROTASKS = 16;
/** From healing to every member serving the same tree. */
const LIVENESS_MS = 60_000;
const QUIET_MS = 400;
const PATHS = ['/a', '/b', '/c'];
const LONG = ' and so on'.repeat(90);
/**
 * These keep nobody from hearing of a client that is heard of: what expires then has to be due. (A member that stood
 * still itself may answer its clients before it finds that its leader has left it, and nobody else hears of them.)
 */
const HARMLESS: readonly FaultKind[] = ['pause the leader', 'client moves'];
/** After anything else is over it may be felt for so long: the time in which a member finds its leader silent, and more. */
const AFTERMATH_MS = 2_000;

export interface ClusterOverrides {
  readonly keepsText?: boolean;
  readonly plant?: EnsemblePlant | undefined;
}

export interface ClusterReport {
  readonly seed: number;
  readonly hash: number;
  readonly steps: number;
  readonly virtualMs: number;
  readonly txns: number;
  readonly seen: Readonly<Record<string, number>>;
}

export class Cluster {
  readonly plan: EnsemblePlan;
  readonly scheduler: SimScheduler;
  readonly network: SimNetwork;
  readonly history: History;
  readonly transcript: Transcript;
  readonly members: readonly SimMember[];
  readonly seen: Record<string, number>;
  private readonly prng: Prng;
  private readonly checks: ClientChecks;
  private readonly clients: WorkloadClient[];
  private requestsLeft: number;
  /** Faults that strike when a member comes to a certain point. */
  private readonly armed: EnsembleFault[];
  /** Until then members may not have heard of clients that others hear of. */
  private disturbedUntilMs: number;
  /** Everything heals: scenes are over. */
  private isHealing: boolean;
  /** Acts of scenes that are still to come. */
  private actsLeft: number;
  /** Until then whatever is sent arrives in pieces. */
  private piecesUntilMs: number;
  private readonly stage: Stage;
  private violation: Error | undefined;

  constructor(plan: EnsemblePlan, overrides: ClusterOverrides = {}) {
    this.plan = plan;
    this.scheduler = new SimScheduler();
    this.prng = new Prng(plan.seed);
    this.network = new SimNetwork({
      prng: this.prng.fork('network'),
      latencyMs: [0.05, plan.latencyMs],
      cutChance: () => (this.scheduler.nowMs < this.piecesUntilMs ? 1 : 0.2),
      onWrite: (end, bytes, start, stop) =>
        this.guard(() => promises.written(end, bytes, start, stop)),
    });
    const promises = new Promises(
      (process) => this.speakerOf(process),
      (type) => this.count(type === PacketType.ACK ? 'ACK' : 'ACKEPOCH'),
    );
    this.history = new History(plan.voters, (txn) => this.checks.decided(txn));
    this.checks = new ClientChecks(
      this.history,
      () => this.scheduler.nowMs,
      (what) => this.count(what),
    );
    this.transcript = new Transcript(() => this.scheduler.nowMs, overrides.keepsText ?? false);
    this.seen = {};
    this.requestsLeft = plan.requests;
    this.armed = [];
    this.disturbedUntilMs = 0;
    this.isHealing = false;
    this.actsLeft = 0;
    this.piecesUntilMs = 0;
    this.violation = undefined;
    const sids = Array.from({ length: plan.voters + plan.observers }, (_, index) => index + 1);
    const ensemble = {
      ...DEFAULT_ENSEMBLE,
      forceSnapshotSync: plan.forceSnapshots,
      snapshotSizeFactor: plan.syncFromLogs ? 1e6 : DEFAULT_ENSEMBLE.snapshotSizeFactor,
      members: sids.map((sid) => ({
        sid,
        addresses: [{ host: hostOf(sid), quorumPort: QUORUM_PORT, electionPort: ELECTION_PORT }],
        role: sid <= plan.voters ? ('participant' as const) : ('observer' as const),
        clientAddress: undefined,
      })),
    };
    this.members = sids.map(
      (sid) =>
        new SimMember({
          sid,
          plan,
          ensemble,
          scheduler: this.scheduler,
          network: this.network,
          prng: this.prng.fork(`member ${sid}`),
          history: this.history,
          promises,
          config: {
            tickTimeMs: TICK_MS,
            minSessionTimeoutMs: 200,
            snapCount: plan.snapCount,
            preAllocSizeBytes: 8192,
          },
          events: {
            say: (kind, text) => this.say(kind, text),
            count: (what) => this.count(what),
            guard: (check) => this.guard(check),
            roleChanged: (member, role, phase) => this.spring(member, role, phase),
            closes: (sessionId, zxid, isExpiry) => {
              const isUndisturbed = this.scheduler.nowMs > this.disturbedUntilMs;
              this.checks.closes(sessionId, zxid, isExpiry, isUndisturbed);
            },
          },
          plant: overrides.plant,
        }),
    );
    this.clients = Array.from({ length: plan.clients }, (_, index) => this.newClient(index));
    this.stage = {
      members: this.members,
      actors: this.clients,
      sessionMs: plan.sessionMs,
      after: (delayMs, act) => this.after(delayMs, act),
      cut: (some, others) => this.cutOff(some, others),
      cutOneWay: (from, to) => this.network.cutOneWay(from.host, to.host),
      heal: () => this.network.heal(),
      cutStreams: (forMs) => {
        this.piecesUntilMs = this.scheduler.nowMs + forMs;
      },
      disturb: (forMs) => this.disturb(forMs),
      count: (what) => this.count(what),
    };
  }

  /** Rejects with the first broken promise. */
  async run(): Promise<ClusterReport> {
    const { plan } = this;
    for (const member of this.members) member.start();
    for (const fault of plan.faults) {
      await this.runUntil(fault.atMs);
      this.strike(fault);
    }
    const busyMs = this.scheduler.nowMs + 3_000;
    await this.runUntil(busyMs, () => this.requestsLeft === 0 && this.actsLeft === 0);
    await this.heal();
    return {
      seed: plan.seed,
      hash: this.transcript.hash,
      steps: this.scheduler.steps,
      virtualMs: this.scheduler.nowMs,
      txns: this.history.decided.size,
      seen: this.seen,
    };
  }

  // ---- Faults -------------------------------------------------------------------------------

  private strike(fault: EnsembleFault): void {
    const { members } = this;
    const member = members[fault.member % members.length] as SimMember;
    const other = members[fault.other % members.length] as SimMember;
    this.count(fault.kind);
    this.say('fault', `${fault.kind} ${member.sid} ${other.sid} for ${fault.forMs} ms`);
    if (isScene(fault.kind)) {
      playScene(this.stage, fault);
      return;
    }
    if (!HARMLESS.includes(fault.kind)) this.disturb(fault.forMs);
    const later = (task: () => void): void => void this.scheduler.schedule(fault.forMs, task);
    switch (fault.kind) {
      case 'kill':
        member.kill();
        later(() => member.start());
        break;
      case 'kill the leader':
        for (const one of members) {
          if (one.mode !== 'leader') continue;
          one.kill();
          later(() => one.start());
        }
        break;
      case 'power cut':
        member.powerCut(fault.seed);
        later(() => member.start());
        break;
      case 'power cut of all':
        for (const one of members) {
          one.powerCut(fault.seed + one.sid);
          later(() => one.start());
        }
        break;
      case 'wiped disk':
        this.wipe(member, later);
        break;
      case 'pause':
        member.process.stall(fault.forMs);
        break;
      case 'pause the leader':
        for (const one of members) if (one.mode === 'leader') one.process.stall(fault.forMs);
        break;
      case 'pause of all':
        for (const one of members) one.process.stall(fault.forMs);
        break;
      case 'leader alone':
        for (const one of members.filter(({ mode }) => mode === 'leader')) {
          this.cut(
            members.filter((each) => each !== one),
            [one],
            later,
          );
        }
        break;
      case 'leader dies ahead of the others':
        for (const one of members.filter(({ mode }) => mode === 'leader')) {
          this.dieAhead(one, members, fault.forMs);
        }
        break;
      case 'halves': {
        const half = members.filter((_, index) => (fault.seed >> index) % 2 === 0);
        this.cut(
          half,
          members.filter((one) => !half.includes(one)),
          later,
        );
        break;
      }
      case 'cut between two':
        this.cut([member], [other], later);
        break;
      case 'cut one way':
        if (member !== other) this.network.cutOneWay(member.host, other.host);
        later(() => this.network.heal());
        break;
      case 'reset of links':
        for (const connection of [...this.network.connections]) {
          if (connection.process === member.process) this.network.reset(connection);
        }
        break;
      case 'client moves':
        this.clients[fault.member % this.clients.length]?.sim.breakOff(fault.forMs % 100);
        break;
      case 'client leaves a paused member':
        this.leavePaused(this.clients[fault.member % this.clients.length], fault.forMs);
        break;
      case 'power cut in a sync':
      case 'kill the leader in a sync':
        this.armed.push(fault);
        member.kill();
        this.scheduler.schedule(fault.seed % 600, () => member.start());
        break;
      case 'kill a new leader':
        this.armed.push(fault);
        for (const one of members) {
          if (one.mode !== 'leader') continue;
          one.kill();
          later(() => one.start());
        }
        break;
      case 'failed sync':
        // The server stops by itself, and is started again as an operator would.
        member.disk.injectFault({ operation: 'writeDurable', path: 'log.' });
        later(() => member.start());
        break;
    }
  }

  /** A leader logs what reaches nobody else, dies, and comes back to others that have gone on without it. */
  private dieAhead(leader: SimMember, members: readonly SimMember[], forMs: number): void {
    this.cut(
      members.filter((one) => one !== leader),
      [leader],
      (heal) => {
        this.scheduler.schedule(150, () => {
          leader.kill();
          heal();
          this.scheduler.schedule(400 + forMs, () => leader.start());
        });
      },
    );
  }

  /** What a client has asked of a member is done, if at all, after it has gone to another one. */
  private leavePaused(client: WorkloadClient | undefined, forMs: number): void {
    const member = this.members.find(({ host }) => host === client?.host);
    if (client === undefined || member === undefined) return;
    client.sim.depth = 4;
    client.sim.pump();
    member.process.stall(forMs);
    client.sim.breakOff(1);
  }

  /** A member comes to a point at which a fault waits for it. */
  private spring(member: SimMember, role: string, phase: string): void {
    const isSync = phase === 'synchronization' && role !== 'leading';
    const at = this.armed.findIndex(({ kind }) =>
      kind === 'kill a new leader' ? role === 'leading' : isSync,
    );
    const [fault] = at < 0 ? [] : this.armed.splice(at, 1);
    if (fault === undefined) return;
    const { kind, seed, forMs } = fault;
    this.count(`${kind}, in truth`);
    this.scheduler.schedule((seed % 64) * (seed % 3 === 0 ? 1 : 0.25), () => {
      const struck =
        kind === 'kill the leader in a sync'
          ? this.members.filter(({ mode }) => mode === 'leader')
          : [member];
      for (const one of struck) {
        this.say('fault', `${kind} strikes server ${one.sid}`);
        this.disturb(forMs);
        if (kind === 'power cut in a sync') one.powerCut(seed);
        else one.kill();
        this.scheduler.schedule(forMs, () => one.start());
      }
    });
  }

  private disturb(forMs: number): void {
    const untilMs = this.scheduler.nowMs + forMs + AFTERMATH_MS;
    this.disturbedUntilMs = Math.max(this.disturbedUntilMs, untilMs);
  }

  private speakerOf(process: SimProcess) {
    const member = this.members.find((one) => one.process === process);
    return member && { sid: member.sid, process, disk: member.durable };
  }

  /** One disk at a time, and only while all others are in sync: more is beyond what any quorum can bear. */
  private wipe(member: SimMember, later: (task: () => void) => void): void {
    const others = this.members.filter((one) => one !== member);
    const areWell = others.every((one) => one.isServing);
    if (!areWell) return;
    this.count('wiped disk, in truth');
    member.wipe();
    later(() => member.start());
  }

  private cut(
    some: readonly SimMember[],
    others: readonly SimMember[],
    later: (task: () => void) => void,
  ): void {
    this.cutOff(some, others);
    later(() => this.network.heal());
  }

  private cutOff(some: readonly SimMember[], others: readonly SimMember[]): void {
    for (const a of some) {
      for (const b of others) if (a !== b) this.network.cut(a.host, b.host);
    }
  }

  /** An act of a scene: the run waits for it, and it is left out once everything heals. */
  private after(delayMs: number, act: () => void): void {
    this.actsLeft++;
    this.scheduler.schedule(delayMs, () => {
      this.actsLeft--;
      if (!this.isHealing) act();
    });
  }

  // ---- The end ------------------------------------------------------------------------------

  /** Everything is well again: every member serves, all trees are alike, and a write goes through each. */
  private async heal(): Promise<void> {
    this.say('end', 'everything heals');
    this.armed.length = 0;
    this.isHealing = true;
    for (const client of this.clients) {
      client.target = undefined;
      client.isQuiet = false;
      client.script.length = 0;
    }
    for (const member of this.members) member.diesAhead = false;
    for (const { disk } of this.members) disk.clearFaults();
    this.network.heal();
    const deadlineMs = this.scheduler.nowMs + LIVENESS_MS;
    const isWell = (): boolean => {
      this.startAll();
      return this.members.every(({ isServing }) => isServing);
    };
    const isHealed = await this.runUntil(deadlineMs, isWell);
    demand(
      isHealed,
      'liveness',
      () =>
        `after ${LIVENESS_MS} ms without faults: ${this.members
          .map(
            ({ sid, mode, isServing, refusal }) =>
              `server ${sid} ${refusal?.message ?? `${mode}${isServing ? '' : ', not serving'}`}`,
          )
          .join('; ')}`,
    );
    for (const member of this.members) await this.writeThrough(member);
    for (const { sim } of this.clients) {
      sim.wantsConnection = false;
      sim.breakOff();
    }
    const areEqual = (): boolean => {
      this.startAll();
      return this.members.every(
        ({ lastZxid, isServing }) => isServing && lastZxid === this.history.lastZxid,
      );
    };
    demand(
      await this.runUntil(this.scheduler.nowMs + LIVENESS_MS, areEqual),
      'liveness',
      () =>
        `decided is ${formatZxid(this.history.lastZxid)}, the members are at ${this.members.map(({ lastZxid }) => formatZxid(lastZxid))}`,
    );
    for (const { sid, member } of this.members) {
      demand(
        member?.serving?.tree.digest === this.history.model.digest,
        'digests',
        () => `server ${sid} has another tree than the txns lead to`,
      );
    }
    demand(
      this.history.acknowledgedZxid <= this.history.lastZxid,
      'acknowledged',
      () => 'what was acknowledged is gone',
    );
    await this.expectSessionsToEnd();
  }

  /** Nobody is connected any more: all sessions expire, and their ephemerals go with them. */
  private async expectSessionsToEnd(): Promise<void> {
    const { model } = this.history;
    const isOver = await this.runUntil(
      this.scheduler.nowMs + LIVENESS_MS,
      () => model.sessionIds().length === 0,
    );
    demand(isOver, 'liveness', () => `${model.sessionIds().length} sessions do not expire`);
    const left = model.paths().filter((path) => model.stat(path)?.ephemeralOwner !== 0n);
    demand(left.length === 0, 'sessions', () => `ephemerals without a session: ${left}`);
  }

  /** A slow disk may report the failure of a write after the faults have ended, and the member stops then. */
  private startAll(): void {
    for (const member of this.members) member.start();
  }

  private async writeThrough(member: SimMember): Promise<void> {
    let isDone = false;
    const client = this.addClient(
      `writer ${member.sid}`,
      () => member.host,
      () =>
        isDone
          ? undefined
          : { ...PING, type: OpCode.setData, path: '/', data: Buffer.from('end'), number: -1 },
    );
    client.onAnswered = (ask, answer) => {
      if (ask.type === OpCode.setData && answer.error === 0) isDone = true;
    };
    client.sim.connect();
    const isWritten = await this.runUntil(this.scheduler.nowMs + LIVENESS_MS, () => {
      this.startAll();
      return isDone;
    });
    client.sim.wantsConnection = false;
    client.sim.breakOff();
    demand(isWritten, 'liveness', () => `no write goes through server ${member.sid}`);
    await this.runUntil(this.scheduler.nowMs + QUIET_MS);
  }

  // ---- Clients ------------------------------------------------------------------------------

  private newClient(index: number): WorkloadClient {
    const prng = this.prng.fork(`client ${index}`);
    let at = prng.below(this.members.length);
    let restUntilMs = 0;
    const client = this.addClient(
      `client ${index}`,
      // The next one in the list, as clients do when they lose their server.
      () => {
        at = (at + 1) % this.members.length;
        return (client.target ?? (this.members[at] as SimMember)).host;
      },
      () => {
        const scripted = client.script.shift();
        if (scripted !== undefined || client.isQuiet) return scripted;
        if (this.requestsLeft === 0 || this.scheduler.nowMs < restUntilMs) return undefined;
        this.requestsLeft--;
        restUntilMs = this.scheduler.nowMs + prng.between(0, this.plan.paceMs);
        if (this.plan.moves > 0 && prng.chance(this.plan.moves)) {
          this.scheduler.schedule(prng.between(0, 4), () => client.sim.breakOff(1));
        }
        return request(prng, index);
      },
    );
    client.sim.depth = prng.pick([1, 1, 4]);
    client.sim.connect();
    return client;
  }

  private addClient(
    name: string,
    host: () => string,
    next: () => Omit<Ask, 'xid'> | undefined,
  ): WorkloadClient {
    const process = new SimProcess(this.scheduler, name);
    const client: WorkloadClient = {
      sim: undefined as unknown as SimClient,
      host: '',
      target: undefined,
      isQuiet: false,
      script: [],
      get depth() {
        return client.sim.depth;
      },
      set depth(requests) {
        client.sim.depth = requests;
      },
      pump: () => client.sim.pump(),
      move: () => {
        if (client.target !== undefined && client.target.host !== client.host) {
          client.sim.breakOff(1);
        }
      },
      onAnswered: () => {},
    };
    client.sim = new SimClient({
      name,
      process,
      network: this.network.host(`10.1.0.${name}`, process),
      server: {
        get host() {
          client.host = host();
          return client.host;
        },
        port: CLIENT_PORT,
      },
      timeoutMs: this.plan.sessionMs,
      observer: this.observer((ask, answer) => client.onAnswered(ask, answer)),
      next,
    });
    process.every(BEAT_MS, () => client.sim.beat());
    process.every(PUMP_MS, () => client.sim.pump());
    return client;
  }

  private observer(onAnswered: (ask: Ask, answer: Answer) => void): ClientObserver {
    const { checks } = this;
    return {
      established: (conversation) => {
        const { client, isReattached } = conversation;
        this.count(isReattached ? 'session moved' : 'session');
        this.say(client.name, isReattached ? 'back' : 'new session');
        checks.established(conversation);
      },
      refused: (client, sessionId) => {
        this.count('session gone');
        this.say(client.name, 'session gone');
        this.guard(() => checks.refused(sessionId));
      },
      sent: (conversation, ask) => {
        if (ask.type === OpCode.sync) this.countSync(conversation.client);
        checks.sent(conversation, ask);
      },
      answered: (conversation, ask, answer) =>
        this.guard(() => {
          this.transcript.add(
            conversation.client.name,
            answer.zxid,
            ask.type,
            () =>
              `#${ask.xid} ${ask.type} ${ask.path} answered ${answer.error} at ${formatZxid(answer.zxid)}`,
          );
          checks.answered(conversation, ask, answer);
          onAnswered(ask, answer);
        }),
      event: (conversation, event, zxid) => {
        this.transcript.add(
          conversation.client.name,
          zxid,
          event.type,
          () => `event ${event.type} ${event.path} at ${formatZxid(zxid)}`,
        );
        checks.event(conversation, event);
      },
      ended: (conversation, unanswered) => checks.ended(conversation, unanswered),
    };
  }

  /** The states in which a sync has something to wait for. */
  private countSync(sim: SimClient): void {
    const { host } = this.clients.find((one) => one.sim === sim) ?? {};
    const member = this.members.find((one) => one.host === host);
    if (member === undefined || member.lastZxid >= this.history.acknowledgedZxid) return;
    const what = member.mode === 'leader' ? 'leader' : 'learner';
    this.count(`sync asked of a ${what} that is behind`);
    if (what === 'learner' && member.isDiskBehind) {
      this.count('sync asked of a learner whose disk is behind');
    }
  }

  // ---- Running ------------------------------------------------------------------------------

  /** Runs until the condition holds or the time is up. True: it holds. Throws the first violation. */
  private async runUntil(
    untilMs: number,
    condition: () => boolean = () => false,
  ): Promise<boolean> {
    const { scheduler } = this;
    for (let steps = 0; ; steps++) {
      if (this.members.some(({ isStarting }) => isStarting) || steps % 64 === 0) {
        for (let i = 0; i < DRAINED_MICROTASKS; i++) await undefined;
      }
      if (this.violation !== undefined) throw this.violation;
      if (condition()) return true;
      if (!scheduler.step(untilMs)) {
        scheduler.run(untilMs);
        return condition();
      }
    }
  }

  private guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.violation ??= error as Error;
    }
  }

  private say(kind: string, text: string): void {
    this.transcript.addText(kind, text);
  }

  private count(what: string): void {
    this.seen[what] = (this.seen[what] ?? 0) + 1;
  }
}

interface WorkloadClient extends Actor {
  sim: SimClient;
  /** The member that it tried last. */
  host: string;
  onAnswered: (ask: Ask, answer: Answer) => void;
}

function request(prng: Prng, client: number): Omit<Ask, 'xid'> {
  const path = prng.pick(PATHS);
  const data = Buffer.from(`${client} ${prng.below(1e6)}${prng.chance(0.1) ? LONG : ''}`);
  switch (prng.below(12)) {
    case 0:
    case 1:
      return { ...PING, type: OpCode.create2, path, data, acl: OPEN_ACL_UNSAFE };
    case 2:
      return { ...PING, type: OpCode.delete, path, number: -1 };
    case 3:
      return {
        ...PING,
        type: OpCode.create2,
        path: `${path}e`,
        data,
        acl: OPEN_ACL_UNSAFE,
        number: 1,
      };
    case 4:
      return { ...PING, type: OpCode.sync, path };
    case 5:
    case 6:
      return { ...PING, type: OpCode.getData, path: prng.pick(['/', path, `${path}e`]) };
    case 7:
      return { ...PING, type: OpCode.getData, path: prng.pick(['/', path]), watch: true };
    case 8:
      return { ...PING, type: OpCode.exists, path: prng.pick([path, `${path}e`]), watch: true };
    case 9:
      return { ...PING, type: OpCode.setData, path, data, number: -1 };
    default:
      return { ...PING, type: OpCode.setData, path: '/', data, number: -1 };
  }
}
