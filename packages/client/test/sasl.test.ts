// SASL ahead of everything else on a connection, with a mechanism that is plugged in; and DIGEST-MD5 itself.

import { type ByteWriter, OpCode } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import { digestExchange, digestMd5 } from '../src/digest-md5.ts';
import type { FailedAttempt, SaslMechanism } from '../src/index.ts';
import { type ServerRequest, World, watched, znode } from './world.ts';

/** As GSSAPI goes: two tokens each way, the last of the server's empty. */
function threeSteps(log: string[] = []): SaslMechanism {
  return {
    name: 'THREE-STEPS',
    begin({ host, port }) {
      let step = 0;
      log.push(`begin ${host}:${port}`);
      return {
        async next(token) {
          step++;
          log.push(Buffer.from(token).toString());
          return step === 3 ? undefined : Buffer.from(`client ${step}`);
        },
      };
    },
  };
}

const token = (text: string) => (writer: ByteWriter) => writer.buffer(Buffer.from(text));

/** Takes the client's next token, and says `text`. */
async function say(
  world: World,
  server: { last: { take(type: number): ServerRequest } },
  text: string,
) {
  const { body, connection, xid } = server.last.take(OpCode.sasl);
  const said = body.buffer()?.toString();
  connection.reply(xid, 0, token(text));
  await world.settle();
  return said;
}

describe('a mechanism', () => {
  test('has its say before credentials, watches and requests, on each connection', async () => {
    const world = new World();
    const server = await world.serve();
    const log: string[] = [];
    const connecting = watched(
      world.connecting({ sasl: threeSteps(log), auth: [{ scheme: 'digest', auth: 'a:b' }] }),
    );
    await world.settle();
    expect(server.last.types).toEqual([OpCode.sasl]);
    expect(await say(world, server, 'server 1')).toBe('client 1');
    expect(await say(world, server, '')).toBe('client 2');
    expect(log).toEqual(['begin zk:2181', '', 'server 1', '']);
    expect(connecting.isSettled).toBe(false);
    server.last.reply(server.last.take(OpCode.auth).xid, 0, undefined, 0);
    await world.settle();
    const zk = connecting.value as NonNullable<typeof connecting.value>;
    expect(zk.state.status).toBe('connected');

    server.last.connection.destroy();
    await world.settle();
    const reading = watched(zk.get('/a'));
    await world.advance(200);
    expect(server.connections).toHaveLength(2);
    expect(server.last.types).toEqual([OpCode.sasl]);
    await say(world, server, 'server 1');
    await say(world, server, '');
    expect(server.last.types).toEqual([OpCode.auth, OpCode.getData]);
    server.last.reply(server.last.take(OpCode.auth).xid, 0, undefined, 0);
    server.last.reply(server.last.take(OpCode.getData).xid, 0, znode('x'));
    await world.settle();
    expect(reading.value?.data.toString()).toBe('x');
    expect(zk.session.generation).toBe(1);
  });

  test('that the server refuses at the start is AUTH_FAILED, with the reason', async () => {
    const world = new World();
    const server = await world.serve();
    const connecting = watched(world.connecting({ sasl: threeSteps() }));
    await world.settle();
    server.last.reply(server.last.take(OpCode.sasl).xid, -115);
    await world.settle();
    expect(connecting.error).toMatchObject({ code: 'AUTH_FAILED', op: 'connect' });
    expect(connecting.error?.message).toMatch(/SASL THREE-STEPS: /);
    expect(world.runningTimers).toBe(0);
  });

  test('that the server refuses later is the end of the client', async () => {
    const world = new World();
    const server = await world.serve();
    const connecting = world.connecting({ sasl: threeSteps() });
    await world.settle();
    await say(world, server, 's');
    await say(world, server, '');
    const zk = await connecting;
    server.last.connection.destroy();
    await world.settle();
    const reading = watched(zk.get('/a'));
    await world.advance(200);
    server.last.reply(server.last.take(OpCode.sasl).xid, -124);
    await world.settle();
    expect(zk.state.status).toBe('auth-failed');
    expect(reading.error).toMatchObject({ code: 'AUTH_FAILED', outcome: 'not-sent' });
    expect(world.runningTimers).toBe(0);
  });

  test.each<[string, SaslMechanism]>([
    [
      'throws as it begins',
      {
        name: 'BROKEN',
        begin: () => {
          throw new Error('no ticket');
        },
      },
    ],
    [
      'throws later',
      { name: 'BROKEN', begin: () => ({ next: () => Promise.reject(new Error('no ticket')) }) },
    ],
  ])('that %s is a failed attempt, and tried again', async (_, sasl) => {
    const world = new World();
    const server = await world.serve();
    const attempts: FailedAttempt[] = [];
    const connecting = watched(
      world.connecting({ sasl, establishTimeoutMs: 1000, onAttempt: (one) => attempts.push(one) }),
    );
    await world.advance(1000);
    expect(connecting.error).toMatchObject({ code: 'CONNECTION_LOSS' });
    expect(connecting.error?.message).toContain('SASL BROKEN: no ticket');
    expect(attempts.length).toBeGreaterThan(1);
    expect(server.connections.length).toBe(attempts.length);
    expect(world.runningTimers).toBe(0);
  });

  test('whose answer comes after its connection is lost says nothing on the next one', async () => {
    const world = new World();
    const server = await world.serve();
    const answers: ((bytes: Uint8Array) => void)[] = [];
    const sasl: SaslMechanism = {
      name: 'SLOW',
      begin: () => ({ next: () => new Promise((resolve) => answers.push(resolve)) }),
    };
    const connecting = watched(world.connecting({ sasl }));
    await world.settle();
    server.last.connection.destroy();
    await world.advance(200);
    expect(answers).toHaveLength(2);
    answers[0]?.(Buffer.from('late'));
    await world.settle();
    expect(server.last.types).toEqual([]);
    answers[1]?.(Buffer.from('first'));
    await world.settle();
    expect(server.last.take(OpCode.sasl).body.buffer()?.toString()).toBe('first');
    expect(connecting.isSettled).toBe(false);
  });

  test('that answers after the session is over locally harms no later connection', async () => {
    const world = new World();
    const server = await world.serve();
    const answers: {
      resolve: (bytes: Uint8Array | undefined) => void;
      reject: (error: Error) => void;
    }[] = [];
    const sasl: SaslMechanism = {
      name: 'SLOW',
      begin: () => ({
        next: () => new Promise((resolve, reject) => answers.push({ resolve, reject })),
      }),
    };
    const connecting = world.connecting({ sasl, sessionTimeoutMs: 6000 });
    await world.settle();
    answers[0]?.resolve(undefined);
    await world.settle();
    const zk = await connecting;
    const { session } = zk;
    server.last.connection.destroy();
    // The second login takes until the session is over; the third is that of the next session.
    await world.advance(9000);
    expect(session.signal.aborted).toBe(true);
    expect(answers).toHaveLength(3);
    answers[1]?.reject(new Error('too late'));
    await world.advance(2000);
    expect(answers).toHaveLength(3);
    answers[2]?.resolve(undefined);
    await world.settle();
    expect(zk.state.status).toBe('connected');
    expect(zk.session.generation).toBe(2);
    expect(server.connections).toHaveLength(3);
  });

  test('a server that never answers it is left after 2/3 of the timeout', async () => {
    const world = new World();
    const server = await world.serve();
    const connecting = watched(world.connecting({ sasl: threeSteps(), sessionTimeoutMs: 6000 }));
    await world.settle();
    server.last.isMute = true;
    await world.advance(4100);
    expect(server.connections).toHaveLength(2);
    expect(connecting.isSettled).toBe(false);
  });
});

describe('DIGEST-MD5', () => {
  const challenge =
    'realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8';
  const chris = { username: 'chris', password: 'secret' };

  test('the example of RFC 2831, section 4', async () => {
    const exchange = digestExchange(chris, 'OA6MHXh6VqTrRk', 'imap/elwood.innosoft.com');
    expect(await exchange.next(Buffer.alloc(0))).toHaveLength(0);
    const answer = await exchange.next(Buffer.from(challenge));
    expect(Buffer.from(answer as Uint8Array).toString()).toBe(
      'charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",nc=00000001,' +
        'cnonce="OA6MHXh6VqTrRk",digest-uri="imap/elwood.innosoft.com",maxbuf=65536,' +
        'response=d388dad90d4bbd760a152321f2143af7,qop=auth',
    );
    const proof = Buffer.from('rspauth=ea40f60335c427b5527b84dbabcdfffd');
    expect(await exchange.next(proof)).toBeUndefined();
  });

  test.each([
    ['a proof of another password', [challenge, `rspauth=${'0'.repeat(32)}`], /does not prove/],
    ['no proof', [challenge, ''], /does not prove/],
    ['a challenge without a nonce', ['realm="a"'], /no nonce/],
    [
      'a qop that is more than authentication',
      ['nonce="a",qop="auth-int,auth-conf"'],
      /qop auth-int/,
    ],
    ['no challenge', [''], /no SASL configured/],
  ])('%s ends the exchange', async (_, tokens, message) => {
    const exchange = digestExchange(chris, 'c');
    exchange.next(Buffer.alloc(0));
    const last = tokens.pop() as string;
    for (const one of tokens) exchange.next(Buffer.from(one));
    expect(() => exchange.next(Buffer.from(last))).toThrow(message);
  });

  test('quotes in names are escaped, and read back', async () => {
    const exchange = digestExchange({ username: 'a"b\\c', password: 'x' }, 'c');
    exchange.next(Buffer.alloc(0));
    const answer = await exchange.next(Buffer.from('realm="in \\"quotes\\"",nonce="n"'));
    expect(Buffer.from(answer as Uint8Array).toString()).toContain(
      'username="a\\"b\\\\c",realm="in \\"quotes\\"",nonce="n"',
    );
  });

  test('each exchange has a nonce of its own', async () => {
    const mechanism = digestMd5(chris);
    const answers = new Set<string>();
    for (let i = 0; i < 10; i++) {
      const exchange = mechanism.begin({ host: 'zk', port: 2181 });
      exchange.next(Buffer.alloc(0));
      answers.add(
        Buffer.from((await exchange.next(Buffer.from(challenge))) as Uint8Array).toString(),
      );
    }
    expect(answers.size).toBe(10);
  });

  test('needs two strings', () => {
    expect(() => digestMd5({ username: 'a' } as never)).toThrow(/two strings/);
  });
});
