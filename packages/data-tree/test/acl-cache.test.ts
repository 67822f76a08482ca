import {
  type Acl,
  ByteWriter,
  InvariantError,
  OPEN_ACL_UNSAFE,
  writeAclVector,
} from '@zebu/protocol';
import { expect, test } from 'vitest';
import { AclCache, OPEN_ACL_ID } from '../src/index.ts';

const list = (id: string): Acl[] => [{ perms: 31, scheme: 'digest', id }];

test('the open list and no list are -1 and never counted', () => {
  const acls = new AclCache();
  expect(acls.internAcl(OPEN_ACL_UNSAFE)).toBe(OPEN_ACL_ID);
  expect(acls.internAcl(null)).toBe(OPEN_ACL_ID);
  expect(acls.aclOf(OPEN_ACL_ID)).toEqual(OPEN_ACL_UNSAFE);
  acls.release(OPEN_ACL_ID);
  expect(acls.size).toBe(0);
});

test('an empty list is a list of its own', () => {
  const acls = new AclCache();
  const id = acls.internAcl([]);
  expect(id).toBeGreaterThan(0);
  expect(acls.aclOf(id)).toEqual([]);
});

test('equal lists have one id until the last use goes', () => {
  const acls = new AclCache();
  const id = acls.internAcl(list('a'));
  expect(acls.internAcl(list('a'))).toBe(id);
  expect(acls.internAcl(list('b'))).not.toBe(id);
  acls.retain(id);
  expect(acls.uses(id)).toBe(3);
  for (let i = 0; i < 3; i++) acls.release(id);
  expect([...acls.entries()].map(([, acl]) => acl)).toEqual([list('b')]);
});

test('order and every field make a list another one', () => {
  const acls = new AclCache();
  const lists: Acl[][] = [
    [...list('a'), ...list('b')],
    [...list('b'), ...list('a')],
    [{ perms: 30, scheme: 'digest', id: 'a' }],
    [{ perms: 31, scheme: 'ip', id: 'a' }],
    list('a'),
    [{ perms: 31, scheme: 'world', id: 'anyonf' }],
  ];
  expect(new Set(lists.map((acl) => acls.internAcl(acl))).size).toBe(lists.length);
});

test('churn of lists reuses their ids', () => {
  const acls = new AclCache();
  for (let i = 0; i < 10_000; i++) acls.release(acls.internAcl(list(`user-${i}`)));
  expect(acls.idBound).toBe(1);
});

test('while held no list is forgotten, no id reused, and those of the start are known', () => {
  const acls = new AclCache();
  const kept = acls.internAcl(list('kept'));
  const gone = acls.internAcl(list('gone'));
  const free = acls.internAcl(list('free'));
  acls.release(free);
  const stamp = acls.hold();
  acls.release(gone);
  const late = acls.internAcl(list('late'));
  expect(acls.aclOf(gone)).toEqual(list('gone'));
  expect([kept, gone, late].map((id) => acls.wasLiveAt(id, stamp))).toEqual([true, true, false]);
  acls.release(acls.internAcl(list('gone')));
  acls.unhold();
  expect(acls.size).toBe(2);
  expect(acls.isLive(gone)).toBe(false);
  expect(acls.internAcl(list('gone'))).toBe(gone);
});

test('a list is written as it was read', () => {
  const acls = new AclCache();
  const expected = new ByteWriter();
  writeAclVector(expected, list('ü'));
  const written = new ByteWriter();
  acls.write(acls.internAcl(list('ü')), written);
  expect(written.view()).toEqual(expected.view());
});

test('a use that is given back twice stops the process', () => {
  const acls = new AclCache();
  const id = acls.internAcl(list('a'));
  const hold = acls.hold();
  acls.release(id);
  expect(hold).toBeGreaterThanOrEqual(0);
  expect(() => acls.release(id)).toThrow(InvariantError);
});
