// An ensemble of Apache servers on this machine, all of whose traffic goes through proxies that may record it.
//
// Every member has an address of its own in 127.0.0.0/8 (Linux), and a hosts file of its own, in which the names of
// the others lead to proxies: all members have the same config text, and so reconfig and dialling back to announced
// addresses work, yet nothing between two members is unseen. Another server can take a member's place: it binds and dials
// members' own addresses, since a proxy accepts also for a member that does not listen, and closes then.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type ApacheVersion, startApache } from './apache.ts';
import { fourLetterWord } from './four-letter.ts';
import { freePort, type ServerProcess } from './server-process.ts';

export type Channel = 'quorum' | 'election';

/** One connection between two members: what each end sent. */
export interface Recording {
  readonly phase: string;
  readonly channel: Channel;
  /** Who dialled, and whom. */
  readonly from: number;
  readonly to: number;
  readonly initiator: Buffer[];
  readonly acceptor: Buffer[];
}

export interface ApacheEnsembleOptions {
  readonly version: ApacheVersion;
  /** Sids of voters. */
  readonly voters: readonly number[];
  readonly observers?: readonly number[];
  /** Lines of zoo.cfg, for all members. */
  readonly config?: Record<string, string>;
  readonly systemProperties?: Record<string, string>;
}

export class ApacheEnsemble implements AsyncDisposable {
  readonly options: ApacheEnsembleOptions;
  readonly folder: string;
  readonly recordings: Recording[];
  /** Named in each recording that begins. */
  phase: string;
  quorumPort: number;
  electionPort: number;
  readonly running: Map<number, ServerProcess>;
  private readonly clientPorts: Map<number, number>;
  private readonly proxies: Server[];
  private readonly sockets: Set<Socket>;
  private readonly net: number;

  private constructor(options: ApacheEnsembleOptions) {
    this.options = options;
    this.folder = mkdtempSync(join(tmpdir(), 'zebu-ensemble-'));
    this.recordings = [];
    this.phase = 'start';
    this.quorumPort = 0;
    this.electionPort = 0;
    this.running = new Map();
    this.clientPorts = new Map();
    this.proxies = [];
    this.sockets = new Set();
    // So that two runs at the same time do not meet.
    this.net = 1 + Math.floor(Math.random() * 250);
  }

  /** Makes proxies and hosts files; starts no member. */
  static async make(options: ApacheEnsembleOptions): Promise<ApacheEnsemble> {
    const ensemble = new ApacheEnsemble(options);
    ensemble.quorumPort = await freePort();
    ensemble.electionPort = await freePort();
    for (const sid of ensemble.sids) ensemble.clientPorts.set(sid, await freePort());
    for (const from of ensemble.sids) {
      writeFileSync(ensemble.hostsFile(from), ensemble.hosts(from));
      for (const to of ensemble.sids) if (to !== from) await ensemble.openProxies(from, to);
    }
    return ensemble;
  }

  get sids(): number[] {
    return [...this.options.voters, ...(this.options.observers ?? [])];
  }

  /** Where the member itself binds its quorum and election ports. */
  ownAddress(sid: number): string {
    return `127.0.${this.net}.${sid}`;
  }

  /** What the name of `to` is to the member `from`: its own address, or that of the proxy to it. */
  private addressFor(from: number, to: number): string {
    return from === to ? this.ownAddress(to) : `127.0.${this.net}.${50 + 10 * from + to}`;
  }

  clientPort(sid: number): number {
    return this.clientPorts.get(sid) as number;
  }

  /** What follows `server.<sid>=` in everybody's configuration. */
  serverLine(sid: number): string {
    const role = this.options.voters.includes(sid) ? 'participant' : 'observer';
    const ports = `${this.quorumPort}:${this.electionPort}`;
    return `zk${sid}.test:${ports}:${role};127.0.0.1:${this.clientPort(sid)}`;
  }

  dataDir(sid: number): string {
    return join(this.folder, `member-${sid}`, 'data');
  }

  /** Starts a member and waits until it serves, which takes a quorum. */
  async start(sid: number, extra: Record<string, string> = {}): Promise<ServerProcess> {
    const { version, config, systemProperties } = this.options;
    const dataDir = this.dataDir(sid);
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(join(dataDir, 'myid'), String(sid));
    const member = await startApache({
      version,
      dataDir,
      port: this.clientPort(sid),
      config: {
        ...(this.options.observers?.includes(sid) ? { peerType: 'observer' } : {}),
        ...Object.fromEntries(this.sids.map((one) => [`server.${one}`, this.serverLine(one)])),
        ...config,
      },
      systemProperties: {
        'jdk.net.hosts.file': this.hostsFile(sid),
        ...systemProperties,
        ...extra,
      },
      startTimeoutMs: 120_000,
    });
    this.running.set(sid, member);
    return member;
  }

  async startAll(extra: Record<string, string> = {}): Promise<void> {
    await Promise.all(this.sids.map((sid) => this.start(sid, extra)));
  }

  async stop(sid: number, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const member = this.running.get(sid);
    this.running.delete(sid);
    await member?.stop(signal);
  }

  /** "leader", "follower", "observer"; undefined while it does not serve. */
  async modeOf(sid: number): Promise<string | undefined> {
    const answer = await fourLetterWord(this.clientPort(sid), 'srvr').catch(() => '');
    return /Mode: (\w+)/.exec(answer)?.[1];
  }

  async leader(): Promise<number> {
    for (const sid of this.running.keys()) if ((await this.modeOf(sid)) === 'leader') return sid;
    throw new Error('No leader');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.running.keys()].map((sid) => this.stop(sid, 'SIGKILL')));
    for (const socket of this.sockets) socket.destroy();
    for (const proxy of this.proxies) proxy.close();
    await delay(0);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private hostsFile(sid: number): string {
    return join(this.folder, `hosts.${sid}`);
  }

  private hosts(from: number): string {
    const others = this.sids.map((to) => `${this.addressFor(from, to)} zk${to}.test\n`);
    return `127.0.0.1 localhost\n${others.join('')}`;
  }

  private async openProxies(from: number, to: number): Promise<void> {
    for (const channel of ['quorum', 'election'] as const) {
      const port = channel === 'quorum' ? this.quorumPort : this.electionPort;
      const proxy = createServer({ allowHalfOpen: false }, (socket) => {
        this.pass(socket, { channel, from, to, port });
      });
      await new Promise<void>((resolve, reject) => {
        proxy.once('error', reject);
        proxy.listen(port, this.addressFor(from, to), resolve);
      });
      this.proxies.push(proxy);
    }
  }

  private pass(
    dialled: Socket,
    { channel, from, to, port }: { channel: Channel; from: number; to: number; port: number },
  ): void {
    const recording: Recording = {
      phase: this.phase,
      channel,
      from,
      to,
      initiator: [],
      acceptor: [],
    };
    this.recordings.push(recording);
    const target = connect({ port, host: this.ownAddress(to), noDelay: true });
    dialled.setNoDelay(true);
    for (const [source, sink, bytes] of [
      [dialled, target, recording.initiator],
      [target, dialled, recording.acceptor],
    ] as const) {
      this.sockets.add(source);
      source.on('data', (chunk) => {
        bytes.push(Buffer.from(chunk));
        sink.write(chunk);
      });
      source.on('end', () => sink.end());
      source.on('error', () => {});
      source.on('close', () => {
        this.sockets.delete(source);
        sink.destroySoon();
      });
    }
  }
}
