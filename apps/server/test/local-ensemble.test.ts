// `zebu-server ensemble 3`, as a user runs it in a pipe; and what it shows on a terminal.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { changes, type MemberView, readSrvr, screen } from '../src/ensemble-view.ts';

const main = join(import.meta.dirname, '..', 'src', 'main.ts');

function view(id: number, fields: Partial<MemberView>): MemberView {
  return {
    id,
    clientPort: 2180 + id,
    state: 'follower',
    zxid: '0x100000007',
    connections: 1,
    znodes: 5,
    note: '',
    ...fields,
  };
}

test('the screen shows roles, zxids and who is behind', () => {
  const text = screen(
    [
      view(1, { state: 'leader' }),
      view(2, { zxid: '0x100000004' }),
      view(3, {
        state: 'down',
        zxid: undefined,
        connections: undefined,
        znodes: undefined,
        note: 'SIGKILL',
      }),
    ],
    '127.0.0.1:2181',
    '/here',
  );
  expect(text).toMatch(/^1 {3}127\.0\.0\.1:2181 {2}leader {4}0x100000007 {2}0 /m);
  expect(text).toMatch(/^2 {3}127\.0\.0\.1:2182 {2}follower {2}0x100000004 {2}3 /m);
  expect(text).toMatch(/^3 {3}127\.0\.0\.1:2183 {2}down .*SIGKILL$/m);
});

test('a line tells each change of state, and nothing else', () => {
  const before = [view(1, { state: 'leader' }), view(2, {})];
  const after = [
    view(1, { state: 'down', zxid: undefined, note: 'SIGKILL' }),
    view(2, { zxid: '0x100000009' }),
  ];
  expect(changes(before, after)).toEqual(['member 1: down (SIGKILL)']);
  expect(changes(after, after)).toEqual([]);
});

test('a member that serves nobody has no mode', () => {
  expect(readSrvr('This ZooKeeper instance is not currently serving requests\n')).toEqual({});
  expect(readSrvr('')).toEqual({});
  expect(readSrvr('Connections: 2\nZxid: 0x5\nMode: leader\nNode count: 7\n')).toEqual({
    mode: 'leader',
    zxid: '0x5',
    connections: 2,
    znodes: 7,
  });
});

test.each([
  [['ensemble', 'many'], 'the number of members is "many": allowed are 1..9'],
  [['ensemble', '10'], 'allowed are 1..9'],
  [['ensemble', '3', '--client-port', '0'], '--client-port is "0"'],
  [['ensemble', '--colour'], '--colour'],
])('%j is refused with exit code 2', async (args, message) => {
  const { code, text } = await ran(args);
  expect(text).toContain(message);
  expect(code).toBe(2);
});

test('a port that is taken is named with its flag, and nothing is started: exit code 2', async () => {
  const base = await freePorts();
  const folder = mkdtempSync(join(tmpdir(), 'zebu-local-'));
  const dir = join(folder, 'ensemble');
  const ports = ['--client-port', `${base}`, '--quorum-port', `${base + 10}`];
  const taken = [base + 1, base + 1012].map((port) => createServer().listen(port, '127.0.0.1'));
  try {
    await Promise.all(taken.map((server) => server.listening || once(server, 'listening')));
    const { code, text } = await ran(['ensemble', '3', '--dir', dir, ...ports]);
    expect(text.split('\n')).toEqual([
      `zebu-server ensemble: ${base + 1}, the client port of member 2: another process listens on 127.0.0.1:${base + 1}; stop it, or choose another with --client-port N`,
      `zebu-server ensemble: ${base + 1012}, the election port of member 3: another process listens on 127.0.0.1:${base + 1012}; stop it, or choose another with --quorum-port N`,
      'zebu-server ensemble: no member was started',
      '',
    ]);
    expect(code).toBe(2);
    expect(existsSync(dir)).toBe(false);
  } finally {
    for (const server of taken) server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test('members do not get the same port twice', async () => {
  const base = await freePorts();
  const ports = ['--client-port', `${base}`, '--quorum-port', `${base + 2}`];
  const folder = mkdtempSync(join(tmpdir(), 'zebu-local-'));
  const { code, text } = await ran(['ensemble', '3', '--dir', folder, ...ports]);
  expect(text).toContain(
    `${base + 2} would be the quorum port of member 1 and the client port of member 3`,
  );
  expect(code).toBe(2);
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

/** A running `zebu-server ensemble 3`, of which all members serve. */
class RunningEnsemble implements AsyncDisposable {
  readonly dir = mkdtempSync(join(tmpdir(), 'zebu-local-'));
  text = '';
  readonly child: ChildProcess;
  private readonly base: number;

  private constructor(base: number) {
    this.base = base;
    const ports = ['--client-port', `${base}`, '--quorum-port', `${base + 10}`];
    this.child = spawn(
      process.execPath,
      ['--conditions=@zebu/source', main, 'ensemble', '3', '--dir', this.dir, ...ports],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    this.child.stdout?.on('data', (bytes: Buffer) => {
      this.text += bytes.toString();
    });
  }

  static async start(): Promise<RunningEnsemble> {
    const ensemble = new RunningEnsemble(await freePorts());
    const serving = (): number => (ensemble.text.match(/: (leader|follower) at/g) ?? []).length;
    await until(
      () => serving() >= 3,
      () => ensemble.text,
    );
    return ensemble;
  }

  /** Of the members' processes, as their logs have them. */
  get pids(): number[] {
    return readdirSync(this.dir).map((id) => {
      const log = readFileSync(join(this.dir, id, 'server.log'), 'utf8');
      return Number(/"pid":(\d+)/.exec(log)?.[1]);
    });
  }

  async arePortsFree(): Promise<boolean> {
    const free = await Promise.all([0, 1, 2].map((offset) => isFree(this.base + offset)));
    return free.every(Boolean);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    for (const pid of this.pids) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
    await until(
      () => !this.pids.some(isRunning),
      () => 'the members end',
    );
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(holds: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  for (let waitedMs = 0; !(await holds()); waitedMs += 50) {
    expect(waitedMs, what()).toBeLessThan(50_000);
    await delay(50);
  }
}

test('three members elect a leader, and a SIGTERM ends them all', {
  timeout: 120_000,
}, async () => {
  await using ensemble = await RunningEnsemble.start();
  expect(ensemble.text.match(/: leader at/g)).toHaveLength(1);
  expect(readdirSync(ensemble.dir)).toEqual(['1', '2', '3']);
  const ended = new Promise<number | null>((done) => ensemble.child.once('exit', done));
  ensemble.child.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect(ensemble.text).toMatch(/Stopped\n$/);
});

test('members whose ensemble is killed stop in order', { timeout: 120_000 }, async () => {
  await using ensemble = await RunningEnsemble.start();
  const { pids } = ensemble;
  expect(pids.filter(isRunning)).toHaveLength(3);
  ensemble.child.kill('SIGKILL');
  await until(
    () => !pids.some(isRunning),
    () => `of ${pids} ${pids.filter(isRunning)} run`,
  );
  expect(await ensemble.arePortsFree()).toBe(true);
  for (const id of [1, 2, 3]) {
    const log = readFileSync(join(ensemble.dir, `${id}`, 'server.log'), 'utf8');
    expect(log).toContain('standard input has ended');
    expect(log).toMatch(/"msg":"Stopped"/);
  }
});

async function ran(args: readonly string[]): Promise<{ code: number | null; text: string }> {
  const child = spawn(process.execPath, ['--conditions=@zebu/source', main, ...args]);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes: Buffer) => {
      text += bytes.toString();
    });
  }
  const code = await new Promise<number | null>((done) => child.once('exit', done));
  return { code, text };
}

/** The first of ports that are likely to be free. */
async function freePorts(): Promise<number> {
  for (;;) {
    const base = 20_000 + Math.floor(Math.random() * 20_000);
    const wanted = [0, 1, 2, 10, 11, 12, 1010, 1011, 1012].map((offset) => base + offset);
    const free = await Promise.all(wanted.map(isFree));
    if (free.every(Boolean)) return base;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer()
      .once('error', () => done(false))
      .listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}
