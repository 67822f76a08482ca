// An ensemble whose members are servers of several kinds, each on a data directory of its own: what a team has
// while it moves from one kind to the other. A member may be started again as another kind.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type ApacheVersion, startApache } from './apache.ts';
import { fourLetterWord } from './four-letter.ts';
import type { MemberNetwork } from './member-network.ts';
import { freePort, type ServerProcess } from './server-process.ts';
import { startZebu } from './zebu.ts';

export type MemberKind = ApacheVersion | 'zebu';

interface Ports {
  readonly client: number;
  readonly quorum: number;
  readonly election: number;
}

export interface MixedEnsembleOptions {
  readonly voters: number;
  readonly observers?: number;
  /** Lines of zoo.cfg, for all members. */
  readonly config?: Record<string, string>;
  /** Each member in a namespace of its own. Without it all of them use loopback. The caller disposes it. */
  readonly network?: MemberNetwork;
  /** Variables of a member's environment. */
  readonly env?: (sid: number) => Readonly<Record<string, string>>;
}

/** Where clients reach all members. */
const HOST = '127.0.0.1';
const START_MS = 120_000;
const LOOK_MS = 50;

export class MixedEnsemble implements AsyncDisposable {
  readonly folder: string;
  readonly sids: readonly number[];
  private readonly options: MixedEnsembleOptions;
  private readonly running: Map<number, ServerProcess>;
  private readonly ports: Map<number, Ports>;

  private constructor(options: MixedEnsembleOptions) {
    const members = options.voters + (options.observers ?? 0);
    this.options = options;
    this.folder = mkdtempSync(join(tmpdir(), 'zebu-mixed-'));
    this.sids = Array.from({ length: members }, (_, index) => index + 1);
    this.running = new Map();
    this.ports = new Map();
  }

  /** Chooses the ports; starts no member. */
  static async make(options: MixedEnsembleOptions): Promise<MixedEnsemble> {
    const ensemble = new MixedEnsemble(options);
    for (const sid of ensemble.sids) {
      const [client, quorum, election] = [await freePort(), await freePort(), await freePort()];
      ensemble.ports.set(sid, { client, quorum, election });
      await options.network?.relay(sid, client);
    }
    return ensemble;
  }

  clientPort(sid: number): number {
    return (this.ports.get(sid) as Ports).client;
  }

  /** Where the member listens for learners when it leads. */
  quorumPort(sid: number): number {
    return (this.ports.get(sid) as Ports).quorum;
  }

  /** Of all members, or of those named. */
  connectString(sids: readonly number[] = this.sids): string {
    return sids.map((sid) => `${HOST}:${this.clientPort(sid)}`).join(',');
  }

  dataDir(sid: number): string {
    return join(this.folder, `member-${sid}`);
  }

  /** The log of a member's process. */
  log(sid: number): string {
    return readFileSync(`${this.dataDir(sid)}.log`, 'utf8');
  }

  /** Starts a member and waits until it serves, which takes a quorum. */
  async start(sid: number, kind: MemberKind): Promise<void> {
    const dataDir = this.dataDir(sid);
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(join(dataDir, 'myid'), `${sid}\n`);
    const isObserver = sid > this.options.voters;
    const { network } = this.options;
    const options = {
      dataDir,
      port: this.clientPort(sid),
      ...(network === undefined ? {} : { within: network.launch(sid) }),
      env: this.options.env?.(sid) ?? {},
      config: {
        tickTime: '500',
        initLimit: '20',
        syncLimit: '10',
        '4lw.commands.whitelist': '*',
        maxClientCnxns: '0',
        clientPortAddress: this.ownHost(sid),
        ...(isObserver ? { peerType: 'observer' } : {}),
        ...Object.fromEntries(this.sids.map((one) => [`server.${one}`, this.serverLine(one)])),
        ...this.options.config,
      },
      startTimeoutMs: START_MS,
    };
    const member =
      kind === 'zebu' ? await startZebu(options) : await startApache({ version: kind, ...options });
    this.running.set(sid, member);
  }

  /** Starts several at once, as a quorum needs it. */
  async startAll(kinds: Readonly<Record<number, MemberKind>>): Promise<void> {
    await Promise.all(Object.entries(kinds).map(([sid, kind]) => this.start(Number(sid), kind)));
  }

  async stop(sid: number, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const member = this.running.get(sid);
    this.running.delete(sid);
    await member?.stop(signal);
  }

  async kill(sid: number): Promise<void> {
    await this.stop(sid, 'SIGKILL');
  }

  /** Waits for the end of a member that ends by itself. */
  async ended(sid: number): Promise<{ code: number | null }> {
    const member = this.running.get(sid) as ServerProcess;
    const { code } = await member.exited;
    this.running.delete(sid);
    return { code };
  }

  pid(sid: number): number | undefined {
    return this.running.get(sid)?.pid;
  }

  /** "leader", "follower", "observer"; undefined while it does not serve. */
  async modeOf(sid: number): Promise<string | undefined> {
    const answer = await fourLetterWord(this.clientPort(sid), 'srvr').catch(() => '');
    return /Mode: (\w+)/.exec(answer)?.[1];
  }

  /** The sid of the member that leads, once there is one. */
  async leader(): Promise<number> {
    for (let waitedMs = 0; waitedMs < START_MS; waitedMs += LOOK_MS) {
      for (const sid of this.running.keys()) if ((await this.modeOf(sid)) === 'leader') return sid;
      await delay(LOOK_MS);
    }
    throw new Error(`No leader after ${START_MS} ms`);
  }

  /** A figure of the word mntr; NaN where it is not there. */
  async figure(sid: number, name: string): Promise<number> {
    const answer = await fourLetterWord(this.clientPort(sid), 'mntr');
    return Number(new RegExp(`^zk_${name}\\t(\\S+)$`, 'm').exec(answer)?.[1]);
  }

  /** Resolves once every running member serves. */
  async settled(): Promise<void> {
    for (let waitedMs = 0; waitedMs < START_MS; waitedMs += LOOK_MS) {
      const modes = await Promise.all([...this.running.keys()].map((sid) => this.modeOf(sid)));
      if (modes.every((mode) => mode !== undefined)) return;
      await delay(LOOK_MS);
    }
    throw new Error(`Not all members serve after ${START_MS} ms`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.running.keys()].map((sid) => this.kill(sid)));
    rmSync(this.folder, { recursive: true, force: true });
  }

  private serverLine(sid: number): string {
    const { quorum, election } = this.ports.get(sid) as Ports;
    const role = sid > this.options.voters ? 'observer' : 'participant';
    const host = this.ownHost(sid);
    return `${host}:${quorum}:${election}:${role};${host}:${this.clientPort(sid)}`;
  }

  /** What the member itself binds. */
  private ownHost(sid: number): string {
    return this.options.network?.address(sid) ?? HOST;
  }
}
