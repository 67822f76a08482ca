import { expect, test } from 'vitest';
import {
  compareItems,
  ENTRIES,
  type ItemName,
  itemPrefix,
  parseItemName,
  SPECIAL,
} from '../src/queue/names.ts';

const item = (directory: ItemName['directory'], name: string): ItemName => {
  const parsed = parseItemName(directory, name);
  if (parsed === undefined) throw new Error(`${name} is no item`);
  return parsed;
};

test('a plain item is named as kazoo names it', () => {
  expect(itemPrefix({ priority: 7, dueMs: 0, id: undefined })).toEqual({
    directory: ENTRIES,
    prefix: 'entry-007-',
  });
  expect(item(ENTRIES, 'entry-007-0000000012')).toEqual({
    directory: ENTRIES,
    name: 'entry-007-0000000012',
    priority: 7,
    dueMs: 0,
    id: undefined,
    sequence: 12,
  });
});

test.each(['a', 'a-b', 'ä/ö', '~%~', "(!*.')", '2147483647-0000000001', ' '])(
  'an id comes back from the name: %s',
  (id) => {
    const { directory, prefix } = itemPrefix({ priority: 100, dueMs: 1_700_000_000_000, id });
    const name = `${prefix}0000000003`;
    expect(name).not.toContain('/');
    expect(item(directory, name)).toMatchObject({ id, dueMs: 1_700_000_000_000, sequence: 3 });
  },
);

test.each([
  'entry-100-',
  'entry-100-12',
  'entry-1000-0000000001',
  'qn-0000000001',
  'entry-100-x0000000001',
])('%s is no item', (name) => {
  expect(parseItemName(ENTRIES, name)).toBeUndefined();
  expect(parseItemName(SPECIAL, name)).toBeUndefined();
});

test('items are in the order of priority, time and putting, across the wrap of the counter', () => {
  const ordered = [
    item(ENTRIES, 'entry-001-0000000009'),
    item(SPECIAL, 'entry-100-000000000000001--0000000005'),
    item(SPECIAL, 'entry-100-000000000000002--0000000001'),
    item(ENTRIES, 'entry-100-2147483646'),
    item(ENTRIES, 'entry-100-2147483647'),
    item(ENTRIES, 'entry-100--2147483648'),
    item(ENTRIES, 'entry-100--2147483647'),
    item(ENTRIES, 'entry-999-0000000001'),
  ];
  expect(ordered.toReversed().sort(compareItems)).toEqual(ordered);
});
