import { Buffer } from 'node:buffer';
import { encodeTxn } from '@zebu/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import { DataTree, OPEN_ACL_ID, type PathId, PendingChanges, ROOT_ID } from '../src/index.ts';

const SESSION_LOW = 7;

let tree: DataTree;
let pending: PendingChanges;
let zxid: number;

beforeEach(() => {
  tree = new DataTree();
  pending = new PendingChanges(tree);
  zxid = 1;
  const entry = encodeTxn({
    header: { clientId: BigInt(SESSION_LOW), cxid: 1, zxid, time: 1, type: 1 },
    body: {
      type: 1,
      path: '/e',
      data: null,
      acl: [{ perms: 31, scheme: 'world', id: 'anyone' }],
      ephemeral: true,
      parentCVersion: 1,
    },
    digest: undefined,
  });
  tree.apply(entry, 0, entry.length);
});

function create(path: string, ownerLow: number): void {
  const bytes = Buffer.from(path);
  pending.create({
    zxid: ++zxid,
    timeMs: 1,
    id: tree.paths.intern(bytes, 0, bytes.length),
    parentId: ROOT_ID,
    parentCversion: zxid,
    bytes,
    dataStart: 0,
    dataLength: -1,
    aclId: OPEN_ACL_ID,
    ownerHigh: 0,
    ownerLow,
  });
}

function remove(path: string): void {
  pending.delete(++zxid, idOf(path), ROOT_ID);
}

function idOf(path: string): PathId {
  const bytes = Buffer.from(path);
  return tree.paths.find(bytes, 0, bytes.length);
}

function owned(low = SESSION_LOW): string[] {
  return pending.ephemeralsOf(0, low).map((id) => tree.paths.pathString(id));
}

describe('the ephemerals that a session will own', () => {
  test('are those of the tree and those in the works', () => {
    create('/f', SESSION_LOW);
    create('/g', 8);
    expect(owned()).toEqual(['/e', '/f']);
    expect(owned(8)).toEqual(['/g']);
  });

  test('are without the one that is about to be deleted', () => {
    remove('/e');
    expect(owned()).toEqual([]);
  });

  test('hold it once when it is about to be deleted and made again', () => {
    remove('/e');
    create('/e', SESSION_LOW);
    expect(owned()).toEqual(['/e']);
  });

  // Else the end of the session deletes what others were told is theirs.
  test.each([
    ['a persistent znode', 0],
    ["another session's", 8],
  ])('are without the one in whose place is about to be %s', (_name, owner) => {
    remove('/e');
    create('/e', owner);
    expect(owned()).toEqual([]);
  });

  test('hold the one whose data is about to change', () => {
    pending.setData({
      zxid: ++zxid,
      timeMs: 1,
      id: idOf('/e'),
      bytes: Buffer.from('x'),
      dataStart: 0,
      dataLength: 1,
      version: 1,
    });
    expect(owned()).toEqual(['/e']);
  });
});

test('a set of data that was prepared is recalled when its turn comes, with what it leads to', () => {
  const setData = (text: string): number => {
    const bytes = Buffer.from(text);
    pending.setData({
      zxid: ++zxid,
      timeMs: 5,
      id: idOf('/e'),
      bytes,
      dataStart: 0,
      dataLength: bytes.length,
      version: zxid,
    });
    return zxid;
  };
  const first = setData('one');
  const second = setData('two');
  expect(pending.recallSetData(second)).toBe(false);
  pending.applied(first - 1);
  expect(pending.recallSetData(first)).toBe(true);
  const { recalledId, recalledCrc, recalledDigest } = pending;
  expect(recalledId).toBe(idOf('/e'));
  pending.applied(first);
  expect(pending.recallSetData(first)).toBe(false);
  expect(pending.recallSetData(second)).toBe(true);
  expect(pending.recalledCrc).not.toBe(recalledCrc);
  expect(pending.recalledDigest).not.toBe(recalledDigest);
});
