// The servers that are measured, as processes: Apache's, zebu's and the floor, each as its users start it,
// on a data directory of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { PlainSession } from '../apps/bench/src/plain-session.ts';
import { createScratch } from '../apps/bench/src/raw-connection.ts';
import type { MeasuredTarget } from '../apps/bench/src/scenario.ts';
import { type Address, serverVersion } from '../apps/bench/src/server-info.ts';

export type ServerKind = 'apache' | 'zebu' | 'floor';

export interface StartOptions {
  /** Kept when the server stops. */
  readonly dataDir: string;
  /** Lines of zoo.cfg over those of `zooCfg`. */
  readonly config?: Readonly<Record<string, string>>;
  /** Preload loop-monitor.mjs: zebu only. */
  readonly isMonitored?: boolean;
  /** Another checkout of this repository, built, whose zebu is started: zebu only. */
  readonly checkout?: string;
}

/** What loop-monitor.mjs answers; it starts anew with every question. */
export interface LoopReport {
  readonly longestPauseMs: number;
  /** CPU time of the longest stretch without a look at the timers. */
  readonly longestBusyMs: number;
  readonly longestGcMs: number;
  readonly memory: NodeJS.MemoryUsage;
}

export interface RunningServer {
  readonly kind: ServerKind;
  readonly pid: number;
  readonly address: Address;
  readonly target: MeasuredTarget;
  /** From the start of the process until a session was granted. */
  readonly startMs: number;
  loop(): Promise<LoopReport>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export const APACHE_VERSION = '3.9.5';

const root = join(import.meta.dirname, '..');
const apacheJars = join(root, '.tools', 'interop', `zookeeper-${APACHE_VERSION}`, 'lib');
const logback = join(root, 'packages', 'conformance', 'foreign', 'logback.xml');
const POLL_MS = 10;
const MAX_PENDING = 50;
const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 30_000;

/** A word about what is missing, or undefined when the server can be started. */
export function whyNot(kind: ServerKind, checkout = root): string | undefined {
  if (kind === 'apache' && !existsSync(apacheJars)) {
    return `Apache ${APACHE_VERSION} is not installed: node packages/conformance/setup.mjs apache`;
  }
  if (kind === 'zebu' && !existsSync(join(checkout, 'apps', 'server', 'dist', 'main.js'))) {
    return `zebu is not built: npm run build in ${checkout}`;
  }
  return undefined;
}

export async function startServer(
  kind: ServerKind,
  { dataDir, config = {}, isMonitored = false, checkout = root }: StartOptions,
): Promise<RunningServer> {
  const missing = whyNot(kind, checkout);
  if (missing !== undefined) throw new Error(missing);
  const port = await freePort();
  const address = { host: '127.0.0.1', port };
  mkdirSync(dataDir, { recursive: true });
  const configFile = `${dataDir}.cfg`;
  writeFileSync(configFile, zooCfg({ dataDir, clientPort: String(port), ...config }));
  const [command, ...args] = launch(kind, configFile, port, checkout) as [string, ...string[]];
  const log = openSync(`${dataDir}.log`, 'a');
  const monitor = pathToFileURL(join(import.meta.dirname, 'loop-monitor.mjs')).href;
  const startedAt = performance.now();
  const child = spawn(command, args, {
    cwd: checkout,
    stdio: isMonitored ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
    env: isMonitored ? { ...process.env, NODE_OPTIONS: `--import=${monitor}` } : process.env,
  });
  const killOnExit = () => child.kill('SIGKILL');
  process.once('exit', killOnExit);
  child.once('exit', () => process.off('exit', killOnExit));
  const startMs = await untilServing(child, address, startedAt, `${dataDir}.log`);
  return {
    kind,
    address,
    startMs,
    pid: child.pid as number,
    target: {
      label: kind,
      addresses: [address],
      pids: [child.pid as number],
      scratch: createScratch(),
    },
    async loop() {
      const answer = once(child, 'message');
      child.send('loop');
      return (await answer)[0] as LoopReport;
    },
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await exited.finally(() => clearTimeout(timer));
    },
  };
}

export async function versionOf(server: RunningServer): Promise<string> {
  return (await serverVersion(server.address)) ?? '';
}

/** Apache with what its zkServer.sh passes: a heap of 1,000 MB and the JVM's own choice of collector. */
export function launch(
  kind: ServerKind,
  configFile: string,
  port: number,
  checkout = root,
): string[] {
  switch (kind) {
    case 'apache':
      return [
        'java',
        '-Xmx1000m',
        `-Dlogback.configurationFile=${logback}`,
        '-cp',
        join(apacheJars, '*'),
        'org.apache.zookeeper.server.quorum.QuorumPeerMain',
        configFile,
      ];
    case 'zebu':
      return [join(checkout, 'apps', 'server', 'bin', 'zebu-server'), configFile];
    case 'floor': {
      const script = join(import.meta.dirname, 'floor.mjs');
      return [process.execPath, script, '--port', String(port), '--io', 'handle'];
    }
  }
}

function zooCfg(config: Readonly<Record<string, string>>): string {
  const lines = {
    tickTime: '2000',
    maxClientCnxns: '0',
    clientPortAddress: '127.0.0.1',
    'admin.enableServer': 'false',
    ...config,
  };
  return Object.entries(lines)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

/**
 * Asks for a session every 10 ms, without waiting for what came of the last question: Apache, while it
 * starts, leaves some of them hanging. Rejects when the process ends, or after two minutes.
 */
async function untilServing(
  child: ChildProcess,
  address: Address,
  startedAt: number,
  logFile: string,
): Promise<number> {
  let failure: string | undefined;
  child.once('error', (error) => {
    failure = error.message;
  });
  child.once('exit', (code, signal) => {
    failure ??= `it ended with ${signal ?? code}`;
  });
  const others = new AbortController();
  let pending = 0;
  let servedMs: number | undefined;
  const ask = async () => {
    pending += 1;
    try {
      const session = await PlainSession.open(address, others.signal);
      servedMs ??= performance.now() - startedAt;
      await session.close();
    } catch {
      // Not yet.
    }
    pending -= 1;
  };
  while (performance.now() - startedAt < START_TIMEOUT_MS && failure === undefined) {
    if (pending < MAX_PENDING) void ask();
    await delay(POLL_MS);
    if (servedMs === undefined) continue;
    others.abort();
    return servedMs;
  }
  others.abort();
  child.kill('SIGKILL');
  const log = readFileSync(logFile, 'utf8').slice(-2000);
  throw new Error(`The server does not serve: ${failure ?? 'two minutes have passed'}\n${log}`);
}

/** What this process has given out. Several ports are chosen before the first of them is listened on. */
const givenPorts = new Set<number>();

/** A TCP port that nothing listens on at this moment, another one at each call. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  if (givenPorts.has(port)) return freePort();
  givenPorts.add(port);
  return port;
}
