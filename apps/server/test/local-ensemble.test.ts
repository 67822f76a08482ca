// `zebu-server ensemble 3`, as a user runs it in a pipe; and what it shows on a terminal.

import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
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

test('three members elect a leader, and a SIGTERM ends them all', { timeout: 60_000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'zebu-local-'));
  const base = await freePorts();
  const child = spawn(
    process.execPath,
    [
      '--conditions=@zebu/source',
      main,
      'ensemble',
      '3',
      '--dir',
      dir,
      '--client-port',
      `${base}`,
      '--quorum-port',
      `${base + 10}`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let text = '';
  child.stdout.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  try {
    const serving = (): number => (text.match(/: (leader|follower) at/g) ?? []).length;
    for (let waitedMs = 0; serving() < 3; waitedMs += 50) {
      expect(waitedMs, text).toBeLessThan(50_000);
      await delay(50);
    }
    expect(text.match(/: leader at/g)).toHaveLength(1);
    expect(readdirSync(dir)).toEqual(['1', '2', '3']);
    const ended = new Promise<number | null>((done) => child.once('exit', done));
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(text).toMatch(/Stopped\n$/);
  } finally {
    child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
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
