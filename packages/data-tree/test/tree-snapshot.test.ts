import { Buffer } from 'node:buffer';
import { ByteWriter, ErrorCode, MarshallingError } from '@zebu/protocol';
import { expect, test } from 'vitest';
import { DataTree } from '../src/index.ts';
import { dumpTree } from './support/dump.ts';
import { Applier, createBody, READ_ONLY } from './support/txns.ts';

function sample(): { tree: DataTree; txns: Applier } {
  const tree = new DataTree({ extendedTypes: true });
  const txns = new Applier(tree);
  txns.create('/a', 'data of a');
  txns.create('/a/b', null);
  txns.apply(createBody('/a/c', 'x'.repeat(500), 2, READ_ONLY));
  txns.session = 0x1234n;
  txns.ephemeral('/a/e');
  txns.apply({ ...createBody('/cont'), type: 19 });
  txns.apply({ ...createBody('/ttl'), type: 21, ttlMs: 500 });
  txns.setData('/a', 'changed', 7);
  return { tree, txns };
}

function snapshotOf(tree: DataTree, sliceBytes = 1e6): Buffer {
  const writer = new ByteWriter();
  const walk = tree.startWalk();
  while (!walk.fill(writer, sliceBytes));
  return Buffer.from(writer.view());
}

function load(bytes: Buffer, pieceBytes = bytes.length): DataTree {
  const tree = new DataTree({ extendedTypes: true });
  const restore = tree.startRestore();
  // As a reader of files does: what was not consumed comes again, with more after it.
  for (let at = 0, end = 0; !restore.done; ) {
    end = Math.min(bytes.length, end + pieceBytes);
    at += restore.consume(bytes, at, end);
    if (end === bytes.length && !restore.done) break;
  }
  restore.finish();
  return tree;
}

test('a snapshot loads into an equal tree, whatever the pieces', () => {
  const { tree } = sample();
  const bytes = snapshotOf(tree);
  for (const pieceBytes of [1, 2, 3, 7, 100, bytes.length]) {
    const loaded = load(bytes, pieceBytes);
    expect(dumpTree(loaded)).toEqual(dumpTree(tree));
    expect(loaded.digest).toBe(tree.digest);
    expect(loaded.ephemerals.countOf(0, 0x1234)).toBe(1);
    expect(loaded.containers.containerCount).toBe(1);
    expect(loaded.containers.ttlCount).toBe(1);
    expect(loaded.approximateDataSize).toBe(tree.approximateDataSize);
    expect(loaded.acls.size).toBe(tree.acls.size);
  }
});

test('slices of any size add up to the same bytes', () => {
  const { tree } = sample();
  expect(snapshotOf(tree, 1)).toEqual(snapshotOf(tree, 1e6));
});

test('children keep their order, oldest first', () => {
  const { tree } = sample();
  const names = (of: DataTree): string[] => {
    const found: string[] = [];
    for (let id = of.firstChild(of.findString('/a')); id !== 0; id = of.nextSibling(id))
      found.push(of.paths.nameString(id));
    return found;
  };
  expect(names(tree)).toEqual(['b', 'c', 'e']);
  expect(names(load(snapshotOf(tree)))).toEqual(['b', 'c', 'e']);
});

test('a child created after its parent was written is left to the log', () => {
  const { tree, txns } = sample();
  const walk = tree.startWalk();
  const writer = new ByteWriter();
  while (walk.written < 1) walk.fill(writer, 1);
  txns.create('/late');
  while (!walk.fill(writer, 1e6));
  expect(load(Buffer.from(writer.view())).findString('/late')).toBe(0);
});

/** How often the path is in the snapshot. */
function countOf(path: string, bytes: Buffer): number {
  const length = Buffer.alloc(4);
  length.writeInt32BE(path.length);
  return bytes.toString('latin1').split(`${length.toString('latin1')}${path}`).length - 1;
}

test.each(['/a', '/b', '/c'])(
  'a znode that is deleted after the walk began takes no other one along: %s',
  (deleted) => {
    for (const before of [1, 2, 3, 4]) {
      const tree = new DataTree();
      const txns = new Applier(tree);
      for (const path of ['/a', '/b', '/c']) txns.create(path);
      const writer = new ByteWriter();
      const walk = tree.startWalk();
      while (walk.written < before) walk.fill(writer, 1);
      txns.delete(deleted);
      const { lastEntry } = txns;
      while (!walk.fill(writer, 1));
      const bytes = Buffer.from(writer.view());

      const kept = ['/a', '/b', '/c'].filter((path) => path !== deleted);
      for (const path of kept) expect(countOf(path, bytes)).toBe(1);
      expect(countOf(deleted, bytes)).toBeLessThanOrEqual(1);
      const loaded = load(bytes);
      for (const path of kept) expect(loaded.findString(path)).not.toBe(0);
      loaded.apply(lastEntry, 0, lastEntry.length);
      expect(loaded.findString(deleted)).toBe(0);
      expect(loaded.digest).toBe(tree.digest);
    }
  },
);

test('a delete whose znode the snapshot lacks still counts for its parent', () => {
  const tree = new DataTree();
  const txns = new Applier(tree);
  txns.create('/p');
  txns.create('/p/only');
  const writer = new ByteWriter();
  const walk = tree.startWalk();
  while (!Buffer.from(writer.view()).includes('/p')) walk.fill(writer, 1);
  const zxidOfDelete = txns.zxid + 1;
  txns.delete('/p/only');
  const { lastEntry } = txns;
  while (!walk.fill(writer, 1));

  const loaded = load(Buffer.from(writer.view()));
  expect(loaded.findString('/p/only')).toBe(0);
  const pzxidOf = (of: DataTree) => of.pzxid(of.findString('/p'));
  expect(pzxidOf(loaded)).not.toBe(zxidOfDelete);
  expect(loaded.apply(lastEntry, 0, lastEntry.length)).toBe(ErrorCode.NONODE);
  expect(pzxidOf(loaded)).toBe(zxidOfDelete);
  expect(dumpTree(loaded)).toEqual(dumpTree(tree));
  expect(loaded.digest).toBe(tree.digest);
});

test('a walk that is given up does not hold ACL lists back', () => {
  const { tree, txns } = sample();
  const walk = tree.startWalk();
  txns.delete('/a/c');
  expect(tree.acls.size).toBe(1);
  txns.apply({ type: 7, path: '/zookeeper/config', acl: null, version: 0 });
  expect(tree.acls.size).toBe(1);
  walk.close();
  walk.close();
  expect(tree.acls.size).toBe(0);
});

test('a znode whose list is not in the table grants nothing until its txn is replayed', () => {
  const { tree, txns } = sample();
  const writer = new ByteWriter();
  const walk = tree.startWalk();
  txns.apply({ type: 7, path: '/a/b', acl: [{ perms: 3, scheme: 'ip', id: '::1' }], version: 1 });
  const { lastEntry } = txns;
  while (!walk.fill(writer, 1e6));
  const loaded = load(Buffer.from(writer.view()));
  const aclOf = () => loaded.acls.aclOf(loaded.aclId(loaded.findString('/a/b')));
  expect(aclOf()).toEqual([{ perms: 0, scheme: 'world', id: 'anyone' }]);
  loaded.apply(lastEntry, 0, lastEntry.length);
  expect(aclOf()).toEqual([{ perms: 3, scheme: 'ip', id: '::1' }]);
  expect(dumpTree(loaded)).toEqual(dumpTree(tree));
});

test('a snapshot of an older release without the config znode gets one', () => {
  const { tree } = sample();
  const marker = Buffer.from('/zookeeper/config');
  const bytes = snapshotOf(tree);
  const at = bytes.indexOf(marker) - 4;
  const without = Buffer.concat([
    bytes.subarray(0, at),
    bytes.subarray(at + 4 + marker.length + 4 + 8 + 60),
  ]);
  expect(load(without).findString('/zookeeper/config')).not.toBe(0);
});

test.each([
  ['ends early', (bytes: Buffer) => bytes.subarray(0, -5)],
  [
    'has a child before its parent',
    (bytes: Buffer) => {
      bytes.write('/x/y', bytes.indexOf('/a/b'));
      return bytes;
    },
  ],
  [
    'has an impossible length',
    (bytes: Buffer) => {
      bytes.writeInt32BE(-7, bytes.indexOf('/a/b') + 4);
      return bytes;
    },
  ],
  [
    'has no ACL list where there must be one',
    (bytes: Buffer) => {
      bytes.writeInt32BE(-1, 4 + 8);
      return bytes;
    },
  ],
])('a snapshot that %s is refused', (_name, damage) => {
  const bytes = damage(Buffer.from(snapshotOf(sample().tree)));
  expect(() => load(bytes)).toThrow(MarshallingError);
});
