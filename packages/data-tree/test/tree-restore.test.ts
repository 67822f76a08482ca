// What a restore takes of the bytes that are there, and what it refuses: tree-snapshot.ts. What a walk bounds.

import { Buffer } from 'node:buffer';
import { ByteReader, ByteWriter, MarshallingError } from '@zebu/protocol';
import { expect, test } from 'vitest';
import { DataTree, QUOTA_ID, ZOOKEEPER_ID } from '../src/index.ts';
import { RESTORE_FIELD_LIMIT } from '../src/tree-snapshot.ts';
import { dumpTree } from './support/dump.ts';
import { Applier, createBody } from './support/txns.ts';

const LISTS = 20;

/** A tree with many ACL lists, null data, an ephemeral, and another list on a znode of the base tree. */
function sample(lists = LISTS): { tree: DataTree; txns: Applier } {
  const tree = new DataTree();
  const txns = new Applier(tree);
  txns.create('/a', 'data of a');
  txns.create('/a/null', null);
  for (let i = 0; i < lists; i++) {
    txns.apply(
      createBody(`/a/n${i}`, 'x', i + 2, [{ perms: 1, scheme: 'digest', id: `user ${i}` }]),
    );
  }
  txns.session = 5n;
  txns.ephemeral('/a/e');
  // Another list than the base tree has there.
  const acl = [{ perms: 3, scheme: 'world', id: 'anyone' }];
  txns.apply({ type: 7, path: '/zookeeper/config', acl, version: 0 });
  return { tree, txns };
}

function snapshotOf(tree: DataTree, sliceBytes = 1e6): Buffer {
  const writer = new ByteWriter();
  const walk = tree.startWalk();
  while (!walk.fill(writer, sliceBytes));
  return Buffer.from(writer.view());
}

/** Where each record of a snapshot ends: the head of the ACL table, its lists, the znodes, the terminator. */
function endsOfRecords(bytes: Buffer): number[] {
  const reader = new ByteReader(bytes);
  const lists = reader.int32();
  const ends = [reader.offset];
  for (let i = 0; i < lists; i++) {
    reader.skip(8);
    for (let left = reader.int32(); left > 0; left--) {
      reader.skip(4);
      reader.skipBuffer();
      reader.skipBuffer();
    }
    ends.push(reader.offset);
  }
  while (reader.remaining > 0) {
    if (reader.string() !== '/') {
      reader.skipBuffer();
      reader.skip(68);
    }
    ends.push(reader.offset);
  }
  return ends;
}

/** The snapshot of a tree with one znode below the root, whose path and data have these lengths. */
function handMade(write: (writer: ByteWriter) => void): Buffer {
  const writer = new ByteWriter();
  write(writer);
  return Buffer.from(writer.view());
}

test.each([0x00, 0xff])(
  'what is whole is taken, and nothing beyond the end, whatever stands there (0x%x)',
  (other) => {
    const { tree } = sample(2);
    const plain = snapshotOf(tree);
    const ends = endsOfRecords(plain);
    expect(ends.at(-1)).toBe(plain.length);
    // Not at the beginning of the buffer.
    const start = 1000;
    const whole = Buffer.concat([Buffer.alloc(start, other), plain]);
    for (let cut = 0; cut <= plain.length; cut++) {
      const bytes = Buffer.alloc(whole.length, other);
      whole.copy(bytes, 0, 0, start + cut);
      const loaded = new DataTree();
      const restore = loaded.startRestore();
      const taken = restore.consume(bytes, start, start + cut);
      expect({ cut, taken }).toEqual({ cut, taken: ends.findLast((end) => end <= cut) ?? 0 });
      expect(restore.done).toBe(cut === plain.length);
      if (cut % 37 !== 0) continue;
      restore.consume(whole, start + taken, whole.length);
      restore.finish();
      expect(dumpTree(loaded)).toEqual(dumpTree(tree));
    }
  },
);

test('znodes and missing lists are counted, and no path or list has more uses than in the tree that was saved', () => {
  const { tree, txns } = sample();
  const walk = tree.startWalk();
  const writer = new ByteWriter();
  while (walk.written < 1) walk.fill(writer, 1);
  // Its list is in the table, and no znode has it any more.
  txns.delete('/a/n3');
  while (!walk.fill(writer, 1e6));
  const loaded = new DataTree();
  const restore = loaded.startRestore();
  restore.consume(Buffer.from(writer.view()), 0, writer.offset);
  restore.finish();
  expect(restore.loaded).toBe(walk.written);
  expect(restore.missingAcls).toBe(0);
  expect(loaded.acls.size).toBe(tree.acls.size);
  for (const path of ['/zookeeper', '/zookeeper/quota', '/zookeeper/config', '/a', '/a/null']) {
    const uses = (of: DataTree) => of.paths.uses(of.findString(path));
    expect([path, uses(loaded)]).toEqual([path, uses(tree)]);
  }
  const uses = (of: DataTree) => of.acls.uses(of.aclId(of.findString('/a/n4')));
  expect(uses(loaded)).toBe(uses(tree));
});

test('a list that is not in the table is counted once, and what stands in for it goes with its znodes', () => {
  const bytes = handMade((writer) => {
    writer.int32(0);
    for (const [path, acl] of [
      ['', -1],
      ['/x', 77],
      ['/y', 78],
      ['/z', 77],
    ] as const) {
      writer.string(path);
      writer.int32(0);
      writer.int64(acl);
      writer.raw(Buffer.alloc(60), 0, 60);
    }
    writer.string('/');
  });
  const tree = new DataTree();
  const restore = tree.startRestore();
  expect(restore.consume(bytes, 0, bytes.length)).toBe(bytes.length);
  restore.finish();
  expect(restore.missingAcls).toBe(2);
  const txns = new Applier(tree, 5);
  txns.delete('/x');
  expect(tree.acls.size).toBe(2);
  txns.delete('/y');
  txns.delete('/z');
  // What is left is the list of /zookeeper/config.
  expect(tree.acls.size).toBe(1);
});

test('more znodes are loaded than one chunk of records holds', () => {
  const tree = new DataTree();
  const txns = new Applier(tree);
  for (let i = 0; i < 5000; i++) txns.create(`/n${i}`);
  const bytes = snapshotOf(tree);
  const loaded = new DataTree();
  const restore = loaded.startRestore();
  restore.consume(bytes, 0, bytes.length);
  restore.finish();
  expect(loaded.znodeCount).toBe(tree.znodeCount);
  expect(loaded.digest).toBe(tree.digest);
});

test.each<[string, (writer: ByteWriter) => void, string]>([
  [
    'a list that is null',
    (writer) => {
      writer.int32(1);
      writer.int64(9);
      writer.int32(-1);
    },
    'Null ACL list 9 in a snapshot',
  ],
  [
    'a path of negative length',
    (writer) => {
      writer.int32(0);
      writer.int32(-2);
    },
    'Unreasonable length -2 in a snapshot',
  ],
  [
    'data over the limit',
    (writer) => {
      writer.int32(0);
      writer.string('');
      writer.int32(RESTORE_FIELD_LIMIT + 1);
    },
    `Unreasonable length ${RESTORE_FIELD_LIMIT + 1} in a snapshot`,
  ],
  [
    'a path without a slash',
    (writer) => {
      writer.int32(0);
      writer.string('x');
      writer.int32(0);
      writer.int64(-1);
      writer.raw(Buffer.alloc(60), 0, 60);
    },
    'Snapshot has x before its parent',
  ],
])('%s is damage, and the message says which', (_, write, message) => {
  const bytes = handMade(write);
  const restore = new DataTree().startRestore();
  expect(() => restore.consume(bytes, 0, bytes.length)).toThrow(new MarshallingError(message));
});

test('a field of exactly the limit is waited for', () => {
  const bytes = handMade((writer) => {
    writer.int32(0);
    writer.string('');
    writer.int32(RESTORE_FIELD_LIMIT);
  });
  expect(new DataTree().startRestore().consume(bytes, 0, bytes.length)).toBe(4);
});

test('a snapshot without its end is not finished', () => {
  const restore = new DataTree().startRestore();
  expect(() => restore.finish()).toThrow(
    new MarshallingError('Snapshot ends before its last znode'),
  );
});

test('a slice ends with the record that reaches its size', () => {
  const { tree } = sample();
  const plain = snapshotOf(tree);
  const ends = endsOfRecords(plain);
  for (const maxBytes of [1, 4, 30, 70, 200, 1000]) {
    const walk = tree.startWalk();
    const writer = new ByteWriter();
    for (let isDone = false; !isDone; ) {
      const before = writer.offset;
      isDone = walk.fill(writer, maxBytes);
      if (isDone) break;
      const expected = ends.find((end) => end >= before + maxBytes);
      expect({ maxBytes, before, after: writer.offset }).toEqual({
        maxBytes,
        before,
        after: expected,
      });
    }
    expect(Buffer.from(writer.view())).toEqual(plain);
  }
  // Also where the size is reached exactly.
  for (const end of ends.slice(0, -2)) {
    const walk = tree.startWalk();
    const writer = new ByteWriter();
    expect(walk.fill(writer, end)).toBe(false);
    expect(writer.offset).toBe(end);
    walk.close();
  }
});

test('a walk has room for its znodes in a writer of any size', () => {
  const tree = new DataTree();
  const txns = new Applier(tree);
  const name = (i: number) => `/${'p'.repeat(1 + (i % 50))}${i}`;
  for (let i = 0; i < 200; i++) txns.create(name(i), 'd'.repeat(i));
  const walk = tree.startWalk();
  const parts: Buffer[] = [];
  for (let isDone = false; !isDone; ) {
    const writer = new ByteWriter(1);
    isDone = walk.fill(writer, 1);
    parts.push(Buffer.from(writer.view()));
  }
  const loaded = new DataTree();
  const bytes = Buffer.concat(parts);
  const restore = loaded.startRestore();
  restore.consume(bytes, 0, bytes.length);
  restore.finish();
  expect(dumpTree(loaded)).toEqual(dumpTree(tree));
});

test('a walk that is closed twice ends its own hold of ACL lists alone', () => {
  const { tree, txns } = sample();
  const walk = tree.startWalk();
  const other = tree.startWalk();
  other.close();
  other.close();
  // The tree knows no walk that is over.
  expect((tree as unknown as { walks: unknown[] }).walks).toEqual([walk]);
  // Forgotten at once, were it not for the walk; its id would go to the next list.
  txns.delete('/a/n0');
  txns.apply(createBody('/late', '', 3, [{ perms: 2, scheme: 'ip', id: '10.0.0.1' }]));
  const writer = new ByteWriter();
  while (!walk.fill(writer, 1e6));
  const loaded = new DataTree();
  const restore = loaded.startRestore();
  restore.consume(Buffer.from(writer.view()), 0, writer.offset);
  restore.finish();
  expect(restore.missingAcls).toBe(1);
  expect([ZOOKEEPER_ID, QUOTA_ID].every((id) => loaded.has(id))).toBe(true);
});
