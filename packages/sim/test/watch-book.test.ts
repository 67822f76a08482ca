import { EventType } from '@zebu/protocol';
import { expect, test } from 'vitest';
import { WatchBook } from '../src/watch-book.ts';
import type { Change } from '../src/znode-history.ts';

function change(kind: Change['kind'], path: string, readable = true): Change {
  return { kind, path, readable, parentReadable: true };
}

test('a one-shot watch is due once, by whichever event comes first', () => {
  const book = new WatchBook();
  book.add('data', '/a');
  book.add('child', '/a');
  expect(book.changed(change('deleted', '/a'), 5)).toEqual([
    { type: EventType.nodeDeleted, path: '/a', zxid: 5 },
  ]);
  expect(book.size).toBe(0);
  expect(book.changed(change('created', '/a'), 6)).toEqual([]);
});

test('a persistent watch stays, one above sees what is below but no children', () => {
  const book = new WatchBook();
  book.add('persistent', '/a');
  book.add('recursive', '/');
  const types = (one: Change): string[] =>
    book.changed(one, 1).map((event) => `${event.type} ${event.path}`);
  expect(types(change('created', '/a/b'))).toEqual(['1 /a/b', '4 /a']);
  expect(types(change('dataChanged', '/a'))).toEqual(['3 /a']);
  expect(types(change('deleted', '/a/b'))).toEqual(['2 /a/b', '4 /a']);
});

test('who may not read the znode is told nothing, and the watch is used up', () => {
  const book = new WatchBook();
  book.add('data', '/a');
  expect(book.changed(change('dataChanged', '/a', false), 1)).toEqual([]);
  expect(book.size).toBe(0);
});
