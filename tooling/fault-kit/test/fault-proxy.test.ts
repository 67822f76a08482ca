import { startServer, type ZebuServer } from '@zebu/server';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cutPoints, expireSession, FaultProxy, fourLetterWord, watchCount } from '../src/index.ts';
import { RawClient } from './raw-client.ts';

const NO_NODE = -101;

let server: ZebuServer;
let proxy: FaultProxy;
const clients: RawClient[] = [];

beforeEach(async () => {
  server = await startServer({ port: 0, fourLetterWhitelist: ['wchs', 'ruok'] });
  proxy = await FaultProxy.start(server);
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await proxy[Symbol.asyncDispose]();
  await server.close();
});

async function connect(ticket?: RawClient['ticket'], port = proxy.port): Promise<RawClient> {
  const client = await RawClient.connect(port, ticket);
  clients.push(client);
  return client;
}

/** Asked past the proxy. */
async function isThere(path: string): Promise<boolean> {
  const client = await connect(undefined, server.port);
  client.sync();
  await client.reply();
  client.exists(path);
  const reply = await client.reply();
  return reply?.errno === 0;
}

test('without faults everything passes, and each request is named', async () => {
  const client = await connect();
  client.create('/a');
  client.ping();
  client.exists('/a');
  expect((await client.reply())?.errno).toBe(0);
  expect((await client.reply())?.xid).toBe(-2);
  expect((await client.reply())?.errno).toBe(0);
  expect(proxy.requests).toMatchObject([
    { connection: 1, index: 1, name: 'create2', path: '/a', isCall: true },
    { connection: 1, index: 2, name: 'exists', path: '/a', isCall: true },
  ]);
});

test('a request that is cut never reaches the server', async () => {
  proxy.onRequest = ({ name }) => (name === 'create2' ? 'cut' : 'forward');
  const client = await connect();
  client.create('/a');
  expect(await client.reply()).toBeUndefined();
  expect(await isThere('/a')).toBe(false);
});

test('a request that is cut in its middle is not carried out', async () => {
  proxy.onRequest = ({ name }) => (name === 'create2' ? 'cut-mid-frame' : 'forward');
  const client = await connect();
  client.create('/a');
  expect(await client.reply()).toBeUndefined();
  expect(await isThere('/a')).toBe(false);
});

test('a request is forwarded, and its connection closed', async () => {
  proxy.onRequest = ({ name }) => (name === 'create2' ? 'forward-and-cut' : 'forward');
  const client = await connect();
  client.create('/a');
  expect(await client.reply()).toBeUndefined();
  expect(proxy.openConnections).toBe(0);
});

test('of a request whose reply is lost the server has done all', async () => {
  proxy.onReply = ({ request }) => (request.path === '/b' ? 'lose' : 'forward');
  const client = await connect();
  client.create('/a');
  client.create('/b');
  client.create('/c');
  expect((await client.reply())?.errno).toBe(0);
  expect(await client.reply()).toBeUndefined();
  expect(client.partialBytes).toBe(0);
  expect(await isThere('/b')).toBe(true);
});

test('of a reply that is lost in its middle the first half comes', async () => {
  proxy.onReply = () => 'lose-mid-frame';
  const client = await connect();
  client.create('/a');
  expect(await client.reply()).toBeUndefined();
  expect(client.partialBytes).toBeGreaterThan(4);
  expect(await isThere('/a')).toBe(true);
});

test('nothing follows the first half of a reply', async () => {
  const client = await connect();
  proxy.hold('to-client');
  client.create('/a');
  client.create('/b');
  await expect.poll(() => isThere('/b')).toBe(true);
  let replies = 0;
  proxy.onReply = () => {
    replies++;
    return 'lose-mid-frame';
  };
  proxy.release('to-client');
  expect(await client.reply()).toBeUndefined();
  expect(replies).toBe(1);
});

test('a watch event can be lost', async () => {
  proxy.onEvent = ({ path }) => (path === '/a' ? 'lose' : 'forward');
  const client = await connect();
  client.exists('/a', true);
  expect((await client.reply())?.errno).toBe(NO_NODE);
  const other = await connect(undefined, server.port);
  other.create('/a');
  expect(await client.reply()).toBeUndefined();
  expect(proxy.events).toEqual([{ connection: 1, type: 1, path: '/a' }]);
});

test('a black hole keeps the connection open and swallows one direction', async () => {
  const client = await connect();
  proxy.blackHole('to-client');
  client.create('/a');
  await expect.poll(() => isThere('/a')).toBe(true);
  expect(client.isClosed).toBe(false);
  proxy.heal();
  expect(await client.reply()).toBeUndefined();

  const again = await connect(client.ticket);
  proxy.blackHole('to-server');
  again.create('/b');
  expect(await isThere('/b')).toBe(false);
  expect(again.isClosed).toBe(false);
});

test('frames that are held come in order when they are released', async () => {
  const client = await connect();
  proxy.hold('to-client');
  client.create('/a');
  client.exists('/x');
  await expect.poll(() => isThere('/a')).toBe(true);
  await proxy.request(({ name }) => name === 'exists');
  proxy.release('to-client');
  expect((await client.reply())?.xid).toBe(1);
  expect((await client.reply())?.errno).toBe(NO_NODE);
});

test('a server that is down closes old and new connections until it is up', async () => {
  const client = await connect();
  proxy.down();
  expect(await client.reply()).toBeUndefined();
  const refused = await connect();
  expect(refused.isClosed).toBe(true);
  proxy.up();
  const accepted = await connect();
  expect(accepted.ticket.id).not.toBe(0n);
});

test('a session that is expired on demand takes its ephemeral znodes along, and is refused', async () => {
  const client = await connect();
  client.create('/mine', 1);
  await client.reply();
  expect(await isThere('/mine')).toBe(true);
  expect(await expireSession(server, client.ticket)).toBe(true);
  expect(await isThere('/mine')).toBe(false);
  expect((await connect(client.ticket)).isRefused).toBe(true);
  expect(await expireSession(server, client.ticket)).toBe(false);
});

test('watches are counted', async () => {
  expect(await watchCount(server)).toBe(0);
  const client = await connect();
  client.exists('/a', true);
  await client.reply();
  expect(await watchCount(server)).toBe(1);
  expect(await fourLetterWord(server, 'ruok')).toBe('imok');
});

test('cut points are all faults at each request', () => {
  expect(cutPoints(2, ['not-sent', 'reply-lost']).map(({ name }) => name)).toEqual([
    'not-sent at request 1',
    'reply-lost at request 1',
    'not-sent at request 2',
    'reply-lost at request 2',
  ]);
});

test.each(cutPoints(2))('$name happens there, and once', async (point) => {
  const client = await connect();
  client.create('/before');
  await client.reply();
  let expired: Promise<unknown> | undefined;
  const hasHappened = point.arm(proxy, () => {
    expired = expireSession(server, client.ticket);
    return expired;
  });
  client.create('/1');
  if (point.at === 2) {
    expect((await client.reply())?.errno).toBe(0);
    client.create('/2');
  }
  expect(await client.reply()).toBeUndefined();
  expect(hasHappened()).toBe(true);
  const isCarriedOut = point.kind !== 'not-sent' && point.kind !== 'half-sent';
  expect(await isThere(`/${point.at}`)).toBe(isCarriedOut);
  await expired;
  await expect.poll(async () => (await connect()).isClosed).toBe(false);
  const again = await connect(client.ticket);
  expect(again.isRefused).toBe(point.kind === 'expired');
});
