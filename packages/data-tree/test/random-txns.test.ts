// Random txns, against the plain tree of support/oracle-tree.ts.

import { ByteWriter } from '@zebu/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DataTree, ZnodeView } from '../src/index.ts';
import { dumpOracle, dumpTree } from './support/dump.ts';
import { type Entry, ModelLeader, path, wishes } from './support/model-leader.ts';
import { RUNS } from './support/runs.ts';

const OPTIONS = { extendedTypes: true };

const apply = (tree: DataTree, { bytes }: Entry): void => {
  tree.apply(bytes, 0, bytes.length);
};

/** As a server does it with what it prepared itself. */
const applyOwn = (tree: DataTree, { pending }: ModelLeader, { bytes, zxid }: Entry): void => {
  tree.apply(bytes, 0, bytes.length, undefined, undefined, pending);
  pending.applied(zxid);
};

/** A leader whose tree is some entries behind its proposals, as the random lags say. */
// 'max': by default fast-check makes arrays of ten at most, whatever maxLength says.
const history = fc.array(fc.tuple(wishes, fc.nat(3)), { maxLength: 40, size: 'max' });

function run(steps: readonly (readonly [Parameters<ModelLeader['propose']>[0], number])[]) {
  const tree = new DataTree(OPTIONS);
  const leader = new ModelLeader(tree);
  const queue: Entry[] = [];
  for (const [group, applied] of steps) {
    const entry = leader.propose(group);
    if (entry !== undefined) queue.push(entry);
    for (const due of queue.splice(0, applied)) {
      applyOwn(tree, leader, due);
    }
  }
  for (const due of queue) {
    applyOwn(tree, leader, due);
  }
  return { tree, leader };
}

test('the tree after any txns is the plain tree, and its digest is the sum over it', () => {
  fc.assert(
    fc.property(history, (steps) => {
      const { tree, leader } = run(steps);
      expect(dumpTree(tree)).toEqual(dumpOracle(leader.ahead));
      expect(tree.digest).toBe(leader.ahead.digest());
    }),
    RUNS,
  );
});

test('the digest predicted for each txn is the one that applying it gives', () => {
  fc.assert(
    fc.property(history, (steps) => {
      const { tree, leader } = run(steps);
      expect(tree.digestMismatches).toBe(0);
      // A follower that never predicts anything agrees.
      const follower = new DataTree(OPTIONS);
      for (const entry of leader.entries) apply(follower, entry);
      expect(follower.digestMismatches).toBe(0);
    }),
    RUNS,
  );
});

test('a znode looked at through pending changes is the one that will be', () => {
  fc.assert(
    fc.property(history, path, (steps, looked) => {
      const tree = new DataTree(OPTIONS);
      const leader = new ModelLeader(tree);
      const view = new ZnodeView();
      const queue: Entry[] = [];
      for (const [group, applied] of steps) {
        const entry = leader.propose(group);
        if (entry !== undefined) queue.push(entry);
        for (const due of queue.splice(0, applied)) {
          applyOwn(tree, leader, due);
        }
        const bytes = Buffer.from(looked);
        const id = tree.paths.find(bytes, 0, bytes.length);
        const found = id !== 0 && leader.pending.load(id, view);
        expect(found).toBe(leader.ahead.has(looked));
        if (!found) continue;
        const znode = leader.ahead.get(looked);
        expect(view).toMatchObject({
          version: znode.version,
          cversion: znode.cversion,
          aversion: znode.aversion,
          pzxid: znode.pzxid,
          dataLength: znode.data?.length ?? 0,
          numChildren: leader.ahead.children(looked).length,
        });
      }
    }),
    RUNS,
  );
});

test('pending changes leave nothing behind once all is applied', () => {
  fc.assert(
    fc.property(history, (steps) => {
      const { tree, leader } = run(steps);
      expect(leader.pending.size).toBe(0);
      // Every path left is a znode's: no use was leaked.
      expect(tree.paths.size).toBe(leader.ahead.znodes.size);
      const lists = new Set([...leader.ahead.znodes.values()].map(({ acl }) => acl));
      lists.delete('world:anyone:31');
      expect(tree.acls.size).toBe(lists.size);
    }),
    RUNS,
  );
});

test('applying any suffix of the txns again changes nothing', () => {
  fc.assert(
    fc.property(history, fc.double({ min: 0, max: 1, noNaN: true }), (steps, share) => {
      const { tree, leader } = run(steps);
      const before = dumpTree(tree);
      const { digest } = tree;
      for (const entry of leader.entries.slice(Math.floor(share * leader.entries.length))) {
        apply(tree, entry);
      }
      expect(dumpTree(tree)).toEqual(before);
      expect(tree.digest).toBe(digest);
    }),
    RUNS,
  );
});

test('a walk while txns are applied, and the log from its start on, give the final tree', () => {
  let fuzzyRuns = 0;
  fc.assert(
    fc.property(
      fc.array(wishes, { maxLength: 60, size: 'max' }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer({ min: 1, max: 600 }),
      (groups, beginShare, sliceBytes) => {
        const begin = Math.floor(beginShare * groups.length);
        const tree = new DataTree(OPTIONS);
        const leader = new ModelLeader(tree);
        const snapshot = new ByteWriter();
        let walk: ReturnType<DataTree['startWalk']> | undefined;
        let startZxid = 0;
        let done = false;
        let isFuzzy = false;
        for (const [step, group] of groups.entries()) {
          if (step === begin) {
            walk = tree.startWalk();
            startZxid = tree.lastProcessedZxid;
          }
          if (walk !== undefined && !done) done = walk.fill(snapshot, sliceBytes);
          const entry = leader.propose(group);
          if (entry === undefined) continue;
          applyOwn(tree, leader, entry);
          if (walk !== undefined && !done) isFuzzy = true;
        }
        if (isFuzzy) fuzzyRuns++;
        walk ??= tree.startWalk();
        if (groups.length <= begin) startZxid = tree.lastProcessedZxid;
        while (!walk.fill(snapshot, sliceBytes));

        const restored = new DataTree(OPTIONS);
        const restore = restored.startRestore();
        expect(restore.consume(snapshot.bytes, 0, snapshot.offset)).toBe(snapshot.offset);
        restore.finish();
        restored.expectDigest(tree.lastProcessedZxid, tree.digestHigh, tree.digestLow);
        for (const entry of leader.entries) if (entry.zxid > startZxid) apply(restored, entry);
        expect(dumpTree(restored)).toEqual(dumpTree(tree));
        expect(restored.digest).toBe(tree.digest);
        expect(restored.digestMismatches).toBe(0);
        expect(restored.ephemeralsCount).toBe(tree.ephemeralsCount);
        expect(restored.acls.size).toBe(tree.acls.size);
        expect(restored.paths.size).toBe(tree.paths.size);
      },
    ),
    RUNS,
  );
  // Otherwise the walk saw a tree that stood still.
  expect(fuzzyRuns).toBeGreaterThan(RUNS.numRuns / 5);
});
