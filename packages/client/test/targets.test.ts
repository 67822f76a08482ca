// Where the next connection goes: lists that are asked for, names, keys that are read again.

import type { DialOptions } from '@zebu/transport';
import { describe, expect, test } from 'vitest';
import type { FailedAttempt, Host, HostProvider } from '../src/index.ts';
import { shuffledLookup } from '../src/shuffled-lookup.ts';
import { World, watched } from './world.ts';

/** A world that writes down who is dialled, and a provider that says what the test wants. */
function askingWorld(lists: (readonly Host[] | Error | 'silence')[]) {
  const world = new World();
  const dialled: DialOptions[] = [];
  const { dial } = world.network;
  world.network.dial = (options, handler) => {
    dialled.push(options);
    // The scripted servers speak plain.
    const { tls: _, ...plain } = options;
    return dial.call(world.network, plain, handler);
  };
  const asked: AbortSignal[] = [];
  const servers: HostProvider = {
    resolve(signal) {
      asked.push(signal);
      const list = (lists.length > 1 ? lists.shift() : lists[0]) as (typeof lists)[number];
      if (list === 'silence') return new Promise(() => {});
      return list instanceof Error ? Promise.reject(list) : Promise.resolve(list);
    },
  };
  const names = (): string[] => dialled.map(({ host }) => host);
  return { world, dialled, names, asked, servers };
}

const hosts = (...names: string[]): Host[] => names.map((host) => ({ host, port: 2181 }));

describe('a HostProvider', () => {
  test('is asked again for each round, and each of its servers tried once in it', async () => {
    const { world, names, asked, servers } = askingWorld([hosts('a', 'b', 'c'), hosts('d', 'e')]);
    const connecting = watched(world.connecting({ servers, establishTimeoutMs: 1000 }));
    await world.advance(60);
    expect(asked).toHaveLength(1);
    expect(names().sort()).toEqual(['a', 'b', 'c']);
    await world.advance(60);
    expect(asked).toHaveLength(2);
    expect(names().slice(3).sort()).toEqual(['d', 'e']);
    await world.advance(1000);
    expect(connecting.error).toMatchObject({ code: 'CONNECTION_LOSS' });
    expect(world.runningTimers).toBe(0);
  });

  test('is asked when a connection that served is lost', async () => {
    const { world, names, asked, servers } = askingWorld([hosts('zk'), hosts('other')]);
    const server = await world.serve();
    await world.serve({}, 2181, 'other');
    const zk = await world.connect({ servers });
    await world.advance(2000);
    server.last.connection.destroy();
    await world.settle();
    expect(names()).toEqual(['zk', 'other']);
    expect(asked).toHaveLength(2);
    expect(zk.state).toMatchObject({ status: 'connected', server: 'other:2181' });
  });

  test('that fails leaves the servers of last time, and the client tells', async () => {
    const { world, names, servers } = askingWorld([hosts('zk'), new Error('no answer from DNS')]);
    const server = await world.serve();
    const attempts: FailedAttempt[] = [];
    await world.connect({ servers, onAttempt: (failed) => attempts.push(failed) });
    await world.advance(2000);
    server.last.connection.destroy();
    await world.settle();
    expect(names()).toEqual(['zk', 'zk']);
    expect(attempts).toMatchObject([
      { server: 'servers', error: { message: 'no answer from DNS' } },
    ]);
  });

  test.each<[string, readonly Host[] | Error | 'silence', RegExp]>([
    ['fails', new Error('no such name'), /servers: no such name/],
    ['names none', [], /named no server/],
    ['names nonsense', [{ host: 'a', port: 0 }], /\{"host":"a","port":0\}/],
    ['says nothing', 'silence', /servers: No answer within 2000 ms/],
  ])('that %s at first is what the error of connect() says', async (_, list, message) => {
    const { world, servers } = askingWorld([list]);
    const connecting = watched(world.connecting({ servers, connectTimeoutMs: 2000 }));
    await world.advance(12_000);
    expect(connecting.error).toMatchObject({ code: 'CONNECTION_LOSS' });
    expect(connecting.error?.message).toMatch(message);
    expect(world.runningTimers).toBe(0);
  });

  test('that is still asked when the client closes is told so, and changes nothing more', async () => {
    const { world, names, asked, servers } = askingWorld([hosts('zk'), 'silence']);
    const server = await world.serve();
    const zk = await world.connect({ servers });
    await world.advance(2000);
    server.last.connection.destroy();
    await world.settle();
    zk.detach();
    await world.advance(60_000);
    expect(asked.at(-1)?.aborted).toBe(true);
    expect(names()).toEqual(['zk']);
    expect(world.runningTimers).toBe(0);
  });

  test('can take the place of a list, and a list its place', async () => {
    const { world, names, servers } = askingWorld([hosts('b')]);
    const a = await world.serve({}, 2181, 'a');
    await world.serve({}, 2181, 'b');
    const zk = await world.connect({ servers: 'a' });
    zk.setServers(servers);
    await world.settle();
    expect(zk.state).toMatchObject({ server: 'a:2181' });
    a.last.connection.destroy();
    await world.advance(100);
    expect(zk.state).toMatchObject({ server: 'b:2181' });
    zk.setServers('a');
    await world.advance(100);
    expect(names()).toEqual(['a', 'b', 'a']);
  });

  test('says of a server whether it speaks TLS', async () => {
    const { world, dialled, servers } = askingWorld([
      [{ host: 'zk', port: 2181, tls: false }],
      [{ host: 'zk', port: 2181, tls: true }],
    ]);
    const server = await world.serve();
    await world.connect({ servers, tls: { serverName: 'me' } });
    await world.advance(2000);
    server.last.connection.destroy();
    await world.settle();
    expect(dialled.map(({ tls }) => tls)).toEqual([undefined, { serverName: 'me' }]);
  });
});

test('srv:// means the servers of the SRV records, resolved again for each round', async () => {
  const { world, names } = askingWorld([[]]);
  const resolved: string[] = [];
  const environment = {
    ...world.environment,
    resolveSrv: async (name: string) => {
      resolved.push(name);
      return [{ name: resolved.length === 1 ? 'gone' : 'zk', port: 2181, priority: 0, weight: 0 }];
    },
  };
  await world.serve();
  const connecting = watched(
    world.connecting({ servers: 'srv://_zookeeper._tcp.example.com/app', environment }),
  );
  await world.advance(200);
  expect(connecting.value?.chrootPath).toBe('/app');
  expect(names()).toEqual(['gone', 'zk']);
  expect(resolved).toEqual(Array(2).fill('_zookeeper._tcp.example.com'));
});

describe('tls as a function', () => {
  test('is asked at each connection', async () => {
    const { world, dialled } = askingWorld([[]]);
    const server = await world.serve();
    let renewals = 0;
    await world.connect({ tls: async () => ({ cert: `certificate ${++renewals}` }) });
    server.last.connection.destroy();
    await world.advance(200);
    expect(dialled.map(({ tls }) => tls?.cert)).toEqual(['certificate 1', 'certificate 2']);
  });

  test('that fails is a failed attempt, after which it is asked again', async () => {
    const { world } = askingWorld([[]]);
    await world.serve();
    let times = 0;
    const attempts: FailedAttempt[] = [];
    const connecting = watched(
      world.connecting({
        tls: () => {
          times++;
          if (times < 3) throw new Error('half a file');
          return {};
        },
        onAttempt: (failed) => attempts.push(failed),
      }),
    );
    await world.advance(1000);
    expect(connecting.value?.state.status).toBe('connected');
    expect(attempts).toMatchObject(
      [1, 2].map((attempt) => ({ server: 'zk:2181', attempt, error: { message: 'half a file' } })),
    );
  });

  test('options that cannot be used are a failed attempt, not the end of the process', async () => {
    const world = new World();
    const { dial } = world.network;
    let isBad = false;
    world.network.dial = (options, handler) => {
      if (isBad) throw new Error('PEM_read_bio: no start line');
      return dial.call(world.network, options, handler);
    };
    const server = await world.serve();
    const zk = await world.connect();
    const attempts: FailedAttempt[] = [];
    zk.on('attempt', (failed) => attempts.push(failed));
    isBad = true;
    server.last.connection.destroy();
    await world.advance(120);
    expect(attempts[0]?.error.message).toBe('PEM_read_bio: no start line');
    isBad = false;
    await world.advance(1000);
    expect(zk.state.status).toBe('connected');
  });
});

test('the addresses of a name come in any order, the family that the resolver prefers first', () => {
  const addresses = ['2001:db8::1', '2001:db8::2', '192.0.2.1', '192.0.2.2', '192.0.2.3'].map(
    (address) => ({ address, family: address.includes(':') ? 6 : 4 }),
  );
  const seen = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const lookup = shuffledLookup(
      (_name, _options, callback) => callback(null, addresses),
      Math.random,
    );
    lookup('zk', { all: true }, (_error, found) => {
      const list = found as typeof addresses;
      expect(list.map(({ family }) => family)).toEqual([6, 6, 4, 4, 4]);
      seen.add(list.map(({ address }) => address).join());
    });
  }
  expect(seen.size).toBe(2 * 6);
  const one = shuffledLookup(
    (_name, _options, callback) => callback(null, addresses),
    () => 0,
  );
  one('zk', {}, (_error, address, family) => expect([address, family]).toEqual(['2001:db8::2', 6]));
  const none = shuffledLookup(
    (_name, _options, callback) => callback(new Error('ENOTFOUND'), []),
    () => 0,
  );
  none('zk', {}, (error) => expect(error?.message).toBe('ENOTFOUND'));
});
