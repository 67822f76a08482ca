// What a client may rely on: the order of its own requests, of what it sees of others, and that
// nothing is told before it is durable.

import { describe, expect, test } from 'vitest';
import {
  addWatch,
  ask,
  auth,
  closeSession,
  create,
  createContainer,
  exists,
  getChildren,
  getData,
  ping,
  remove,
  setData,
  sync,
  whoAmI,
} from './support/asks.ts';
import { bodyOf, type Frame, type RawClient } from './support/raw-client.ts';
import { World } from './support/world.ts';

/** A server whose log makes nothing durable until told, with clients made before. */
async function heldWorld(clients: number): Promise<{ world: World; clients: RawClient[] }> {
  const world = await World.start();
  const made = Array.from({ length: clients }, () => world.client());
  made[0]?.must(create('/a', { data: '0' }));
  for (const client of made) client.lines();
  world.log.isHeld = true;
  return { world, clients: made };
}

function dataOf(frame: Frame | undefined): string {
  return bodyOf(frame as Frame)
    .buffer()
    ?.toString() as string;
}

describe('a write', () => {
  test('is neither answered nor seen by anybody before it is durable', async () => {
    const { world, clients } = await heldWorld(2);
    const [writer, reader] = clients as [RawClient, RawClient];
    reader.must(getData('/a', true));
    reader.lines();
    writer.send(setData('/a', '1'));
    expect(writer.lines()).toEqual([]);
    expect(reader.lines()).toEqual([]);
    expect(dataOf(reader.call(getData('/a')))).toBe('0');
    reader.lines();
    world.log.release();
    expect(writer.lines()).toEqual(['#2 OK']);
    expect(reader.lines()).toEqual(['changed /a']);
  });

  test('is answered with its own zxid, though later ones became durable with it', async () => {
    const { world, clients } = await heldWorld(1);
    const [client] = clients as [RawClient];
    client.send(setData('/a', '1'), setData('/a', '2'), remove('/nowhere'), setData('/a', '3'));
    world.run();
    world.log.release();
    expect(client.lines()).toEqual(['#2 OK', '#3 OK', '#4 NONODE', '#5 OK']);
    expect(client.frames.slice(1).map(({ zxid }) => zxid)).toEqual([3, 4, 5, 6]);
  });

  test('that failed waits its turn like any other', async () => {
    const { world, clients } = await heldWorld(1);
    const [client] = clients as [RawClient];
    client.send(remove('/nowhere'));
    expect(client.lines()).toEqual([]);
    world.log.release();
    expect(client.lines()).toEqual(['#2 NONODE']);
  });

  test('is decided against all writes before it, durable or not, whoever made them', async () => {
    const { world, clients } = await heldWorld(2);
    const [one, other] = clients as [RawClient, RawClient];
    one.send(create('/b'));
    world.run();
    other.send(create('/b'), create('/b/c'), remove('/b'));
    world.run();
    world.log.release();
    expect(other.lines()).toEqual(['#1 NODEEXISTS', '#2 OK', '#3 NOTEMPTY']);
  });

  test('is answered as far as the log is durable, and no further', async () => {
    const { world, clients } = await heldWorld(1);
    const [client] = clients as [RawClient];
    client.send(setData('/a', '1'), setData('/a', '2'), setData('/a', '3'));
    world.run();
    world.log.release(4);
    expect(client.lines()).toEqual(['#2 OK', '#3 OK']);
    world.log.release(5);
    expect(client.lines()).toEqual(['#4 OK']);
  });
});

describe('a read', () => {
  test('waits for the writes of its own connection, and sees the state just after them', async () => {
    const { world, clients } = await heldWorld(1);
    const [client] = clients as [RawClient];
    client.send(setData('/a', '1'), getData('/a'), setData('/a', '2'), getData('/a'));
    expect(client.lines()).toEqual([]);
    world.log.release();
    expect(client.lines()).toEqual(['#2 OK', '#3 OK', '#4 OK', '#5 OK']);
    expect(dataOf(client.frames[2])).toBe('1');
    expect(dataOf(client.frames[4])).toBe('2');
    expect(client.frames.slice(1).map(({ zxid }) => zxid)).toEqual([3, 3, 4, 4]);
  });

  test('does not wait for the writes of others', async () => {
    const { world, clients } = await heldWorld(2);
    const [writer, reader] = clients as [RawClient, RawClient];
    writer.send(setData('/a', '1'));
    world.run();
    expect(dataOf(reader.call(getData('/a')))).toBe('0');
    expect(reader.frames[0]?.zxid).toBe(world.serving.tree.lastProcessedZxid);
  });

  test('between two writes of its own sees nothing of others that comes after them', async () => {
    const { world, clients } = await heldWorld(2);
    const [one, other] = clients as [RawClient, RawClient];
    one.send(setData('/a', 'one'), getData('/a'));
    world.run();
    other.send(setData('/a', 'other'));
    world.run();
    world.log.release();
    world.run();
    expect(dataOf(one.frames.at(-1))).toBe('one');
  });

  test.each([
    ['ping', ping(), '#-2 OK'],
    ['sync', sync('/a'), '#3 OK'],
    ['whoAmI', whoAmI(), '#3 OK'],
    ['an unknown request', ask(99), '#3 UNIMPLEMENTED'],
  ])('of no znode waits its turn too: %s', async (_, request, reply) => {
    const { world, clients } = await heldWorld(1);
    const [client] = clients as [RawClient];
    client.send(setData('/a', '1'), request);
    expect(client.lines()).toEqual([]);
    world.log.release();
    expect(client.lines()).toEqual(['#2 OK', reply]);
  });

  test.each([
    ['read', getData('/a')],
    ['write', setData('/a', '2')],
  ])(
    'or %s after an unknown request is not answered: the connection is closed',
    async (_, last) => {
      const { world, clients } = await heldWorld(1);
      const [client] = clients as [RawClient];
      client.send(setData('/a', '1'), ask(99), last);
      world.run();
      world.log.release();
      expect(client.lines()).toEqual(['#2 OK', '#3 UNIMPLEMENTED']);
      expect(client.isClosed).toBe(true);
    },
  );
});

test('auth is answered at once, before writes that are still in the works', async () => {
  const { world, clients } = await heldWorld(1);
  const [client] = clients as [RawClient];
  client.send(setData('/a', '1'));
  client.sendWithXid(-4, auth('digest', 'u:p'));
  expect(client.lines()).toEqual(['#-4 OK']);
  expect(client.frames.at(-1)?.zxid).toBe(0);
  world.log.release();
  expect(client.lines()).toEqual(['#2 OK']);
});

describe('an event', () => {
  test('comes before the reply to the write that caused it, with the same zxid', async () => {
    const world = await World.start();
    const client = world.client();
    client.send(exists('/a', true), create('/a'), getData('/a', true), setData('/a', 'x'));
    expect(client.lines()).toEqual([
      '#1 NONODE',
      'created /a',
      '#2 OK',
      '#3 OK',
      'changed /a',
      '#4 OK',
    ]);
    expect(client.frames.map(({ zxid }) => zxid)).toEqual([1, 2, 2, 2, 3, 3]);
  });

  test('comes before any read that sees the change', async () => {
    const world = await World.start();
    const watcher = world.client();
    const writer = world.client();
    watcher.send(getChildren('/', true));
    watcher.lines();
    writer.send(create('/a'));
    world.run();
    watcher.send(exists('/a'));
    expect(watcher.lines()).toEqual(['children /', '#2 OK']);
  });

  test('comes in the order of the txns', async () => {
    const { world, clients } = await heldWorld(2);
    const [watcher, writer] = clients as [RawClient, RawClient];
    watcher.must(addWatch('/', 1));
    watcher.lines();
    writer.send(create('/b'), setData('/b', 'x'), create('/b/c'), remove('/b/c'), remove('/b'));
    world.run();
    world.log.release();
    expect(watcher.lines()).toEqual([
      'created /b',
      'changed /b',
      'created /b/c',
      'deleted /b/c',
      'deleted /b',
    ]);
  });
});

describe('closeSession', () => {
  test('is answered, then the connection is closed', async () => {
    const world = await World.start();
    const client = world.client();
    client.send(create('/e', { flags: 1 }), closeSession());
    expect(client.lines()).toEqual(['#1 OK', '#2 OK']);
    expect(client.isClosed).toBe(true);
    expect(world.client().errorOf(exists('/e'))).toBe('NONODE');
  });

  test('leaves what follows it unanswered and undone', async () => {
    const { world, clients } = await heldWorld(2);
    const [client, other] = clients as [RawClient, RawClient];
    client.send(setData('/a', '1'), closeSession(), create('/late'), getData('/a'), ping());
    world.run();
    world.log.release();
    expect(client.lines()).toEqual(['#2 OK', '#3 OK']);
    world.log.isHeld = false;
    expect(other.errorOf(exists('/late'))).toBe('NONODE');
  });
});

describe('a request that does not decode', () => {
  test('fails alone when it is a read, with the zxid of now', async () => {
    const world = await World.start();
    const client = world.client();
    const reply = client.call(ask(4, (w) => w.int32(77)));
    expect(reply).toMatchObject({ error: -5, zxid: 1, body: Buffer.alloc(0) });
    expect(client.errorOf(exists('/'))).toBe('OK');
  });

  test('fails alone when it is a write, with a zxid of its own', async () => {
    const world = await World.start();
    const client = world.client();
    expect(client.call(ask(1, (w) => w.int32(77)))).toMatchObject({ error: -5, zxid: 2 });
    expect(client.call(createContainer('/c')).zxid).toBe(3);
  });

  test('with bytes after its end is served all the same', async () => {
    const world = await World.start();
    const { type, body } = exists('/');
    const longer = { type, body: Buffer.concat([body, Buffer.from('more')]) };
    expect(world.client().errorOf(longer)).toBe('OK');
  });

  test.each([0, 7])('of %i bytes, less than a header, closes the connection', async (length) => {
    const world = await World.start();
    const client = world.client();
    const frame = Buffer.alloc(4 + length);
    frame.writeInt32BE(length, 0);
    client.sendBytes(frame);
    expect(client.lines()).toEqual([]);
    expect(client.isClosed).toBe(true);
  });

  test.each([0, 10, 13, 20, -1, -10, 98, 108, 0x7fffffff, -0x80000000])(
    'because nobody may ask for opcode %i is answered, then the connection is closed',
    async (type) => {
      const world = await World.start();
      const client = world.client();
      client.send(ask(type));
      expect(client.lines()).toEqual(['#1 UNIMPLEMENTED']);
      expect(client.frames[0]?.zxid).toBe(-1);
      expect(client.isClosed).toBe(true);
    },
  );
});

test('requests cut at any byte are answered as whole ones', async () => {
  const world = await World.start();
  const client = world.client();
  const { type, body } = create('/cut');
  const frame = Buffer.concat([Buffer.alloc(12), body]);
  frame.writeInt32BE(8 + body.length, 0);
  frame.writeInt32BE(9, 4);
  frame.writeInt32BE(type, 8);
  for (let at = 0; at < frame.length; at++) {
    client.sendBytes(frame.subarray(0, at));
    world.run();
    client.sendBytes(frame.subarray(at));
    world.run();
  }
  const replies = client.lines();
  expect(replies).toHaveLength(frame.length);
  expect(new Set(replies)).toEqual(new Set(['#9 OK', '#9 NODEEXISTS']));
});
