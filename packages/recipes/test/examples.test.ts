// The examples, run as their readers run them: each in a process of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { election } from '../src/election.ts';
import { PATIENCE, World } from './world.ts';

let world: World;
const running: Example[] = [];
beforeAll(async () => {
  world = await World.start();
});
afterEach(() => {
  for (const example of running.splice(0)) example.child.kill('SIGKILL');
});
afterAll(() => world[Symbol.asyncDispose]());

class Example {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  readonly ended: Promise<number | null>;

  constructor(name: string, ...args: string[]) {
    const file = join(import.meta.dirname, '..', 'examples', `${name}.ts`);
    const { host, port } = world.address;
    const servers = `${host}:${port}${world.root}`;
    const child = spawn(process.execPath, ['--conditions=@zebu/source', file, servers, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.child = child;
    createInterface({ input: child.stdout }).on('line', (line) => this.lines.push(line));
    this.ended = new Promise((resolve) => child.on('close', (code) => resolve(code)));
    running.push(this);
  }

  async says(pattern: RegExp, times = 1): Promise<string> {
    const matching = () => this.lines.filter((line) => pattern.test(line));
    await expect.poll(() => matching().length, PATIENCE).toBeGreaterThanOrEqual(times);
    return matching().at(-1) as string;
  }
}

test('leader election: the next one leads when the leader stops', async () => {
  const a = new Example('leader-election', 'a');
  await a.says(/^a leads, token \d+$/);
  const b = new Example('leader-election', 'b');
  const names = async () => (await world.other.children('/example/leader')).names.length;
  await expect.poll(names, PATIENCE).toBe(2);
  await expect
    .poll(async () => (await election(world.other, '/example/leader').published())?.data, PATIENCE)
    .toBe('ask a');
  a.child.kill('SIGTERM');
  expect(await a.ended).toBe(0);
  expect(a.lines.at(-1)).toBe('a has stopped');
  await b.says(/^b leads/);
  b.child.kill('SIGTERM');
  expect(await b.ended).toBe(0);
  await expect.poll(names, PATIENCE).toBe(0);
});

test('a lock without a herd: ten workers, and nothing of the balance is lost', async () => {
  const example = new Example('lock-without-a-herd');
  expect(await example.ended).toBe(0);
  expect(example.lines.filter((line) => /^worker \d left \d+$/.test(line))).toHaveLength(10);
  expect(example.lines.at(-1)).toBe('balance 0');
});

test('an expired session is noticed, and the service registers again', async () => {
  const example = new Example('expired-session', '10.0.0.7:8080');
  const first = (await example.says(/^registered as /)).slice('registered as '.length);
  const { ephemeralOwner } = (await world.other.exists(first)) ?? {};
  expect(ephemeralOwner).toBeDefined();
  // Its session ends while it is stopped.
  example.child.kill('SIGSTOP');
  await expect.poll(() => world.other.exists(first), PATIENCE).toBeUndefined();
  example.child.kill('SIGCONT');
  await example.says(/^over: SESSION_EXPIRED$/);
  const second = (await example.says(/^registered as /, 2)).slice('registered as '.length);
  expect((await world.other.get(second)).data.toString()).toBe('10.0.0.7:8080');
  expect((await world.other.children('/example/services')).names).toHaveLength(1);
  example.child.kill('SIGTERM');
  expect(await example.ended).toBe(0);
});

test('configuration: each change is followed, and what cannot be read changes nothing', async () => {
  const example = new Example('configuration');
  await example.says(/^no configuration yet$/);
  await world.other.create('/example/config', '{"level":1}', { parents: 'persistent' });
  await example.says(/^level 1, version 0$/);
  await world.other.set('/example/config', '{"level":"high"}');
  await example.says(/^stays at level 1: level is no number$/);
  await world.other.set('/example/config', '{"level":2}');
  await example.says(/^level 2, version 2$/);
  example.child.kill('SIGTERM');
  expect(await example.ended).toBe(0);
  expect(example.lines.at(-1)).toBe('stopped');
});

test('service discovery: instances come and go, and the caller takes them in turn', async () => {
  const caller = new Example('service-discovery', 'call');
  await caller.says(/^instances , next/);
  const first = new Example('service-discovery', 'serve', 'api-1', '8080');
  await first.says(/^registered api-1$/);
  const second = new Example('service-discovery', 'serve', 'api-2', '8081');
  await caller.says(/^instances api-1,api-2, next calls go to (8080,8081|8081,8080)$/);
  first.child.kill('SIGTERM');
  expect(await first.ended).toBe(0);
  await caller.says(/^instances api-2, next calls go to 8081$/);
  for (const one of [second, caller]) {
    one.child.kill('SIGTERM');
    expect(await one.ended).toBe(0);
  }
});

test('a batch of 1,000 creates is one txn, and a refused one changes nothing', async () => {
  const example = new Example('batch');
  expect(await example.ended).toBe(0);
  expect(example.lines).toEqual([
    'created 1000 in 1 txn',
    'refused because of operation 1: NODE_EXISTS',
    'there are 1000',
    'deleted 1000',
  ]);
});

test('a synced read is never late', async () => {
  const example = new Example('synced-read');
  expect(await example.ended).toBe(0);
  expect(example.lines).toEqual(['late reads: 0 of 100']);
});
