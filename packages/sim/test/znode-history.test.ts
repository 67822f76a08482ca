// The plain model has to be right by itself: Apache's own numbers, and what it must refuse.

import type { Txn, TxnBody } from '@zebu/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import { Violation } from '../src/violation.ts';
import { ZnodeHistory } from '../src/znode-history.ts';

let history: ZnodeHistory;
let zxid: number;

beforeEach(() => {
  history = new ZnodeHistory();
  zxid = 0;
});

function add(body: TxnBody, header: Partial<Txn['header']> = {}): void {
  zxid = header.zxid ?? zxid + 1;
  history.add({
    header: { clientId: 1n, cxid: 1, zxid, time: 1_000 + zxid, type: body.type, ...header },
    body,
    digest: undefined,
  });
}

function createBody(path: string, parentCVersion: number, ephemeral = false): TxnBody {
  const acl = [{ perms: 31, scheme: 'world', id: 'anyone' }];
  return { type: 1, path, data: Buffer.from('x'), acl, ephemeral, parentCVersion };
}

test('the empty tree, and the one after a create, have the digests of disk.md 6 and 13', () => {
  expect(history.digest).toBe(1_371_985_504n);
  add(createBody('/a', 1), { zxid: 0x100000002, time: 1_700_000_000_001 });
  expect(history.digest).toBe(0x21103e1bcn);
});

test('every state that ever was can be asked for, and cut off again', () => {
  add(createBody('/a', 1));
  add({ type: 5, path: '/a', data: Buffer.from('y'), version: 1 });
  const digest = history.digest;
  add({ type: 2, path: '/a' });
  expect(history.at('/a', 1)?.data?.toString()).toBe('x');
  expect(history.at('/a', 2)?.data?.toString()).toBe('y');
  expect(history.at('/a')).toBeUndefined();
  expect(history.stat('/', 3)).toMatchObject({ cversion: 1, numChildren: 1, pzxid: 3 });
  history.truncate(2);
  expect(history.stat('/a')).toMatchObject({ czxid: 1, mzxid: 2, version: 1 });
  expect(history.digest).toBe(digest);
});

test('a closed session takes its ephemerals along', () => {
  add({ type: -10, timeoutMs: 500 }, { clientId: 7n });
  add(createBody('/e', 1, true), { clientId: 7n });
  expect(history.ephemerals(7n)).toEqual(['/e']);
  add({ type: -11, paths: ['/e'] }, { clientId: 7n });
  expect(history.session(7n, 2)).toBe(500);
  expect(history.session(7n)).toBeUndefined();
  expect(history.paths()).not.toContain('/e');
});

test('a multi with an error in it does nothing', () => {
  const before = history.digest;
  add({ type: 14, txns: [createBody('/a', 1), { type: -1, error: -101 }] });
  expect(history.digest).toBe(before);
});

describe('it refuses what no right server decides:', () => {
  test.each<[string, TxnBody]>([
    ['a create below nothing', createBody('/no/a', 1)],
    ['a second create', createBody('/a', 2)],
    ['a create that skips a cversion', createBody('/b', 3)],
    ['a create below an ephemeral', createBody('/e/a', 1)],
    ['a delete of nothing', { type: 2, path: '/b' }],
    ['a delete of a parent', { type: 2, path: '/p' }],
    ['a version that is skipped', { type: 5, path: '/a', data: null, version: 2 }],
    ['a version of an ACL that is skipped', { type: 7, path: '/a', acl: [], version: 2 }],
    ['a check of nothing', { type: 14, txns: [{ type: 13, path: '/b', version: 0 }] }],
    ['an end of a session that is not alive', { type: -11, paths: [] }],
    ['a sweep of an ordinary znode', { type: 20, path: '/a' }],
  ])('%s', (_name, body) => {
    add(createBody('/a', 1));
    add(createBody('/p', 2));
    add(createBody('/p/c', 1));
    add(createBody('/e', 3, true));
    expect(() => add(body)).toThrow(Violation);
  });

  test('an end of a session that leaves an ephemeral behind', () => {
    add({ type: -10, timeoutMs: 500 });
    add(createBody('/e', 1, true));
    expect(() => add({ type: -11, paths: [] })).toThrow(Violation);
  });
});
