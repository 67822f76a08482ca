// One queue, one barrier and double barriers with kazoo, and one service registry with Curator's x-discovery, at once with @zebu/recipes.

import { type Client, connect } from '@zebu/client';
import { barrier, doubleBarrier, type Party } from '@zebu/recipes/barrier';
import { queue } from '@zebu/recipes/queue';
import { registry } from '@zebu/recipes/registry';
import { text } from '@zebu/recipes/typed';
import { startServer } from '@zebu/server';
import { expect } from 'vitest';
import { startApache } from '../../src/apache.ts';
import { interopTest } from '../support.ts';
import { curatorProgram, kazooProgram } from './foreign-program.ts';

const ITEMS = 40;
const ROUNDS = 20;
const PATIENCE = { timeout: 60_000, interval: 10 };

type Share = (port: number) => Promise<void>;

async function consume(zk: Client, who: string, signal: AbortSignal): Promise<void> {
  for await (const item of queue(zk, '/queue', text()).consume({ signal, prefetch: 1 })) {
    await zk.create(`/consumed/${who} `, item.value, { sequential: true });
    await item.ack();
  }
}

const shareQueue: Share = async (port) => {
  await using zk = await connect(`127.0.0.1:${port}`);
  await using second = await connect(`127.0.0.1:${port}`);
  await zk.create('/consumed');
  const kazoo = kazooProgram('kazoo', 'shares.py', [
    `127.0.0.1:${port}`,
    'queue',
    '/queue',
    String(ITEMS),
  ]);
  const stopping = new AbortController();
  try {
    await kazoo.ready;
    await zk.create('/go');
    const consuming = [
      consume(zk, 'zebu', stopping.signal),
      consume(second, 'zebu', stopping.signal),
    ];
    await using work = queue(zk, '/queue', text());
    const putting = Array.from({ length: ITEMS }, (_, i) =>
      work.put(`zebu ${i}`, { priority: 100 + (i % 3) }),
    );
    await Promise.all(putting);
    const consumed = async () => (await zk.children('/consumed')).names;
    await expect.poll(async () => (await consumed()).length, PATIENCE).toBe(2 * ITEMS);
    await expect.poll(() => work.size(), PATIENCE).toBe(0);
    stopping.abort();
    await zk.create('/stop');
    await Promise.all([...consuming, kazoo.done]);
    const names = await consumed();
    const values = [];
    for (const name of names) values.push((await zk.get(`/consumed/${name}`)).data.toString());
    const expected = ['kazoo', 'zebu'].flatMap((who) =>
      Array.from({ length: ITEMS }, (_, i) => `${who} ${i}`),
    );
    // Each once, whoever put it and whoever took it; and both took some.
    expect(values.sort()).toEqual(expected.sort());
    expect(new Set(names.map((name) => name.split(' ')[0]))).toEqual(new Set(['kazoo', 'zebu']));
    expect((await zk.children('/queue/taken')).names).toEqual([]);
  } finally {
    stopping.abort();
    kazoo.kill();
  }
};

const shareBarrier: Share = async (port) => {
  await using zk = await connect(`127.0.0.1:${port}`);
  const gate = barrier(zk, '/gate');
  const kazoo = kazooProgram('kazoo', 'shares.py', [
    `127.0.0.1:${port}`,
    'barrier',
    '/gate',
    String(ROUNDS),
  ]);
  const there = async (path: string): Promise<void> =>
    await expect.poll(async () => (await zk.exists(path)) !== undefined, PATIENCE).toBe(true);
  try {
    await kazoo.ready;
    await zk.create('/go');
    for (let round = 0; round < ROUNDS; round++) {
      await gate.raise();
      await zk.create(`/raised-${round}`);
      await there(`/waits-${round}`);
      await gate.lift();
      await there(`/raised-here-${round}`);
      let isPassed = false;
      const passing = gate.wait().then(() => {
        isPassed = true;
      });
      await zk.sync('/');
      expect(isPassed).toBe(false);
      await zk.create(`/waits-there-${round}`);
      await passing;
      await zk.create(`/passed-${round}`);
    }
    await kazoo.done;
  } finally {
    kazoo.kill();
  }
};

/** A path for each round. On one path kazoo's members, which never come back to a round, may hang: see the cookbook. */
const shareDoubleBarrier: Share = async (port) => {
  await using zk = await connect(`127.0.0.1:${port}`);
  await using second = await connect(`127.0.0.1:${port}`);
  for (let round = 0; round < ROUNDS; round++) {
    await zk.create(`/in-${round}`);
    await zk.create(`/out-${round}`);
  }
  const kazoo = kazooProgram('kazoo', 'shares.py', [
    `127.0.0.1:${port}`,
    'double',
    '/together',
    String(ROUNDS),
  ]);
  const countOf = async (path: string): Promise<number> => (await zk.children(path)).names.length;
  try {
    await kazoo.ready;
    await zk.create('/go');
    for (let round = 0; round < ROUNDS; round++) {
      const path = `/together-${round}`;
      const first = await enterAlone(zk, path);
      const [a, b] = await Promise.all([first.entered, doubleBarrier(second, path, 3).enter()]);
      // All three are in, kazoo's says so a moment later.
      await expect.poll(() => countOf(`/in-${round}`), PATIENCE).toBe(1);
      let isOver = false;
      const leaving = a.leave().then(() => {
        isOver = true;
      });
      await zk.sync('/');
      // The third is in.
      expect(isOver).toBe(false);
      await Promise.all([leaving, b.leave()]);
      await expect.poll(() => countOf(`/out-${round}`), PATIENCE).toBe(1);
      expect(await zk.exists(path)).toSatisfy(
        (stat: { numChildren: number } | undefined) => (stat?.numChildren ?? 0) === 0,
      );
    }
    await kazoo.done;
  } finally {
    kazoo.kill();
  }
};

/** Enters, and shows that it does not come in before the others do. */
async function enterAlone(zk: Client, path: string): Promise<{ entered: Promise<Party> }> {
  let isIn = false;
  const entered = doubleBarrier(zk, path, 3)
    .enter()
    .then((party) => {
      isIn = true;
      return party;
    });
  entered.catch(() => {});
  // It and kazoo's are there, and wait.
  const members = async () => (await zk.exists(path))?.numChildren ?? 0;
  await expect.poll(members, PATIENCE).toBe(2);
  await zk.sync('/');
  expect(isIn).toBe(false);
  return { entered };
}

const shareRegistry: Share = async (port) => {
  await using zk = await connect(`127.0.0.1:${port}`);
  const services = registry(zk, '/services');
  const java = curatorProgram('Curator', 'Discovery.java', [`127.0.0.1:${port}`, '/services']);
  try {
    await java.ready;
    await using resolver = await services.resolver('api', { strategy: 'round-robin' });
    expect(resolver.pick()).toEqual({ id: 'java-1', host: '10.0.0.9', port: 9000 });
    const me = await services.register('api', {
      id: 'zebu-1',
      host: '10.0.0.1',
      port: 8443,
      tls: true,
      meta: null,
    });
    await expect.poll(() => java.lines, PATIENCE).toContain('provided');
    expect(java.lines).toContain('found zebu-1 10.0.0.1 null 8443 DYNAMIC true');
    expect(java.lines).toContain('instances 2');
    await expect
      .poll(() => resolver.instances.map(({ id }) => id), PATIENCE)
      .toEqual(['java-1', 'zebu-1']);
    await me[Symbol.asyncDispose]();
    await zk.create('/go');
    await java.done;
    expect(java.lines).toContain('gone');
    await expect.poll(() => resolver.instances, PATIENCE).toEqual([]);
  } finally {
    java.kill();
  }
};

const SHARED = [
  ['zebu and kazoo share a queue', ['kazoo'], shareQueue],
  ['zebu and kazoo share a barrier', ['kazoo'], shareBarrier],
  ['zebu and kazoo share double barriers', ['kazoo'], shareDoubleBarrier],
  ["zebu and Curator's x-discovery find each other", ['curator'], shareRegistry],
] as const;

for (const [name, tools, share] of SHARED) {
  interopTest(`${name}, on zebu`, tools, 300_000, async () => {
    const server = await startServer({ port: 0 });
    try {
      await share(server.port);
    } finally {
      await server.close();
    }
  });
  interopTest(`${name}, on Apache`, ['apache', ...tools], 300_000, async () => {
    await using server = await startApache();
    await share(server.port);
  });
}
