import {
  ByteReader,
  ByteWriter,
  OPEN_ACL_UNSAFE,
  OpCode,
  readMultiRequest,
  writeMultiEnd,
  writeMultiHeader,
  writeMultiRequest,
  writeMultiResponse,
  writeStat,
} from '@zebu/protocol';
import { expect, expectTypeOf, test } from 'vitest';
import type { Created, MultiError, Op, Results, Session, Stat } from '../src/index.ts';
import { createdFrom, createKind, isSessionBound, readMulti, writeMulti } from '../src/multi.ts';
import type { Stat as StatClass } from '../src/stat.ts';
import { STAT } from './world.ts';

/** Only passed on. */
const SESSION = { generation: 1 } as Session;

test.each([
  [undefined, 15, 0],
  [{ sequential: true }, 15, 2],
  [{ mode: 'ephemeral' }, 15, 1],
  [{ mode: 'ephemeral', sequential: true }, 15, 3],
  [{ mode: 'container' }, 19, 4],
  [{ mode: { ttlMs: 1000 } }, 21, 5],
  [{ mode: { ttlMs: 0xff_ffff_ffff }, sequential: true }, 21, 6],
] as const)('mode %j is op %i with flags %i', (settings, type, flags) => {
  expect(createKind(settings)).toMatchObject({ type, flags });
});

test.each([0, -1, 1.5, 0x100_0000_0000, Number.NaN])('ttlMs %d is refused', (ttlMs) => {
  expect(() => createKind({ mode: { ttlMs } })).toThrow('ttlMs');
});

test('a container cannot be sequential', () => {
  expect(() => createKind({ mode: 'container', sequential: true })).toThrow('container');
});

test.each([
  ['/s-0000000007', 7],
  ['/s-2147483647', 2147483647],
  ['/s--2147483648', -2147483648],
  ['/s--000000001', -1],
  ['/s-', undefined],
  ['/s-x', undefined],
  ['/s-x0000000007', undefined],
  ['/s-0000000007x', undefined],
])('%s was given the number %s', (created, sequence) => {
  expect(createdFrom('/s-', created, {} as StatClass, SESSION).sequence).toBe(sequence);
});

test('operations are written as the protocol reads them', () => {
  const writer = new ByteWriter();
  writeMulti(
    writer,
    [
      { op: 'create', path: '/a', data: 'x' },
      { op: 'create', path: '/t', data: null, options: { mode: { ttlMs: 5 } } },
      { op: 'set', path: '/a', data: 'y', version: 3 },
      { op: 'delete', path: '/a' },
      { op: 'check', path: '/a', version: 1 },
    ],
    (path) => `/app${path}`,
  );
  expect(readMultiRequest(new ByteReader(writer.view()))).toMatchObject([
    { type: 15, request: { path: '/app/a', data: Buffer.from('x'), flags: 0 } },
    { type: 21, request: { path: '/app/t', data: null, flags: 5, ttlMs: 5n } },
    { type: 5, request: { path: '/app/a', version: 3 } },
    { type: 2, request: { path: '/app/a', version: -1 } },
    { type: 13, request: { path: '/app/a', version: 1 } },
  ]);
});

test('each operation, and the end, begins with a header whose error number is -1', () => {
  const ops: Op[] = [
    { op: 'create', path: '/a' },
    { op: 'set', path: '/a', data: '' },
    { op: 'delete', path: '/a' },
    { op: 'check', path: '/a' },
  ];
  const expected = new ByteWriter();
  writeMultiRequest(expected, [
    {
      type: OpCode.create2,
      request: { path: '/a', data: Buffer.alloc(0), acl: OPEN_ACL_UNSAFE, flags: 0 },
    },
    { type: OpCode.setData, request: { path: '/a', data: Buffer.alloc(0), version: -1 } },
    { type: OpCode.delete, request: { path: '/a', version: -1 } },
    { type: OpCode.check, request: { path: '/a', version: -1 } },
  ]);
  const written = new ByteWriter();
  writeMulti(written, ops, (path) => path);
  expect(Buffer.from(written.view()).toString('hex')).toBe(
    Buffer.from(expected.view()).toString('hex'),
  );
});

test('an operation that no multi knows is refused by its name', () => {
  const ops = [{ op: 'get', path: '/a' }] as unknown as Op[];
  expect(() => writeMulti(new ByteWriter(), ops, (path) => path)).toThrow(
    new TypeError('No such operation in a multi: get'),
  );
});

test('an ephemeral create ties a multi to its session', () => {
  expect(isSessionBound([{ op: 'delete', path: '/a' }])).toBe(false);
  expect(isSessionBound([{ op: 'create', path: '/a' }])).toBe(false);
  expect(isSessionBound([{ op: 'create', path: '/a', options: { mode: 'ephemeral' } }])).toBe(true);
  expect(
    isSessionBound([
      { op: 'delete', path: '/b' },
      { op: 'create', path: '/a', options: { mode: 'ephemeral' } },
    ]),
  ).toBe(true);
});

const view = {
  viewPath: (path: string) => path.replace('/app', ''),
  chroot: '/app',
  session: SESSION,
  zxid: 9,
};

test('results come out of the view they went in by', () => {
  const writer = new ByteWriter();
  writeMultiResponse(writer, [
    { type: 15, path: '/app/s-0000000001', stat: STAT },
    { type: 5, stat: STAT },
    { type: 2 },
    { type: 13 },
  ]);
  const results = readMulti(
    new ByteReader(writer.view()),
    [
      { op: 'create', path: '/s-', options: { sequential: true } },
      { op: 'set', path: '/x', data: '' },
      { op: 'delete', path: '/x' },
      { op: 'check', path: '/x' },
    ],
    view,
  );
  expect(results).toMatchObject([
    { path: '/s-0000000001', sequence: 1, session: SESSION },
    STAT,
    undefined,
    undefined,
  ]);
});

test('a refusal names the operation at fault, not those that came after it', () => {
  const writer = new ByteWriter();
  writeMultiResponse(writer, [
    { type: -1, error: 0 },
    { type: -1, error: -110 },
    { type: -1, error: -2 },
  ]);
  const ops = ['/a', '/b', '/c'].map((path) => ({ op: 'create', path }) as const);
  expect(() => readMulti(new ByteReader(writer.view()), ops, view)).toThrow(
    expect.objectContaining({
      code: 'MULTI_FAILED',
      index: 1,
      errno: -110,
      op: 'multi',
      path: '/b',
      outcome: 'failed',
      zxid: 9,
      opErrors: [
        undefined,
        expect.objectContaining({ code: 'NODE_EXISTS', path: '/b' }),
        expect.objectContaining({ code: 'RUNTIME_INCONSISTENCY' }),
      ],
    }),
  );
});

/** What `readMulti` makes of a refusal with these error numbers. */
function refusal(errnos: readonly number[], ops: readonly Op[]): MultiError {
  const writer = new ByteWriter();
  writeMultiResponse(
    writer,
    errnos.map((error) => ({ type: -1, error })),
  );
  try {
    readMulti(new ByteReader(writer.view()), ops, view);
  } catch (error) {
    return error as MultiError;
  }
  throw new Error('It was not refused');
}

// Where no operation says why, the first that failed is named.
test.each([
  [[-110, -102], 0],
  [[-2, -110, -2], 1],
  [[0, -2, -2], 1],
  [[0, -110, -102], 1],
])('of the errors %j the one at %i is the cause', (errnos, index) => {
  const ops = errnos.map((_, i) => ({ op: 'delete', path: `/${i}` }) as const);
  expect(refusal(errnos, ops)).toMatchObject({ index, path: `/${index}`, errno: errnos[index] });
});

test('a refusal says what to do about it, as that of a single call does', () => {
  const ttl: Op = { op: 'create', path: '/a/b', options: { mode: { ttlMs: 5 } } };
  expect(refusal([-6], [ttl]).message).toContain('extendedTypesEnabled');
  expect(refusal([-6], [{ op: 'check', path: '/a' }]).message).not.toContain('extendedTypes');
  const missing = 'the chroot /app does not exist';
  expect(refusal([-101], [{ op: 'create', path: '/a' }]).message).toContain(missing);
  expect(refusal([-101], [{ op: 'check', path: '/' }]).message).toContain(missing);
  expect(refusal([-101], [{ op: 'check', path: '/a' }]).message).not.toContain(missing);
});

test('results beyond the operations are read, and belong to none of them', () => {
  const writer = new ByteWriter();
  writeMultiResponse(writer, [{ type: 15, path: '/app/s-0000000001', stat: STAT }]);
  expect(readMulti(new ByteReader(writer.view()), [], view)).toMatchObject([
    { path: '/s-0000000001', sequence: undefined },
  ]);
  const [first] = refusal([-110], []).opErrors;
  expect(first).toMatchObject({ code: 'NODE_EXISTS', op: undefined, path: undefined });
});

test('a created path that is null is one without a character', () => {
  const writer = new ByteWriter();
  writeMultiHeader(writer, OpCode.create2, false, 0);
  writer.string(null);
  writeStat(writer, STAT);
  writeMultiEnd(writer);
  const ops: Op[] = [{ op: 'create', path: '/a' }];
  expect(readMulti(new ByteReader(writer.view()), ops, view)).toMatchObject([{ path: '' }]);
});

test('a result of another type is not read on', () => {
  const writer = new ByteWriter();
  writeMultiHeader(writer, OpCode.getData, false, 0);
  writeMultiEnd(writer);
  expect(() => readMulti(new ByteReader(writer.view()), [], view)).toThrow(
    "A multi's reply holds a result of type 4",
  );
});

test('each result has the type of its operation', () => {
  type Ops = readonly [
    { op: 'create'; path: string },
    { op: 'set'; path: string; data: string },
    { op: 'check'; path: string },
  ];
  expectTypeOf<Results<Ops>>().toEqualTypeOf<readonly [Created, Stat, undefined]>();
});
