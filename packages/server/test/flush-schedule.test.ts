// When the txns that were gathered go to the log.

import { describe, expect, test } from 'vitest';
import { create } from './support/asks.ts';
import { World } from './support/world.ts';

const creates = (count: number) => Array.from({ length: count }, (_, i) => create(`/n${i}`));

describe('the log is flushed', () => {
  test('once for all writes that came in one turn, whoever sent them', async () => {
    const world = await World.start();
    const clients = [world.client(), world.client(), world.client()];
    world.log.flushes.length = 0;
    for (const [i, client] of clients.entries()) client.send(create(`/a${i}`), create(`/b${i}`));
    world.run();
    expect(world.log.flushes).toEqual([6]);
  });

  test('at maxBatchSize without waiting for the end of the turn', async () => {
    const world = await World.start({ maxBatchSize: 10 });
    const client = world.client();
    world.log.flushes.length = 0;
    client.send(...creates(25));
    world.run();
    expect(world.log.flushes).toEqual([10, 10, 5]);
    expect(client.lines()).toHaveLength(25);
  });

  test('with a maxBatchSize of 0 at the end of the turn only', async () => {
    const world = await World.start({ maxBatchSize: 0 });
    const client = world.client();
    world.log.flushes.length = 0;
    client.send(...creates(25));
    world.run();
    expect(world.log.flushes).toEqual([25]);
  });

  test('only after flushDelay, with all that came until then', async () => {
    const world = await World.start({ flushDelayMs: 20 });
    const client = world.client();
    world.advance(20);
    world.log.flushes.length = 0;
    client.send(create('/a'));
    world.advance(10);
    client.send(create('/b'));
    world.advance(9);
    expect(client.lines()).toEqual([]);
    world.advance(1);
    expect(client.lines()).toEqual(['#1 OK', '#2 OK']);
    expect(world.log.flushes).toEqual([2]);
    world.advance(100);
    expect(world.log.flushes).toEqual([2]);
  });

  test('at maxBatchSize before flushDelay is over', async () => {
    const world = await World.start({ flushDelayMs: 20, maxBatchSize: 2 });
    const client = world.client();
    world.advance(20);
    client.send(...creates(2));
    expect(client.lines()).toEqual(['#1 OK', '#2 OK']);
  });
});
