import { beforeEach, expect, test } from 'vitest';
import { DataTree } from '../src/index.ts';
import { Applier, createBody } from './support/txns.ts';

let tree: DataTree;
let txns: Applier;
beforeEach(() => {
  tree = new DataTree({ extendedTypes: true });
  txns = new Applier(tree);
});

// Every txn of zxid z has time 1000 + z ms.
const container = (path: string) => txns.apply({ ...createBody(path), type: 19 });
const ttl = (path: string, ttlMs: number) => txns.apply({ ...createBody(path), type: 21, ttlMs });

function sweep(nowMs: number, maxNeverUsedMs = 0, limit = 1000): string[] {
  const found: string[] = [];
  tree.containers.startSweep();
  while (
    tree.containers.sweep(nowMs, maxNeverUsedMs, limit, (id) =>
      found.push(tree.paths.pathString(id)),
    )
  );
  return found;
}

test('a container that had children and has none may go', () => {
  container('/c');
  expect(sweep(1e9)).toEqual([]);
  txns.create('/c/a');
  expect(sweep(1e9)).toEqual([]);
  txns.delete('/c/a');
  expect(sweep(0)).toEqual(['/c']);
});

test('a container that never had a child may go after the time set for it', () => {
  container('/c');
  expect(sweep(1001 + 500, 500)).toEqual([]);
  expect(sweep(1001 + 501, 500)).toEqual(['/c']);
  expect(sweep(1001 + 501, 0)).toEqual([]);
});

test('a TTL znode may go when its ttl has passed since its last change, if it has no children', () => {
  ttl('/t', 100);
  expect(sweep(1001 + 100)).toEqual([]);
  expect(sweep(1001 + 101)).toEqual(['/t']);
  txns.setData('/t', 'x');
  expect(sweep(1001 + 101)).toEqual([]);
  txns.create('/t/a');
  expect(sweep(1e9)).toEqual([]);
});

test('a sweep in slices sees each once, and survives what it deletes', () => {
  for (let i = 0; i < 10; i++) ttl(`/t${i}`, 1);
  for (let i = 0; i < 10; i++) {
    container(`/c${i}`);
    txns.create(`/c${i}/x`);
    txns.delete(`/c${i}/x`);
  }
  const found: string[] = [];
  tree.containers.startSweep();
  let more = true;
  while (more) {
    const batch: string[] = [];
    more = tree.containers.sweep(1e9, 0, 3, (id) => batch.push(tree.paths.pathString(id)));
    found.push(...batch);
    for (const path of batch) txns.delete(path);
    // And what it is about to look at.
    for (const path of ['/c4', '/t4', '/c9', '/t0']) if (!found.includes(path)) txns.delete(path);
  }
  expect(found.toSorted()).toEqual(
    [
      'c0',
      'c1',
      'c2',
      'c3',
      'c5',
      'c6',
      'c7',
      'c8',
      't1',
      't2',
      't3',
      't5',
      't6',
      't7',
      't8',
      't9',
    ].map((name) => `/${name}`),
  );
  expect(tree.containers.containerCount + tree.containers.ttlCount).toBe(0);
  expect(sweep(1e9)).toEqual([]);
});
