// A whole ensemble in virtual time: production members, each with its host, disk, clock and process; clients that
// move between them; and what goes wrong.
//
//   clients ─ SimNetwork ─ members ─ tap ─ SimDisks
//      └── what was said ──┴── what was applied ──► History
//
// At the end everything is healed, and every member must serve, with the same tree as the others.

import { ErrorCode, formatZxid, OPEN_ACL_UNSAFE, OpCode, type Zxid } from '@zebu/protocol';
import type { Member, Serving } from '@zebu/server/internal';
import { DEFAULT_ENSEMBLE } from '@zebu/server/internal';
import { Prng } from '../prng.ts';
import { SimScheduler } from '../scheduler.ts';
import { type ClientObserver, type Conversation, PING, SimClient } from '../sim-client.ts';
import { SimNetwork } from '../sim-network.ts';
import { SimProcess } from '../sim-process.ts';
import { Transcript } from '../transcript.ts';
import { demand } from '../violation.ts';
import { type Answer, type Ask, isWrite } from '../wire.ts';
import { History } from './history.ts';
import type { EnsembleFault, EnsemblePlan } from './plan.ts';
import { CLIENT_PORT, hostOf, SimMember } from './sim-member.ts';

const TICK_MS = 100;
const SESSION_MS = 1_500;
const BEAT_MS = 40;
const PUMP_MS = 7;
/** Microtasks between two callbacks while a member starts: promises exist only there. */
const DRAINED_MICROTASKS = 16;
/** From healing to every member serving the same tree. */
const LIVENESS_MS = 60_000;
const QUIET_MS = 400;
const PATHS = ['/a', '/b', '/c'];

export interface ClusterOverrides {
  readonly keepsText?: boolean;
  readonly plant?: (serving: Serving, member: Member) => void;
}

export interface ClusterReport {
  readonly seed: number;
  readonly hash: number;
  readonly steps: number;
  readonly virtualMs: number;
  readonly txns: number;
  readonly seen: Readonly<Record<string, number>>;
}

/** A write that a client is waiting for, and what had been acknowledged to anybody when it was sent. */
interface InFlight {
  readonly acknowledgedBefore: Zxid;
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
  private readonly clients: SimClient[];
  private requestsLeft: number;
  private readonly inFlight: Map<string, InFlight>;
  /** Answered sync requests by client: a read that was sent after one must see what was acknowledged before it. */
  private readonly syncedAt: Map<SimClient, Zxid>;
  private violation: Error | undefined;

  constructor(plan: EnsemblePlan, overrides: ClusterOverrides = {}) {
    this.plan = plan;
    this.scheduler = new SimScheduler();
    this.prng = new Prng(plan.seed);
    this.network = new SimNetwork({
      prng: this.prng.fork('network'),
      latencyMs: [0.05, plan.latencyMs],
    });
    this.history = new History(plan.voters);
    this.transcript = new Transcript(() => this.scheduler.nowMs, overrides.keepsText ?? false);
    this.seen = {};
    this.requestsLeft = plan.requests;
    this.inFlight = new Map();
    this.syncedAt = new Map();
    this.violation = undefined;
    const sids = Array.from({ length: plan.voters + plan.observers }, (_, index) => index + 1);
    const ensemble = {
      ...DEFAULT_ENSEMBLE,
      members: sids.map((sid) => ({
        sid,
        addresses: [{ host: hostOf(sid), quorumPort: 2888, electionPort: 3888 }],
        role: sid <= plan.voters ? ('participant' as const) : ('observer' as const),
        clientAddress: undefined,
      })),
    };
    this.members = sids.map(
      (sid) =>
        new SimMember({
          sid,
          ensemble,
          scheduler: this.scheduler,
          network: this.network,
          prng: this.prng.fork(`member ${sid}`),
          history: this.history,
          config: {
            tickTimeMs: TICK_MS,
            minSessionTimeoutMs: 200,
            snapCount: plan.snapCount,
            preAllocSizeBytes: 8192,
          },
          diskMs: plan.diskMs,
          say: (kind, text) => this.say(kind, text),
          guard: (check) => this.guard(check),
          plant: overrides.plant,
        }),
    );
    this.clients = Array.from({ length: plan.clients }, (_, index) => this.newClient(index));
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
    await this.runUntil(busyMs, () => this.requestsLeft === 0);
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
      case 'leader alone':
        for (const one of members.filter(({ mode }) => mode === 'leader')) {
          this.cut(
            members.filter((each) => each !== one),
            [one],
            later,
          );
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
        this.clients[fault.member % this.clients.length]?.breakOff(fault.forMs % 100);
        break;
      case 'failed sync':
        // The server stops by itself, and is started again as an operator would.
        member.disk.injectFault({ operation: 'sync', path: '/log.' });
        later(() => member.start());
        break;
    }
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
    for (const a of some) {
      for (const b of others) if (a !== b) this.network.cut(a.host, b.host);
    }
    later(() => this.network.heal());
  }

  // ---- The end ------------------------------------------------------------------------------

  /** Everything is well again: every member serves, all trees are alike, and a write goes through each. */
  private async heal(): Promise<void> {
    this.say('end', 'everything heals');
    this.network.heal();
    const deadlineMs = this.scheduler.nowMs + LIVENESS_MS;
    const isWell = (): boolean => {
      for (const member of this.members) member.start();
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
    for (const client of this.clients) client.wantsConnection = false;
    const areEqual = (): boolean =>
      this.members.every(({ lastZxid }) => lastZxid === this.history.lastZxid);
    demand(
      await this.runUntil(this.scheduler.nowMs + LIVENESS_MS, areEqual),
      'liveness',
      () =>
        `decided is ${formatZxid(this.history.lastZxid)}, the members are at ${this.members.map(({ lastZxid }) => formatZxid(lastZxid))}`,
    );
    const digests = new Set(this.members.map(({ member }) => member?.serving?.tree.digest));
    demand(digests.size === 1, 'digests', () => 'the trees differ at the end');
    demand(
      this.history.acknowledgedZxid <= this.history.lastZxid,
      'acknowledged',
      () => 'what was acknowledged is gone',
    );
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
    const isWritten = await this.runUntil(this.scheduler.nowMs + LIVENESS_MS, () => isDone);
    client.sim.wantsConnection = false;
    demand(isWritten, 'liveness', () => `no write goes through server ${member.sid}`);
    await this.runUntil(this.scheduler.nowMs + QUIET_MS);
  }

  // ---- Clients ------------------------------------------------------------------------------

  private newClient(index: number): SimClient {
    const prng = this.prng.fork(`client ${index}`);
    let at = prng.below(this.members.length);
    let restUntilMs = 0;
    const { sim } = this.addClient(
      `client ${index}`,
      // The next one in the list, as clients do when they lose their server.
      () => {
        at = (at + 1) % this.members.length;
        return (this.members[at] as SimMember).host;
      },
      () => {
        if (this.requestsLeft === 0 || this.scheduler.nowMs < restUntilMs) return undefined;
        this.requestsLeft--;
        restUntilMs = this.scheduler.nowMs + prng.between(0, this.plan.paceMs);
        return request(prng, index);
      },
    );
    sim.depth = prng.pick([1, 1, 4]);
    sim.connect();
    return sim;
  }

  private addClient(
    name: string,
    host: () => string,
    next: () => Omit<Ask, 'xid'> | undefined,
  ): { sim: SimClient; onAnswered: (ask: Ask, answer: Answer) => void } {
    const process = new SimProcess(this.scheduler, name);
    const handle = {
      sim: undefined as unknown as SimClient,
      onAnswered: (_ask: Ask, _answer: Answer): void => {},
    };
    handle.sim = new SimClient({
      name,
      process,
      network: this.network.host(`10.1.0.${name}`, process),
      server: {
        get host() {
          return host();
        },
        port: CLIENT_PORT,
      },
      timeoutMs: SESSION_MS,
      observer: this.observer((ask, answer) => handle.onAnswered(ask, answer)),
      next,
    });
    process.every(BEAT_MS, () => handle.sim.beat());
    process.every(PUMP_MS, () => handle.sim.pump());
    return handle;
  }

  private observer(onAnswered: (ask: Ask, answer: Answer) => void): ClientObserver {
    const keyOf = (conversation: Conversation, ask: Ask): string =>
      `${conversation.client.name} ${conversation.number} ${ask.xid}`;
    return {
      established: ({ client, isReattached }) => {
        this.count(isReattached ? 'session moved' : 'session');
        this.say(client.name, isReattached ? 'back' : 'new session');
      },
      refused: (client) => {
        this.count('session gone');
        this.say(client.name, 'session gone');
      },
      sent: (conversation, ask) => {
        this.inFlight.set(keyOf(conversation, ask), {
          acknowledgedBefore: this.history.acknowledgedZxid,
        });
      },
      answered: (conversation, ask, answer) =>
        this.guard(() => {
          const key = keyOf(conversation, ask);
          const sent = this.inFlight.get(key);
          this.inFlight.delete(key);
          this.transcript.add(
            conversation.client.name,
            answer.zxid,
            ask.type,
            () =>
              `#${ask.xid} ${ask.type} ${ask.path} answered ${answer.error} at ${formatZxid(answer.zxid)}`,
          );
          demand(
            answer.xid === ask.xid,
            'order of answers',
            () => `the answer to request ${ask.xid} is that of ${answer.xid}`,
          );
          if (sent !== undefined) this.judge(conversation, ask, answer, sent);
          onAnswered(ask, answer);
        }),
      event: () => {},
      ended: (conversation, unanswered) => {
        for (const ask of unanswered) this.inFlight.delete(keyOf(conversation, ask));
        this.syncedAt.delete(conversation.client);
      },
    };
  }

  private judge(conversation: Conversation, ask: Ask, answer: Answer, sent: InFlight): void {
    const { client, sessionId } = conversation;
    if (isWrite(ask.type)) {
      const isDone = answer.error === 0 && answer.zxid > 0;
      if (!isDone) return;
      this.count('write acknowledged');
      demand(
        answer.zxid > sent.acknowledgedBefore,
        'linearizable writes',
        () =>
          `a write at ${formatZxid(answer.zxid)} was asked for after ${formatZxid(sent.acknowledgedBefore)} was acknowledged`,
      );
      this.history.acknowledged(sessionId, ask.xid, answer.zxid);
      return;
    }
    if (ask.type === OpCode.sync && answer.error === 0) {
      this.count('sync answered');
      this.syncedAt.set(client, Math.max(this.syncedAt.get(client) ?? 0, sent.acknowledgedBefore));
      demand(
        answer.zxid >= sent.acknowledgedBefore,
        'linearizable sync',
        () =>
          `a sync answered at ${formatZxid(answer.zxid)} was asked for after ${formatZxid(sent.acknowledgedBefore)} was acknowledged`,
      );
    }
    if (ask.type === OpCode.getData && answer.error === ErrorCode.OK) {
      this.count('read answered');
      const least = this.syncedAt.get(client) ?? 0;
      demand(
        answer.zxid >= least,
        'read after sync',
        () => `a read at ${formatZxid(answer.zxid)} after a sync that saw ${formatZxid(least)}`,
      );
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

function request(prng: Prng, client: number): Omit<Ask, 'xid'> {
  const path = prng.pick(PATHS);
  const data = Buffer.from(`${client} ${prng.below(1e6)}`);
  switch (prng.below(10)) {
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
      return { ...PING, type: OpCode.getData, path: '/' };
    default:
      return { ...PING, type: OpCode.setData, path: '/', data, number: -1 };
  }
}
