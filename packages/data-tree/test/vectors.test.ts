// The computed vectors of disk.md sections 6 and 13.

import { Buffer } from 'node:buffer';
import { ByteWriter } from '@zebu/protocol';
import { expect, test } from 'vitest';
import { DataTree } from '../src/index.ts';

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');

const CREATE_SESSION = hex(
  '0100000000000000 00000000 0000000100000001 0000018bcfe56800 fffffff6 00007530 00000002 0000000051c6d660',
);
const CREATE_A = hex(`
  0100000000000000 00000001 0000000100000002 0000018bcfe56801 00000001 00000002 2f61 00000001 78
  00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00 00000001 00000002 000000021103e1bc`);

test('the digest of an empty tree is that of Apache', () => {
  expect(new DataTree().digest).toBe(1371985504n);
});

test('a fresh tree counts five znodes and 44 bytes', () => {
  const tree = new DataTree();
  expect(tree.znodeCount).toBe(5);
  expect(tree.approximateDataSize).toBe(44);
});

test('the logged txns give the logged digests', () => {
  const tree = new DataTree();
  expect(tree.apply(CREATE_SESSION, 0, CREATE_SESSION.length)).toBe(0);
  expect(tree.apply(CREATE_A, 0, CREATE_A.length)).toBe(0);
  expect(tree.digest).toBe(0x21103e1bcn);
  expect(tree.digestMismatches).toBe(0);
  expect(tree.lastProcessedZxid).toBe(2 ** 32 + 2);
});

test('the snapshot of an empty tree has the length of Apache, header and seals aside', () => {
  const tree = new DataTree();
  const walk = tree.startWalk();
  const writer = new ByteWriter();
  expect(walk.fill(writer, 1e6)).toBe(true);
  // 478 bytes in all, less header 16, sessions 4, three seals 39, digest 20 and zxid 8; the
  // terminator of the nodes is the walk's, so 5 of the first seal's 13 bytes are not ours.
  expect(writer.offset).toBe(478 - 16 - 4 - 39 - 20 - 8);
  const restored = new DataTree();
  const restore = restored.startRestore();
  expect(restore.consume(writer.bytes, 0, writer.offset)).toBe(writer.offset);
  restore.finish();
  expect(restored.digest).toBe(tree.digest);
});
