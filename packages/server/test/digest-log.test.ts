// Which digests are kept for the word `hash`.

import { expect, test } from 'vitest';
import { DigestLog } from '../src/txns/digest-log.ts';
import { create } from './support/asks.ts';
import { World } from './support/world.ts';

test('wants one txn in 128', () => {
  const log = new DigestLog();
  const wanted = Array.from({ length: 600 }, (_, zxid) => zxid).filter((zxid) => log.wants(zxid));
  expect(wanted).toEqual([0, 128, 256, 384, 512]);
});

test('keeps the last 1,024, oldest first', () => {
  const log = new DigestLog();
  for (let i = 1; i <= 1500; i++) log.add(i * 128, BigInt(i));
  const kept = [...log];
  expect(kept).toHaveLength(1024);
  expect(kept.map(({ digest }) => Number(digest))).toEqual(
    Array.from({ length: 1024 }, (_, i) => i + 1500 - 1023),
  );
});

test('holds the digest as it was just after its txn', async () => {
  const world = await World.start();
  const client = world.client();
  for (let i = 2; i <= 128; i++) client.send(create(`/n${i}`));
  world.run();
  const { digest } = world.serving.tree;
  for (let i = 0; i < 50; i++) client.send(create(`/later${i}`));
  world.run();
  expect([...world.serving.digestLog]).toEqual([{ zxid: 128, digest }]);
});
