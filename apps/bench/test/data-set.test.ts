import { describe, expect, it } from 'vitest';
import { DataSet, patchDigits } from '../src/data-set.ts';

describe('DataSet', () => {
  it.each([
    [1000, 1000],
    [2500, 1000],
    [30, 30],
    [7, 1],
  ])('patches any of %d keys, %d in a folder, into a path', (keys, perFolder) => {
    const set = new DataSet({ base: '/a/b', keys, size: 0, perFolder });
    for (let key = 0; key < keys; key++) {
      const bytes = Buffer.from(`${set.path(keys - 1 - key)}!`);
      set.patchPath(bytes, bytes.length - 1, key);
      expect(bytes.toString()).toBe(`${set.path(key)}!`);
    }
  });

  it('names folders and keys so that all paths are equally long', () => {
    const set = new DataSet({ base: '/b', keys: 1_000_000, size: 100 });
    expect(set.path(0)).toBe('/b/d0000/k000');
    expect(set.path(999_999)).toBe('/b/d0999/k999');
    expect(set.folders).toBe(1000);
  });

  it('refuses more folders than their names have digits for', () => {
    expect(() => new DataSet({ base: '/b', keys: 10_001, size: 0, perFolder: 1 })).toThrow(
      RangeError,
    );
  });
});

describe('patchDigits', () => {
  it('writes leading zeros and leaves what is around', () => {
    const bytes = Buffer.from('<....>');
    patchDigits(bytes, 5, 42, 4);
    expect(bytes.toString()).toBe('<0042>');
  });
});
