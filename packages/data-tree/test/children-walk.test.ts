import { ByteReader, ByteWriter } from '@zebu/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DataTree } from '../src/index.ts';
import { RUNS } from './support/runs.ts';
import { Applier } from './support/txns.ts';

function namesIn(writer: ByteWriter): string[] {
  const reader = new ByteReader(writer.bytes, 0, writer.offset);
  const names: string[] = [];
  while (reader.remaining > 0) names.push(reader.string() ?? '');
  return names;
}

test('the names are those of the start, whatever comes and goes between the slices', () => {
  const change = fc.record({
    child: fc.nat(12),
    walk: fc.nat(2),
    bytes: fc.integer({ min: 1, max: 40 }),
  });
  fc.assert(
    fc.property(
      fc.array(fc.nat(12), { maxLength: 60, size: 'max' }),
      fc.array(change, { maxLength: 60, size: 'max' }),
      (first, changes) => {
        const tree = new DataTree();
        const txns = new Applier(tree);
        txns.create('/p');
        const children = new Set<string>();
        const toggle = (child: number): void => {
          const name = `child-${child}`;
          if (children.delete(name)) {
            txns.delete(`/p/${name}`);
          } else {
            children.add(name);
            txns.create(`/p/${name}`);
          }
        };
        for (const child of first) toggle(child);
        const parent = tree.findString('/p');
        const start = () => ({
          walk: tree.startChildrenWalk(parent),
          writer: new ByteWriter(),
          expected: [...children],
        });
        // Three at a time over one parent, each begun anew when it is done.
        const walks = [start(), start(), start()];
        const step = (at: number, bytes: number): boolean => {
          const { walk, writer, expected } = walks[at] as ReturnType<typeof start>;
          if (!walk.fill(writer, bytes)) return false;
          expect(walk.count).toBe(expected.length);
          expect(namesIn(writer).toSorted()).toEqual(expected.toSorted());
          walks[at] = start();
          return true;
        };
        for (const { child, walk, bytes } of changes) {
          step(walk, bytes);
          toggle(child);
        }
        for (const at of [0, 1, 2]) while (!step(at, 10));
      },
    ),
    RUNS,
  );
});

test('a parent that goes with all its children still gives their names', () => {
  const tree = new DataTree();
  const txns = new Applier(tree);
  for (const path of ['/p', '/p/a', '/p/b', '/p/c']) txns.create(path);
  const walk = tree.startChildrenWalk(tree.findString('/p'));
  const writer = new ByteWriter();
  walk.fill(writer, 1);
  txns.delete('/p');
  expect(walk.fill(writer, 1000)).toBe(true);
  expect(namesIn(writer).toSorted()).toEqual(['a', 'b', 'c']);
});

test('no children are no names, and a walk may be given up', () => {
  const tree = new DataTree();
  const writer = new ByteWriter();
  new Applier(tree).create('/p');
  const walk = tree.startChildrenWalk(tree.findString('/p'));
  expect(walk.fill(writer, 1)).toBe(true);
  expect(writer.offset).toBe(0);
  walk.close();
});
