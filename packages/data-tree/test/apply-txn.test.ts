// One case for each rule of disk.md 3.2 and 3.3, and the replies of client-wire.md section 8.

import { Buffer } from 'node:buffer';
import {
  ByteReader,
  ByteWriter,
  ErrorCode,
  encodeTxn,
  MarshallingError,
  readCreate2Response,
  readGetDataResponse,
  readMultiResponse,
  readStat,
  type TxnBody,
} from '@zebu/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import { DataTree } from '../src/index.ts';
import { dataOf, dumpTree, statOf } from './support/dump.ts';
import { Applier, createBody, READ_ONLY } from './support/txns.ts';

let tree: DataTree;
let txns: Applier;
beforeEach(() => {
  tree = new DataTree({ extendedTypes: true });
  txns = new Applier(tree);
});

const stat = (path: string) => statOf(tree, tree.findString(path));

describe('create', () => {
  test('a new znode has this zxid and time everywhere and versions of 0', () => {
    expect(txns.create('/a', 'x')).toBe(0);
    expect(stat('/a')).toEqual({
      czxid: 1,
      mzxid: 1,
      pzxid: 1,
      ctime: 1001,
      mtime: 1001,
      version: 0,
      cversion: 0,
      aversion: 0,
      ephemeralOwner: 0n,
      dataLength: 1,
      numChildren: 0,
    });
    expect(tree.approximateDataSize).toBe(44 + 3);
    expect(tree.znodeCount).toBe(6);
  });

  test('the parent takes cversion and pzxid from the txn', () => {
    txns.create('/a', '', 7);
    expect(stat('/')).toMatchObject({ pzxid: 1, numChildren: 2, cversion: 12 });
  });

  test("the parent's cversion and pzxid never fall", () => {
    txns.create('/a', '', 7);
    txns.create('/b', '', 7);
    txns.create('/c', '', 3);
    expect(tree.cversion(1)).toBe(7);
    expect(tree.pzxid(1)).toBe(1);
  });

  test('an old record without parent cversion counts it up', () => {
    txns.create('/a', '', 5);
    txns.create('/b', '', -1);
    expect(tree.cversion(1)).toBe(6);
    const { lastEntry } = txns;
    const short = lastEntry.subarray(0, lastEntry.length - 4);
    short[33 + 4] = 'c'.charCodeAt(0);
    expect(tree.apply(short, 0, short.length)).toBe(0);
    expect(tree.cversion(1)).toBe(7);
    expect(tree.findString('/c')).not.toBe(0);
  });

  test('without a parent nothing happens', () => {
    const before = dumpTree(tree);
    expect(txns.create('/no/a')).toBe(ErrorCode.NONODE);
    expect(dumpTree(tree)).toEqual(before);
    expect(tree.paths.size).toBe(4);
  });

  test.each([1, 15, 19, 21] as const)(
    'of type %i, an existing znode takes the ACL and the parent its cversion',
    (type) => {
      txns.create('/a', 'old');
      const body = { ...createBody('/a', 'new', 9, READ_ONLY), type, ttlMs: 5 } as TxnBody;
      expect(txns.apply(body)).toBe(ErrorCode.NODEEXISTS);
      const id = tree.findString('/a');
      expect(tree.acls.aclOf(tree.aclId(id))).toEqual(READ_ONLY);
      expect(dataOf(tree, id)).toBe('old');
      expect(tree.cversion(1)).toBe(9);
      expect(tree.pzxid(1)).toBe(2);
    },
  );

  test('null data stays null and differs from empty data', () => {
    txns.create('/a', null);
    txns.create('/b', '');
    expect(dataOf(tree, tree.findString('/a'))).toBe(null);
    expect(dataOf(tree, tree.findString('/b'))).toBe('');
    expect(tree.dataIsNull(tree.findString('/a'))).toBe(true);
    expect(stat('/a').dataLength).toBe(0);
  });

  test('an ephemeral shows its session, a container and a TTL znode show none', () => {
    txns.session = 0x0123456789abcdefn;
    txns.ephemeral('/e');
    txns.apply({ ...createBody('/c'), type: 19 });
    txns.apply({ ...createBody('/t'), type: 21, ttlMs: 0xff_ffff_ffff });
    expect(stat('/e').ephemeralOwner).toBe(0x0123456789abcdefn);
    expect(stat('/c').ephemeralOwner).toBe(0n);
    expect(stat('/t').ephemeralOwner).toBe(0n);
    expect(tree.ttlMs(tree.findString('/t'))).toBe(0xff_ffff_ffff);
    expect(['/e', '/c', '/t', '/'].map((path) => tree.kind(tree.findString(path)))).toEqual([
      1, 2, 3, 0,
    ]);
  });

  test('without extended types a TTL owner counts as a session', () => {
    tree = new DataTree();
    txns = new Applier(tree);
    txns.apply({ ...createBody('/t'), type: 21, ttlMs: 5 });
    expect(tree.kind(tree.findString('/t'))).toBe(1);
    expect(tree.ephemeralsCount).toBe(1);
  });
});

describe('delete', () => {
  test("raises the parent's pzxid and leaves its stored cversion", () => {
    txns.create('/a');
    expect(txns.delete('/a')).toBe(0);
    expect(stat('/')).toMatchObject({ pzxid: 2, numChildren: 1, cversion: 2 * 1 - 1 });
    expect(tree.findString('/a')).toBe(0);
    expect(tree.approximateDataSize).toBe(44);
  });

  test("of what is missing still raises the parent's pzxid", () => {
    expect(txns.delete('/a')).toBe(ErrorCode.NONODE);
    expect(tree.pzxid(1)).toBe(1);
    expect(txns.delete('/no/a')).toBe(ErrorCode.NONODE);
  });

  test('takes children along, which only a later txn can have made', () => {
    for (const path of ['/a', '/a/b', '/a/b/c', '/a/d', '/e']) txns.create(path);
    expect(txns.delete('/a')).toBe(0);
    expect(Object.keys(dumpTree(tree))).toEqual([
      '',
      '/e',
      '/zookeeper',
      '/zookeeper/config',
      '/zookeeper/quota',
    ]);
    expect(tree.paths.size).toBe(5);
  });

  test('the root cannot go', () => {
    expect(txns.delete('/')).toBe(ErrorCode.NONODE);
  });
});

test('setData takes the version as it is given, and reconfig does the same', () => {
  txns.create('/a', 'x');
  txns.setData('/a', 'yy', 41);
  expect(stat('/a')).toMatchObject({ version: 41, mzxid: 2, mtime: 1002, dataLength: 2, czxid: 1 });
  txns.apply({ type: 16, path: '/zookeeper/config', data: Buffer.from('server.1'), version: -1 });
  expect(stat('/zookeeper/config')).toMatchObject({ version: -1, mzxid: 3 });
  expect(txns.setData('/no', 'x')).toBe(ErrorCode.NONODE);
});

test('setACL changes ACL and aversion alone', () => {
  txns.create('/a');
  const { digest } = tree;
  txns.apply({ type: 7, path: '/a', acl: READ_ONLY, version: 3 });
  expect(stat('/a')).toMatchObject({ aversion: 3, mzxid: 1, version: 0 });
  expect(tree.digest).not.toBe(digest);
  txns.apply({ type: 7, path: '/a', acl: null, version: 3 });
  expect(tree.aclId(tree.findString('/a'))).toBe(-1);
  expect(txns.apply({ type: 7, path: '/no', acl: READ_ONLY, version: 1 })).toBe(ErrorCode.NONODE);
  expect(tree.acls.size).toBe(1);
});

test('setConfig writes the config znode without a txn', () => {
  tree.setConfig(Buffer.from('server.1=a'), 2 ** 32, 77);
  expect(stat('/zookeeper/config')).toMatchObject({ version: -1, mzxid: 2 ** 32, mtime: 77 });
  expect(tree.lastProcessedZxid).toBe(0);
  expect(tree.digest).toBe(1371985504n);
});

describe('sessions', () => {
  const events: string[] = [];
  beforeEach(() => {
    events.length = 0;
    txns.listener = {
      created: (id) => events.push(`created ${tree.paths.pathString(id)}`),
      deleted: (id, parent) =>
        events.push(`deleted ${tree.paths.pathString(id)} of ${tree.paths.pathString(parent)}`),
      dataChanged: (id) => events.push(`changed ${tree.paths.pathString(id)}`),
      sessionCreated: (high, low, timeoutMs) => events.push(`session ${high} ${low} ${timeoutMs}`),
      sessionClosed: (high, low) => events.push(`closed ${high} ${low}`),
    };
    txns.session = 5n;
    txns.create('/p');
    for (const path of ['/p/1', '/p/2', '/p/3']) txns.ephemeral(path);
    txns.session = 6n;
    txns.ephemeral('/p/other');
    txns.session = 5n;
    events.length = 0;
  });

  test('closing one deletes the listed paths, then what else it owns, then tells', () => {
    expect(txns.apply({ type: -11, paths: ['/p/2', '/p/gone', '/no/where'] })).toBe(0);
    expect(events).toEqual([
      'deleted /p/2 of /p',
      'deleted /p/1 of /p',
      'deleted /p/3 of /p',
      'closed 0 5',
    ]);
    expect(tree.ephemeralsCount).toBe(1);
    expect(tree.ephemerals.sessionCount).toBe(1);
  });

  test('closing one without a list deletes what it owns', () => {
    expect(txns.apply({ type: -11, paths: undefined })).toBe(0);
    expect(tree.ephemeralsCount).toBe(1);
  });

  test('a digest that follows no list is not taken for one', () => {
    tree.digestMismatches = 0;
    const body = encodeTxn({
      header: { clientId: 5n, cxid: 0, zxid: 50, time: 1, type: -11 },
      body: { type: -11, paths: undefined },
      digest: { version: 2, treeDigest: 1n },
    });
    expect(tree.apply(body, 0, body.length)).toBe(0);
    expect(tree.digestMismatches).toBe(1);
    expect(tree.ephemeralsCount).toBe(1);
  });

  test('a listed path goes, no matter which session owns it now', () => {
    txns.apply({ type: -11, paths: ['/p/other'] });
    expect(tree.ephemeralsCount).toBe(0);
  });

  test('creating one only tells', () => {
    const before = tree.digest;
    txns.apply({ type: -10, timeoutMs: 4000 });
    expect(events).toEqual(['session 0 5 4000']);
    expect(tree.digest).toBe(before);
  });
});

describe('multi', () => {
  test('all its parts have one zxid and one time', () => {
    txns.apply({
      type: 14,
      txns: [
        createBody('/a', '', 1),
        createBody('/a/b', 'x', 1),
        { type: 13, path: '/a', version: 1 },
        { type: 5, path: '/a', data: Buffer.from('y'), version: 1 },
        { type: 2, path: '/a/b' },
      ],
    });
    expect(stat('/a')).toMatchObject({
      czxid: 1,
      mzxid: 1,
      version: 1,
      cversion: 2,
      numChildren: 0,
    });
    expect(tree.lastProcessedZxid).toBe(1);
  });

  test('with an error in it nothing happens, and the reply tells which part failed', () => {
    txns.reply = new ByteWriter();
    const before = dumpTree(tree);
    expect(
      txns.apply({
        type: 14,
        txns: [
          createBody('/a'),
          { type: -1, error: ErrorCode.BADVERSION },
          { type: -1, error: -2 },
          { type: 2, path: '/x' },
        ],
      }),
    ).toBe(0);
    expect(dumpTree(tree)).toEqual(before);
    const results = readMultiResponse(new ByteReader(txns.reply.view()));
    expect(results).toEqual([
      { type: -1, error: 0 },
      { type: -1, error: ErrorCode.BADVERSION },
      { type: -1, error: -2 },
      { type: -1, error: -2 },
    ]);
  });

  test('each result has the Stat of its step, and creates with one are of type 15', () => {
    txns.reply = new ByteWriter();
    txns.apply({
      type: 14,
      txns: [
        createBody('/a', '', 1),
        { ...createBody('/c', '', 2), type: 19 },
        { ...createBody('/t', '', 3), type: 21, ttlMs: 5 },
        { type: 5, path: '/c', data: Buffer.from('abc'), version: 1 },
        { type: 2, path: '/a' },
        { type: 20, path: '/t' },
        { type: 13, path: '/c', version: 1 },
      ],
    });
    const results = readMultiResponse(new ByteReader(txns.reply.view()));
    expect(results.map(({ type }) => type)).toEqual([1, 15, 15, 5, 2, 2, 13]);
    expect(results[1]).toMatchObject({ path: '/c', stat: { dataLength: 0 } });
    expect(results[3]).toMatchObject({ stat: { dataLength: 3, version: 1 } });
  });

  test('an empty one replies with its end', () => {
    txns.reply = new ByteWriter();
    txns.apply({ type: 14, txns: [] });
    expect(txns.reply.view().toString('hex')).toBe('ffffffff01ffffffff');
  });

  test('on replay the parts that are there already change nothing', () => {
    const body: TxnBody = { type: 14, txns: [createBody('/a', '', 1), createBody('/b', '', 2)] };
    txns.apply(body);
    const before = dumpTree(tree);
    expect(txns.apply(body, 1)).toBe(0);
    expect(dumpTree(tree)).toEqual(before);
  });

  test.each([14, 7, 16, -10, -11, 99])('a part of type %i is refused', (type) => {
    const entry = encodeTxn({
      header: { clientId: 1n, cxid: 1, zxid: 9, time: 1, type: 14 },
      body: { type: 14, txns: [{ type: 2, path: '/a' }] },
      digest: undefined,
    });
    entry.writeInt32BE(type, 36);
    expect(() => tree.apply(entry, 0, entry.length)).toThrow(MarshallingError);
  });
});

describe('the reply', () => {
  const replyTo = (body: TxnBody): ByteReader => {
    txns.reply = new ByteWriter(16);
    txns.apply(body);
    return new ByteReader(txns.reply.view());
  };

  test('of create is the path, of create2 path and Stat', () => {
    expect(replyTo(createBody('/a')).string()).toBe('/a');
    const reader = replyTo({ ...createBody('/b', 'xy', 2), type: 15 });
    expect(readCreate2Response(reader)).toMatchObject({
      path: '/b',
      stat: { czxid: 2, dataLength: 2 },
    });
    expect(reader.remaining).toBe(0);
  });

  test('of setData and setACL is the Stat', () => {
    txns.create('/a');
    expect(readStat(replyTo({ type: 5, path: '/a', data: null, version: 1 }))).toMatchObject({
      version: 1,
    });
    expect(readStat(replyTo({ type: 7, path: '/a', acl: READ_ONLY, version: 2 }))).toMatchObject({
      aversion: 2,
    });
  });

  test('of reconfig is data and Stat', () => {
    const reader = replyTo({
      type: 16,
      path: '/zookeeper/config',
      data: Buffer.from('s'),
      version: -1,
    });
    const response = readGetDataResponse(reader);
    expect(response.stat).toMatchObject({ version: -1, mzxid: 1 });
  });

  test('of delete, sessions, errors and what had no effect is nothing', () => {
    txns.create('/a');
    const bodies: TxnBody[] = [
      { type: 2, path: '/a' },
      { type: 2, path: '/a' },
      createBody('/no/a'),
      { type: 5, path: '/a', data: null, version: 1 },
      { type: -10, timeoutMs: 1 },
      { type: -11, paths: [] },
      { type: -1, error: ErrorCode.BADVERSION },
    ];
    for (const body of bodies) expect(replyTo(body).remaining).toBe(0);
  });
});

test('an error txn gives its code and only advances the zxid', () => {
  const before = dumpTree(tree);
  expect(txns.apply({ type: -1, error: ErrorCode.NOTEMPTY })).toBe(ErrorCode.NOTEMPTY);
  expect(dumpTree(tree)).toEqual(before);
  expect(tree.lastProcessedZxid).toBe(1);
});

test('a bare check is a no-op, as releases before ZOOKEEPER-2623 logged it', () => {
  expect(txns.apply({ type: 13, path: '/a', version: 1 })).toBe(0);
});

test('lastProcessedZxid never falls', () => {
  txns.create('/a');
  txns.create('/b');
  txns.apply({ type: -1, error: -1 }, 1);
  expect(tree.lastProcessedZxid).toBe(2);
});

test('events come after the change, in the order of the sub-txns', () => {
  const seen: string[] = [];
  txns.listener = {
    created: (id, parent) =>
      seen.push(`created ${tree.paths.pathString(id)} of ${tree.numChildren(parent)}`),
    deleted: (id, _parent, aclId) =>
      seen.push(
        `deleted ${tree.paths.pathString(id)} ${tree.has(id)} ${tree.acls.aclOf(aclId)[0]?.perms}`,
      ),
    dataChanged: (id) => seen.push(`changed ${tree.paths.pathString(id)} ${dataOf(tree, id)}`),
  };
  txns.apply({
    type: 14,
    txns: [
      createBody('/a', '', 1, READ_ONLY),
      { type: 5, path: '/a', data: Buffer.from('x'), version: 1 },
      { type: 2, path: '/a' },
    ],
  });
  expect(seen).toEqual(['created /a of 2', 'changed /a x', 'deleted /a false 1']);
  expect(tree.acls.size).toBe(1);
});

describe('damage', () => {
  test.each([3, 8, 9, 10, 17, 23, 100, -2])('type %i is no txn', (type) => {
    txns.create('/a');
    const entry = Buffer.from(txns.lastEntry);
    entry.writeInt32BE(type, 28);
    expect(() => tree.apply(entry, 0, entry.length)).toThrow(MarshallingError);
  });

  test('an entry cut anywhere is refused or applied as an old record', () => {
    txns.create('/a', 'data');
    const { lastEntry } = txns;
    for (let end = 0; end < lastEntry.length - 4; end++) {
      const other = new DataTree();
      expect(() => other.apply(lastEntry, 0, end)).toThrow(MarshallingError);
    }
  });
});

describe('the digest of a txn', () => {
  const entryWith = (version: number, treeDigest: bigint, type = 1) =>
    encodeTxn({
      header: { clientId: 0n, cxid: 0, zxid: 3, time: 1, type },
      body: type === -1 ? { type: -1, error: 0 } : createBody('/a'),
      digest: { version, treeDigest },
    });

  test.each([
    ['counts as a mismatch when it differs', 2, 1, 1],
    ['is not compared in another version', 3, 1, 0],
    ['is not looked for after an error', 2, -1, 0],
  ] as const)('%s', (_name, version, type, mismatches) => {
    const entry = entryWith(version, 1n, type);
    tree.apply(entry, 0, entry.length);
    expect(tree.digestMismatches).toBe(mismatches);
  });

  test('is not compared while the tree is ahead of its zxid, and the snapshot is at its end', () => {
    tree.expectDigest(3, 0, 1371985504);
    expect(tree.isFuzzy).toBe(true);
    const entry = entryWith(2, 1n);
    tree.apply(entry, 0, entry.length);
    expect(tree.isFuzzy).toBe(false);
    // The create made the tree's digest another than the snapshot's.
    expect(tree.digestMismatches).toBe(1);
  });

  test('of a snapshot during which nothing was applied is compared at once', () => {
    tree.lastProcessedZxid = 2;
    tree.expectDigest(2, 0, 1371985504);
    expect(tree.isFuzzy).toBe(false);
    expect(tree.digestMismatches).toBe(0);
    tree.expectDigest(2, 0, 1);
    expect(tree.digestMismatches).toBe(1);
  });

  test('of a snapshot is passed over when it is of a txn before the snapshot', () => {
    tree.lastProcessedZxid = 5;
    tree.expectDigest(4, 1, 1);
    expect(tree.isFuzzy).toBe(false);
    expect(tree.digestMismatches).toBe(0);
  });

  test('may differ after a snapshot that does not say how fuzzy it is, until one agrees', () => {
    const applied = (on: DataTree, zxid: number, treeDigest: bigint): number => {
      const entry = encodeTxn({
        header: { clientId: 0n, cxid: 0, zxid, time: 1, type: 1 },
        body: createBody(`/${zxid}`),
        digest: { version: 2, treeDigest },
      });
      on.apply(entry, 0, entry.length);
      return on.digestMismatches;
    };
    const twin = new DataTree();
    applied(twin, 3, 1n);
    applied(twin, 4, 1n);
    tree.expectFuzziness(100);
    expect(applied(tree, 3, 1n)).toBe(0);
    expect(applied(tree, 4, twin.digest)).toBe(0);
    expect(applied(tree, 5, 1n)).toBe(1);

    tree = new DataTree();
    tree.expectFuzziness(2);
    expect([applied(tree, 3, 1n), applied(tree, 4, 1n), applied(tree, 5, 1n)]).toEqual([0, 1, 2]);
  });

  test('costs nothing where digests are off', () => {
    tree = new DataTree({ digest: false });
    const entry = entryWith(2, 1n);
    tree.apply(entry, 0, entry.length);
    expect(tree.digest).toBe(0n);
    expect(tree.digestMismatches).toBe(0);
  });
});

test('an entry longer than any default limit is applied: it was accepted once', () => {
  const data = Buffer.alloc(3_000_000, 0x61);
  expect(txns.apply({ ...createBody('/large'), data })).toBe(ErrorCode.OK);
  expect(tree.dataLength(tree.findString('/large'))).toBe(data.length);
});
