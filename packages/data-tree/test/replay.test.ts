// Txns that meet a tree which is ahead of them, as after a fuzzy snapshot, and what must hold then: the digest is the
// sum over the znodes, nothing is leaked, and no zxid falls.

import { Buffer } from 'node:buffer';
import {
  type Acl,
  ByteReader,
  ByteWriter,
  ErrorCode,
  encodeTxn,
  MarshallingError,
  readMultiResponse,
  type TxnBody,
} from '@zebu/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import { DataTree, PendingChanges, type TreeListener } from '../src/index.ts';
import { dataOf } from './support/dump.ts';
import { Applier, createBody, READ_ONLY } from './support/txns.ts';

const OTHER: readonly Acl[] = [{ perms: 2, scheme: 'world', id: 'anyone' }];
const THIRD: readonly Acl[] = [{ perms: 4, scheme: 'world', id: 'anyone' }];

let tree: DataTree;
let txns: Applier;
beforeEach(() => {
  tree = new DataTree({ extendedTypes: true });
  txns = new Applier(tree);
});

/** What a snapshot of the tree, loaded again, has for a digest: each znode added once. */
function digestFromScratch(from: DataTree): bigint {
  const snapshot = new ByteWriter();
  const walk = from.startWalk();
  while (!walk.fill(snapshot, 1 << 16));
  const restored = new DataTree({ extendedTypes: true });
  const restore = restored.startRestore();
  restore.consume(snapshot.bytes, 0, snapshot.offset);
  restore.finish();
  return restored.digest;
}

const id = (path: string) => tree.findString(path);

describe('the digest is the sum over the znodes', () => {
  test.each<[string, (applied: Applier) => void]>([
    ['after a create', (applied) => applied.create('/p/b', 'data')],
    ['after a create of what is there', (applied) => applied.create('/p/a', 'x', 9)],
    ['after a delete', (applied) => applied.delete('/p/a')],
    [
      'after a delete of what is gone, which raises the pzxid of the parent',
      (applied) => applied.delete('/p/no'),
    ],
    ['after a setData', (applied) => applied.setData('/p/a', 'more', 3)],
    [
      'after a setACL',
      (applied) => applied.apply({ type: 7, path: '/p/a', acl: READ_ONLY, version: 4 }),
    ],
    [
      'after the end of a session whose record lists nothing',
      (applied) => applied.apply({ type: -11, paths: [] }),
    ],
  ])('%s', (_, act) => {
    txns.session = 7n;
    txns.create('/p');
    txns.create('/p/a', 'x');
    txns.ephemeral('/p/e');
    const before = tree.digest;
    act(txns);
    expect(tree.digest).toBe(digestFromScratch(tree));
    expect(tree.digest).not.toBe(before);
  });
});

describe('the digest in an entry is looked for after the body', () => {
  const bodies: readonly TxnBody[] = [
    createBody('/p/n', 'data', 2),
    { ...createBody('/p/n', 'data', 2), type: 15 },
    { ...createBody('/p/n', 'data', 2), type: 19 },
    { ...createBody('/p/n', 'data', 2), type: 21, ttlMs: 1000 },
    createBody('/p/a', 'there already', 2),
    createBody('/none/n', 'no parent', 2),
    { type: 2, path: '/p/a' },
    { type: 2, path: '/p/none' },
    { type: 20, path: '/p/a' },
    { type: 5, path: '/p/a', data: Buffer.from('new'), version: 1 },
    { type: 5, path: '/p/none', data: null, version: 1 },
    { type: 7, path: '/p/a', acl: READ_ONLY, version: 1 },
    { type: 7, path: '/p/none', acl: READ_ONLY, version: 1 },
    { type: 13, path: '/p/a', version: 3 },
    { type: -10, timeoutMs: 1000 },
    { type: -11, paths: ['/p/a'] },
    { type: -11, paths: [] },
    { type: -11, paths: undefined },
    {
      type: 14,
      txns: [
        { type: 13, path: '/p/a', version: 0 },
        { type: 5, path: '/p/a', data: null, version: 1 },
        { ...createBody('/p/n', 'data', 2), type: 15 },
      ],
    },
    {
      type: 14,
      txns: [
        { type: -1, error: -101 },
        { type: -1, error: -2 },
      ],
    },
  ];

  test.each(bodies.map((body) => [body.type, JSON.stringify(body), body] as const))(
    'of type %i: %s',
    (type, _, body) => {
      const prepared = () => {
        const fresh = new Applier(new DataTree({ extendedTypes: true }));
        fresh.create('/p');
        fresh.create('/p/a', 'x');
        return fresh;
      };
      const first = prepared();
      first.apply(body);
      const entry = (treeDigest: bigint) =>
        encodeTxn({
          header: { clientId: 0n, cxid: 1, zxid: first.zxid, time: 1000 + first.zxid, type },
          body,
          digest: { version: 2, treeDigest },
        });
      for (const [digest, mismatches] of [
        [first.tree.digest, 0],
        [first.tree.digest ^ 1n, 1],
      ] as const) {
        const second = prepared();
        const bytes = entry(digest);
        second.tree.apply(bytes, 0, bytes.length);
        expect(second.tree.digestMismatches).toBe(mismatches);
      }
    },
  );
});

describe('what comes again', () => {
  test('a create of what is there keeps no path and no ACL more', () => {
    const [paths, acls] = [tree.paths.size, tree.acls.size];
    txns.apply(createBody('/a', '', 1, OTHER));
    txns.apply(createBody('/a', '', 2, THIRD));
    expect(tree.acls.aclOf(tree.aclId(id('/a')))).toEqual(THIRD);
    expect(tree.acls.size).toBe(acls + 1);
    txns.delete('/a');
    expect([tree.paths.size, tree.acls.size]).toEqual([paths, acls]);
  });

  test('a delete that is older than the parent leaves its pzxid, a newer one raises it', () => {
    txns.create('/p');
    txns.apply(createBody('/p/a'), 9);
    txns.apply({ type: 2, path: '/p/none' }, 5);
    expect(tree.pzxid(id('/p'))).toBe(9);
    expect(txns.apply({ type: 2, path: '/p/none' }, 12)).toBe(ErrorCode.NONODE);
    expect(tree.pzxid(id('/p'))).toBe(12);
  });

  test('the end of a session takes what its record does not list, and raises the pzxid of the parents', () => {
    txns.session = 7n;
    txns.create('/p');
    txns.ephemeral('/p/e');
    txns.apply({ type: -11, paths: undefined });
    expect(id('/p/e')).toBe(0);
    expect(tree.pzxid(id('/p'))).toBe(txns.zxid);
  });

  test('a walk that was begun before a delete holds each znode that is left once', () => {
    for (const path of ['/a', '/b', '/c']) txns.create(path);
    const startZxid = txns.zxid;
    const snapshot = new ByteWriter();
    const walk = tree.startWalk();
    walk.fill(snapshot, 1);
    txns.delete('/c');
    const deletion = txns.lastEntry;
    while (!walk.fill(snapshot, 1));
    const text = Buffer.from(snapshot.view()).toString('latin1');
    for (const path of ['/a', '/b']) expect(text.split(path)).toHaveLength(2);
    const restored = new DataTree({ extendedTypes: true });
    const restore = restored.startRestore();
    restore.consume(snapshot.bytes, 0, snapshot.offset);
    restore.finish();
    restored.apply(deletion, 0, deletion.length);
    expect(startZxid).toBeLessThan(restored.lastProcessedZxid);
    expect(['/a', '/b', '/c'].map((path) => restored.findString(path) !== 0)).toEqual([
      true,
      true,
      false,
    ]);
    expect(restored.digest).toBe(tree.digest);
  });
});

describe('multi', () => {
  test('a part that fails when it is applied says so in its place, and the parts after it are done', () => {
    txns.create('/a');
    const reply = new ByteWriter();
    txns.reply = reply;
    txns.apply({
      type: 14,
      txns: [
        { ...createBody('/first', '', 3), type: 15 },
        createBody('/a', '', 3),
        { ...createBody('/b', '', 4), type: 15 },
      ],
    });
    const results = readMultiResponse(new ByteReader(Buffer.from(reply.view())));
    expect(results).toEqual([
      { type: 15, path: '/first', stat: expect.objectContaining({ czxid: txns.zxid }) },
      { type: -1, error: ErrorCode.NODEEXISTS },
      { type: 15, path: '/b', stat: expect.objectContaining({ czxid: txns.zxid }) },
    ]);
  });
});

test('a reply of more data than the buffer has room for is whole', () => {
  txns.reply = new ByteWriter(16);
  txns.apply({
    type: 16,
    path: '/zookeeper/config',
    data: Buffer.alloc(5000, 0x61),
    version: 1,
  });
  const reader = new ByteReader(Buffer.from(txns.reply.view()));
  expect(Buffer.from(reader.buffer() as Uint8Array)).toEqual(Buffer.alloc(5000, 0x61));
});

test('data that is set to nothing is empty, and data that is set to null is null', () => {
  txns.create('/a', 'x');
  txns.setData('/a', '');
  expect(dataOf(tree, id('/a'))).toBe('');
  txns.setData('/a', null);
  expect(dataOf(tree, id('/a'))).toBe(null);
});

test('more znodes than one chunk of records holds have each their own Stat', () => {
  for (let i = 0; i < 4200; i++) txns.create(`/n${i}`);
  expect(tree.pzxid(id('/n0'))).toBe(1);
  expect(tree.pzxid(id('/n4199'))).toBe(4200);
});

test('a listener need not listen to sessions', () => {
  txns.listener = { created() {}, deleted() {}, dataChanged() {} } as unknown as TreeListener;
  expect(txns.apply({ type: -10, timeoutMs: 1000 })).toBe(0);
  expect(txns.apply({ type: -11, paths: [] })).toBe(0);
});

test('a set of data that is not the prepared one goes where its entry says', () => {
  txns.create('/a', 'old');
  txns.create('/b', 'old');
  const pending = new PendingChanges(tree);
  pending.setData({
    zxid: 99,
    timeMs: 1,
    id: id('/a'),
    bytes: Buffer.from('prepared'),
    dataStart: 0,
    dataLength: 8,
    version: 1,
  });
  const entry = encodeTxn({
    header: { clientId: 0n, cxid: 1, zxid: 98, time: 1, type: 5 },
    body: { type: 5, path: '/b', data: Buffer.from('other'), version: 1 },
    digest: undefined,
  });
  expect(tree.apply(entry, 0, entry.length, undefined, undefined, pending)).toBe(0);
  expect(['/a', '/b'].map((path) => dataOf(tree, id(path)))).toEqual(['old', 'other']);
});

test('an empty path is of no znode', () => {
  expect(txns.apply({ type: 2, path: '' })).toBe(ErrorCode.NONODE);
});

describe('refused, by name', () => {
  const header = (type: number) => {
    const bytes = Buffer.alloc(32);
    bytes.writeInt32BE(type, 28);
    return bytes;
  };
  const int32 = (...values: number[]) => {
    const bytes = Buffer.alloc(4 * values.length);
    for (const [index, value] of values.entries()) bytes.writeInt32BE(value, 4 * index);
    return bytes;
  };

  test.each([
    ['Txn of 31 bytes is shorter than its header', Buffer.alloc(31)],
    ['Unsupported txn type 99', header(99)],
    ['Null path in a txn', Buffer.concat([header(2), int32(-1)])],
    ['Null txn inside a multi', Buffer.concat([header(14), int32(1, 2, -1)])],
    ['Unsupported txn type 16 inside a multi', Buffer.concat([header(14), int32(1, 16, 0)])],
  ])('%s', (message, entry) => {
    // Not at the start of its buffer, as in a log.
    const bytes = Buffer.concat([Buffer.alloc(64), entry]);
    const apply = () => tree.apply(bytes, 64, bytes.length);
    expect(apply).toThrow(MarshallingError);
    expect(apply).toThrow(message);
  });

  test('a path without a slash has no parent', () => {
    expect(txns.apply(createBody('name'))).toBe(ErrorCode.NONODE);
    expect(txns.apply({ type: 2, path: 'name' })).toBe(ErrorCode.NONODE);
  });
});
