// The command as a process of its own: what it prints, how it ends.

import {
  type ChildProcess,
  type ChildProcessByStdio,
  execFileSync,
  spawn,
} from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { connect as connectClient } from '@zebu/client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const main = join(import.meta.dirname, '..', 'src', 'main.ts');

let folder: string;
let children: { readonly process: ChildProcess; readonly ended: Promise<unknown> }[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zebu-server-test-'));
  children = [];
});

afterEach(async () => {
  for (const child of children) {
    child.process.kill('SIGKILL');
    await child.ended;
  }
  rmSync(folder, { recursive: true, force: true });
});

interface LogLine {
  level: string;
  msg: string;
  [field: string]: unknown;
}

/** CI runs this file on both ways to the sockets. */
const TRANSPORT =
  process.env.ZEBU_TRANSPORT === undefined ? {} : { ZEBU_TRANSPORT: process.env.ZEBU_TRANSPORT };

class Command {
  readonly process: ChildProcessByStdio<null, Readable, Readable>;
  readonly ended: Promise<number | null>;
  readonly lines: LogLine[] = [];
  out = '';
  err = '';

  constructor(args: readonly string[], env: Record<string, string> = {}, openFiles?: number) {
    const command = [process.execPath, '--conditions=@zebu/source', main, ...args];
    const limited = ['sh', '-c', `ulimit -n ${openFiles}; exec "$@"`, 'sh', ...command];
    const [file, ...rest] = (openFiles === undefined ? command : limited) as [string];
    this.process = spawn(file, rest, {
      cwd: folder,
      env: { PATH: process.env.PATH, ...TRANSPORT, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.process.stderr.on('data', (chunk: Buffer) => {
      this.err += chunk;
    });
    createInterface(this.process.stdout).on('line', (line) => {
      this.out += `${line}\n`;
      if (line.startsWith('{')) this.lines.push(JSON.parse(line) as LogLine);
    });
    this.ended = once(this.process, 'close').then(([code]) => code as number | null);
    children.push(this);
  }

  /** The first line with this message. */
  async said(message: string): Promise<LogLine> {
    for (;;) {
      const line = this.lines.find(({ msg }) => msg === message);
      if (line !== undefined) return line;
      const event = await Promise.race([once(this.process.stdout, 'data'), this.ended]);
      if (!Array.isArray(event)) {
        const last = this.lines.find(({ msg }) => msg === message);
        if (last !== undefined) return last;
        throw new Error(`Ended with ${event} before it said ${message}: ${this.out}${this.err}`);
      }
    }
  }

  async port(): Promise<number> {
    return (await this.said('Serving')).port as number;
  }

  stop(signal: NodeJS.Signals): Promise<number | null> {
    this.process.kill(signal);
    return this.ended;
  }
}

const server = (...args: string[]) =>
  new Command(['--client-port=0', '--client-port-address=127.0.0.1', ...args]);

async function ask(port: number, word: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(word);
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  return answer;
}

describe('what needs no server', () => {
  test.each<[string[], RegExp]>([
    [['--version'], /^3\.9\.5-zebu\S+, built on /],
    [['--help'], /^zebu-server: a ZooKeeper server\n\n {2}zebu-server {2}/],
    [['--help-all'], /\nClient ports\n {2}clientPort {3}--client-port /],
    [['--print-config', '--tick-time=500'], /# flag --tick-time\ntickTime=500\n/],
  ])('%j', async (args, expected) => {
    const command = new Command(args);
    expect(await command.ended).toBe(0);
    expect(command.out).toMatch(expected);
    expect(command.err).toBe('');
  });

  test.each<[string[], string]>([
    [
      ['--tick-time=0'],
      'zebu-server: tickTime: "0" (flag --tick-time) is not allowed: a whole number from 1 up (ms)\n',
    ],
    [
      ['--tick-time=0', '--clientport=70000', '--snap-cuont=1'],
      [
        'zebu-server: --snap-cuont is not a flag: see zebu-server --help; did you mean --snap-count?\n',
        'zebu-server: tickTime: "0" (flag --tick-time) is not allowed: a whole number from 1 up (ms)\n',
        'zebu-server: clientPort: "70000" (flag --clientport) is not allowed: a whole number from 0 to 65535\n',
      ].join(''),
    ],
    [
      ['--port', '28001'],
      'zebu-server: --port is not a flag: see zebu-server --help; did you mean --client-port?\n',
    ],
    [
      ['nowhere.cfg'],
      "zebu-server: Cannot read nowhere.cfg: ENOENT: no such file or directory, open 'nowhere.cfg'\n",
    ],
  ])('%j is wrong: exit code 2', async (args, message) => {
    const command = new Command(args);
    expect(await command.ended).toBe(2);
    expect(command.err).toBe(message);
  });
});

describe('zebu-server check', () => {
  const check = async (zoo: string, ...more: string[]) => {
    writeFileSync(join(folder, 'zoo.cfg'), zoo);
    const command = new Command(['check', 'zoo.cfg', ...more]);
    const code = await command.ended;
    expect(command.err).toBe('');
    return { code, out: command.out };
  };

  test('a start that would go well: exit code 0, and nothing is made', async () => {
    const zoo = `dataDir=new/data\nclientPort=${await freePort()}\nwings=2\n`;
    const { code, out } = await check(zoo);
    expect(out).toMatch(/^warning: zoo.cfg:3: wings is not known.*\nA server would start\n$/);
    expect(code).toBe(0);
    expect(readdirSync(folder)).toEqual(['zoo.cfg']);
    expect(await check(zoo, '--json')).toEqual({
      code: 0,
      out: expect.stringMatching(/^\{"ok":true,"problems":\[\{"severity":"warning",.*\}\]\}\n$/),
    });
  });

  test('all that is wrong is told at once: exit code 2', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    writeFileSync(join(folder, 'file'), '');
    const zoo = `clientPort=${port}\nclientPortAddress=127.0.0.1\ndataDir=file/data\ndataLogDir=logs\ndatadir.autocreate=false\n`;
    const { code, out } = await check(zoo, '--json');
    taken.close();
    const found = JSON.parse(out) as { ok: boolean; problems: { message: string }[] };
    expect(found.ok).toBe(false);
    expect(found.problems).toEqual([
      { severity: 'error', message: expect.stringContaining('set clientPort (--client-port)') },
      {
        severity: 'error',
        message: `dataDir=${join(folder, 'file/data')}: ${join(folder, 'file')} is a file: name a directory`,
      },
      {
        severity: 'error',
        message: `dataLogDir=${join(folder, 'logs')}: ${join(folder, 'logs/version-2')} is missing, and datadir.autocreate is false: make it`,
      },
    ]);
    expect(code).toBe(2);
  });

  test('settings that cannot be read', async () => {
    expect(await check('datadir=/x\n')).toEqual({
      code: 2,
      out: expect.stringMatching(
        /^error: dataDir is not set\nerror: No client could connect.*\nwarning: .*did you mean dataDir\?\nA server would not start: 2 wrong\n$/,
      ),
    });
  });

  // Elsewhere nothing keeps a second server out: docs/decisions/042-one-server-one-directory.md.
  test.runIf(process.platform === 'linux')('a directory that another server has', async () => {
    await server().port();
    const before = readdirSync(join(folder, 'data', 'version-2'));
    const { code, out } = await check(`clientPort=${await freePort()}\ndataDir=data\n`);
    expect(out).toContain('error: Another server has this data directory');
    expect(code).toBe(2);
    expect(readdirSync(join(folder, 'data', 'version-2'))).toEqual(before);
  });

  test('too little room for a log is a warning, and files that may not be read an error', async () => {
    const versioned = join(folder, 'data', 'version-2');
    mkdirSync(versioned, { recursive: true });
    writeFileSync(join(versioned, 'snapshot.0'), '', { mode: 0 });
    const zoo = `clientPort=${await freePort()}\ndataDir=data\npreAllocSize=2000000000\n`;
    const { out } = await check(zoo);
    expect(out).toMatch(/warning: dataDir=.*: only \d+ KB are free there, less than a log file/);
    // A super user may read all.
    if (process.getuid?.() !== 0) expect(out).toContain(`may not read ${versioned}/snapshot.0`);
  });

  test('--json belongs to check', async () => {
    const command = new Command(['--json']);
    expect(await command.ended).toBe(2);
    expect(command.err).toBe('zebu-server: --json belongs to zebu-server check\n');
  });
});

describe('a server', () => {
  test('says in one line where it is, serves, and ends on SIGTERM with the reason in the log', async () => {
    const command = server();
    const serving = await command.said('Serving');
    expect(serving).toMatchObject({
      level: 'info',
      dataDir: join(folder, 'data'),
      zxid: '0x0',
      znodes: 5,
      ms: expect.any(Number),
    });
    const srvr = await ask(await command.port(), 'srvr');
    expect(srvr).toContain('Mode: standalone');
    expect(srvr).toContain(`Node count: ${serving.znodes}\n`);
    expect(await command.stop('SIGTERM')).toBe(0);
    expect(command.lines.map(({ msg, reason }) => [msg, reason])).toContainEqual([
      'Stopping',
      'SIGTERM',
    ]);
    expect(command.lines.slice(-2).map(({ msg }) => msg)).toEqual(['Stopping', 'Stopped']);
    expect(command.err).toBe('');
  });

  test('asked twice does not wait, and its log is whole', async () => {
    for (let code: number | null = 0; code !== 1; ) {
      const command = server();
      // A stop that closes a connection takes a turn, in which the second signal almost always comes.
      const client = connect(await command.port(), '127.0.0.1').on('error', () => {});
      await once(client, 'connect');
      for (const signal of ['SIGSTOP', 'SIGTERM', 'SIGINT'] as const) command.process.kill(signal);
      code = await command.stop('SIGCONT');
      expect(command.lines.slice(-2).map(({ msg }) => msg)).toEqual([
        'Stopping',
        code === 1 ? 'Stopped before all was done' : 'Stopped',
      ]);
    }
  });

  test('serves and stops while nobody reads its log', async () => {
    const port = await freePort();
    using log = new StuckPipe(join(folder, 'log'));
    const child = serveWithLog(log, port);
    while (!(await ask(port, 'srvr').catch(() => '')).includes('Mode:')) await setTimeout(20);
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(log.read()).toEqual([]);
  });

  test('has its log ready for a reader who comes late', async () => {
    const port = await freePort();
    using log = new StuckPipe(join(folder, 'log'));
    const child = serveWithLog(log, port);
    while (!(await ask(port, 'srvr').catch(() => '')).includes('Mode:')) await setTimeout(20);
    expect(log.read()).toEqual([]);
    while (log.read().length === 0) await setTimeout(20);
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(log.read().slice(-3)).toEqual(['Serving', 'Stopping', 'Stopped']);
  });

  test('serves on when the reader of its log went away', async () => {
    const command = server();
    const port = await command.port();
    command.process.stdout.destroy();
    command.process.kill('SIGHUP');
    expect(await ask(port, 'srvr')).toContain('Mode: standalone');
    expect(await command.stop('SIGTERM')).toBe(0);
  });

  test('reads a file, variables and Java flags', async () => {
    writeFileSync(
      join(folder, 'zoo.cfg'),
      'dataDir=there\nclientPort=0\nclientPortAddress=127.0.0.1\ninitLimit=5\nwings=2\n',
    );
    const command = new Command(['zoo.cfg'], {
      ZEBU_4LW_COMMANDS_WHITELIST: 'conf',
      SERVER_JVMFLAGS: '-Xmx1g -Dzookeeper.maxCnxns=7',
    });
    const port = await command.port();
    expect(await ask(port, 'conf')).toContain(`dataDir=${join(folder, 'there')}/version-2`);
    expect(command.lines.find(({ level }) => level === 'warn')?.msg).toContain(
      'zoo.cfg:5: wings is not known',
    );
    expect(command.lines.map(({ msg }) => msg)).toContain(
      'Without effect: initLimit: only a member of an ensemble uses it, and this server is on its own',
    );
    expect(await command.stop('SIGINT')).toBe(0);
  });

  test('comes back at once on the same port and data after SIGKILL', async () => {
    const first = server();
    const port = await first.port();
    await first.stop('SIGKILL');
    const second = new Command([`--client-port=${port}`, '--client-port-address=127.0.0.1']);
    expect(await second.port()).toBe(port);
    expect(await second.stop('SIGTERM')).toBe(0);
  });

  test('outlives SIGHUP when it has no terminal', async () => {
    const command = server();
    const port = await command.port();
    command.process.kill('SIGHUP');
    await command.said('SIGHUP is not for a server without a terminal');
    expect(await ask(port, 'srvr')).toContain('Mode: standalone');
  });

  test('prints on SIGQUIT what it is doing, time and again, and serves on', async () => {
    const command = server();
    const port = await command.port();
    const zk = await connectClient(`127.0.0.1:${port}`);
    for (let reports = 1; reports <= 2; reports++) {
      command.process.kill('SIGQUIT');
      while (command.lines.filter(({ msg }) => msg === 'Report ends').length < reports) {
        await once(command.process.stdout, 'data');
      }
    }
    expect(command.lines.find(({ msg }) => msg === 'Report')).toMatchObject({
      mode: 'standalone',
      connections: 1,
      outstandingRequests: 0,
      residentMb: expect.any(Number),
    });
    expect(command.lines.find(({ msg }) => msg === 'Report: a stack')).toMatchObject({
      percent: expect.any(Number),
      frames: expect.arrayContaining([expect.any(String)]),
    });
    expect((await zk.create('/still-here', '')).path).toBe('/still-here');
    await zk.close();
    expect(await command.stop('SIGTERM')).toBe(0);
  });

  test('starts and serves where Node throws at what it is going to drop', async () => {
    const command = new Command(
      ['--client-port=0', '--client-port-address=127.0.0.1', '--snap-count=2'],
      { NODE_OPTIONS: '--pending-deprecation --throw-deprecation' },
    );
    const zk = await connectClient(`127.0.0.1:${await command.port()}`);
    for (let i = 0; i < 8; i++) await zk.create(`/a${i}`, '', { sequential: i % 2 === 0 });
    await zk.close();
    expect(await command.stop('SIGTERM')).toBe(0);
    expect(command.err).toBe('');
  });

  test("never opens Node's debugger on SIGUSR1", async () => {
    const command = server();
    const port = await command.port();
    command.process.kill('SIGUSR1');
    await command.said('SIGUSR1 does nothing here');
    expect(await ask(port, 'srvr')).toContain('Mode: standalone');
    expect(await command.stop('SIGTERM')).toBe(0);
    expect(command.err).toBe('');
  });

  test('a port that is taken is an error of one line: exit code 1', async () => {
    const first = server();
    const port = await first.port();
    const second = new Command([
      `--client-port=${port}`,
      '--client-port-address=127.0.0.1',
      '--data-dir=other',
    ]);
    expect(await second.ended).toBe(1);
    expect(second.lines.at(-1)).toMatchObject({
      level: 'error',
      msg: expect.stringMatching(
        `^Another process listens on 127.0.0.1:${port}.*set clientPort \\(--client-port\\) to another port$`,
      ),
    });
    expect(readdirSync(folder)).toEqual(['data']);
  });

  test.each<[string, string, string]>([
    ['that cannot be made', '--data-dir=file/data', 'file/data'],
    ['of the logs that cannot be made', '--data-log-dir=file/logs', 'file/logs'],
    ['that may not be made', '--datadir-autocreate=false', 'data'],
  ])('a data directory %s is a wrong setting: exit code 2', async (_, flag, path) => {
    writeFileSync(join(folder, 'file'), '');
    const command = server(flag);
    expect(await command.ended).toBe(2);
    expect(command.lines.map(({ level, msg }) => [level, msg])).toEqual([
      ['error', expect.stringContaining(join(folder, path))],
    ]);
  });

  // Elsewhere nothing keeps a second server out: docs/decisions/042-one-server-one-directory.md.
  test.runIf(process.platform === 'linux')(
    'a data directory that is taken is an error of one line: exit code 1',
    async () => {
      await server().port();
      const second = server();
      expect(await second.ended).toBe(1);
      expect(second.lines.map(({ level, msg }) => [level, msg])).toEqual([
        ['error', expect.stringContaining(join(folder, 'data'))],
      ]);
    },
  );

  test('data that must not be served is an error that names the file: exit code 3', async () => {
    mkdirSync(join(folder, 'data', 'version-2'), { recursive: true });
    writeFileSync(join(folder, 'data', 'version-2', 'log.1'), 'this is no log of any kind');
    const command = server();
    expect(await command.ended).toBe(3);
    expect(command.lines.at(-1)).toMatchObject({
      level: 'error',
      msg: expect.stringContaining(join('data', 'version-2')),
    });
  });

  test("opens Java's key stores, and ends with 2 where one cannot be opened", async () => {
    const stores = join(import.meta.dirname, '../../../packages/server/test/fixtures/stores');
    const tls = (password: string) => [
      '--secure-client-port=0',
      '--secure-client-port-address=127.0.0.1',
      `--ssl-key-store-location=${join(stores, 'legacy.p12')}`,
      `--ssl-key-store-password=${password}`,
      `--ssl-trust-store-location=${join(stores, 'trust.jks')}`,
      '--ssl-trust-store-password=changeit',
    ];
    const wrong = server(...tls('wrong'));
    expect(await wrong.ended).toBe(2);
    expect(wrong.lines.map(({ level, msg }) => [level, msg])).toEqual([
      ['error', expect.stringMatching(/ssl.keyStore.location=.*legacy.p12: The password is wrong/)],
    ]);
    expect(readdirSync(folder)).toEqual([]);
    const right = server(...tls('changeit'));
    expect(await right.said('Serving')).toMatchObject({ securePort: expect.any(Number) });
    expect(await right.stop('SIGTERM')).toBe(0);
  });

  test('hints at what was misspelt when the start fails, and above all then', async () => {
    writeFileSync(join(folder, 'zoo.cfg'), 'datadir=/x\nclientPort=1\n');
    const command = new Command(['zoo.cfg']);
    expect(await command.ended).toBe(2);
    expect(command.err).toMatch(
      /^zebu-server: Warning: zoo.cfg:1: datadir is not known, .*; did you mean dataDir\?\nzebu-server: dataDir is not set\n$/,
    );
  });

  test('keeps silent when told to', async () => {
    const port = await freePort();
    const command = new Command([`--client-port=${port}`, '--log-level=warn']);
    // Nothing is said when it serves: ask until it does.
    while (!(await ask(port, 'srvr').catch(() => '')).includes('Mode:')) await setTimeout(20);
    expect(await command.stop('SIGTERM')).toBe(0);
    expect(command.out).toBe('');
  });
});

/** A pipe that is full from the start. */
class StuckPipe {
  readonly writer: number;
  private readonly reader: number;
  private text = '';

  constructor(path: string) {
    execFileSync('mkfifo', [path]);
    this.reader = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    this.writer = openSync(path, constants.O_WRONLY);
    try {
      for (;;) writeSync(this.reader, Buffer.alloc(4096, '\n'));
    } catch (error) {
      expect(error).toMatchObject({ code: 'EAGAIN' });
    }
  }

  /** The messages so far, of whole lines. */
  read(): string[] {
    const chunk = Buffer.alloc(65536);
    try {
      for (;;) this.text += chunk.toString('utf8', 0, readSync(this.reader, chunk));
    } catch (error) {
      expect(error).toMatchObject({ code: 'EAGAIN' });
    }
    const lines = this.text.split('\n').slice(0, -1);
    return lines.filter((line) => line !== '').map((line) => (JSON.parse(line) as LogLine).msg);
  }

  [Symbol.dispose](): void {
    closeSync(this.reader);
    closeSync(this.writer);
  }
}

function serveWithLog(log: StuckPipe, port: number): ChildProcess {
  const args = [`--client-port=${port}`, '--client-port-address=127.0.0.1'];
  const child = spawn(process.execPath, ['--conditions=@zebu/source', main, ...args], {
    cwd: folder,
    stdio: ['ignore', log.writer, 'inherit'],
  });
  children.push({ process: child, ended: once(child, 'close') });
  return child;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

// Elsewhere the system does not say how many there may be.
test.skipIf(process.platform !== 'linux')(
  'clients cannot take the file descriptors that the log and snapshots need',
  async () => {
    const args = ['--client-port=0', '--client-port-address=127.0.0.1', '--snap-count=2'];
    const command = new Command([...args, '--max-client-cnxns=0'], {}, 100);
    const port = await command.port();
    const zk = await connectClient(`127.0.0.1:${port}`);
    const ended: Promise<unknown>[] = [];
    const sockets = Array.from({ length: 200 }, () => {
      const socket = connect(port, '127.0.0.1');
      ended.push(Promise.race([once(socket, 'close'), once(socket, 'connect')]));
      socket.on('error', () => {});
      return socket;
    });
    await Promise.all(ended);
    await command.said('Too few file descriptors are left for one more client');
    // The log rolls, and snapshots are taken, time and again.
    for (let i = 1; i <= 20; i++) await zk.create(`/a${i}`, '');
    await command.said('Snapshot taken');
    for (const socket of sockets) socket.destroy();
    await zk.close();
    expect(await command.stop('SIGTERM')).toBe(0);
  },
);

test.runIf(process.platform === 'linux')(
  'a server whose data directory is moved away harms nothing of the one that takes its place',
  async () => {
    // Looks after its directory every half tick: not in this test.
    const args = ['--tick-time=600000', '--min-session-timeout=1000', '--snap-count=20'];
    const data = join(folder, 'data');
    const moved = join(folder, 'moved');
    const first = server(...args, '--data-dir', data);
    const zk = await connectClient({
      servers: `127.0.0.1:${await first.port()}`,
      sessionTimeoutMs: 2000,
    });
    const created: string[] = [];
    const create = async (count: number) => {
      for (let i = 0; i < count; i++)
        created.push((await zk.create('/n-', '', { sequential: true })).path);
    };
    await create(50);
    renameSync(data, moved);
    const second = server(...args, '--data-dir', data);
    const other = await connectClient(`127.0.0.1:${await second.port()}`);
    await other.create('/other', '');
    const before = readdirSync(join(data, 'version-2'));
    // Its next log or snapshot would have gone into the other one's directory.
    const cutOff = create(200).catch((error: unknown) => error);
    expect(await first.ended).toBe(1);
    expect(first.out).toContain('was moved away or replaced');
    expect(readdirSync(join(data, 'version-2'))).toEqual(before);
    await Promise.all([zk.close({ timeoutMs: 100 }), other.close()]);
    expect(await cutOff).toBeInstanceOf(Error);
    expect(await second.stop('SIGKILL')).toBe(null);

    const next = server(...args, '--data-dir', data);
    const others = await connectClient(`127.0.0.1:${await next.port()}`);
    expect([...(await others.children('/')).names].sort()).toEqual(['other', 'zookeeper']);
    await others.close();
    expect(await next.stop('SIGTERM')).toBe(0);

    const third = server(...args, '--data-dir', moved);
    const again = await connectClient(`127.0.0.1:${await third.port()}`);
    const { names } = await again.children('/');
    expect(names).toEqual(expect.arrayContaining(created.map((path) => path.slice(1))));
    expect(names).not.toContain('other');
    await again.close();
    expect(await third.stop('SIGTERM')).toBe(0);
  },
);
