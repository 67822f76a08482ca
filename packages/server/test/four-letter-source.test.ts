// The words that walk what may be long: a piece a turn, while the server goes on.

import { describe, expect, test } from 'vitest';
import { create, exists, getChildren, getData, setData, setWatches2 } from './support/asks.ts';
import type { RawClient } from './support/raw-client.ts';
import { World } from './support/world.ts';

const COUNT = 10_000;
const paths = Array.from({ length: COUNT }, (_, i) => `/watched/by/somebody/n${i}`);

async function watchedWorld(): Promise<{ world: World; watcher: RawClient; id: string }> {
  const world = await World.start({ fourLetterWhitelist: ['wchp', 'wchc', 'wchs'] });
  const watcher = world.client();
  for (let i = 0; i < COUNT; i += 1000) {
    watcher.must(setWatches2({ exist: paths.slice(i, i + 1000) }));
  }
  const id = `0x${watcher.session?.sessionId.toString(16)}`;
  return { world, watcher, id };
}

/** Paths by session, or sessions by path, of an answer. */
function parse(text: string): Map<string, string[]> {
  const parsed = new Map<string, string[]>();
  let under: string[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('\t')) under.push(line.slice(1));
    else if (line !== '') {
      if (parsed.has(line)) expect.fail(`${line} is there twice`);
      under = [];
      parsed.set(line, under);
    }
  }
  return parsed;
}

test('wchp lists every watched path once, with its sessions', async () => {
  const { world, watcher, id } = await watchedWorld();
  const other = world.client();
  other.must(getData('/', true), exists('/zookeeper', true), getChildren('/zookeeper', true));
  other.send(exists(paths[7] as string, true));
  const asking = world.dial().askWord('wchp');
  world.run();
  const answer = parse(asking.text ?? '');
  const otherId = `0x${other.session?.sessionId.toString(16)}`;
  expect(answer.size).toBe(COUNT + 2);
  expect(answer.get(paths[7] as string)?.sort()).toEqual([id, otherId].sort());
  expect(answer.get('/')).toEqual([otherId]);
  expect(asking.isClosed).toBe(true);
  expect(watcher.isClosed).toBe(false);
});

test('wchc lists every session once, with its paths', async () => {
  const { world, id } = await watchedWorld();
  const asking = world.dial().askWord('wchc');
  world.run();
  const answer = parse(asking.text ?? '');
  expect([...answer.keys()]).toEqual([id]);
  expect(answer.get(id)).toHaveLength(COUNT);
  expect(new Set(answer.get(id))).toEqual(new Set(paths));
});

describe.each(['wchp', 'wchc'])('%s', (word) => {
  test('shows what stays while watches come and go between its pieces', async () => {
    const { world, watcher, id } = await watchedWorld();
    const asking = world.dial().askWord(word);
    const writer = world.client();
    // One-shot watches that fire while the answer is walked: every tenth.
    writer.must(create('/watched'), create('/watched/by'), create('/watched/by/somebody'));
    for (let i = 0; i < COUNT; i += 10) writer.send(create(paths[i] as string));
    watcher.send(exists('/new', true));
    world.run();
    const parsed = parse(asking.text ?? '');
    const shown = new Set(word === 'wchp' ? parsed.keys() : parsed.get(id));
    const missing = paths.filter((path, i) => i % 10 !== 0 && !shown.has(path));
    expect(missing).toEqual([]);
    expect(watcher.events()).toHaveLength(COUNT / 10);
  });

  test('is walked no faster than it is read, and given up when the asking client leaves', async () => {
    const { world, watcher } = await watchedWorld();
    const asking = world.dial();
    asking.transport.pause();
    asking.askWord(word);
    world.run();
    const queued = [...world.member.connections].map(({ transport }) => transport.queuedBytes);
    expect(Math.max(...queued)).toBeLessThan(100_000);
    asking.transport.destroy();
    watcher.transport.destroy();
    world.run();
    expect(world.serving.watches.size).toBe(0);
    expect(world.client().errorOf(setData('/', 'x'))).toBe('OK');
  });
});

test('wchs counts the watchers of data, their paths and watches', async () => {
  const { world } = await watchedWorld();
  world.client().must(getData('/', true));
  const asking = world.dial().askWord('wchs');
  world.run();
  expect(asking.text).toBe(
    `2 connections watching ${COUNT + 1} paths\nTotal watches:${COUNT + 1}\n`,
  );
});
