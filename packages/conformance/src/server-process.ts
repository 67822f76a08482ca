// A ZooKeeper server as a process of its own, Apache's or ours: writes its zoo.cfg, starts it, waits until
// it serves, stops it. Nothing here knows which of the two it is; `apache.ts` and `zebu.ts` say how to launch.

import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fourLetterWord } from './four-letter.ts';

/** What can be asked of a server of either kind. */
export interface ServerOptions {
  /** Kept on dispose. Without it a temporary one is made, and removed on dispose. */
  dataDir?: string;
  /** Client port; without it a free one is found. */
  port?: number;
  /** Lines of zoo.cfg, over the defaults of `zooCfg` below. */
  config?: Record<string, string>;
  /** Java system properties, passed as -Dname=value. */
  systemProperties?: Record<string, string>;
  /** Heap limit in MB. */
  heapMb?: number;
  /** How long the server may take until it serves, in ms. */
  startTimeoutMs?: number;
  /** What the command line begins with, where a server is started by another program that becomes it. */
  within?: readonly string[];
  /** Variables of its environment, over what all servers get. */
  env?: Readonly<Record<string, string>>;
}

/** A running server. Its log is `${dataDir}.log`, its configuration `${dataDir}.cfg`. */
export interface ServerProcess extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  readonly dataDir: string;
  readonly logFile: string;
  /** Resolves when the process has ended, for any reason. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Ends the process (SIGTERM unless told otherwise; SIGKILL after 20 s) and waits for it. Keeps the files. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** The command line that starts a server on a configuration file. */
export interface Launch {
  command: string;
  args: string[];
  env?: Record<string, string>;
}

/** The server did not come up, or ended before it served. Holds the end of its log. */
export class ServerStartError extends Error {
  override readonly name = 'ServerStartError';
  readonly log: string;

  constructor(message: string, log: string) {
    super(`${message}\n${log.slice(-4000)}`);
    this.log = log;
  }
}

/** Starts a server; `launch` gets the path of its zoo.cfg. Throws ServerStartError when it does not serve. */
export async function startServerProcess(
  kind: string,
  options: ServerOptions,
  launch: (configFile: string) => Launch,
): Promise<ServerProcess> {
  const madeDir =
    options.dataDir === undefined ? mkdtempSync(join(tmpdir(), `zebu-${kind}-`)) : undefined;
  const dataDir = options.dataDir ?? join(madeDir as string, 'data');
  mkdirSync(dataDir, { recursive: true });
  // A free port may be taken again before the server binds it, on a machine that runs many servers.
  for (let attempt = 1; ; attempt++) {
    try {
      const port = options.port ?? (await freePort());
      return await startOnce({ kind, options, launch, dataDir, port, madeDir });
    } catch (error) {
      const isTaken =
        error instanceof ServerStartError && /EADDRINUSE|Address already in use/.test(error.log);
      if (options.port === undefined && isTaken && attempt < 3) continue;
      if (madeDir !== undefined) rmSync(madeDir, { recursive: true, force: true });
      throw error;
    }
  }
}

const FATAL_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

interface Start {
  kind: string;
  options: ServerOptions;
  launch: (configFile: string) => Launch;
  dataDir: string;
  port: number;
  madeDir: string | undefined;
}

async function startOnce({
  kind,
  options,
  launch,
  dataDir,
  port,
  madeDir,
}: Start): Promise<ServerProcess> {
  const logFile = `${dataDir}.log`;
  const configFile = `${dataDir}.cfg`;
  writeFileSync(configFile, zooCfg({ dataDir, clientPort: String(port), ...options.config }));
  const { command, args, env } = launch(configFile);
  const line = [...(options.within ?? []), command, ...args] as [string, ...string[]];
  const logFd = openSync(logFile, 'w');
  const child = spawn(line[0], line.slice(1), {
    stdio: ['ignore', logFd, logFd],
    env: { ...serverEnvironment(), ...env, ...options.env },
  });
  closeSync(logFd);
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('error', () => resolve({ code: null, signal: null }));
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const killOnExit = () => child.kill('SIGKILL');
  process.once('exit', killOnExit);
  // A signal that ends us emits no exit event: without these the server would live on.
  const endWith = (signal: NodeJS.Signals) => {
    killOnExit();
    process.kill(process.pid, signal);
  };
  for (const signal of FATAL_SIGNALS) process.once(signal, endWith);
  void exited.then(() => {
    process.off('exit', killOnExit);
    for (const signal of FATAL_SIGNALS) process.off(signal, endWith);
  });

  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal);
    const ended = await Promise.race([exited, delay(20_000, undefined, { ref: false })]);
    if (ended !== undefined) return;
    child.kill('SIGKILL');
    await exited;
    throw new Error(`${kind} server ${child.pid} did not end within 20 s of ${signal}`);
  };

  try {
    await untilServing({
      kind,
      child,
      port,
      exited,
      timeoutMs: options.startTimeoutMs ?? 60_000,
      logFile,
    });
  } catch (error) {
    await stop('SIGKILL');
    throw error;
  }
  return {
    port,
    pid: child.pid as number,
    dataDir,
    logFile,
    exited,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      if (madeDir !== undefined) rmSync(madeDir, { recursive: true, force: true });
    },
  };
}

// Our tests' own variables look like settings of our server.
function serverEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      // CI runs the tests on both ways to the sockets.
      ([name]) => !name.startsWith('ZEBU_') || name === 'ZEBU_TRANSPORT',
    ),
  );
}

interface Wait {
  kind: string;
  child: ChildProcess;
  port: number;
  exited: ServerProcess['exited'];
  timeoutMs: number;
  logFile: string;
}

/** Asks `srvr` until it says `Mode:`, which it does only while the server serves. */
async function untilServing({
  kind,
  child,
  port,
  exited,
  timeoutMs,
  logFile,
}: Wait): Promise<void> {
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    if (ended) {
      const how = child.signalCode ?? `code ${child.exitCode}`;
      throw new ServerStartError(
        `${kind} server ended (${how}) before it served`,
        readFileSync(logFile, 'utf8'),
      );
    }
    const answer = await fourLetterWord(port, 'srvr', { timeoutMs: 2000 }).catch(() => '');
    // If another server holds the port, ours ends, and the next round reports that.
    if (answer.includes('Mode:') && !ended) return;
    await Promise.race([exited, delay(50)]);
  }
  throw new ServerStartError(
    `${kind} server did not serve within ${timeoutMs} ms`,
    readFileSync(logFile, 'utf8'),
  );
}

/** What both kinds of server get unless a test says otherwise: quiet, open, nothing by the clock. */
function zooCfg(config: Record<string, string>): string {
  const lines = {
    tickTime: '2000',
    initLimit: '10',
    syncLimit: '5',
    maxClientCnxns: '0',
    clientPortAddress: '127.0.0.1',
    'admin.enableServer': 'false',
    '4lw.commands.whitelist': '*',
    ...config,
  };
  return Object.entries(lines)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

const FIRST_PORT = 15_000;
const PORTS = 15_000;

/** What this process has given out. Several ports are chosen before the first of them is listened on. */
const givenPorts = new Set<number>();

/**
 * A TCP port of 127.0.0.1 that nothing listens on at this moment, another one at each call. Below those that systems give to outgoing
 * connections (32768 and up on Linux): a client that reconnects while the server is down could get the
 * server's own port for its end, and connect to itself.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    if (givenPorts.has(port)) continue;
    givenPorts.add(port);
    if (await canListen(port)) return port;
    givenPorts.delete(port);
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
