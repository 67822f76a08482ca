// A sequence counter that passes 2^31 - 1. Applying a txn only raises what is stored, here and on Apache's
// servers, so that all members of an ensemble hold the same tree. Creates that are in flight together take the
// counter as it comes.

import { encodeTxn } from '@zebu/protocol';
import { beforeEach, expect, test } from 'vitest';
import { defaultServerConfig } from '../src/config/server-config.ts';
import { Database } from '../src/database.ts';
import { create, multi, part } from './support/asks.ts';
import { bodyOf, type Frame, type RawClient } from './support/raw-client.ts';
import { World } from './support/world.ts';

const SEQUENTIAL = { flags: 2 };
/** What the last three names end in. */
const LAST = ['2147483646', '2147483647', '-2147483648'];

/** A database in which the next sequential child of /p is the last but one. */
function nearTheEnd(): Database {
  const database = new Database(defaultServerConfig({}), 1);
  const acl = [{ perms: 31, scheme: 'world', id: 'anyone' }];
  let zxid = 0;
  for (const [path, parentCVersion] of [
    ['/p', 1],
    ['/p/before', 2147483646],
  ] as const) {
    zxid++;
    const entry = encodeTxn({
      header: { clientId: 1n, cxid: 1, zxid, time: 1, type: 1 },
      body: { type: 1, path, data: null, acl, ephemeral: false, parentCVersion },
      digest: undefined,
    });
    database.applyEntry(entry, 0, entry.length, 0);
  }
  return database;
}

let world: World;
let client: RawClient;
beforeEach(async () => {
  world = await World.start({ state: nearTheEnd() });
  client = world.client();
});

const nameOf = (frame: Frame) => bodyOf(frame).string();

test('goes on past it for creates that are sent together', () => {
  const creates = LAST.map(() => create('/p/n', SEQUENTIAL));
  client.send(...creates);
  world.run();
  expect(client.frames.map(nameOf)).toEqual(LAST.map((end) => `/p/n${end}`));
});

test('goes on past it inside a multi', () => {
  const creates = LAST.map(() => part.create('/p/n', SEQUENTIAL));
  const frame = client.call(multi(...creates));
  expect(frame.error).toBe(0);
  for (const end of LAST) expect(client.errorOf(create(`/p/n${end}`))).toBe('NODEEXISTS');
});

test('stands still for creates that come one by one, and a warning names the parent', () => {
  const one = create('/p/n', SEQUENTIAL);
  expect(nameOf(client.call(one))).toBe('/p/n2147483646');
  expect(world.logged.join('\n')).not.toContain('sequence counter');
  expect(nameOf(client.call(one))).toBe('/p/n2147483647');
  expect(world.logged.join('\n')).toContain('warn A sequence counter is at its end');
  expect(client.errorOf(one)).toBe('NODEEXISTS');
  expect(client.errorOf(one)).toBe('NODEEXISTS');
});

test('leaves the digest right that its txns carry', () => {
  client.send(...LAST.map(() => create('/p/n', SEQUENTIAL)));
  world.run();
  client.must(create('/after'));
  expect(world.serving.tree.digestMismatches).toBe(0);
});
