// A log that fails, or a txn that cannot be applied, ends the server, and never the process around it.

import { describe, expect, test } from 'vitest';
import { create, exists } from './support/asks.ts';
import { World } from './support/world.ts';

describe('a log that fails', () => {
  test('ends the server: nothing more is answered, and it says so once', async () => {
    const world = await World.start();
    const [client, other] = [world.client(), world.client()];
    world.log.isHeld = true;
    client.send(create('/a'));
    world.run();
    world.log.fail('disk full');
    world.log.fail('disk full again');
    other.send(exists('/'));
    expect(client.lines()).toEqual([]);
    expect(other.lines()).toEqual([]);
    expect([client.isClosed, other.isClosed]).toEqual([true, true]);
    expect(world.fatal).toMatchObject([
      { code: 'txn log', message: 'The txn log failed: disk full' },
    ]);
    expect(world.time.timerCount).toBe(0);
  });

  test('does not apply what it did not make durable', async () => {
    const world = await World.start();
    const client = world.client();
    world.log.isHeld = true;
    client.send(create('/a'));
    world.run();
    const { tree } = world.serving;
    world.log.fail('disk full');
    world.advance(60_000);
    expect(tree.findString('/a')).toBe(0);
    expect(world.dial().connect().session).toBe(undefined);
  });
});

test('a txn that cannot be applied ends the server, with that as its cause, and nothing is thrown', async () => {
  const world = await World.start();
  const [client, other] = [world.client(), world.client()];
  const { tree } = world.serving;
  const apply = tree.apply.bind(tree);
  let applied = 0;
  tree.apply = (...entry) => {
    applied++;
    if (applied === 2) throw new Error('no such record');
    return apply(...entry);
  };
  client.send(create('/a'), create('/b'), create('/c'));
  world.run();
  other.send(exists('/'));
  world.run();
  // Nothing after it is applied, and nothing of the batch is answered.
  expect(applied).toBe(2);
  expect(client.lines()).toEqual([]);
  expect([client.isClosed, other.isClosed]).toEqual([true, true]);
  expect(world.fatal).toMatchObject([
    { code: 'apply', message: 'A txn could not be applied: no such record' },
  ]);
  expect(world.time.timerCount).toBe(0);
});
