// Sessions that write to and read from an ensemble whose members are killed and paused, and what they were told: the
// history that the checks of a kill test need. Each session has one request in flight at a time and knows all members.

import { setTimeout as delay } from 'node:timers/promises';
import {
  type Client,
  connect,
  type Session,
  SessionExpiredError,
  type Stat,
  ZkError,
} from '@zebu/client';
import { findViolation, type RegisterOperation } from './linearizable.ts';
import { mulberry32 } from './load.ts';
import type { ProbeStat } from './probe.ts';

export interface EnsembleLoadOptions {
  readonly servers: string;
  readonly sessions: number;
  readonly seed: number;
  readonly sessionTimeoutMs: number;
}

/** A write or a synced read that was acknowledged; times of performance.now(). */
export interface Answered {
  readonly isWrite: boolean;
  readonly calledAt: number;
  readonly answeredAt: number;
}

/** What a tree holds, for the comparison with what was acknowledged. */
export type TreeStat = Pick<ProbeStat, 'czxid' | 'version' | 'ephemeralOwner'>;

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'] as const;
type Key = (typeof KEYS)[number];

const INITIAL = 'initial';
/** Between two requests of a session, so that the members have the processors. */
const PAUSE_MS = 4;
const OWNED_EPHEMERALS = 4;
const LOOK_MS = 20;
const PROGRESS_MS = 90_000;

interface Set {
  readonly value: string;
  readonly stat: Stat;
  readonly calledAt: number;
  readonly answeredAt: number;
}

/** One key's history. */
class Register {
  readonly operations: RegisterOperation[] = [];
  readonly sets: Set[] = [];
  readonly valueOfVersion = new Map<number, string>([[0, INITIAL]]);
}

interface OwnedEphemeral {
  readonly sessionId: bigint;
  /** A delete of it was sent, and its answer did not come. */
  isInDoubt: boolean;
}

export class EnsembleLoad implements AsyncDisposable {
  readonly answered: Answered[];
  /** What no server may do, as it was seen. */
  readonly problems: string[];
  /** Sessions that ended and were followed by another. */
  readonly lostSessions: string[];
  /** How often a session went to another member. */
  moves: number;
  unknownOutcomes: number;
  /** Acknowledged creates and their czxids. */
  private readonly created: Map<string, number>;
  private readonly registers: Map<Key, Register>;
  private readonly sessions: LoadSession[];
  private isEnding: boolean;
  private running: Promise<void>;
  readonly options: EnsembleLoadOptions;

  private constructor(options: EnsembleLoadOptions) {
    this.options = options;
    this.answered = [];
    this.problems = [];
    this.lostSessions = [];
    this.moves = 0;
    this.unknownOutcomes = 0;
    this.created = new Map();
    this.registers = new Map(KEYS.map((key) => [key, new Register()]));
    this.sessions = [];
    this.isEnding = false;
    this.running = Promise.resolve();
  }

  /** Makes the znodes below /load, opens the sessions and lets them write. */
  static async begin(options: EnsembleLoadOptions): Promise<EnsembleLoad> {
    const load = new EnsembleLoad(options);
    try {
      for (let index = 0; index < options.sessions; index++) {
        const { servers, sessionTimeoutMs } = options;
        const client = await connect({ servers, sessionTimeoutMs });
        load.sessions.push(new LoadSession(load, client, index));
      }
      const { client } = load.sessions[0] as LoadSession;
      for (const path of ['/load', '/load/created', '/load/ephemeral']) await client.create(path);
      for (const key of KEYS) await client.create(`/load/${key}`, INITIAL);
    } catch (error) {
      await load[Symbol.asyncDispose]();
      throw error;
    }
    load.running = Promise.all(load.sessions.map((session) => session.run())).then(() => {});
    // Reported by end(); unhandled until then it would end the process.
    load.running.catch(() => {});
    return load;
  }

  get hasEnded(): boolean {
    return this.isEnding;
  }

  /** Waits for `count` writes that were called after `since` and acknowledged; the first of them is the answer. */
  async untilWrites(since: number, count: number): Promise<Answered> {
    const deadline = performance.now() + PROGRESS_MS;
    for (;;) {
      const writes = this.writesSince(since);
      if (writes.length >= count) return writes[0] as Answered;
      if (performance.now() > deadline) {
        throw new Error(`${writes.length} of ${count} writes within ${PROGRESS_MS} ms`);
      }
      await delay(LOOK_MS);
    }
  }

  /** Ends the sessions' requests, not the sessions. Throws what a session threw that was no outcome of a request. */
  async end(): Promise<void> {
    this.isEnding = true;
    await this.running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isEnding = true;
    await this.running.catch(() => {});
    await Promise.all(
      this.sessions.map(({ client }) => client.close({ timeoutMs: 1000 }).catch(() => {})),
    );
  }

  register(key: Key): Register {
    return this.registers.get(key) as Register;
  }

  /** Two values of one version mean that one of two acknowledged writes was undone. */
  sawVersion(key: Key, version: number, value: string): void {
    const { valueOfVersion } = this.register(key);
    const known = valueOfVersion.get(version);
    if (known === undefined) valueOfVersion.set(version, value);
    else if (known !== value) {
      this.problems.push(`Version ${version} of ${key} is ${known}, and then ${value}`);
    }
  }

  wasCreated(path: string, czxid: number): void {
    this.created.set(path, czxid);
  }

  /** What the history tells against the servers, whatever the tree is now. Empty when all is well. */
  violations(): string[] {
    const found = [...this.problems];
    for (const key of KEYS) {
      const { operations, sets } = this.register(key);
      const violation = findViolation(INITIAL, operations);
      if (violation !== undefined) found.push(`${key}: ${violation}`);
      found.push(...outOfOrder(key, sets));
    }
    return found;
  }

  /** What was acknowledged and is not in the tree of a member. */
  missingFrom(tree: ReadonlyMap<string, TreeStat>, values: ReadonlyMap<string, string>): string[] {
    const found: string[] = [];
    for (const [path, czxid] of this.created) {
      const there = tree.get(path)?.czxid;
      if (there !== BigInt(czxid)) {
        found.push(
          `${path} was created at 0x${czxid.toString(16)}, and is of ${there ?? 'nothing'}`,
        );
      }
    }
    for (const key of KEYS) {
      const path = `/load/${key}`;
      const { sets, valueOfVersion } = this.register(key);
      const newest = Math.max(0, ...sets.map(({ stat }) => stat.version));
      const version = tree.get(path)?.version ?? -1;
      const known = valueOfVersion.get(version);
      if (version < newest) found.push(`${path} is of version ${version}, ${newest} was there`);
      if (known !== undefined && known !== values.get(path)) {
        found.push(`${path} is ${values.get(path)} in version ${version}, it was ${known}`);
      }
    }
    const alive = this.liveSessions();
    for (const { owned } of this.sessions) {
      for (const [path, { sessionId, isInDoubt }] of owned) {
        if (isInDoubt || !alive.has(sessionId)) continue;
        const owner = BigInt.asIntN(64, tree.get(path)?.ephemeralOwner ?? 0n);
        if (owner !== sessionId) found.push(`${path} of a live session is gone`);
      }
    }
    return found;
  }

  liveSessions(): ReadonlySet<bigint> {
    return new Set(this.sessions.map(({ client }) => client.session.id));
  }

  /** Keys and what the sessions may find there. */
  static readonly keyPaths: readonly string[] = KEYS.map((key) => `/load/${key}`);

  private writesSince(since: number): Answered[] {
    return this.answered.filter(({ isWrite, calledAt }) => isWrite && calledAt >= since);
  }
}

/** Of two sets of which one was answered before the other was called, the later one has the higher version. */
function outOfOrder(key: Key, sets: readonly Set[]): string[] {
  const found: string[] = [];
  let latest: Set | undefined;
  let before: Set | undefined;
  for (const set of sets.toSorted((a, b) => a.stat.version - b.stat.version)) {
    const { version, mzxid } = set.stat;
    if (before !== undefined && mzxid <= before.stat.mzxid) {
      found.push(`${key}: version ${version} is not after ${before.stat.version} by its mzxid`);
    }
    if (latest !== undefined && set.answeredAt < latest.calledAt) {
      found.push(
        `${key}: version ${version} was answered before ${latest.stat.version} was called`,
      );
    }
    if (latest === undefined || set.calledAt > latest.calledAt) latest = set;
    before = set;
  }
  return found;
}

class LoadSession {
  readonly client: Client;
  readonly owned: Map<string, OwnedEphemeral>;
  private readonly load: EnsembleLoad;
  private readonly name: string;
  private readonly random: () => number;
  /** Per key: no read of one session goes back to before what the session has seen. */
  private readonly seenVersion: Map<Key, number>;
  private count: number;
  private session: Session;
  private readonly startedAt: number;
  /** The call of the last request that was answered: the leader has heard of the session since. */
  private heardSince: number;

  constructor(load: EnsembleLoad, client: Client, index: number) {
    this.load = load;
    this.client = client;
    this.name = `s${index}`;
    this.random = mulberry32(load.options.seed * 31 + index);
    this.owned = new Map();
    this.seenVersion = new Map();
    this.count = 0;
    this.heardSince = performance.now();
    this.startedAt = performance.now();
    this.session = client.session;
    let server: string | undefined;
    client.on('state', (state) => {
      if (state.status !== 'connected') return;
      if (server !== undefined && server !== state.server) load.moves++;
      server = state.server;
    });
    client.on('session', () => this.lost());
  }

  async run(): Promise<void> {
    while (!this.load.hasEnded) {
      await this.step();
      await delay(PAUSE_MS);
    }
  }

  private async step(): Promise<void> {
    const key = KEYS[Math.floor(this.random() * KEYS.length)] as Key;
    const kind = this.random();
    if (kind < 0.45) await this.set(key);
    else if (kind < 0.75) await this.get(key, 'synced');
    else if (kind < 0.82) await this.get(key, 'local');
    else if (kind < 0.92) await this.create();
    else await this.workOnEphemerals();
  }

  private async set(key: Key): Promise<void> {
    const value = `${this.name}-${this.count++}`;
    const { client, load, name } = this;
    const { operations, sets } = load.register(key);
    const calledAt = performance.now();
    const result = await this.outcome(client.set(`/load/${key}`, value), 'write');
    const written = { kind: 'write', value, calledAt, by: name } as const;
    if (result.outcome === 'unknown') operations.push({ ...written, answeredAt: undefined });
    // One that was not carried out leaves no trace: a read of its value would be a read from nowhere.
    if (result.outcome !== 'done') return;
    const { answer: stat, answeredAt } = result;
    operations.push({ ...written, answeredAt });
    sets.push({ value, stat, calledAt, answeredAt });
    load.sawVersion(key, stat.version, value);
    this.sessionSaw(key, stat.version, 'a set');
  }

  private async get(key: Key, consistency: 'synced' | 'local'): Promise<void> {
    const calledAt = performance.now();
    const { client, load, name } = this;
    const reading = client.get(`/load/${key}`, { consistency });
    const result = await this.outcome(reading, consistency === 'local' ? 'local' : 'synced');
    if (result.outcome !== 'done') return;
    const { answer, answeredAt } = result;
    const value = answer.data.toString();
    load.sawVersion(key, answer.stat.version, value);
    this.sessionSaw(key, answer.stat.version, `a ${consistency} read`);
    if (consistency === 'local') return;
    load.register(key).operations.push({ kind: 'read', value, calledAt, answeredAt, by: name });
  }

  private async create(): Promise<void> {
    const path = `/load/created/${this.name}-${this.count++}`;
    const result = await this.outcome(this.client.create(path, path), 'write');
    if (result.outcome === 'done') this.load.wasCreated(path, result.answer.stat.czxid);
  }

  /** Creates some, asks for the oldest, and deletes it when there are enough. */
  private async workOnEphemerals(): Promise<void> {
    const { client, load, owned } = this;
    const oldest = [...owned].find(([, { isInDoubt }]) => !isInDoubt);
    if (oldest === undefined || owned.size < OWNED_EPHEMERALS) {
      const path = `/load/ephemeral/${this.name}-${this.count++}`;
      const creating = client.create(path, '', { mode: 'ephemeral' });
      const created = await this.outcome(creating, 'write');
      if (created.outcome !== 'done') return;
      owned.set(path, { sessionId: created.answer.session.id, isInDoubt: false });
      return;
    }
    const [path, ephemeral] = oldest;
    const found = await this.outcome(client.exists(path, { consistency: 'synced' }), 'synced');
    const isStillOurs = client.session.id === ephemeral.sessionId;
    if (found.outcome === 'done' && found.answer === undefined && isStillOurs) {
      load.problems.push(`${path} is gone while its session lives`);
    }
    const deleting = client.delete(path, { missingOk: true });
    const deleted = await this.outcome(deleting, 'write');
    if (deleted.outcome === 'done') owned.delete(path);
    else if (deleted.outcome === 'unknown') ephemeral.isInDoubt = true;
  }

  /** Waits for a request and notes when it was answered. Throws what is no outcome of a request. */
  private async outcome<T>(
    request: Promise<T>,
    kind: 'write' | 'synced' | 'local',
  ): Promise<{ outcome: 'done'; answer: T; answeredAt: number } | { outcome: ZkError['outcome'] }> {
    const calledAt = performance.now();
    try {
      const answer = await request;
      const answeredAt = performance.now();
      this.heardSince = calledAt;
      // A member may answer local reads until it knows that it is alone.
      if (kind !== 'local') {
        this.load.answered.push({ isWrite: kind === 'write', calledAt, answeredAt });
      }
      return { outcome: 'done', answer, answeredAt };
    } catch (error) {
      if (!ZkError.is(error, 'CONNECTION_LOSS', 'SESSION_EXPIRED', 'SESSION_MOVED')) throw error;
      if (error.outcome === 'unknown') this.load.unknownOutcomes++;
      return { outcome: error.outcome };
    }
  }

  private sessionSaw(key: Key, version: number, by: string): void {
    const before = this.seenVersion.get(key) ?? 0;
    if (version < before) {
      this.load.problems.push(`${this.name}: ${by} of ${key} went from ${before} to ${version}`);
    }
    this.seenVersion.set(key, version);
  }

  private lost(): void {
    const { signal, generation } = this.session;
    this.session = this.client.session;
    const now = performance.now();
    const silentMs = now - this.heardSince;
    const { sessionTimeoutMs } = this.load.options;
    const by = signal.reason instanceof SessionExpiredError ? signal.reason.detectedBy : 'nobody';
    const lost = `${this.name} lost session ${generation}, of ${sessionTimeoutMs} ms, after ${silentMs.toFixed(0)} ms without an answer, as seen by ${by}, ${(now - this.startedAt).toFixed(0)} ms after its start`;
    this.load.lostSessions.push(lost);
    if (silentMs < sessionTimeoutMs) this.load.problems.push(lost);
  }
}
