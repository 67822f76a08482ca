// The first exchange on a connection: sessions made, taken up again and refused.

import { sessionPassword } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import { closeSession, create, exists, getData, ping } from './support/asks.ts';
import { World } from './support/world.ts';

const CLOSED = { isClosed: true, session: undefined };

describe('a new session', () => {
  test('gets an id, the password that belongs to it, and costs one txn', async () => {
    const world = await World.start();
    const { session, sessionBytes } = world.client();
    expect(session).toMatchObject({ protocolVersion: 0, timeoutMs: 10_000, readOnly: false });
    const { sessionId = 0n, password } = session ?? {};
    expect(sessionId >> 56n).toBe(1n);
    expect(Buffer.from(password ?? [])).toEqual(sessionPassword(sessionId));
    expect(sessionBytes).toBe(37);
    expect(world.serving.tree.lastProcessedZxid).toBe(1);
  });

  test('is answered without the readOnly byte when the request had none', async () => {
    const world = await World.start();
    const { session, sessionBytes } = world.client({ readOnly: null });
    expect(session?.readOnly).toBe(undefined);
    expect(sessionBytes).toBe(36);
  });

  test('tolerates a null password', async () => {
    const world = await World.start();
    expect(world.client({ password: null }).session?.timeoutMs).toBe(10_000);
  });

  test.each([
    [1, 4000],
    [-1, 4000],
    [4000, 4000],
    [4001, 4001],
    [40_000, 40_000],
    [99_999, 40_000],
  ])('asking for %i ms lives %i ms, between 2 and 20 ticks', async (asked, granted) => {
    const world = await World.start();
    expect(world.client({ timeoutMs: asked }).session?.timeoutMs).toBe(granted);
  });

  test('is answered only when it is durable', async () => {
    const world = await World.start();
    world.log.isHeld = true;
    const client = world.client();
    expect(client.session).toBe(undefined);
    world.log.release();
    world.run();
    expect(client.session?.timeoutMs).toBe(10_000);
  });

  test('serves requests that were sent after the connect request, in order', async () => {
    const world = await World.start();
    const client = world.dial().connect();
    client.send(create('/a'), exists('/a'));
    expect(client.lines()).toEqual(['#1 OK', '#2 OK']);
  });
});

describe('a session that comes back', () => {
  test('keeps its id, and takes the timeout that is asked for now', async () => {
    const world = await World.start();
    const first = world.client();
    first.must(create('/mine', { flags: 1 }));
    const again = world.reattach(first, { timeoutMs: 7000 });
    expect(again.session).toMatchObject({
      sessionId: first.session?.sessionId,
      timeoutMs: 7000,
    });
    expect(again.errorOf(exists('/mine'))).toBe('OK');
  });

  test('costs no txn', async () => {
    const world = await World.start();
    const first = world.client();
    world.reattach(first);
    expect(world.serving.tree.lastProcessedZxid).toBe(1);
  });

  test('closes the connection that held it', async () => {
    const world = await World.start();
    const first = world.client();
    world.reattach(first);
    expect(first.isClosed).toBe(true);
  });

  test('is known after its connection is gone', async () => {
    const world = await World.start();
    const first = world.client();
    first.transport.destroy();
    world.run();
    expect(world.reattach(first).session?.timeoutMs).toBe(10_000);
  });

  test.each([
    ['a wrong password', { password: Buffer.alloc(16, 7) }],
    ['a null password', { password: null }],
    ['a password too short', { password: Buffer.alloc(3) }],
    ['an unknown id', { sessionId: 0x1234n }],
  ])('with %s is refused: zeros, then the connection is closed', async (_, options) => {
    const world = await World.start();
    const refused = world.reattach(world.client(), options);
    expect(refused.session).toEqual({
      protocolVersion: 0,
      timeoutMs: 0,
      sessionId: 0n,
      password: Buffer.alloc(16),
      readOnly: false,
    });
    expect(refused.isClosed).toBe(true);
  });

  test('is refused once its end is decided, though not yet durable', async () => {
    const world = await World.start();
    const first = world.client();
    world.log.isHeld = true;
    first.send(closeSession());
    world.run();
    expect(world.reattach(first).session?.timeoutMs).toBe(0);
  });
});

describe('a connection that must not be served', () => {
  test('is closed without an answer when the client has seen more than the server', async () => {
    const world = await World.start();
    world.client();
    expect(world.client({ lastZxidSeen: 1n }).isClosed).toBe(false);
    expect(world.client({ lastZxidSeen: 9n })).toMatchObject(CLOSED);
  });

  test('is closed when its connect request ends early', async () => {
    const world = await World.start();
    const client = world.dial().sendBytes(Buffer.from('0000000800000000000000', 'hex'));
    world.run();
    expect(client.isClosed).toBe(false);
    client.sendBytes(Buffer.alloc(1));
    world.run();
    expect(client).toMatchObject(CLOSED);
  });

  test.each(['ffffffff', '00100000', '7fffffff'])(
    'is closed on a first frame of %s',
    async (hex) => {
      const world = await World.start();
      const client = world.dial().sendBytes(Buffer.from(hex, 'hex'));
      world.run();
      expect(client).toMatchObject(CLOSED);
    },
  );

  test('is closed when it has no session after 10 s, and no sooner', async () => {
    const world = await World.start();
    const silent = world.dial();
    const busy = world.client();
    world.advance(9000);
    busy.must(ping());
    expect(silent.isClosed).toBe(false);
    world.advance(3000);
    expect(silent.isClosed).toBe(true);
    expect(busy.isClosed).toBe(false);
  });

  test('is read as a request when it sends a second connect request: an unknown one', async () => {
    const world = await World.start();
    const client = world.client().connect();
    // Its lastZxidSeen stands where an opcode would: 0.
    expect(client.lines()).toEqual(['#0 UNIMPLEMENTED']);
    expect(client.frames[0]?.zxid).toBe(-1);
    expect(client.isClosed).toBe(true);
  });

  test.each([
    ['maxCnxns', { maxCnxns: 2 }],
    ['maxClientCnxns', { maxClientCnxns: 2 }],
  ])('is closed at once beyond %s, and taken when another has left', async (_, config) => {
    const world = await World.start(config);
    const first = world.client();
    const second = world.client();
    expect(world.client()).toMatchObject(CLOSED);
    expect(first.isClosed || second.isClosed).toBe(false);
    first.transport.destroy();
    world.run();
    expect(world.client().session?.timeoutMs).toBe(10_000);
  });
});

describe('the connection throttle', () => {
  test('takes as many connect requests as it has tokens, and fills up with time', async () => {
    const world = await World.start({
      connectionThrottle: { tokens: 2, fillTimeMs: 100, fillCount: 1 },
    });
    const isServed = (): boolean => world.client().session !== undefined;
    expect([isServed(), isServed(), isServed()]).toEqual([true, true, false]);
    world.advance(100);
    expect([isServed(), isServed()]).toEqual([true, false]);
  });
});

test('a request after the handshake shows the state that the handshake found', async () => {
  const world = await World.start();
  world.client().must(create('/a', { data: 'x' }));
  expect(world.client().errorOf(getData('/a'))).toBe('OK');
});
