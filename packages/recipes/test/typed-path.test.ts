import { afterAll, beforeAll, expect, test } from 'vitest';
import { bytes, json, typed } from '../src/typed.ts';
import { World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world[Symbol.asyncDispose]());

interface User {
  readonly name: string;
}
const user = json((value) => {
  if (typeof (value as User).name !== 'string') throw new TypeError('no name');
  return value as User;
});

test('the calls of the client take parameters and values', async () => {
  const users = typed(world.other, '/app/{tenant}/users/user-{id}', user);
  const me = { tenant: 't1', id: '7' };
  expect(users.path(me)).toBe('/app/t1/users/user-7');
  expect(await users.exists(me)).toBeUndefined();
  const created = await users.create(me, { name: 'a' }, { parents: 'persistent' });
  expect(created.path).toBe('/app/t1/users/user-7');
  expect((await users.get(me)).value).toEqual({ name: 'a' });
  await users.set(me, { name: 'b' }, { version: 0 });
  await users.update(me, ({ name }) => ({ name: `${name}c` }));
  const { version } = await users.update(me, () => undefined);
  expect(version).toBe(2);
  await using value = await users.watchValue(me);
  expect(value.current).toEqual({ name: 'bc' });
  await world.other.set(users.path(me), '{}');
  await expect(users.get(me)).rejects.toThrow('/app/t1/users/user-7 holds no such value: no name');
  await users.delete(me);
  await world.other.delete('/app', { recursive: true });
});

test('parameters come back from a path of the family, and from no other', () => {
  const users = typed(world.other, '/a.b/{tenant}/user-{id}', bytes());
  expect(users.match('/a.b/t/user-7')).toEqual({ tenant: 't', id: '7' });
  for (const other of [
    '/a.b/t/7',
    '/a.b/t/user-',
    '/a.b/t/u/user-7',
    '/axb/t/user-7',
    '/a.b/t/user-7/x',
  ]) {
    expect(users.match(other)).toBeUndefined();
  }
  expect(typed(world.other, '/plain', bytes()).match('/plain')).toEqual({});
});

test.each([
  [{}, 'the parameter id is missing'],
  [{ id: '' }, 'the parameter id is empty'],
  [{ id: 'a/b' }, 'the parameter id has a slash: "a/b"'],
  [{ id: '..' }, 'the parameter id cannot be ..'],
  [{ id: 7 }, 'the parameter id is a number'],
])('the parameters %j are a TypeError', async (parameters, message) => {
  const paths = typed(world.other, '/x/{id}', bytes());
  expect(() => paths.path(parameters as { id: string })).toThrow(
    new TypeError(`/x/{id}: ${message}`),
  );
  await expect(paths.get(parameters as { id: string })).rejects.toThrow(TypeError);
});

test.each([
  ['/x/{id}/{id}', 'has the parameter id twice'],
  ['/x/{id', 'has a brace that begins or ends no name'],
  ['/x/{}', 'has a brace that begins or ends no name'],
  ['x/{id}', 'does not begin with a slash'],
])('the template %s is a TypeError', (template, message) => {
  expect(() => typed(world.other, template, bytes())).toThrow(message);
});
