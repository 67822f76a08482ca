import { Buffer } from 'node:buffer';
import { ByteWriter } from '@zebu/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import { DataTree, QuotaText, QuotaVerdict } from '../src/index.ts';
import { dataOf } from './support/dump.ts';
import { Applier } from './support/txns.ts';

let tree: DataTree;
let txns: Applier;
beforeEach(() => {
  tree = new DataTree();
  txns = new Applier(tree);
});

/** As the CLI's setquota does it. */
function setQuota(path: string, limits: string): void {
  let at = '/zookeeper/quota';
  for (const name of path.split('/').slice(1)) {
    at += `/${name}`;
    if (tree.findString(at) === 0) txns.create(at);
  }
  txns.create(`${at}/zookeeper_limits`, limits);
  txns.create(`${at}/zookeeper_stats`, 'count=0,bytes=0');
}

const stats = (path: string) =>
  dataOf(tree, tree.findString(`/zookeeper/quota${path}/zookeeper_stats`));

describe('the text of limits and stats', () => {
  test.each([
    ['count=4,bytes=5', 'count=4,bytes=5'],
    ['', 'count=-1,bytes=-1'],
    ['bytes=5', 'count=-1,bytes=5'],
    [
      'count=4,bytes=5=;countHardLimit=10;byteHardLimit=9',
      'count=4,bytes=5=;byteHardLimit=9;countHardLimit=10',
    ],
    ['count=4;bytes=5;future=7', 'count=4,bytes=5=;future=7'],
    ['count=,bytes=', 'count=-1,bytes=-1'],
    ['nonsense', 'count=-1,bytes=-1=;nonsense=-1'],
    ['count=x,bytes=1e3', 'count=-1,bytes=-1'],
  ])('%j is written again as %j', (text, again) => {
    expect(QuotaText.parse(text).toString()).toBe(again);
  });
});

test('stats are counted when they are created, then with every change below', () => {
  txns.create('/a', 'xxxx');
  txns.create('/a/b', 'yy');
  txns.create('/other', 'zzz');
  setQuota('/a', 'count=10,bytes=100');
  expect(stats('/a')).toBe('count=2,bytes=6');
  txns.create('/a/b/c', '12345');
  expect(stats('/a')).toBe('count=3,bytes=11');
  txns.setData('/a/b', null);
  expect(stats('/a')).toBe('count=3,bytes=9');
  txns.delete('/a/b/c');
  txns.setData('/other', 'zzzzzzz');
  expect(stats('/a')).toBe('count=2,bytes=4');
});

test('the stats count the nearest quota alone', () => {
  txns.create('/a');
  txns.create('/a/b');
  setQuota('/a', '');
  setQuota('/a/b', '');
  txns.create('/a/b/c', 'x');
  expect(stats('/a/b')).toBe('count=2,bytes=1');
  expect(stats('/a')).toBe('count=2,bytes=0');
});

test('stats stay out of digest and Stat', () => {
  txns.create('/a');
  setQuota('/a', '');
  const twin = new DataTree();
  const other = new Applier(twin);
  other.create('/a');
  expect(tree.digest).toBe(twin.digest);
  const id = tree.findString('/zookeeper/quota/a/zookeeper_stats');
  const mzxid = tree.mzxid(id);
  txns.create('/a/b');
  expect(tree.mzxid(id)).toBe(mzxid);
});

test('a quota ends when its limits are deleted', () => {
  txns.create('/a');
  setQuota('/a', 'count=1');
  expect(tree.quotas.size).toBe(1);
  txns.delete('/zookeeper/quota/a/zookeeper_limits');
  expect(tree.quotas.size).toBe(0);
  txns.create('/a/b');
  expect(stats('/a')).toBe('count=1,bytes=0');
  txns.delete('/zookeeper/quota/a/zookeeper_stats');
  txns.delete('/zookeeper/quota/a');
  expect(tree.paths.size).toBe(tree.znodeCount - 1);
});

test('what lies outside /zookeeper/quota/, or has no path, is no quota', () => {
  txns.create('/zookeeper/quota/zookeeper_limits', 'count=1');
  txns.create('/zookeeper/quotax');
  txns.create('/zookeeper/quotax/zookeeper_limits', 'count=1');
  txns.create('/zookeeper_limits', 'count=1');
  expect(tree.quotas.size).toBe(0);
  txns.delete('/zookeeper/quota/zookeeper_limits');
  txns.delete('/zookeeper/quotax/zookeeper_limits');
});

describe('check', () => {
  const { within, overSoft, overHard } = QuotaVerdict;

  test.each([
    ['count=3,bytes=-1', 10, 1, within],
    ['count=2,bytes=-1', 10, 1, overSoft],
    ['count=2,bytes=-1', 10, 0, within],
    ['count=-1,bytes=15', 10, 1, overSoft],
    ['count=-1,bytes=16', 10, 1, within],
    ['count=-1,bytes=1', 0, 1, within],
    ['count=-1,bytes=-1=;countHardLimit=2', 0, 1, overHard],
    ['count=1,bytes=-1=;countHardLimit=9', 0, 1, within],
    ['count=-1,bytes=-1=;byteHardLimit=15', 10, 1, overHard],
    ['count=1,bytes=-1=;byteHardLimit=15', 10, 1, overHard],
    ['count=-1,bytes=-1=;byteHardLimit=15', -4, 0, within],
    ['garbage', 1e9, 1e9, within],
  ] as const)(
    'limits %s, %i more bytes and %i more znodes: %i',
    (limits, bytes, count, verdict) => {
      txns.create('/a', 'xxxx');
      txns.create('/a/b', 'yy');
      setQuota('/a', limits);
      expect(tree.quotas.check(tree.findString('/a/b'), bytes, count)).toBe(verdict);
      expect(tree.quotas.check(tree.findString('/'), bytes, count)).toBe(within);
    },
  );

  test('without limits or stats nothing is checked', () => {
    txns.create('/a');
    expect(tree.quotas.check(tree.findString('/a'), 1e9, 1)).toBe(within);
    txns.create('/zookeeper/quota/a');
    txns.create('/zookeeper/quota/a/zookeeper_limits', 'count=0');
    expect(tree.quotas.check(tree.findString('/a'), 1e9, 1)).toBe(within);
  });
});

test('quotas are found and counted again when a snapshot is loaded', () => {
  txns.create('/a', 'xxxx');
  setQuota('/a', 'count=10,bytes=100');
  txns.setData('/zookeeper/quota/a/zookeeper_stats', 'nonsense');
  const writer = new ByteWriter();
  tree.startWalk().fill(writer, 1e9);
  const loaded = new DataTree();
  const restore = loaded.startRestore();
  restore.consume(writer.bytes, 0, writer.offset);
  restore.finish();
  expect(dataOf(loaded, loaded.findString('/zookeeper/quota/a/zookeeper_stats'))).toBe(
    'count=1,bytes=4',
  );
  expect([...loaded.quotas.entries()].map(({ path, limits }) => `${path} ${limits}`)).toEqual([
    '/a count=10,bytes=100',
  ]);
  new Applier(loaded, 100).create('/a/b', Buffer.from('xy').toString());
  expect(dataOf(loaded, loaded.findString('/zookeeper/quota/a/zookeeper_stats'))).toBe(
    'count=2,bytes=6',
  );
});
