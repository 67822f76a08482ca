import {
  type Acl,
  ByteReader,
  ByteWriter,
  ErrorCode,
  encodeTxn,
  OPEN_ACL_UNSAFE,
  OpCode,
  type TxnBody,
  writeCreateRequest,
  writeCreateTTLRequest,
  writeMultiRequest,
  writePathVersionRequest,
  writeSetACLRequest,
  writeSetDataRequest,
} from '@zebu/protocol';
import { expect, test } from 'vitest';
import { AuditLog } from '../src/audit.ts';

const requester = { sessionId: 0x1000001fb2a00000n, users: 'bob,127.0.0.1', address: '127.0.0.1' };
const who = 'session=0x1000001fb2a00000\tuser=bob,127.0.0.1\tip=127.0.0.1';
const acl: readonly Acl[] = OPEN_ACL_UNSAFE;
const created = { path: '/a', data: null, acl, parentCVersion: 1 };

/** The lines of one request that ended as `body` says. */
function lines(
  type: number,
  write: (writer: ByteWriter) => void,
  body: TxnBody,
  error = 0,
): [line: string, isFailure: boolean][] {
  const found: [string, boolean][] = [];
  const audit = new AuditLog({
    sink: (line, isFailure) => found.push([line, isFailure]),
    serverUser: 'zebu',
  });
  const writer = new ByteWriter(256);
  write(writer);
  const reader = new ByteReader(writer.bytes, 0, writer.offset);
  const audited = audit.requested(type, reader, requester);
  expect(reader.offset).toBe(0);
  if (audited === undefined) return found;
  const entry = txn(body);
  audit.applied(audited, error, entry, 0, entry.length);
  return found;
}

function txn(body: TxnBody): Buffer {
  const header = { clientId: requester.sessionId, cxid: 1, zxid: 1, time: 0, type: body.type };
  return encodeTxn({ header, body, digest: undefined });
}

const create = (path: string, flags: number) => (writer: ByteWriter) =>
  writeCreateRequest(writer, { path, data: null, acl, flags });

test.each<[string, ReturnType<typeof lines>, string]>([
  [
    'create',
    lines(OpCode.create, create('/a', 1), { type: 1, ...created, ephemeral: true }),
    'operation=create\tznode=/a\tznode_type=ephemeral\tresult=success',
  ],
  [
    'a sequential create, by the path it got',
    lines(OpCode.create2, create('/a', 2), {
      type: 15,
      ...created,
      path: '/a0000000007',
      ephemeral: false,
    }),
    'operation=create\tznode=/a0000000007\tznode_type=persistent_sequential\tresult=success',
  ],
  [
    'a container',
    lines(OpCode.createContainer, create('/a', 4), { type: 19, ...created }),
    'operation=create\tznode=/a\tznode_type=container\tresult=success',
  ],
  [
    'a TTL znode',
    lines(
      OpCode.createTTL,
      (writer) =>
        writeCreateTTLRequest(writer, { path: '/a', data: null, acl, flags: 5, ttlMs: 9n }),
      { type: 21, ...created, ttlMs: 9 },
    ),
    'operation=create\tznode=/a\tznode_type=persistent_with_ttl\tresult=success',
  ],
  [
    'delete',
    lines(OpCode.delete, (writer) => writePathVersionRequest(writer, { path: '/a', version: -1 }), {
      type: 2,
      path: '/a',
    }),
    'operation=delete\tznode=/a\tresult=success',
  ],
  [
    'setData',
    lines(
      OpCode.setData,
      (writer) => writeSetDataRequest(writer, { path: '/a', data: null, version: -1 }),
      { type: 5, path: '/a', data: null, version: 1 },
    ),
    'operation=setData\tznode=/a\tresult=success',
  ],
  [
    'setACL, with nothing between two entries, as in Apache',
    lines(
      OpCode.setACL,
      (writer) =>
        writeSetACLRequest(writer, {
          path: '/a',
          acl: [...acl, { perms: 1, scheme: 'ip', id: '::1' }],
          version: -1,
        }),
      { type: 7, path: '/a', acl, version: 1 },
    ),
    'operation=setAcl\tznode=/a\tacl=world:anyone:cdrwaip:::1:r\tresult=success',
  ],
])('%s', (_, found, expected) => {
  expect(found).toEqual([[`${who}\t${expected}`, false]]);
});

test('a failure tells the path that was asked for', () => {
  const found = lines(
    OpCode.create,
    create('/a/b', 0),
    { type: -1, error: ErrorCode.NONODE },
    ErrorCode.NONODE,
  );
  expect(found).toEqual([
    [`${who}\toperation=create\tznode=/a/b\tznode_type=persistent\tresult=failure`, true],
  ]);
});

const multi = (writer: ByteWriter) =>
  writeMultiRequest(writer, [
    { type: 1, request: { path: '/a', data: null, acl, flags: 1 } },
    { type: 13, request: { path: '/a', version: 0 } },
    { type: 5, request: { path: '/b', data: null, version: -1 } },
    { type: 2, request: { path: '/c', version: -1 } },
  ]);

test('a multi tells each change of it', () => {
  const found = lines(OpCode.multi, multi, {
    type: 14,
    txns: [
      { type: 1, ...created, ephemeral: true },
      { type: 13, path: '/a', version: 0 },
      { type: 5, path: '/b', data: null, version: 1 },
      { type: 2, path: '/c' },
    ],
  });
  expect(found.map(([line]) => line.slice(who.length + 1))).toEqual([
    'operation=create\tznode=/a\tznode_type=ephemeral\tresult=success',
    'operation=setData\tznode=/b\tresult=success',
    'operation=delete\tznode=/c\tresult=success',
  ]);
});

test('a failed multi is one line', () => {
  const error = { type: -1 as const, error: ErrorCode.NONODE };
  const found = lines(OpCode.multi, multi, { type: 14, txns: [error, error, error, error] });
  expect(found).toEqual([[`${who}\toperation=multiOperation\tresult=failure`, true]]);
});

test('what is no change, or does not decode, is not told', () => {
  const body: TxnBody = { type: 2, path: '/a' };
  expect(lines(OpCode.sync, (writer) => writer.string('/a'), body)).toEqual([]);
  expect(lines(OpCode.delete, (writer) => writer.int32(-5), body)).toEqual([]);
});

test('a session that ends tells its ephemerals, and the server its start and stop', () => {
  const found: string[] = [];
  const audit = new AuditLog({ sink: (line) => found.push(line), serverUser: 'zebu' });
  audit.serverStarted();
  const entry = txn({ type: -11, paths: ['/e', '/f'] });
  audit.sessionClosed(entry, 0, entry.length);
  audit.serverStopped();
  const ended = 'operation=ephemeralZNodeDeletionOnSessionCloseOrExpire';
  expect(found).toEqual([
    'user=zebu\toperation=serverStart\tresult=success',
    `session=0x1000001fb2a00000\tuser=zebu\t${ended}\tznode=/e\tresult=success`,
    `session=0x1000001fb2a00000\tuser=zebu\t${ended}\tznode=/f\tresult=success`,
    'user=zebu\toperation=serverStop\tresult=invoked',
  ]);
});
