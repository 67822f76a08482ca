// Networks of their own for the members of an ensemble on this machine (Linux network namespaces), with a router between them
// that can be told to drop: what goes from some members to others, in one direction or both, or what belongs to one port. Dropped
// packets vanish without a word to either end, as in a broken switch; connections stay open, and go on when the drop ends.
//
// No address of these networks can be reached from outside the namespaces. Clients use ports of this machine's loopback, as with any
// other server: a relay listens on them, and dials from a namespace of its own, which no cut touches.

import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

const RELAY = join(import.meta.dirname, 'member-relay.mjs');
const RELAY_NET = 200;
const NAME = /^zebu-(\d+)-/;
let made = 0;

/** What is dropped: packets from any of `from` to any of `to`. With `port`, only those of TCP connections to that port. */
interface Cut {
  readonly from: readonly number[];
  readonly to: readonly number[];
  /** Members at both ends of the connection: `of` listens on it. */
  readonly port?: { readonly number: number; readonly of: number };
}

export class MemberNetwork implements AsyncDisposable {
  private readonly prefix: string;
  private readonly sids: readonly number[];
  private readonly removeNamespaces: () => void;
  private rules: string[];
  private relayProcess: ChildProcess | undefined;

  private constructor(sids: readonly number[]) {
    this.prefix = `zebu-${process.pid}-${made++}`;
    this.sids = sids;
    this.rules = [];
    this.removeNamespaces = () => removeNamespaces((name) => name.startsWith(`${this.prefix}-`));
  }

  /** Why there can be none on this machine; undefined when there can. */
  static whyNot(): string | undefined {
    if (process.platform !== 'linux')
      return `network namespaces are of Linux, not ${process.platform}`;
    if (process.getuid?.() !== 0) return 'network namespaces need root';
    const name = `zebu-${process.pid}-try`;
    try {
      execFileSync('ip', ['netns', 'add', name], { stdio: 'pipe' });
      const rule = [
        'rule',
        'add',
        'from',
        '10.99.1.2',
        'ipproto',
        'tcp',
        'dport',
        '1',
        'blackhole',
      ];
      execFileSync('ip', ['-n', name, ...rule], { stdio: 'pipe' });
      return undefined;
    } catch (error) {
      return `no network namespace with a rule can be made: ${String(error).trim()}`;
    } finally {
      removeNamespaces((one) => one === name);
    }
  }

  /** Makes the namespaces, the cables and the router. Removes what processes that are gone have left. */
  static async make(sids: readonly number[]): Promise<MemberNetwork> {
    removeNamespaces((name) => !isAlive(Number(NAME.exec(name)?.[1] ?? process.pid)));
    const network = new MemberNetwork(sids);
    process.once('exit', network.removeNamespaces);
    try {
      await network.build();
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
    return network;
  }

  address(sid: number): string {
    return `10.99.${sid}.2`;
  }

  /** What a member's command line begins with. It ends in an exec: the process is the member's own. */
  launch(sid: number): string[] {
    return ['ip', 'netns', 'exec', this.namespace(sid)];
  }

  /** Lets clients reach a port of a member at the same port of 127.0.0.1. */
  async relay(sid: number, port: number): Promise<void> {
    const server = createServer();
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const relay = this.relayProcess as ChildProcess;
    // The listening socket stays one of this process's network, no matter which process accepts on it.
    await new Promise<void>((resolve, reject) =>
      relay.send({ host: this.address(sid), port }, server, (error) =>
        error === null ? resolve() : reject(error),
      ),
    );
    server.close();
  }

  /** Resolves when the packets are dropped; more than one cut at a time may be in force. */
  async cut({ from, to, port }: Cut): Promise<void> {
    const rules = from.flatMap((source) =>
      to.map((target) => {
        const pair = `from ${this.address(source)} to ${this.address(target)}`;
        if (port === undefined) return pair;
        return `${pair} ipproto tcp ${port.of === source ? 'sport' : 'dport'} ${port.number}`;
      }),
    );
    this.rules.push(...rules);
    await this.route(rules.map((rule) => `rule add ${rule} blackhole`));
  }

  /** Nothing goes from one side to the other, in either direction. */
  async split(side: readonly number[], other: readonly number[]): Promise<void> {
    await this.cut({ from: side, to: other });
    await this.cut({ from: other, to: side });
  }

  /** Ends all cuts. */
  async heal(): Promise<void> {
    const { rules } = this;
    this.rules = [];
    await this.route(rules.map((rule) => `rule del ${rule} blackhole`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { relayProcess } = this;
    if (relayProcess !== undefined && relayProcess.exitCode === null) {
      const exited = once(relayProcess, 'exit');
      relayProcess.kill('SIGKILL');
      await exited;
    }
    this.removeNamespaces();
    process.off('exit', this.removeNamespaces);
  }

  private namespace(net: number): string {
    return net === RELAY_NET ? `${this.prefix}-relay` : `${this.prefix}-member${net}`;
  }

  private get router(): string {
    return `${this.prefix}-router`;
  }

  /** Each namespace hangs on the router by a cable and a network of its own. */
  private async build(): Promise<void> {
    const nets = [...this.sids, RELAY_NET];
    await ip([this.router, ...nets.map((net) => this.namespace(net))].map((n) => `netns add ${n}`));
    await ip(
      nets.map(
        (net) =>
          `link add eth0 netns ${this.namespace(net)} type veth peer name to${net} netns ${this.router}`,
      ),
    );
    await this.route([
      'link set lo up',
      ...nets.flatMap((net) => [`addr add 10.99.${net}.1/30 dev to${net}`, `link set to${net} up`]),
    ]);
    await run('ip', ['netns', 'exec', this.router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    for (const net of nets) {
      await ip(
        [
          'link set lo up',
          `addr add ${this.address(net)}/30 dev eth0`,
          'link set eth0 up',
          `route add default via 10.99.${net}.1`,
        ],
        this.namespace(net),
      );
    }
    const args = ['netns', 'exec', this.namespace(RELAY_NET), process.execPath, RELAY];
    this.relayProcess = spawn('ip', args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  private async route(lines: readonly string[]): Promise<void> {
    await ip(lines, this.router);
  }
}

const run = promisify(execFile);

/** All lines in one process, so that a cut of many pairs takes milliseconds. */
async function ip(lines: readonly string[], namespace?: string): Promise<void> {
  const within = namespace === undefined ? [] : ['-n', namespace];
  const running = run('ip', [...within, '-batch', '-']);
  running.child.stdin?.end(`${lines.join('\n')}\n`);
  await running;
}

function removeNamespaces(isOurs: (name: string) => boolean): void {
  const listed = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });
  const names = listed.split('\n').map((line) => line.split(' ')[0] as string);
  for (const name of names.filter((one) => NAME.test(one) && isOurs(one))) {
    execFileSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
