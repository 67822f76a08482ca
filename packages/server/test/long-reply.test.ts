// A reply too long for one turn: whole, of one moment, in its place, and nobody else waits for it.

import { OpCode } from '@zebu/protocol';
import { expect, test } from 'vitest';
import type { ClientConnection } from '../src/connection/client-connection.ts';
import { Stop } from '../src/connection/connection-input.ts';
import {
  ask,
  create,
  getChildren,
  getChildren2,
  getData,
  remove,
  setData,
} from './support/asks.ts';
import { bodyOf, type Frame, type RawClient } from './support/raw-client.ts';
import { World } from './support/world.ts';

const CHILDREN = 12_000;

async function wideWorld(): Promise<{ world: World; asker: RawClient; other: RawClient }> {
  const world = await World.start({ globalOutstandingLimit: 100_000 });
  const [asker, other] = [world.client(), world.client()];
  other.must(create('/wide'), create('/data', { data: 'before' }));
  const names = Array.from({ length: CHILDREN }, (_, i) => create(`/wide/child-${i}`));
  other.send(...names);
  world.run();
  other.lines();
  return { world, asker, other };
}

function namesOf(frame: Frame): string[] {
  return bodyOf(frame).stringVector() ?? [];
}

test('lists every child, though some go and others come while it is written', async () => {
  const { world, asker, other } = await wideWorld();
  asker.send(getChildren2('/wide'));
  other.send(remove('/wide/child-11999'), create('/wide/late'));
  world.run();
  const frame = asker.frames.find(({ error }) => error === 0) as Frame;
  const names = namesOf(frame);
  expect(names).toHaveLength(CHILDREN);
  expect(new Set(names).size).toBe(CHILDREN);
});

test('comes before the replies to what was asked after it, and before later events', async () => {
  const { world, asker, other } = await wideWorld();
  asker.must(getData('/data', true));
  asker.lines();
  asker.send(getChildren('/wide'), setData('/data', 'after'), getData('/data'), ask(OpCode.whoAmI));
  other.send(getData('/data'));
  world.run();
  const lines = asker.lines();
  expect(lines.map((line) => line.split(' ')[0])).toEqual(['#2', 'changed', '#3', '#4', '#5']);
});

test('is given up with its connection, and the server goes on', async () => {
  const { world, asker, other } = await wideWorld();
  asker.send(getChildren('/wide'));
  asker.transport.destroy();
  world.run();
  expect(namesOf(other.call(getChildren('/wide')))).toHaveLength(CHILDREN);
});

test('is given up where the server ends the connection, but not the replies before it', async () => {
  const { world, asker, other } = await wideWorld();
  asker.lines();
  asker.send(getData('/data'), getChildren('/wide'));
  const isBeingWritten = ({ input }: ClientConnection): boolean =>
    (input.stops & Stop.longReply) !== 0;
  let connection: ClientConnection | undefined;
  while (connection === undefined && world.time.turn()) {
    connection = [...world.member.connections].find(isBeingWritten);
  }
  connection?.abort(new Error('for a reason of its own'));
  world.run();
  expect(asker.lines()).toEqual(['#1 OK']);
  expect(asker.isClosed).toBe(true);
  expect(namesOf(other.call(getChildren('/wide')))).toHaveLength(CHILDREN);
});

test('keeps its place between writes, and what comes after it keeps its own', async () => {
  const { world, asker } = await wideWorld();
  world.log.isHeld = true;
  asker.send(
    setData('/data', 'first'),
    getChildren('/wide'),
    getData('/data'),
    getChildren('/wide'),
    setData('/data', 'second'),
    getData('/data'),
  );
  world.run();
  world.log.isHeld = false;
  world.log.release();
  world.run();
  const replies = asker.frames.slice(-6);
  expect(replies.map(({ xid }) => xid)).toEqual([1, 2, 3, 4, 5, 6]);
  const textOf = (frame: Frame | undefined): string | undefined =>
    bodyOf(frame as Frame)
      .buffer()
      ?.toString();
  expect(textOf(replies[2])).toBe('first');
  expect(textOf(replies[5])).toBe('second');
  expect(namesOf(replies[3] as Frame)).toHaveLength(CHILDREN);
});
