// lock and elect: a command runs while something is held, and never longer.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, connect } from '@zebu/client';
import { mutex } from '@zebu/recipes/lock';
import { startServer, type ZebuServer } from '@zebu/server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ZEBU_COMMAND, ZebuRunner } from './run-zebu.ts';

let server: ZebuServer;
let zebu: ZebuRunner;
let zk: Client;
beforeAll(async () => {
  server = await startServer({ port: 0 });
  zebu = new ZebuRunner(`127.0.0.1:${server.port}`);
  zk = await connect(`127.0.0.1:${server.port}`);
});
afterAll(async () => {
  await zk.close();
  zebu[Symbol.dispose]();
  await server.close();
});

let names = 0;
const fresh = (what: string) => join(zebu.home, `${what}-${names++}`);

async function until(isTrue: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 60_000;
  while (!isTrue()) {
    if (performance.now() > end) throw new Error(`${what}: not within 60 s`);
    await delay(10);
  }
}

/** Whether a process runs; one that has ended and was not collected does not. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Pids that the command has written, one a line, once there are so many. */
async function pidsIn(file: string, count: number): Promise<number[]> {
  const read = () => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []);
  await until(() => read().length >= count && read().every((pid) => /^\d+$/.test(pid)), file);
  return read().map(Number);
}

function ended(
  child: ReturnType<ZebuRunner['start']>,
): Promise<{ code: number | null; stderr: string }> {
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  child.stdout.resume();
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stderr })));
}

/** Writes its pid and that of a child, of a grandchild, and of one in a session of its own; none of them obeys TERM. */
const STUBBORN = `trap '' TERM; echo $$ >> "$1"
sh -c 'trap "" TERM; echo $$ >> "$1"; (trap "" TERM; sh -c "echo \\$PPID" >> "$1"; exec sleep 1000) & while :; do sleep 1; done' sh "$1" &
setsid sh -c 'trap "" TERM; echo $$ >> "$1"; while :; do sleep 1; done' sh "$1" &
while :; do sleep 1; done`;

test('lock gives the exit code of its command, and the lock to one at a time', async () => {
  const log = fresh('log');
  const script = `echo in >> ${log}; sleep 0.2; echo out >> ${log}; exit 7`;
  const three = await Promise.all(
    [1, 2, 3].map(() => zebu.run(['lock', '/locks/turns', '--', 'sh', '-c', script])),
  );
  expect(three.map(({ code }) => code)).toEqual([7, 7, 7]);
  expect(readFileSync(log, 'utf8')).toBe('in\nout\n'.repeat(3));
  expect(await mutex(zk, '/locks/turns').contenders()).toEqual([]);
});

test('the command is told its token, which grows', async () => {
  const ask = async () =>
    Number(
      (await zebu.run(['lock', '/locks/token', '--', 'sh', '-c', 'echo $ZEBU_HELD_TOKEN'])).stdout,
    );
  const first = await ask();
  expect(await ask()).toBeGreaterThan(first);
  expect(first).toBeGreaterThan(0);
});

test('lock --wait gives up, and says who holds it', async () => {
  await using _ = await mutex(zk, '/locks/taken', { identity: 'somebody' }).acquire();
  for (const wait of ['0', '300']) {
    const ran = await zebu.run(['lock', '--wait', wait, '/locks/taken', '--', 'true']);
    expect([ran.code, ran.stderr]).toEqual([
      9,
      `/locks/taken is not ours within ${wait} ms; it is held by somebody\n`,
    ]);
  }
});

test('what cannot run is told, and holds nothing', async () => {
  const ran = await zebu.run(['lock', '/locks/none', '--', '/no/such/program']);
  // As of every shell.
  expect([ran.code, ran.stderr]).toEqual([127, expect.stringContaining('/no/such/program')]);
  expect(await mutex(zk, '/locks/none').contenders()).toEqual([]);
  expect((await zebu.run(['lock', '/locks/none', '--'])).code).toBe(2);
  expect((await zebu.run(['lock', '/locks/none', '--signal', 'X', '--', 'true'])).code).toBe(2);
});

test('the lock is deleted: the command and all below it are killed', async () => {
  const file = fresh('pids');
  const child = zebu.start([
    'lock',
    '--grace',
    '3600000',
    // The session lives, and so does somebody else's hold: there is no grace.
    '--timeout',
    '3600000',
    '/locks/deleted',
    '--',
    'sh',
    '-c',
    STUBBORN,
    'sh',
    file,
  ]);
  const over = ended(child);
  const pids = await pidsIn(file, 4);
  expect(pids.every(isRunning)).toBe(true);
  const [name] = (await zk.children('/locks/deleted')).names;
  await zk.delete(`/locks/deleted/${name}`);
  // It names the znode once.
  expect(await over).toEqual({
    code: 10,
    stderr: `Lost, and the command was stopped: No longer held: No such znode (/locks/deleted/${name})\n`,
  });
  expect(pids.filter(isRunning)).toEqual([]);
});

test('a lock within a lock: the outer one is deleted, and the command of the inner one ends', async () => {
  const file = fresh('pids');
  const [node, main] = ZEBU_COMMAND as [string, string];
  const inner = [node, main, 'lock', '/locks/inner', '--', 'sh', '-c', STUBBORN, 'sh', file];
  const over = ended(zebu.start(['lock', '/locks/outer', '--', ...inner]));
  const pids = await pidsIn(file, 4);
  const [name] = (await zk.children('/locks/outer')).names;
  await zk.delete(`/locks/outer/${name}`);
  expect((await over).code).toBe(10);
  expect(pids.filter(isRunning)).toEqual([]);
});

test('children that the command leaves behind end before the lock is given up', async () => {
  const file = fresh('pids');
  const child = zebu.start([
    'lock',
    '--grace',
    '200',
    '/locks/left',
    '--',
    'sh',
    '-c',
    `${STUBBORN.replace(/while :; do sleep 1; done$/, 'while [ "$(wc -l < "$1")" -lt 4 ]; do sleep 0.1; done; exit 5')}`,
    'sh',
    file,
  ]);
  const over = ended(child);
  const [, ...left] = await pidsIn(file, 4);
  // Whoever gets the lock next finds none of them.
  await using _ = await mutex(zk, '/locks/left').acquire();
  expect(left.filter(isRunning)).toEqual([]);
  expect((await over).code).toBe(5);
});

test('Ctrl-C stops the command and gives the lock up', async () => {
  const file = fresh('pids');
  const child = zebu.start([
    'lock',
    '--grace',
    '200',
    '/locks/ctrl-c',
    '--',
    'sh',
    '-c',
    STUBBORN,
    'sh',
    file,
  ]);
  const over = ended(child);
  const pids = await pidsIn(file, 4);
  child.kill('SIGINT');
  expect((await over).code).toBe(130);
  expect(pids.filter(isRunning)).toEqual([]);
  expect(await mutex(zk, '/locks/ctrl-c').contenders()).toEqual([]);
});

test('zebu itself is killed: the watchdog kills the command and all below it', async () => {
  const file = fresh('pids');
  const child = zebu.start(['lock', '/locks/killed', '--', 'sh', '-c', STUBBORN, 'sh', file]);
  const over = ended(child);
  const pids = await pidsIn(file, 4);
  child.kill('SIGKILL');
  await until(() => !pids.some(isRunning), 'the command ends');
  await over;
});

test('a second Ctrl-C leaves at once, and says how long the lock stays', async () => {
  const file = fresh('pids');
  const child = zebu.start([
    ...['lock', '--timeout', '6000', '--grace', '1000000', '/locks/twice'],
    ...['--', 'sh', '-c', STUBBORN, 'sh', file],
  ]);
  const over = ended(child);
  const pids = await pidsIn(file, 4);
  child.kill('SIGINT');
  // Nothing of it obeys the first one's TERM.
  await delay(100);
  child.kill('SIGINT');
  expect(await over).toEqual({
    code: 130,
    stderr:
      'Left at once: what was held, or waited for, stays until the session ends, in 6 s at most\n',
  });
  await until(() => !pids.some(isRunning), 'the watchdog ends it');
});

test('a lease that no server lets us give up is waited for, and that is said', async () => {
  const one = await startServer({ port: 0, minSessionTimeoutMs: 1000 });
  const [go, began] = [fresh('go'), fresh('pids')];
  const script = 'echo $$ >> "$1"; until [ -e "$2" ]; do sleep 0.05; done';
  const child = zebu.start(
    ['lock', '--timeout', '8000', '--lease', '/leased', '--', 'sh', '-c', script, 'sh', began, go],
    { env: { ZEBU_SERVERS: `127.0.0.1:${one.port}` } },
  );
  const over = ended(child);
  await pidsIn(began, 1);
  await one.close();
  // The command has done its work; the lock is still ours, as far as anybody knows.
  writeFileSync(go, '');
  const { stderr } = await over;
  expect(stderr).toMatch(
    /^No server answers: \/leased\/\S+ is given up when one does, or ends with the session in [1-8] s\n/,
  );
});

test.each([
  ['no-such-program', 127, 'Cannot run no-such-program: there is no such command'],
  ['./no/such', 127, 'Cannot run ./no/such: there is no such command'],
  ['./notes', 126, 'Cannot run ./notes: ./notes may not be executed; chmod +x ./notes lets it'],
])('%s cannot run, and no lock is taken for it', async (program, code, message) => {
  writeFileSync(join(zebu.home, 'notes'), 'no program', { mode: 0o644 });
  // Not even a server is needed to know.
  const ran = await zebu.run(['lock', '/locks/none', '--', program]);
  expect([ran.code, ran.stderr]).toEqual([code, `${message}\n`]);
});

// The server is gone, and with it the connection; its ensemble would keep the session until its timeout.
test.each([
  { words: [] as string[], name: 'at once' },
  { words: ['--lease'], name: 'before the session could end' },
])('the server is killed: the command is stopped $name', async ({ words }) => {
  const one = await startServer({ port: 0, minSessionTimeoutMs: 1000 });
  const file = fresh('pids');
  const env = { ZEBU_SERVERS: `127.0.0.1:${one.port}` };
  const child = zebu.start(
    ['lock', '--timeout', '6000', ...words, '/locked', '--', 'sh', '-c', STUBBORN, 'sh', file],
    { env },
  );
  const over = ended(child);
  const pids = await pidsIn(file, 4);
  await one.close();
  const lostAt = performance.now();
  await until(() => !pids.some(isRunning), 'the command ends');
  const ms = performance.now() - lostAt;
  expect((await over).code).toBe(10);
  // The last word of the session was heard before the server closed, so it lives 6 s at most from then on; the
  // grace is 5 s. On a busy machine this process may look late, so only the kill itself is bounded by zebu.
  expect(ms).toBeLessThan(60_000);
  if (words.length > 0) expect(ms).toBeGreaterThan(1000);
});

test('the session expires while zebu is cut off: the command ends before the next one gets the lock', async () => {
  const ensemble = await startServer({ port: 0 });
  const { port } = ensemble;
  // Between zebu and the server, so that zebu alone can be cut off.
  const sockets = new Set<Socket>();
  const relay = createServer((socket) => {
    const onward = createConnection({ port, host: '127.0.0.1' });
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => other.destroy());
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const file = fresh('pids');
  const env = { ZEBU_SERVERS: `127.0.0.1:${(relay.address() as AddressInfo).port}` };
  const child = zebu.start(
    ['lock', '--lease', '--timeout', '10000', '/lock', '--', 'sh', '-c', STUBBORN, 'sh', file],
    { env },
  );
  const over = ended(child);
  try {
    const pids = await pidsIn(file, 4);
    await using other = await connect(`127.0.0.1:${port}`);
    relay.close();
    // Silence in both directions: neither side is told that the other is gone.
    for (const socket of sockets) {
      socket.unpipe();
      socket.pause();
    }
    await using _ = await mutex(other, '/lock').acquire();
    // The server has given the lock to the next one: by then nothing of the command may be left.
    expect(pids.filter(isRunning)).toEqual([]);
    for (const socket of sockets) socket.destroy();
    expect((await over).code).toBe(10);
  } finally {
    child.kill('SIGKILL');
    for (const socket of sockets) socket.destroy();
    await ensemble.close();
  }
});

// What the README says of the bound: nobody stops the command while zebu is stopped, and no grace is given after it.
test('zebu is stopped for longer than its session: the command ends as soon as zebu goes on', async () => {
  await using one = await startServer({ port: 0, minSessionTimeoutMs: 1000 });
  const file = fresh('pids');
  const child = zebu.start(
    [
      ...['lock', '--lease', '--timeout', '2000', '--grace', '3600000', '/lock'],
      ...['--', 'sh', '-c', STUBBORN, 'sh', file],
    ],
    { env: { ZEBU_SERVERS: `127.0.0.1:${one.port}` } },
  );
  const over = ended(child);
  try {
    const pids = await pidsIn(file, 4);
    child.kill('SIGSTOP');
    await using other = await connect(`127.0.0.1:${one.port}`);
    await using _ = await mutex(other, '/lock').acquire();
    expect(pids.every(isRunning)).toBe(true);
    child.kill('SIGCONT');
    expect((await over).code).toBe(10);
    expect(pids.filter(isRunning)).toEqual([]);
  } finally {
    child.kill('SIGCONT');
    child.kill('SIGKILL');
  }
});

test('elect runs its command while it leads, and stands again when told so', async () => {
  const log = fresh('log');
  const child = zebu.start([
    'elect',
    '--again',
    '--grace',
    '0',
    '/leader',
    '--',
    'sh',
    '-c',
    `echo led >> ${log}; [ $(wc -l < ${log}) -gt 1 ] || sleep 1000; exit 4`,
  ]);
  const over = ended(child);
  const lines = () => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').length - 1 : 0);
  await until(() => lines() === 1, 'the first term');
  const [name] = (await zk.children('/leader')).names;
  await zk.delete(`/leader/${name}`);
  await until(() => lines() === 2, 'the second term');
  expect((await over).code).toBe(4);
});

test('a lock without a command is held until Ctrl-C', async () => {
  const child = zebu.start(['lock', '/locks/bare', '--json']);
  const said = await new Promise<string>((resolve) =>
    child.stdout.once('data', (chunk) => resolve(String(chunk))),
  );
  const over = ended(child);
  expect(JSON.parse(said)).toMatchObject({ token: expect.any(Number) });
  expect(await zk.exists(JSON.parse(said).path)).toBeDefined();
  child.kill('SIGINT');
  await over;
  expect(await zk.exists(JSON.parse(said).path)).toBeUndefined();
});
