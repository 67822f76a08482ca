// What a user of the calls sees beside their results: aborted watches, stacks, wrong options, what is printed.

import { inspect } from 'node:util';
import { AddWatchMode, OpCode, WatcherType } from '@zebu/protocol';
import { describe, expect, expectTypeOf, test } from 'vitest';
import type { Client, Existence, OneShot, Stat, Watched, WatchItem } from '../src/index.ts';
import {
  CREATOR_ALL_ACL,
  connect,
  digestAcl,
  OPEN_ACL_UNSAFE,
  Perms,
  READ_ACL_UNSAFE,
  ZkError,
} from '../src/index.ts';
import { refuseSession, stat, World, watched, znode } from './world.ts';

/** Answers as a server with one znode, `/a`, and remembers which watches it has. */
async function connected(options: Parameters<World['connect']>[0] = {}) {
  const world = new World();
  const watches = new Set<string>();
  const server = await world.serve({
    request: ({ connection, xid, type, body }) => {
      switch (type) {
        case OpCode.addWatch: {
          watches.add(`${body.string()} ${body.int32()}`);
          connection.reply(xid);
          break;
        }
        case OpCode.removeWatches: {
          const path = body.string();
          const kind = body.int32();
          const mode =
            kind === WatcherType.persistentRecursive
              ? AddWatchMode.persistentRecursive
              : AddWatchMode.persistent;
          const name = kind === WatcherType.data ? `${path} data` : `${path} ${mode}`;
          connection.reply(xid, watches.delete(name) ? 0 : -121);
          break;
        }
        case OpCode.getData: {
          const path = body.string() as string;
          if (body.bool()) watches.add(`${path} data`);
          if (path === '/a') connection.reply(xid, 0, znode('data'));
          else connection.reply(xid, -101);
          break;
        }
        case OpCode.exists: {
          const path = body.string() as string;
          if (body.bool()) watches.add(`${path} data`);
          if (path === '/a') connection.reply(xid, 0, stat);
          else connection.reply(xid, -101);
          break;
        }
        case OpCode.create2:
          connection.reply(xid, 0, (writer) => {
            writer.string(body.string());
            stat(writer);
          });
          break;
        default:
          connection.reply(xid);
      }
    },
  });
  const zk = await world.connect(options);
  return { world, server, zk, watches };
}

function collect(stream: AsyncIterable<WatchItem>) {
  const items: WatchItem[] = [];
  const reading = (async () => {
    for await (const item of stream) items.push(item);
  })();
  return { items, end: watched(reading) };
}

describe('a watch whose signal aborts', () => {
  test('while the loop waits: the loop ends, and the server has no watch', async () => {
    const { world, zk, watches } = await connected();
    const controller = new AbortController();
    const streaming = zk.watch('/a', { signal: controller.signal });
    await world.settle();
    const { items, end } = collect(await streaming);
    await world.settle();
    expect([...watches]).toEqual([`/a ${AddWatchMode.persistent}`]);
    expect(items).toEqual([{ type: 'resync', reason: 'established' }]);
    controller.abort();
    await world.settle();
    expect(end).toEqual({ isSettled: true, value: undefined });
    expect([...watches]).toEqual([]);
  });

  test('in the body of the loop: nothing more of what is buffered comes', async () => {
    const { world, server, zk, watches } = await connected();
    const controller = new AbortController();
    const streaming = zk.watch('/a', { signal: controller.signal, recursive: true });
    await world.settle();
    const stream = await streaming;
    for (let i = 0; i < 3; i++) server.last.event(3, '/a');
    await world.settle();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const item of stream) {
        seen.push(item.type);
        if (seen.length === 2) controller.abort();
      }
    })();
    await world.settle();
    await reading;
    expect(seen).toEqual(['resync', 'changed']);
    expect([...watches]).toEqual([]);
  });

  test('before anybody reads it: the loop ends at once', async () => {
    const { world, zk, watches } = await connected();
    const controller = new AbortController();
    const streaming = zk.watch('/a', { signal: controller.signal });
    await world.settle();
    const stream = await streaming;
    controller.abort();
    await world.settle();
    const { items, end } = collect(stream);
    await world.settle();
    expect([items, end.isSettled, [...watches]]).toEqual([[], true, []]);
  });

  test('before the server has answered: the call is ABORTED, and the watch taken away', async () => {
    const { world, zk, watches } = await connected();
    const controller = new AbortController();
    const streaming = watched(zk.watch('/a', { signal: controller.signal }));
    controller.abort();
    await world.settle();
    expect(streaming.error).toMatchObject({ code: 'ABORTED' });
    expect([...watches]).toEqual([]);
  });

  test('while there is no connection: the next one does not set it again', async () => {
    const { world, server, zk } = await connected();
    const controller = new AbortController();
    const streaming = zk.watch('/a', { signal: controller.signal });
    await world.settle();
    const { end } = collect(await streaming);
    server.last.connection.destroy();
    await world.settle();
    controller.abort();
    await world.advance(1000);
    expect(zk.state.status).toBe('connected');
    expect(end.isSettled).toBe(true);
    expect(server.last.types).toEqual([]);
  });

  test('of two streams of one path: the other goes on', async () => {
    const { world, server, zk, watches } = await connected();
    const controller = new AbortController();
    const both = [zk.watch('/a', { signal: controller.signal }), zk.watch('/a')];
    await world.settle();
    const [first, second] = (await Promise.all(both)).map(collect);
    controller.abort();
    server.last.event(3, '/a');
    await world.settle();
    expect([first?.end.isSettled, second?.end.isSettled]).toEqual([true, false]);
    expect(second?.items.at(-1)).toMatchObject({ type: 'changed' });
    expect([...watches]).toEqual([`/a ${AddWatchMode.persistent}`]);
  });

  test('a read that was aborted in flight leaves no watch, of a missing znode neither', async () => {
    const { world, zk, watches } = await connected();
    const controller = new AbortController();
    const { signal } = controller;
    const reads = [
      watched(zk.get('/a', { watch: true, signal })),
      watched(zk.exists('/none', { watch: true, signal })),
    ];
    controller.abort();
    await world.settle();
    for (const read of reads) expect(read.error).toMatchObject({ code: 'ABORTED' });
    expect([...watches]).toEqual([]);
  });

  test('a stream that ended otherwise leaves no listener on the signal', async () => {
    const { world, zk } = await connected();
    const { signal, count } = countingSignal();
    const streaming = zk.watch('/a', { signal });
    await world.settle();
    const stream = await streaming;
    expect(count()).toBe(1);
    const disposed = stream[Symbol.asyncDispose]();
    await world.settle();
    await disposed;
    expect(count()).toBe(0);
  });
});

describe('one signal for many calls', () => {
  test('has one listener, which goes with the last of them', async () => {
    const { world, zk } = await connected();
    const { signal, count } = countingSignal();
    const calls = Array.from({ length: 30 }, () => zk.get('/a', { signal }));
    const listening = Array.from({ length: 30 }, () => zk.on('state', () => {}, { signal }));
    expect(count()).toBe(1);
    for (const one of listening) one[Symbol.dispose]();
    await world.settle();
    await Promise.all(calls);
    expect(count()).toBe(0);
  });

  test('aborts all of them', async () => {
    const { world, zk } = await connected();
    const controller = new AbortController();
    const calls = Array.from({ length: 30 }, () =>
      watched(zk.get('/a', { signal: controller.signal })),
    );
    controller.abort(new Error('enough'));
    await world.settle();
    for (const { error } of calls) {
      expect(error).toMatchObject({ code: 'ABORTED', cause: new Error('enough') });
    }
  });
});

/** How many listeners for 'abort' the signal has. */
function countingSignal() {
  const { signal } = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners--;
    removeEventListener.apply(signal, args);
  };
  return { signal, count: () => listeners };
}

describe('the stack of a failed call names the line that made it', () => {
  const calls: Record<string, (zk: Client) => Promise<unknown>> = {
    get: async function callOfUser(zk) {
      await zk.get('/none');
    },
    'get, synced': async function callOfUser(zk) {
      await zk.get('/none', { consistency: 'synced' });
    },
    'many at once': async function callOfUser(zk) {
      await Promise.all([zk.get('/a'), zk.get('/none')]);
    },
    update: async function callOfUser(zk) {
      await zk.update('/none', () => 'x');
    },
    'one after another': async function callOfUser(zk) {
      await zk.get('/a');
      await zk.set('/a', 'x');
      await zk.get('/none');
    },
    'a path that is none': async function callOfUser(zk) {
      await zk.create('none', '');
    },
    'an option that is none': async function callOfUser(zk) {
      await zk.get('/a', { wach: true } as object);
    },
  };
  for (const [name, call] of Object.entries(calls)) {
    test(name, async () => {
      const { world, zk } = await connected();
      const failing = watched(call(zk));
      await world.settle();
      const lines = (failing.error as Error).stack?.split('\n') ?? [];
      const place = lines.find((line) => line.includes('callOfUser'));
      expect(place, failing.error?.stack).toMatch(/calls\.test\.ts:\d+:\d+\)$/);
      expect(lines[0]).toBe(`${failing.error?.name}: ${failing.error?.message}`);
    });
  }

  test('connect', async () => {
    const world = new World();
    const connecting = watched(
      (async function callOfUser() {
        await world.connecting({ establishTimeoutMs: 100 });
      })(),
    );
    await world.advance(200);
    expect(connecting.error?.stack).toMatch(/callOfUser .*calls\.test\.ts/);
  });
});

describe('an option that a call does not know, or of another type, is a TypeError', () => {
  // As a program in plain JavaScript would call it.
  // biome-ignore lint/suspicious/noExplicitAny: what the compiler would refuse
  const wrong: [string, (zk: any) => Promise<unknown>, RegExp][] = [
    [
      'an ephemeral of another client',
      (zk) => zk.create('/o', 'x', { ephemeral: true, sequence: true }),
      /^create\(\) knows no option "ephemeral"; did you mean mode: 'ephemeral'\?$/,
    ],
    [
      'a sequence of another client',
      (zk) => zk.create('/o', 'x', { sequence: true }),
      /"sequence"; did you mean sequential\?$/,
    ],
    ['a typing error', (zk) => zk.create('/o', 'x', { secuential: true }), /mean sequential\?$/],
    [
      'a mode that there is not',
      (zk) => zk.create('/o', 'x', { mode: 'EPHEMERAL' }),
      /^create\(\): mode is "EPHEMERAL"; allowed: "persistent", "ephemeral", "container", \{ ttlMs \}$/,
    ],
    [
      'an object for data',
      (zk) => zk.set('/a', { n: 1 }),
      /^set\(\) cannot write an object \(Object\): data is/,
    ],
    ['no data', (zk) => zk.set('/a'), /^set\(\) cannot write undefined/],
    ['a number for data', (zk) => zk.create('/o', 7), /^create\(\) cannot write 7/],
    ['a version as text', (zk) => zk.set('/a', '', { version: '1' }), /version is "1"; allowed/],
    [
      'a callback',
      (zk) => zk.get('/a', () => {}),
      /^get\(\) takes an object of options, not a function$/,
    ],
    ['a flag for options', (zk) => zk.exists('/a', true), /not true$/],
    [
      'watch of a string',
      (zk) => zk.children('/a', { watch: 'yes' }),
      /watch is "yes"; allowed: true or false/,
    ],
    ['a watcher', (zk) => zk.get('/a', { watcher: () => {} }), /did you mean watch: true\?$/],
    ['a timeout', (zk) => zk.get('/a', { timeout: 5 }), /"timeout"; did you mean timeoutMs\?$/],
    [
      'a signal that is none',
      (zk) => zk.get('/a', { signal: {} }),
      /signal is an object \(Object\); allowed: an AbortSignal/,
    ],
    [
      'an ACL in letters',
      (zk) => zk.setAcl('/a', [{ perms: 'r', scheme: 'world', id: 'anyone' }]),
      /^setAcl\(\): acl/,
    ],
    ['no ACL', (zk) => zk.create('/o', '', { acl: 'open' }), /acl is "open"; allowed: an array/],
    [
      'no operation',
      (zk) => zk.multi([{ op: 'put', path: '/a' }]),
      /operation 0 is op "put"; allowed are the ops create, set, delete, check/,
    ],
    [
      'an operation of an operation',
      (zk) => zk.multi([{ op: 'set', path: '/a', data: '', options: {} }]),
      /^multi\(\) operation 0 \(set\) knows no option "options"/,
    ],
    [
      'an ephemeral in a multi',
      (zk) => zk.multi([{ op: 'create', path: '/a', options: { ephemeral: true } }]),
      /mode: 'ephemeral'/,
    ],
    ['delete of children', (zk) => zk.delete('/a', { recursiv: true }), /mean recursive\?$/],
    ['parents of create', (zk) => zk.create('/a', '', { makepath: true }), /parents: 'persistent'/],
    [
      'an event that there is not',
      async (zk) => zk.on('close', () => {}),
      /^on\(\) knows no event "close"; it knows state, session, attempt$/,
    ],
    [
      'an unknown one that resembles none',
      (zk) => zk.sync('/', { xyzzy: 1 }),
      /^sync\(\) knows no option "xyzzy"; it knows signal, timeoutMs, retry$/,
    ],
    [
      'what every object has',
      (zk) => zk.get('/a', { constructor: 1 }),
      /knows no option "constructor"/,
    ],
  ];
  test.each(wrong)('%s', async (_, call, message) => {
    const { world, server, zk } = await connected();
    const before = server.last.requests.length;
    const calling = watched(call(zk));
    await world.settle();
    expect(calling.error).toBeInstanceOf(TypeError);
    expect(calling.error?.message).toMatch(message);
    expect(server.last.requests).toHaveLength(before);
  });

  test.each<[string, object, RegExp]>([
    [
      'sessionTimeout',
      { sessionTimeout: 4000 },
      /"sessionTimeout"; did you mean sessionTimeoutMs\?$/,
    ],
    ['a time as text', { sessionTimeoutMs: '4s' }, /sessionTimeoutMs is "4s"; allowed: a number/],
    ['hosts', { hosts: 'a' }, /"hosts"; did you mean servers\?$/],
    ['onExpire', { onExpire: 'throw' }, /onExpire is "throw"; allowed: "renew", "close"/],
    ['auth', { auth: ['digest:a:b'] }, /auth is an array; allowed: an array of \{ scheme, auth \}/],
  ])('connect: %s', async (_, options, message) => {
    await expect(connect({ servers: 'zk', ...options })).rejects.toThrow(message);
    await expect(connect({ servers: 'zk', ...options })).rejects.toBeInstanceOf(TypeError);
  });

  test('connect without servers', async () => {
    await expect(connect({} as { servers: string })).rejects.toThrow('needs the option servers');
    await expect(connect(undefined as unknown as string)).rejects.toBeInstanceOf(TypeError);
  });

  test('a password does not stand in the message', async () => {
    const auth = [{ scheme: 'digest', auth: 'user:secret', more: 1 }, 'user:secret'];
    const connecting = connect({ servers: 'zk', auth: auth as [] });
    await expect(connecting).rejects.toThrow(expect.not.stringContaining('secret'));
  });

  test('undefined stands for the default, everywhere', async () => {
    const { world, zk } = await connected({ signal: undefined, readOnly: undefined });
    const call = watched(
      zk.create('/o', undefined, { mode: undefined, sequential: undefined, signal: undefined }),
    );
    await world.settle();
    expect(call.value).toMatchObject({ path: '/o' });
  });
});

describe('what is printed', () => {
  async function secrets() {
    const found = await connected();
    return { ...found, password: found.zk.session.password };
  }

  test.each<[string, (zk: Client, world: World) => unknown, RegExp]>([
    ['the client', (zk) => zk, /^Client \{ connected to zk:2181, session 0x[0-9a-f]+ \}$/],
    ['a view', (zk) => zk.chroot('/app'), /chroot \/app \}$/],
    ['the session', (zk) => zk.session, /^Session \{ 0x[0-9a-f]+, generation 1, 12000 ms \}$/],
    [
      'a ticket',
      (zk) => zk.detach(),
      /^SessionTicket \{ id: 0x[0-9a-f]+, password: \(secret\) \}$/,
    ],
  ])('of %s is short, and JSON works, both without the password', async (_, what, text) => {
    const { zk, world, password } = await secrets();
    const value = what(zk, world);
    expect(inspect(value)).toMatch(text);
    const json = JSON.stringify(value);
    for (const printed of [inspect(value, { depth: 9 }), json]) {
      expect(printed).not.toContain(Buffer.from(password).toString('hex'));
      expect(printed).not.toContain('7,7,7');
      expect(printed).not.toContain('07 07');
      expect(printed.length).toBeLessThan(250);
    }
  });

  test('of what calls return, JSON has no bigint to stumble over', async () => {
    const { world, zk } = await connected();
    const calls = [zk.create('/o'), zk.get('/a'), zk.exists('/a')];
    const streaming = zk.watch('/a');
    await world.settle();
    for (const value of await Promise.all(calls)) JSON.stringify(value);
    const stream = await streaming;
    expect(inspect(stream)).toBe('WatchStream { /a, 1 buffered }');
    JSON.stringify(await zk.detach());
  });
});

describe('connect', () => {
  test('a malformed list of servers fails at once', async () => {
    const world = new World();
    await expect(world.connecting({ servers: '127.0.0.1:abc' })).rejects.toMatchObject({
      code: 'BAD_ARGUMENTS',
    });
    expect(world.runningTimers).toBe(0);
  });

  test('tells of each attempt, and gives up after 10 s by default', async () => {
    const world = new World();
    await world.serve({ handshake: () => undefined }, 2182);
    const failed: string[] = [];
    const connecting = watched(
      world.connecting({
        servers: 'zk:2181,zk:2182',
        sessionTimeoutMs: 30_000,
        connectTimeoutMs: 1000,
        onAttempt: ({ server, attempt, error }) =>
          failed.push(`${attempt} ${server} ${error.message}`),
      }),
    );
    await world.advance(9_999);
    expect(connecting.isSettled).toBe(false);
    expect(new Set(failed.map((one) => one.replace(/^\d+ /, '')))).toEqual(
      new Set([
        'zk:2181 Cannot connect to zk:2181: connection refused',
        'zk:2182 No answer within 1000 ms',
      ]),
    );
    expect(failed.map((one) => Number.parseInt(one, 10))).toEqual(failed.map((_, i) => i + 1));
    await world.advance(1);
    expect(connecting.error).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'not-sent' });
    expect(connecting.error?.message).toMatch(/no session within 10000 ms \(.*refused.*No answer/);
  });

  test('later attempts are told of, too, counted from the loss', async () => {
    const { world, server, zk } = await connected();
    const attempts: number[] = [];
    zk.on('attempt', ({ attempt }) => attempts.push(attempt));
    void server.listener?.close();
    await world.advance(500);
    expect(zk.state.status).toBe('suspended');
    expect(attempts.slice(0, 2)).toEqual([1, 2]);
  });
});

test('other servers are taken at once, if they are meant for this client', async () => {
  const { world, zk } = await connected();
  const other = await world.serve({}, 2182);
  zk.setServers(['zk:2181', 'zk:2182']);
  await world.settle();
  expect(zk.state).toMatchObject({ status: 'connected', server: 'zk:2181' });
  const id = zk.session.id;
  zk.setServers('zk:2182');
  expect(zk.state.status).toBe('suspended');
  await world.settle();
  expect(zk.state).toMatchObject({ status: 'connected', server: 'zk:2182' });
  expect(other.last.handshake?.sessionId).toBe(id);
  for (const wrong of ['zk:2182/app', 'tls://zk', 'zk:x']) {
    expect(() => zk.setServers(wrong)).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENTS' }));
  }
  expect(() => zk.setServers(7 as never)).toThrow(TypeError);
  expect(zk.state).toMatchObject({ status: 'connected', server: 'zk:2182' });
});

test('what a create made knows its session, which may be the next one', async () => {
  const { world, server, zk } = await connected();
  const first = watched(zk.create('/o', '', { mode: 'ephemeral' }));
  await world.settle();
  expect(first.value?.session).toBe(zk.session);
  server.script.handshake = refuseSession;
  server.last.connection.destroy();
  await world.advance(200);
  const ended = zk.session;
  expect([zk.state.status, ended.signal.aborted]).toEqual(['connecting', true]);
  const second = watched(zk.create('/o', '', { mode: 'ephemeral' }));
  server.script.handshake = undefined as never;
  await world.advance(5000);
  expect(second.value?.session).toBe(zk.session);
  expect(second.value?.session).not.toBe(ended);
  expect(second.value?.session.generation).toBe(2);
});

test('reads take watch as a flag, and say in their types what that may give', async () => {
  const { world, zk } = await connected();
  const flag: boolean = world.now >= 0;
  const reading = [
    zk.get('/a', { watch: flag }),
    zk.get('/a', { watch: false }),
    zk.exists('/a', { watch: flag }),
  ] as const;
  expectTypeOf(zk.get('/a', { watch: flag }))
    .resolves.toHaveProperty('watch')
    .toEqualTypeOf<OneShot | undefined>();
  expectTypeOf(zk.get('/a', { watch: true }))
    .resolves.toHaveProperty('watch')
    .toEqualTypeOf<OneShot>();
  expectTypeOf(zk.exists('/a', { watch: false })).resolves.toEqualTypeOf<Stat | undefined>();
  expectTypeOf(zk.exists('/a', { watch: flag })).resolves.toEqualTypeOf<
    (Existence & Watched) | Stat | undefined
  >();
  await world.settle();
  const [watching, plain, existence] = await Promise.all(reading);
  expect(watching.watch).toBeDefined();
  expect('watch' in plain).toBe(false);
  expect(existence).toHaveProperty('watch');
});

test('the empty path, which servers read as the root and never fire a watch for, is refused', async () => {
  const { world, server, zk } = await connected();
  const calls: Promise<unknown>[] = [zk.watch(''), zk.get('', { watch: true }), zk.exists('')];
  const refused = calls.map((call) => watched(call));
  await world.settle();
  for (const { error } of refused) expect(error).toMatchObject({ code: 'BAD_ARGUMENTS' });
  expect(server.last.requests).toEqual([]);
});

test('the lists of rights, and what a digest user is called in them', () => {
  expect(OPEN_ACL_UNSAFE).toEqual([{ perms: 31, scheme: 'world', id: 'anyone' }]);
  expect(READ_ACL_UNSAFE).toEqual([{ perms: 1, scheme: 'world', id: 'anyone' }]);
  expect(CREATOR_ALL_ACL).toEqual([{ perms: 31, scheme: 'auth', id: '' }]);
  // Source: the administrator's guide, -Dzookeeper.DigestAuthenticationProvider.superDigest of super:test.
  expect(digestAcl('super', 'test', Perms.READ)).toEqual({
    perms: 1,
    scheme: 'digest',
    id: 'super:D/InIHSb7yEEbrWz8b9l71RjZJU=',
  });
  expect(() => digestAcl('a:b', 'c')).toThrow(TypeError);
});

test('a code that there is not is no code of an error', () => {
  expect(() => {
    // @ts-expect-error There is no such code.
    throw new ZkError('LOCK_GONE', { outcome: 'failed' });
  }).toThrow();
});
