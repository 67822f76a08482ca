// Several changes that happen together or not at all.

import {
  type ByteWriter,
  type MultiResult,
  OpCode,
  Perms,
  readMultiResponse,
} from '@zebu/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  type Ask,
  addWatch,
  ask,
  create,
  exists,
  getData,
  multi,
  part,
  remove,
  setData,
} from './support/asks.ts';
import { bodyOf, type Frame, type RawClient } from './support/raw-client.ts';
import { World } from './support/world.ts';

let world: World;
let client: RawClient;
beforeEach(async () => {
  world = await World.start({ extendedTypesEnabled: true });
  client = world.client();
  client.must(create('/a', { data: 'x' }), create('/gone'));
  client.lines();
});

function resultsOf(frame: Frame | undefined): MultiResult[] {
  return readMultiResponse(bodyOf(frame as Frame));
}

/** Error codes of the parts; 0 for those that succeeded. */
function errorsOf(request: Ask): number[] {
  const reply = client.call(request);
  expect(reply.error).toBe(0);
  return resultsOf(reply).map((result) => {
    expect(result.type).toBe(-1);
    return result.type === -1 ? result.error : 0;
  });
}

describe('a multi', () => {
  test('answers each part with what it did, all under one zxid', () => {
    const reply = client.call(
      multi(
        part.create('/b', { data: 'b' }),
        part.create2('/b/c'),
        part.createContainer('/box'),
        part.createTTL('/ttl', 1000),
        part.check('/b', 0),
        part.setData('/a', 'longer'),
        part.remove('/gone'),
      ),
    );
    const results = resultsOf(reply);
    expect(results.map(({ type }) => type)).toEqual([1, 15, 15, 15, 13, 5, 2]);
    const { zxid } = reply;
    expect(results[1]).toMatchObject({ path: '/b/c', stat: { czxid: zxid } });
    expect(results[5]).toMatchObject({ stat: { mzxid: zxid, version: 1, dataLength: 6 } });
    expect(world.serving.tree.lastProcessedZxid).toBe(zxid);
  });

  test('tells each stat as it was at that step', () => {
    const results = resultsOf(
      client.call(multi(part.setData('/a', '1'), part.create('/a/b'), part.setData('/a', '22'))),
    );
    expect(results[0]).toMatchObject({ stat: { version: 1, numChildren: 0, dataLength: 1 } });
    expect(results[2]).toMatchObject({ stat: { version: 2, numChildren: 1, dataLength: 2 } });
  });

  test('sees in each part what those before it did', () => {
    client.must(
      multi(
        part.create('/n'),
        part.setData('/n', 'y', 0),
        part.check('/n', 1),
        part.remove('/n', 1),
      ),
    );
    expect(client.errorOf(exists('/n'))).toBe('NONODE');
  });

  test('of nothing is legal, and answered with the end alone', () => {
    const reply = client.call(multi());
    expect(reply).toMatchObject({ error: 0, zxid: 4 });
    expect(reply.body.toString('hex')).toBe('ffffffff01ffffffff');
  });

  test('sends the events of its parts in their order, before its reply', () => {
    client.must(addWatch('/', 1));
    client.lines();
    client.send(multi(part.create('/b'), part.setData('/a', 'y'), part.remove('/gone')));
    expect(client.lines()).toEqual(['created /b', 'changed /a', 'deleted /gone', '#4 OK']);
  });
});

describe('a multi with a part that fails', () => {
  test.each([0, 1, 2, 3])('at %i does nothing, and says which it was', (at) => {
    const parts = [part.create('/n'), part.setData('/a', 'y'), part.remove('/gone')];
    parts.splice(at, 0, part.check('/nowhere'));
    const expected = [0, 0, 0, 0].map((_, i) => (i < at ? 0 : i === at ? -101 : -2));
    expect(errorsOf(multi(...parts))).toEqual(expected);
    expect(client.errorOf(exists('/n'))).toBe('NONODE');
    expect(
      bodyOf(client.call(getData('/a')))
        .buffer()
        ?.toString(),
    ).toBe('x');
    expect(client.errorOf(exists('/gone'))).toBe('OK');
  });

  test.each([
    ['a parent that is not there', part.create('/no/n'), -101],
    ['a znode that is', part.create('/a'), -110],
    ['no ACL', part.create('/n', { acl: [] }), -114],
    ['a bad path', part.create('/a/..'), -8],
    ['a ttl of 0', part.createTTL('/n', 0), -8],
    ['a version that is another', part.setData('/a', 'y', 4), -103],
    ['a check of one', part.check('/a', 4), -103],
    ['a bad path to check', part.check('a'), -8],
    ['a delete of the root', part.remove('/'), -8],
  ])('because of %s says so', (_, bad, error) => {
    expect(errorsOf(multi(part.create('/ok'), bad, part.create('/ok2')))).toEqual([0, error, -2]);
  });

  test('because of a check that it may not read says so', () => {
    client.must(
      create('/closed', { acl: [{ perms: Perms.ADMIN, scheme: 'world', id: 'anyone' }] }),
    );
    expect(errorsOf(multi(part.check('/closed', 9)))).toEqual([-102]);
  });

  test('costs one zxid and sends no event', () => {
    client.must(addWatch('/', 1));
    client.lines();
    expect(client.call(multi(part.create('/n'), part.check('/no'))).zxid).toBe(4);
    expect(client.events()).toEqual([]);
  });

  test('leaves requests around it alone while all of them are in the works', () => {
    world.log.isHeld = true;
    client.send(
      create('/p'),
      multi(
        part.create('/p/x'),
        part.setData('/a', 'never'),
        part.remove('/gone'),
        part.create('/p/', { flags: 2 }),
        part.check('/no'),
      ),
      create('/p/', { flags: 2 }),
      setData('/a', 'y', 0),
      remove('/gone'),
      create('/p/x'),
      multi(part.check('/a', 1), part.check('/p/x', 0)),
    );
    world.run();
    world.log.release();
    expect(client.lines().map((line) => line.split(' ')[1])).toEqual(Array(7).fill('OK'));
    const sequential = client.frames.at(-5);
    // The number that the failed multi took is free again.
    expect(bodyOf(sequential as Frame).string()).toBe('/p/0000000000');
    expect(resultsOf(client.frames.at(-1)).map(({ type }) => type)).toEqual([13, 13]);
  });
});

describe('a multi that is no multi', () => {
  const header = (type: number) => (w: ByteWriter) => {
    w.int32(type);
    w.bool(false);
    w.int32(-1);
  };
  test.each([
    ['a read', multi(part.create('/n'), part.getData('/a'))],
    ['a null path', multi(part.create('/n'), part.create(null))],
    ['a null path to check', multi(part.check(null))],
    ['a null ACL', multi(part.create('/n', { acl: null }))],
    ['flags that are none', multi(part.create('/n', { flags: 9 }))],
    ['flags of a TTL without one', multi(part.create('/n', { flags: 5 }))],
    ['an unknown type', ask(OpCode.multi, header(99))],
    ['a part that is cut', ask(OpCode.multi, header(OpCode.delete))],
    ['nothing at all, not even an end', ask(OpCode.multi)],
  ])('because it holds %s fails as a whole, with a zxid of its own', (_, request) => {
    expect(client.call(request)).toMatchObject({ error: -5, zxid: 4, body: Buffer.alloc(0) });
    expect(client.errorOf(exists('/n'))).toBe('NONODE');
    expect(client.call(create('/after')).zxid).toBe(5);
  });
});

test('flags say more than types: a create of flag 4 makes a container, a createTTL without a ttl none', () => {
  client.must(multi(part.create('/box', { flags: 4 }), part.createTTL('/plain', -1, 0)));
  const { tree } = world.serving;
  expect(tree.kind(tree.findString('/box'))).toBe(2);
  expect(tree.kind(tree.findString('/plain'))).toBe(0);
});
