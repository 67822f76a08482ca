import { Buffer } from 'node:buffer';
import { encodeTxn } from '@zebu/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  DataTree,
  OPEN_ACL_ID,
  type PathId,
  PendingChanges,
  QUOTA_ID,
  ROOT_ID,
  ZnodeView,
  ZOOKEEPER_ID,
} from '../src/index.ts';

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

function create(path: string, ownerLow: number, ownerHigh = 0, parentId: PathId = ROOT_ID): void {
  const bytes = Buffer.from(path);
  pending.create({
    zxid: ++zxid,
    timeMs: 1,
    id: tree.paths.intern(bytes, 0, bytes.length),
    parentId,
    parentCversion: zxid,
    bytes,
    dataStart: 0,
    dataLength: -1,
    aclId: OPEN_ACL_ID,
    ownerHigh,
    ownerLow,
  });
}

/** A create of a persistent znode without data, as it is logged. */
function createEntry(path: string, parentCVersion: number): Buffer {
  return encodeTxn({
    header: { clientId: 1n, cxid: 1, zxid, time: 1, type: 1 },
    body: {
      type: 1,
      path,
      data: null,
      acl: [{ perms: 31, scheme: 'world', id: 'anyone' }],
      ephemeral: false,
      parentCVersion,
    },
    digest: undefined,
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
  test('are those of the tree and those that are prepared', () => {
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

  test('are not those of a session whose id ends in the same 32 bits', () => {
    create('/f', SESSION_LOW, 1);
    expect(owned()).toEqual(['/e']);
    expect(pending.ephemeralsOf(1, SESSION_LOW)).toEqual([idOf('/f')]);
  });

  test('stay when a znode that is not ephemeral is deleted', () => {
    create('/f', SESSION_LOW);
    create('/p', 0);
    create('/g', SESSION_LOW);
    remove('/p');
    expect(owned().sort()).toEqual(['/e', '/f', '/g']);
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

test('a path without a znode is none, though it is interned', () => {
  const bytes = Buffer.from('/none');
  const id = tree.paths.intern(bytes, 0, bytes.length);
  expect(pending.load(id, new ZnodeView())).toBe(false);
});

test.each([-1, 0])("a create with the parent's cversion %i above it leaves the pzxid", (above) => {
  const view = new ZnodeView();
  pending.load(ROOT_ID, view);
  const { pzxid, cversion } = view;
  const bytes = Buffer.from('/late');
  pending.create({
    zxid: 77,
    timeMs: 1,
    id: tree.paths.intern(bytes, 0, bytes.length),
    parentId: ROOT_ID,
    parentCversion: cversion + above,
    bytes,
    dataStart: 0,
    dataLength: 0,
    aclId: OPEN_ACL_ID,
    ownerHigh: 0,
    ownerLow: 0,
  });
  pending.load(ROOT_ID, view);
  expect(view.pzxid).toBe(pzxid);
});

test('a znode that is deleted and made again begins with nothing of the old one', () => {
  const view = new ZnodeView();
  create('/a', 0);
  create('/a/child', 0, 0, idOf('/a'));
  pending.setData({
    zxid: ++zxid,
    timeMs: 1,
    id: idOf('/a'),
    bytes: Buffer.from('x'),
    dataStart: 0,
    dataLength: 1,
    version: 4,
  });
  pending.setAcl(++zxid, idOf('/a'), OPEN_ACL_ID, 3);
  pending.load(idOf('/a'), view);
  expect(view).toMatchObject({ version: 4, aversion: 3, numChildren: 1, dataLength: 1 });
  expect(view.cversion).toBeGreaterThan(0);
  pending.delete(++zxid, idOf('/a/child'), idOf('/a'));
  remove('/a');
  create('/a', 0);
  pending.load(idOf('/a'), view);
  expect(view).toMatchObject({
    version: 0,
    cversion: 0,
    aversion: 0,
    numChildren: 0,
    dataLength: 0,
    pzxid: zxid,
  });
  // Its first child raises what is stored of its counter, and with it the pzxid.
  const bytes = Buffer.from('/a/child');
  pending.create({
    zxid: ++zxid,
    timeMs: 1,
    id: tree.paths.intern(bytes, 0, bytes.length),
    parentId: idOf('/a'),
    parentCversion: 1,
    bytes,
    dataStart: 0,
    dataLength: 0,
    aclId: OPEN_ACL_ID,
    ownerHigh: 0,
    ownerLow: 0,
  });
  pending.load(idOf('/a'), view);
  expect(view).toMatchObject({ cversion: 1, pzxid: zxid });
});

test('the counter for sequential children outlives a change of the parent', () => {
  const view = new ZnodeView();
  create('/a', 0);
  const stored = tree.cversion(ROOT_ID);
  pending.rollback(0);
  pending.setAcl(++zxid, ROOT_ID, OPEN_ACL_ID, 1);
  pending.load(ROOT_ID, view);
  expect(view.cversion).toBe(stored);
});

test.each([
  ['/zookeeper/x', ZOOKEEPER_ID],
  ['/zookeeper/quota/x', QUOTA_ID],
])(
  'the digest that is predicted for a create of %s is that of the tree after it',
  (path, parent) => {
    create(path, 0, 0, parent);
    const entry = createEntry(path, zxid);
    const { digestHigh, digestLow } = pending;
    expect(tree.apply(entry, 0, entry.length)).toBe(0);
    pending.applied(zxid);
    expect([digestHigh, digestLow]).toEqual([tree.digestHigh, tree.digestLow]);
  },
);

test('what lies deeper below /zookeeper is out of the predicted digest, too', () => {
  const before = [pending.digestHigh, pending.digestLow];
  create('/zookeeper/quota/x', 0, 0, QUOTA_ID);
  create('/zookeeper/quota/x/y', 0, 0, idOf('/zookeeper/quota/x'));
  expect([pending.digestHigh, pending.digestLow]).toEqual(before);
  create('/x', 0);
  expect([pending.digestHigh, pending.digestLow]).not.toEqual(before);
});

test('nothing is predicted where digests are switched off', () => {
  tree = new DataTree({ digest: false });
  pending = new PendingChanges(tree);
  create('/a', 0);
  expect([pending.digestHigh, pending.digestLow]).toEqual([0, 0]);
});

test('more znodes than the tree has records for are prepared, and leave no record when all is applied', () => {
  for (let i = 0; i < 10_000; i++) create(`/n${i}`, 0);
  expect(pending.touched).toBe(10_001);
  const view = new ZnodeView();
  expect(pending.load(idOf('/n9999'), view)).toBe(true);
  pending.applied(zxid);
  expect(pending.size).toBe(0);
  expect(pending.touched).toBe(0);
});

test('changes that are given up leave nothing in the tree for the next who prepares on it', () => {
  const before = [tree.paths.size, tree.acls.size];
  create('/a', 0);
  create('/b', 0);
  pending.applied(zxid - 1);
  pending.clear();
  expect([pending.size, pending.touched]).toEqual([0, 0]);
  expect([tree.paths.size, tree.acls.size]).toEqual(before);
  const view = new ZnodeView();
  expect(new PendingChanges(tree).load(ROOT_ID, view)).toBe(true);
  expect(view.numChildren).toBe(tree.numChildren(ROOT_ID));
});

describe('a rollback', () => {
  const NAMES = ['/a', '/b', '/a/x', '/a/y', '/b/x'];

  /** Everything that can be asked of pending changes. */
  function look(): unknown {
    const view = new ZnodeView();
    const znodes = [...NAMES, '/e', '/'].map((path) => {
      const id = path === '/' ? ROOT_ID : idOf(path);
      return id !== 0 && pending.load(id, view) ? { path, ...view } : { path };
    });
    return {
      znodes,
      digest: [pending.digestHigh, pending.digestLow],
      owned: [7, 8].map((low) => owned(low).sort()),
      size: pending.size,
      paths: tree.paths.size,
      acls: tree.acls.size,
    };
  }

  const parentOf = (path: string): PathId =>
    path.lastIndexOf('/') === 0 ? ROOT_ID : idOf(path.slice(0, path.lastIndexOf('/')));

  /** Does something that is possible; false when there is nothing of that kind to do. */
  function act(kind: number, path: string, random: number): boolean {
    const view = new ZnodeView();
    const id = idOf(path);
    const exists = id !== 0 && pending.load(id, view);
    if (kind === 0) {
      const parentId = parentOf(path);
      const parent = new ZnodeView();
      if (exists || parentId === 0 || !pending.load(parentId, parent)) return false;
      if (parent.kind === 1) return false;
      const bytes = Buffer.from(path);
      pending.create({
        zxid: ++zxid,
        timeMs: zxid * 3,
        id: tree.paths.intern(bytes, 0, bytes.length),
        parentId,
        parentCversion: parent.cversion + 1,
        bytes,
        dataStart: 0,
        dataLength: random % 3 === 0 ? -1 : random % bytes.length,
        aclId: tree.acls.internAcl([{ perms: 1 + (random % 3), scheme: 'world', id: 'anyone' }]),
        ownerHigh: 0,
        ownerLow: [0, 7, 8][random % 3] as number,
      });
      return true;
    }
    if (!exists) return false;
    if (kind === 1) {
      if (view.numChildren > 0) return false;
      pending.delete(++zxid, id, parentOf(path));
    } else if (kind === 2) {
      const bytes = Buffer.from(`data ${random}`);
      const dataLength = random % 4 === 0 ? -1 : random % bytes.length;
      const version = view.version + 1;
      pending.setData({ zxid: ++zxid, timeMs: zxid, id, bytes, dataStart: 0, dataLength, version });
    } else {
      const aclId = tree.acls.internAcl([{ perms: 4 + (random % 3), scheme: 'ip', id: 'x' }]);
      pending.setAcl(++zxid, id, aclId, view.aversion + 1);
    }
    return true;
  }

  test('undoes whatever was prepared since the mark, and nothing before it', () => {
    let state = 12_345;
    const random = (bound: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % bound;
    };
    let undone = 0;
    for (let round = 0; round < 150; round++) {
      const start = pending.mark();
      const atStart = look();
      for (let part = 0; part < 4; part++) {
        const before = look();
        const mark = pending.mark();
        let done = 0;
        for (let step = 0; step < 1 + random(6); step++) {
          if (act(random(4), NAMES[random(NAMES.length)] as string, random(1000))) done++;
        }
        if (done > 0) expect(look()).not.toEqual(before);
        if (random(2) === 0) continue;
        pending.rollback(mark);
        undone += done;
        expect(look()).toEqual(before);
      }
      pending.rollback(start);
      expect(look()).toEqual(atStart);
    }
    expect(undone).toBeGreaterThan(100);
    expect(pending.size).toBe(0);
  });

  test('shows what was prepared, field by field', () => {
    const acl = [{ perms: 2, scheme: 'ip', id: 'x' }];
    const bytes = Buffer.from('/a');
    pending.create({
      zxid: 5,
      timeMs: 50,
      id: tree.paths.intern(bytes, 0, bytes.length),
      parentId: ROOT_ID,
      parentCversion: 9,
      bytes: Buffer.from('data'),
      dataStart: 1,
      dataLength: 3,
      aclId: tree.acls.internAcl(acl),
      ownerHigh: 0,
      ownerLow: 8,
    });
    const view = new ZnodeView();
    const id = idOf('/a');
    expect(pending.load(id, view)).toBe(true);
    expect(view).toMatchObject({
      version: 0,
      cversion: 0,
      aversion: 0,
      numChildren: 0,
      kind: 1,
      ownerLow: 8,
      dataLength: 3,
      pzxid: 5,
    });
    expect(tree.acls.aclOf(view.aclId)).toEqual(acl);
    pending.load(ROOT_ID, view);
    expect(view).toMatchObject({ cversion: 9, pzxid: 5, numChildren: 3 });

    pending.setData({
      zxid: 6,
      timeMs: 60,
      id,
      bytes: Buffer.from('longer'),
      dataStart: 0,
      dataLength: 6,
      version: 4,
    });
    const other = tree.acls.internAcl([{ perms: 1, scheme: 'ip', id: 'y' }]);
    pending.setAcl(7, id, other, 3);
    pending.load(id, view);
    expect(view).toMatchObject({ version: 4, aversion: 3, dataLength: 6, aclId: other });

    pending.delete(8, id, ROOT_ID);
    expect(pending.load(id, view)).toBe(false);
    pending.load(ROOT_ID, view);
    expect(view).toMatchObject({ cversion: 9, pzxid: 8, numChildren: 2 });
  });
});
