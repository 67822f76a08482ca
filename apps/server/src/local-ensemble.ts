/**
 * `zebu-server ensemble 3`: a local ensemble in one command, for trying things out. Every member is a process of
 * its own, with a zoo.cfg, a data directory and a log in a folder of its own; ports count up from those of a
 * single server. It holds no server logic: the members are what `zebu-server FILE` runs.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { changes, type MemberView, readSrvr, screen } from './ensemble-view.ts';

const LOOK_MS = 500;
const ANSWER_MS = 1000;
const MAX_MEMBERS = 9;
/** From a member's quorum port to its election port. */
const ELECTION_OFFSET = 1000;

export const ENSEMBLE_USAGE = `zebu-server ensemble: a local ensemble, for trying things out

Usage:
  zebu-server ensemble [MEMBERS]     3 members, up to 9

  --dir DIR            data, settings and logs of the members; default ./ensemble
  --client-port N      port of the first member for clients; default 2181, the others count up
  --quorum-port N      the same for the ports between members; default 2888, elections 1000 higher

On a terminal it shows the members, 1-9 kills one or starts it again, q stops all.
`;

interface EnsembleOptions {
  readonly members: number;
  readonly folder: string;
  readonly clientPort: number;
  readonly quorumPort: number;
}

/** A mistake in the command line. */
class UsageError extends Error {}

/** Runs until it is told to stop; the exit code of the command. */
export async function runLocalEnsemble(argv: readonly string[]): Promise<number> {
  let options: EnsembleOptions | 'help';
  try {
    options = readOptions(argv);
  } catch (error) {
    process.stderr.write(`zebu-server ensemble: ${(error as Error).message}\n\n${ENSEMBLE_USAGE}`);
    return 2;
  }
  if (options === 'help') {
    process.stdout.write(ENSEMBLE_USAGE);
    return 0;
  }
  const problems = await portProblems(options);
  if (problems.length > 0) {
    for (const problem of problems) process.stderr.write(`zebu-server ensemble: ${problem}\n`);
    process.stderr.write('zebu-server ensemble: no member was started\n');
    return 2;
  }
  return await new LocalEnsemble(options).run();
}

function readOptions(argv: readonly string[]): EnsembleOptions | 'help' {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      dir: { type: 'string', default: 'ensemble' },
      'client-port': { type: 'string', default: '2181' },
      'quorum-port': { type: 'string', default: '2888' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  const [members = '3', ...more] = positionals;
  if (more.length > 0) throw new UsageError(`one number of members, not ${positionals.join(' ')}`);
  return {
    members: whole('the number of members', members, 1, MAX_MEMBERS),
    folder: resolve(values.dir),
    clientPort: whole('--client-port', values['client-port'], 1, 65_535 - MAX_MEMBERS),
    quorumPort: whole('--quorum-port', values['quorum-port'], 1, 64_535 - MAX_MEMBERS),
  };
}

/** A port that a member is going to listen on. */
interface WantedPort {
  readonly port: number;
  readonly use: string;
  readonly flag: string;
}

function wantedPorts({ members, clientPort, quorumPort }: EnsembleOptions): WantedPort[] {
  return Array.from({ length: members }, (_, index) => {
    const of = `of member ${index + 1}`;
    const own = { port: clientPort + index, use: `the client port ${of}`, flag: '--client-port' };
    // A member on its own talks to nobody.
    if (members === 1) return [own];
    const port = quorumPort + index;
    const flag = '--quorum-port';
    return [
      own,
      { port, use: `the quorum port ${of}`, flag },
      { port: port + ELECTION_OFFSET, use: `the election port ${of}`, flag },
    ];
  }).flat();
}

/** Why members could not listen on their ports; a line each. */
async function portProblems(options: EnsembleOptions): Promise<string[]> {
  const wanted = wantedPorts(options);
  const problems = await Promise.all(
    wanted.map(async ({ port, use, flag }, index) => {
      const earlier = wanted.slice(0, index).find((one) => one.port === port);
      if (earlier !== undefined) {
        return `${port} would be ${earlier.use} and ${use}; ${flag} N chooses another`;
      }
      // Its first taker tries it for both.
      const code = await tryPort(port);
      if (code === undefined) return undefined;
      const why =
        code === 'EADDRINUSE'
          ? `another process listens on 127.0.0.1:${port}; stop it, or choose another with ${flag} N`
          : `cannot listen on 127.0.0.1:${port} (${code}); ${flag} N chooses another`;
      return `${port}, ${use}: ${why}`;
    }),
  );
  return problems.filter((problem) => problem !== undefined);
}

/** The code of the error where nobody can listen on it. */
function tryPort(port: number): Promise<string | undefined> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', ({ code, message }: NodeJS.ErrnoException) => done(code ?? message));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () =>
      server.close(() => done(undefined)),
    );
  });
}

function whole(what: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new UsageError(`${what} is ${JSON.stringify(text)}: allowed are ${min}..${max}`);
}

class LocalEnsemble {
  private readonly options: EnsembleOptions;
  private readonly processes: Map<number, ChildProcess>;
  private readonly notes: Map<number, string>;
  private readonly ids: readonly number[];
  private shown: readonly MemberView[];
  private isStopping: boolean;

  constructor(options: EnsembleOptions) {
    this.options = options;
    this.processes = new Map();
    this.notes = new Map();
    this.ids = Array.from({ length: options.members }, (_, index) => index + 1);
    this.shown = [];
    this.isStopping = false;
  }

  async run(): Promise<number> {
    for (const id of this.ids) {
      this.writeFiles(id);
      this.start(id);
    }
    const isTerminal = process.stdout.isTTY === true;
    if (!isTerminal) process.stdout.write(`Connect to ${this.connectString}\n`);
    const stopped = new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolve);
      if (isTerminal && process.stdin.isTTY) this.readKeys(resolve);
    });
    const timer = setInterval(() => void this.look(isTerminal), LOOK_MS);
    void this.look(isTerminal);
    await stopped;
    clearInterval(timer);
    await this.stopAll();
    return 0;
  }

  private get connectString(): string {
    return this.ids.map((id) => `127.0.0.1:${this.clientPort(id)}`).join(',');
  }

  private clientPort(id: number): number {
    return this.options.clientPort + id - 1;
  }

  private folder(id: number): string {
    return join(this.options.folder, `${id}`);
  }

  private writeFiles(id: number): void {
    const { quorumPort } = this.options;
    const folder = this.folder(id);
    mkdirSync(join(folder, 'data'), { recursive: true });
    writeFileSync(join(folder, 'data', 'myid'), `${id}\n`);
    const members = this.ids.map(
      (one) =>
        `server.${one}=127.0.0.1:${quorumPort + one - 1}:${quorumPort + ELECTION_OFFSET + one - 1}`,
    );
    const lines = [
      `dataDir=${join(folder, 'data')}`,
      `clientPort=${this.clientPort(id)}`,
      'clientPortAddress=127.0.0.1',
      'tickTime=500',
      'initLimit=20',
      'syncLimit=10',
      '4lw.commands.whitelist=*',
      'maxClientCnxns=0',
      // One line would be a server on its own.
      ...(members.length > 1 ? members : []),
    ];
    writeFileSync(join(folder, 'zoo.cfg'), `${lines.join('\n')}\n`);
  }

  private start(id: number): void {
    const folder = this.folder(id);
    const log = openSync(join(folder, 'server.log'), 'a');
    const child = spawn(
      process.execPath,
      [...process.execArgv, process.argv[1] as string, join(folder, 'zoo.cfg')],
      // The system ends the pipe when this process is gone, whatever ended it: the member stops then.
      { stdio: ['pipe', log, log], env: { ...process.env, ZEBU_STOP_WITH_STDIN: 'yes' } },
    );
    closeSync(log);
    this.notes.set(id, '');
    this.processes.set(id, child);
    child.once('exit', (code, signal) => {
      if (this.processes.get(id) !== child) return;
      this.processes.delete(id);
      this.notes.set(id, signal === null ? `exit ${code}: ${lastLine(folder)}` : signal);
    });
  }

  private toggle(id: number): void {
    const child = this.processes.get(id);
    if (child === undefined) this.start(id);
    else child.kill('SIGKILL');
  }

  private readKeys(quit: () => void): void {
    const { stdin } = process;
    stdin.setRawMode(true);
    stdin.resume();
    stdin.on('data', (bytes: Buffer) => {
      for (const key of bytes.toString('latin1')) {
        const id = Number(key);
        if (key === 'q' || key === '\x03') quit();
        else if (this.ids.includes(id)) this.toggle(id);
      }
    });
  }

  private async look(isTerminal: boolean): Promise<void> {
    const members = await Promise.all(this.ids.map((id) => this.viewOf(id)));
    if (this.isStopping) return;
    if (isTerminal) process.stdout.write(screen(members, this.connectString, this.options.folder));
    else for (const line of changes(this.shown, members)) process.stdout.write(`${line}\n`);
    this.shown = members;
  }

  private async viewOf(id: number): Promise<MemberView> {
    const clientPort = this.clientPort(id);
    const note = this.notes.get(id) ?? '';
    const down = { zxid: undefined, connections: undefined, znodes: undefined, note };
    if (!this.processes.has(id)) return { id, clientPort, state: 'down', ...down };
    const { mode, zxid, connections, znodes } = readSrvr(await ask(clientPort, 'srvr'));
    if (mode === undefined) return { id, clientPort, state: 'looking', ...down };
    return { id, clientPort, state: mode, zxid, connections, znodes, note };
  }

  private async stopAll(): Promise<void> {
    this.isStopping = true;
    if (process.stdin.isTTY) {
      process.stdin.setRawMode(false);
      process.stdin.pause();
    }
    const running = [...this.processes.values()];
    const ended = running.map(
      (child) => new Promise<void>((done) => child.once('exit', () => done())),
    );
    for (const child of running) child.kill('SIGTERM');
    await Promise.all(ended);
    process.stdout.write('Stopped\n');
  }
}

/** The answer to a four-letter word; empty where nobody answers. */
function ask(port: number, word: string): Promise<string> {
  return new Promise((done) => {
    let answer = '';
    const socket = connect({ host: '127.0.0.1', port, timeout: ANSWER_MS }, () =>
      socket.write(word),
    );
    socket.on('data', (bytes) => {
      answer += bytes.toString('latin1');
    });
    socket.on('timeout', () => socket.destroy());
    socket.on('error', () => {});
    socket.on('close', () => done(answer));
  });
}

/** The last thing that a member has logged: its message where it is a line of JSON. */
function lastLine(folder: string): string {
  const lines = readFileSync(join(folder, 'server.log'), 'utf8').trimEnd().split('\n');
  const line = lines.at(-1) ?? '';
  return messageOf(line).slice(0, 200);
}

function messageOf(line: string): string {
  try {
    const { msg } = JSON.parse(line);
    return typeof msg === 'string' ? msg : line;
  } catch {
    return line;
  }
}
