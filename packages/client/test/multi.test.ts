import { ByteReader, ByteWriter, readMultiRequest, writeMultiResponse } from '@zebu/protocol';
import { expect, expectTypeOf, test } from 'vitest';
import type { Created, Results, Session, Stat } from '../src/index.ts';
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

test('an ephemeral create ties a multi to its session', () => {
  expect(isSessionBound([{ op: 'delete', path: '/a' }])).toBe(false);
  expect(isSessionBound([{ op: 'create', path: '/a', options: { mode: 'ephemeral' } }])).toBe(true);
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
      path: '/b',
      opErrors: [
        undefined,
        expect.objectContaining({ code: 'NODE_EXISTS', path: '/b' }),
        expect.objectContaining({ code: 'RUNTIME_INCONSISTENCY' }),
      ],
    }),
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
