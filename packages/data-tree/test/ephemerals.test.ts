import { expect, test } from 'vitest';
import { DataTree } from '../src/index.ts';
import { Applier } from './support/txns.ts';

test('each session lists its own, oldest first, and has no record without any', () => {
  const tree = new DataTree();
  const txns = new Applier(tree);
  const list = (high: number, low: number): string[] => {
    const found: string[] = [];
    for (let id = tree.ephemerals.first(high, low); id !== 0; id = tree.ephemerals.next(id))
      found.push(tree.paths.pathString(id));
    return found;
  };
  txns.session = -1n;
  for (const path of ['/c', '/a', '/b']) txns.ephemeral(path);
  txns.session = 2n ** 56n + 5n;
  txns.ephemeral('/x');
  expect(list(-1, -1)).toEqual(['/c', '/a', '/b']);
  expect(list(2 ** 24, 5)).toEqual(['/x']);
  expect(list(0, 5)).toEqual([]);
  expect(tree.ephemerals.countOf(-1, -1)).toBe(3);
  const seen: string[] = [];
  tree.ephemerals.forEachSession((high, low, first, count) =>
    seen.push(`${high} ${low} ${tree.paths.pathString(first)} ${count}`),
  );
  expect(seen.toSorted()).toEqual(['-1 -1 /c 3', `${2 ** 24} 5 /x 1`]);
  txns.delete('/a');
  txns.delete('/b');
  expect(list(-1, -1)).toEqual(['/c']);
  txns.delete('/c');
  expect(tree.ephemerals.sessionCount).toBe(1);
  expect(tree.ephemeralsCount).toBe(1);
});
