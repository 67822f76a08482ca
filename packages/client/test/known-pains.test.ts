// What users of other clients ran into (their issues are in many trackers), where no other test here is about it.

import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { OpCode } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import type { State } from '../src/index.ts';
import { answerAll, grantSession, replyFrame, World, watched, znode } from './world.ts';

test('installing needs no compiler, no native code and nothing but packages of this repository', () => {
  for (const name of ['client', 'transport', 'protocol']) {
    const folder =
      name === 'client'
        ? join(import.meta.dirname, '..')
        : dirname(createRequire(import.meta.url).resolve(`@zebu/${name}/package.json`));
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const needed = {
      ...manifest.dependencies,
      ...manifest.optionalDependencies,
      ...manifest.peerDependencies,
    };
    expect(Object.keys(needed).filter((one) => !one.startsWith('@zebu/'))).toEqual([]);
    expect(
      ['install', 'preinstall', 'postinstall'].filter((one) => one in manifest.scripts),
    ).toEqual([]);
    expect(readdirSync(folder)).not.toContain('binding.gyp');
  }
});

test('random bytes from a server never throw out of the client, which goes on', async () => {
  let state = 12345;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state % below;
  };
  const world = new World();
  const server = await world.serve({ request: answerAll });
  const zk = await world.connect();
  for (let round = 0; round < 300; round++) {
    const reading = watched(zk.get('/a'));
    const body = Buffer.from(Array.from({ length: random(60) }, () => random(256)));
    const frame = Buffer.concat([Buffer.from([0, 0, 0, body.length]), body]);
    // Whole frames of nonsense, frames that look like replies or events, and bytes without a frame.
    const kinds = [
      frame,
      body,
      replyFrame(random(4) - 2, random(9), 0, (writer) => writer.raw(body, 0, body.length)),
    ];
    server.last.send(kinds[random(kinds.length)] as Buffer);
    await world.advance(400);
    if (!reading.isSettled) await world.advance(13_000);
    expect(reading.isSettled, `round ${round}`).toBe(true);
  }
  await world.advance(20_000);
  const last = watched(zk.get('/still-here'));
  await world.advance(1000);
  expect(last.value?.data.toString()).toBe('/still-here');
});

test('a server that was wiped, and is behind what the client has seen, ends in a new session and no loop', async () => {
  const world = new World();
  const server = await world.serve({ request: answerAll });
  const zk = await world.connect();
  server.last.event(3, '/a', 0x5_0000_0001);
  await world.settle();
  // Apache's server: "Refusing session request ... as it has seen zxid", and the connection is closed.
  server.script.handshake = (request, connection) => {
    if (request.lastZxidSeen === 0n) return grantSession({ ...request, sessionId: 0n });
    connection.connection.destroy();
    return undefined;
  };
  const { session } = zk;
  server.last.connection.destroy();
  await world.advance(12_000);
  expect(zk.state.status).toBe('suspended');
  await world.advance(5000);
  expect(session.signal.reason).toMatchObject({ code: 'SESSION_EXPIRED', detectedBy: 'local' });
  expect(zk.state.status).toBe('connected');
  expect(zk.session.generation).toBe(2);
});

test('the handshake always says whether a server that only reads will do', async () => {
  const world = new World();
  const handshakes: (boolean | undefined)[] = [];
  await world.serve({
    handshake: (request) => {
      handshakes.push(request.readOnly);
      return grantSession(request);
    },
  });
  await world.connect();
  await world.connect({ readOnly: true });
  // An old client's handshake would leave the byte out, and read as undefined.
  expect(handshakes).toEqual([false, true]);
});

test('servers that the ensemble names are never put in place of those that the user named', async () => {
  const world = new World();
  const dialled: string[] = [];
  const { dial } = world.network;
  world.network.dial = (options, handler) => {
    dialled.push(options.host);
    return dial.call(world.network, options, handler);
  };
  const config = 'server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181\nversion=100000000';
  const server = await world.serve({
    request: ({ connection, xid }) => connection.reply(xid, 0, znode(config)),
  });
  const zk = await world.connect();
  const reading = watched(zk.config());
  await world.settle();
  expect(reading.value?.members.size).toBe(1);
  server.last.connection.destroy();
  await world.advance(2000);
  expect(new Set(dialled)).toEqual(new Set(['zk']));
});

describe('states', () => {
  const LEGAL: { readonly [from: string]: readonly string[] } = {
    connecting: ['connected', 'closed', 'auth-failed'],
    connected: ['suspended', 'closed', 'auth-failed'],
    suspended: ['connected', 'expired', 'closed', 'auth-failed'],
    expired: ['connecting'],
  };

  test.each(Array.from({ length: 20 }, (_, i) => i + 1))(
    'follow one another as they may, seed %i',
    async (seed) => {
      let state = seed;
      const below = (n: number): number => {
        state = (Math.imul(state, 48_271) + 11) & 0x7fffffff;
        return state % n;
      };
      const world = new World();
      const server = await world.serve({
        request: (request) => {
          answerAll(request);
          if (below(6) === 0) request.connection.isMute = true;
        },
        handshake: (request) => {
          const fate = below(6);
          if (fate === 0) return undefined;
          if (fate === 1 && request.sessionId !== 0n)
            return { ...grantSession(request), timeoutMs: 0 };
          return grantSession(request);
        },
      });
      const connecting = world.connecting({ establishTimeoutMs: 0 });
      await world.advance(60_000);
      const zk = await connecting;
      const seen: State[] = [zk.state];
      zk.on('state', (next) => seen.push(next));
      for (let i = 0; i < 60; i++) {
        void zk.get('/a').catch(() => {});
        if (below(4) === 0) server.last.connection.destroy();
        await world.advance(below(4000));
      }
      const closing = zk.close();
      await world.advance(10_000);
      await closing;
      const steps = seen.slice(1).map((next, i) => [seen[i]?.status ?? '', next.status] as const);
      expect(steps.filter(([from, to]) => LEGAL[from]?.includes(to) !== true)).toEqual([]);
      expect(seen.at(-1)?.status).toBe('closed');
    },
  );
});

test('a callback of the user that blocks or throws stalls no reply of others', async () => {
  const world = new World();
  const server = await world.serve({ request: answerAll });
  const zk = await world.connect();
  const { watch } = (await (async () => {
    const reading = zk.get('/a', { watch: true });
    await world.settle();
    return await reading;
  })()) as { watch: { event: Promise<unknown> } };
  const thrown = watch.event.then(() => {
    throw new Error('in the handler of the user');
  });
  const caught = watched(thrown);
  // The event and a reply come in one chunk.
  const reading = watched(zk.get('/b', { retry: false }));
  server.last.event(3, '/a');
  await world.settle();
  expect(caught.error?.message).toBe('in the handler of the user');
  expect(reading.value?.data.toString()).toBe('/b');
  expect(server.last.types.at(-1)).toBe(OpCode.getData);
});
