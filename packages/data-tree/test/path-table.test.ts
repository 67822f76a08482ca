import { Buffer } from 'node:buffer';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PathTable, ROOT_ID } from '../src/index.ts';
import { RUNS } from './support/runs.ts';

const find = (paths: PathTable, path: string) =>
  paths.find(Buffer.from(path), 0, Buffer.byteLength(path));
const intern = (paths: PathTable, path: string) =>
  paths.intern(Buffer.from(path), 0, Buffer.byteLength(path));

const LONG = `/${'long-name-'.repeat(30)}`;

test.each(['/a', '/a/b', '/é/ü', LONG, `${LONG}/x`, 'no-slash', '/a/', '//', 'x'.repeat(33)])(
  '%s is found, copied and printed',
  (path) => {
    const paths = new PathTable();
    expect(find(paths, path)).toBe(0);
    const id = intern(paths, path);
    expect(find(paths, path)).toBe(id);
    expect(paths.pathString(id)).toBe(path);
    const length = Buffer.byteLength(path);
    expect(paths.byteLength(id)).toBe(length);
    const target = Buffer.alloc(length + 2);
    expect(paths.copyPath(id, target, 1)).toBe(length);
    expect(target.toString('utf8', 1, 1 + length)).toBe(path);
    expect(paths.crc(id)).toBe(crc32(path));
    const name = path.slice(path.lastIndexOf('/') + 1);
    expect(paths.nameString(id)).toBe(name);
    expect(paths.nameLength(id)).toBe(Buffer.byteLength(name));
    expect(paths.copyName(id, target, 0)).toBe(Buffer.byteLength(name));
    expect(target.toString('utf8', 0, Buffer.byteLength(name))).toBe(name);
  },
);

test('the root is "" and "/" alike, and stays', () => {
  const paths = new PathTable();
  expect(find(paths, '')).toBe(ROOT_ID);
  expect(find(paths, '/')).toBe(ROOT_ID);
  expect(intern(paths, '/')).toBe(ROOT_ID);
  expect(paths.pathString(ROOT_ID)).toBe('/');
  expect(paths.byteLength(ROOT_ID)).toBe(1);
  expect(paths.nameLength(ROOT_ID)).toBe(0);
  expect(paths.parent(ROOT_ID)).toBe(0);
  paths.release(ROOT_ID);
  expect(find(paths, '/')).toBe(ROOT_ID);
});

describe('parents', () => {
  test('a path finds its parent once that is interned, without holding it', () => {
    const paths = new PathTable();
    const child = intern(paths, '/a/b');
    expect(paths.parent(child)).toBe(0);
    const parent = intern(paths, '/a');
    expect(paths.parent(child)).toBe(parent);
    expect(paths.parent(parent)).toBe(ROOT_ID);
    paths.release(parent);
    expect(paths.parent(child)).toBe(0);
    expect(paths.parent(intern(paths, 'odd'))).toBe(0);
  });

  test('a linked path holds its parent, and gives it back with its last use', () => {
    const paths = new PathTable();
    const [a, ab, abc] = ['/a', '/a/b', '/a/b/c'].map((path) => intern(paths, path)) as [
      number,
      number,
      number,
    ];
    paths.link(a, ROOT_ID);
    paths.link(ab, a);
    paths.link(abc, ab);
    paths.link(abc, ab);
    paths.release(a);
    paths.release(ab);
    expect(paths.size).toBe(4);
    expect(paths.parent(abc)).toBe(ab);
    paths.release(abc);
    expect(paths.size).toBe(1);
    expect(find(paths, '/a')).toBe(0);
  });
});

test('one path within another', () => {
  const paths = new PathTable();
  const [a, ab, ax] = ['/a', '/a/b', '/ax'].map((path) => intern(paths, path)) as [
    number,
    number,
    number,
  ];
  expect([
    paths.isWithin(a, a),
    paths.isWithin(ab, a),
    paths.isWithin(ax, a),
    paths.isWithin(a, ab),
  ]).toEqual([true, true, false, false]);
  expect(paths.isWithin(ab, ROOT_ID)).toBe(true);
  expect(paths.isWithin(ROOT_ID, ROOT_ID)).toBe(true);
});

test('any sequence of uses goes as with a plain Map, whatever the seed of the hash', () => {
  const step = fc.record({
    add: fc.boolean(),
    path: fc.constantFrom('/a', '/b', '/ab', '/ba', LONG, `${LONG}y`, '/a/b'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100, size: 'max' }), fc.integer(), (steps, seed) => {
      const paths = new PathTable(seed);
      const uses = new Map<string, number>();
      for (const { add, path } of steps) {
        const count = uses.get(path) ?? 0;
        if (add) {
          const known = find(paths, path);
          const id = intern(paths, path);
          if (known !== 0) expect(id).toBe(known);
          uses.set(path, count + 1);
        } else if (count > 0) {
          paths.release(find(paths, path));
          if (count === 1) uses.delete(path);
          else uses.set(path, count - 1);
        }
        for (const [at, held] of uses) expect(paths.uses(find(paths, at))).toBe(held);
        expect(paths.size).toBe(uses.size + 1);
      }
    }),
    RUNS,
  );
});

test('a hundred thousand paths are found while the table grows and shrinks, and ids are reused', () => {
  const paths = new PathTable();
  const bytes = Array.from({ length: 100_000 }, (_, i) => Buffer.from(`/queue/item-${i}`));
  const ids = bytes.map((path) => paths.intern(path, 0, path.length));
  expect(bytes.every((path, i) => paths.find(path, 0, path.length) === ids[i])).toBe(true);
  for (let i = 0; i < bytes.length; i += 2) paths.release(ids[i] as number);
  expect(
    bytes.every((path, i) => paths.find(path, 0, path.length) === (i % 2 === 0 ? 0 : ids[i])),
  ).toBe(true);
  const held = paths.heldBytes;
  for (let i = 0; i < bytes.length; i += 2)
    paths.intern(bytes[i] as Buffer, 0, bytes[i]?.length ?? 0);
  expect(paths.heldBytes).toBe(held);
});
