// Reads and writes by the first name of their path, as Apache's DataTree counts them.

import { expect, test } from 'vitest';
import { MAX_KEYS, OTHER_KEY } from '../src/metrics/summary.ts';
import {
  create,
  exists,
  getChildren,
  getData,
  multiRead,
  part,
  remove,
  setData,
} from './support/asks.ts';
import { World } from './support/world.ts';

const STAT = 68;

async function start() {
  const world = await World.start();
  return { world, client: world.client(), read: reads(world), written: writes(world) };
}

const reads = (world: World) => () => summed(world.member.metrics.readPerNamespace.entries());
const writes = (world: World) => () => summed(world.member.metrics.writePerNamespace.entries());

function summed(entries: Iterable<readonly [string, { count: number; sum: number }]>) {
  return Object.fromEntries([...entries].map(([key, { count, sum }]) => [key, [count, sum]]));
}

test('a write counts its path and data, a deletion its path, whatever depth it is at', async () => {
  const { client, written } = await start();
  client.must(create('/app', { data: '12345' }));
  expect(written()).toEqual({ app: [1, 4 + 5] });
  client.must(create('/app/one'), create('/app/one/two', { data: 'x' }));
  expect(written()).toEqual({ app: [3, 9 + 8 + 13] });
  client.must(setData('/app/one', '123'), remove('/app/one/two'));
  expect(written()).toEqual({ app: [5, 30 + 11 + 12] });
  client.must(create('/b'));
  expect(written()).toEqual({ app: [5, 53], b: [1, 2] });
});

test('a read counts its path, what it lists or holds, and a Stat', async () => {
  const { client, read } = await start();
  client.must(create('/app', { data: '12345' }), create('/app/one'), create('/app/three'));
  client.must(exists('/app'));
  expect(read()).toEqual({ app: [1, STAT + 4] });
  client.must(getData('/app'));
  expect(read()).toEqual({ app: [2, 2 * STAT + 8 + 5] });
  client.must(getChildren('/app'));
  expect(read()).toEqual({ app: [3, 3 * STAT + 12 + 5 + 8] });
  client.must(multiRead(part.getData('/app/one'), part.getChildren('/app')));
  expect(read()).toEqual({ app: [5, 5 * STAT + 25 + 8 + 4 + 8] });
});

test('reads of the root, and those that find nothing, count for nobody', async () => {
  const { client, read, written } = await start();
  client.must(getData('/'), getChildren('/'), exists('/'), setData('/', 'x'));
  client.errorOf(getData('/nothing'));
  expect([read(), written()]).toEqual([{}, {}]);
});

test('a list that is sent over several turns counts once, when it is whole', async () => {
  const { world, client, read } = await start();
  client.must(create('/wide'));
  for (let i = 0; i < 10_001; i++) client.send(create(`/wide/${String(i).padStart(5, '0')}`));
  world.run();
  client.send(getChildren('/wide'));
  world.run();
  expect(read()).toEqual({ wide: [1, STAT + 5 + 5 * 10_001] });
});

test('a name whose znode was deleted and made again goes on counting under its own', async () => {
  const { client, written } = await start();
  client.must(create('/a'), remove('/a'));
  // Interned paths are given again; this one must not get the numbers of `/a`.
  client.must(create('/other'), create('/a'));
  expect(written()).toEqual({ a: [3, 6], other: [1, 6] });
});

test('beyond the first thousand names all others are summed as one', async () => {
  const { world, client, written } = await start();
  for (let i = 0; i < MAX_KEYS + 5; i++) client.send(create(`/n${i}`));
  world.run();
  for (let i = 0; i < MAX_KEYS + 5; i++) client.send(remove(`/n${i}`));
  world.run();
  const counted = written();
  expect(Object.keys(counted)).toHaveLength(MAX_KEYS + 1);
  expect(counted[OTHER_KEY]).toEqual([10, 10 * '/n1000'.length]);
  expect(counted[`n${MAX_KEYS - 1}`]).toEqual([2, 2 * '/n999'.length]);
});
