// A log that fails ends the server.

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
    expect(world.fatal.map(({ message }) => message)).toEqual(['The txn log failed: disk full']);
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
