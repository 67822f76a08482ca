import { inspect } from 'node:util';
import { ErrorCode } from '@zebu/protocol';
import { expect, test } from 'vitest';
import { atCaller, serverError } from '../src/errors.ts';
import {
  type ErrorCode as Code,
  ConnectionLossError,
  MultiError,
  SessionExpiredError,
  ZkError,
} from '../src/index.ts';

test('every code of the protocol that a reply may carry has a name here', () => {
  const internal = ['OK', 'UNKNOWNSESSION', 'APIERROR', 'INVALIDCALLBACK'];
  for (const [name, errno] of Object.entries(ErrorCode)) {
    if (internal.includes(name)) continue;
    const error = serverError(errno, {});
    expect(error.code, name).not.toBe('SERVER_OTHER');
    expect(error.errno).toBe(errno);
  }
});

test('the message says what, for which call, and whether it may have happened', () => {
  const details = { op: 'set', path: '/a', outcome: 'unknown' } as const;
  expect(new ConnectionLossError(details).message).toBe(
    'Connection lost (set /a); it may have been carried out',
  );
  expect(serverError(-101, { op: 'get', path: '/a' }).message).toBe('No such znode (get /a)');
  expect(serverError(-999, {}).message).toContain('-999');
});

test('ZkError.is narrows by code, and knows an error of another copy of the package', () => {
  const error: unknown = serverError(-101, { path: '/a' });
  expect(ZkError.is(error, 'NO_NODE')).toBe(true);
  expect(ZkError.is(error, 'NODE_EXISTS', 'BAD_VERSION')).toBe(false);
  expect(ZkError.is(error)).toBe(true);
  expect(ZkError.is(new Error('other'))).toBe(false);
  const foreign = Object.assign(new Error('x'), {
    code: 'NO_NODE',
    [Symbol.for('zebu.ZkError')]: true,
  });
  expect(ZkError.is(foreign, 'NO_NODE')).toBe(true);
});

test('an expired session is its own class, however it comes', () => {
  expect(serverError(-112, {})).toBeInstanceOf(SessionExpiredError);
  expect(serverError(-112, {})).toMatchObject({ detectedBy: 'server' });
});

// The names are public: programs compare with them.
test.each<[number, Code]>([
  [-1, 'SYSTEM_ERROR'],
  [-2, 'RUNTIME_INCONSISTENCY'],
  [-3, 'DATA_INCONSISTENCY'],
  [-4, 'CONNECTION_LOSS'],
  [-5, 'MARSHALLING_ERROR'],
  [-6, 'UNIMPLEMENTED'],
  [-7, 'TIMEOUT'],
  [-8, 'BAD_ARGUMENTS'],
  [-13, 'NEW_CONFIG_NO_QUORUM'],
  [-14, 'RECONFIG_IN_PROGRESS'],
  [-101, 'NO_NODE'],
  [-102, 'NO_AUTH'],
  [-103, 'BAD_VERSION'],
  [-108, 'NO_CHILDREN_FOR_EPHEMERALS'],
  [-110, 'NODE_EXISTS'],
  [-111, 'NOT_EMPTY'],
  [-112, 'SESSION_EXPIRED'],
  [-114, 'INVALID_ACL'],
  [-115, 'AUTH_FAILED'],
  [-118, 'SESSION_MOVED'],
  [-119, 'NOT_READONLY'],
  [-120, 'EPHEMERAL_ON_LOCAL_SESSION'],
  [-121, 'NO_WATCHER'],
  [-122, 'TIMEOUT'],
  [-123, 'RECONFIG_DISABLED'],
  [-124, 'SASL_REQUIRED'],
  [-125, 'QUOTA_EXCEEDED'],
  [-127, 'THROTTLED'],
  [-999, 'SERVER_OTHER'],
  [0, 'SERVER_OTHER'],
])('error number %i of a server is %s', (errno, code) => {
  const about = { op: 'get', path: '/a', zxid: 9 };
  expect(serverError(errno, about)).toMatchObject({ code, errno, outcome: 'failed', ...about });
});

test.each<[Code, number, string]>([
  ['CLOSED', 0, 'The client is closed'],
  ['ABORTED', 0, 'Aborted'],
  ['TOO_LARGE', 0, 'Request too large'],
  ['QUEUE_FULL', 0, 'Too many requests wait for a connection'],
  ['MULTI_FAILED', 0, 'Nothing of the multi was carried out'],
  ['LOCK_LOST', 0, 'No longer held'],
  ['NO_NODE', -101, 'No such znode'],
  ['CONNECTION_LOSS', -4, 'Connection lost'],
])('%s has number %i and says "%s"', (code, errno, message) => {
  const error = new ZkError(code, { outcome: 'not-sent' });
  expect(error).toMatchObject({ name: 'ZkError', code, errno, message, outcome: 'not-sent' });
  expect('cause' in error).toBe(false);
});

test('a message holds as much of the call as is known, and the detail', () => {
  const outcome = 'failed';
  const detail = 'no chroot';
  expect(new ZkError('NO_NODE', { outcome, op: 'get' }).message).toBe('No such znode (get)');
  expect(new ZkError('NO_NODE', { outcome, path: '/a' }).message).toBe('No such znode (/a)');
  expect(new ZkError('NO_NODE', { outcome, detail, path: '/a' }).message).toBe(
    'No such znode: no chroot (/a)',
  );
});

test('each class of error has its name, and the cause it was given', () => {
  const cause = new Error('why');
  const lost = new ConnectionLossError({ outcome: 'unknown', cause });
  expect(lost).toMatchObject({ name: 'ConnectionLossError', code: 'CONNECTION_LOSS', cause });
  const expired = new SessionExpiredError('local', { outcome: 'failed', cause });
  expect(expired).toMatchObject({ name: 'SessionExpiredError', detectedBy: 'local', cause });
  expect(expired.code).toBe('SESSION_EXPIRED');
});

test('the error of a multi is that of the operation at fault', () => {
  const refused = serverError(-110, { op: 'create', path: '/b' });
  const details = { op: 'multi', outcome: 'failed', zxid: 9 } as const;
  const multi = new MultiError(1, [undefined, refused], details);
  expect(multi).toMatchObject({ name: 'MultiError', code: 'MULTI_FAILED', index: 1, errno: -110 });
  expect(multi).toMatchObject({ op: 'multi', path: '/b', zxid: 9, cause: refused });
  expect(multi.opErrors).toEqual([undefined, refused]);
  expect(multi.message).toBe(
    'Nothing of the multi was carried out: operation 1: Znode exists (create /b) (multi /b)',
  );
  expect(new MultiError(0, [undefined], details)).toMatchObject({ errno: 0, path: undefined });
});

test('ZkError.is wants an Error, not only its mark', () => {
  expect(ZkError.is({ code: 'NO_NODE', [Symbol.for('zebu.ZkError')]: true })).toBe(false);
  expect(ZkError.is(undefined)).toBe(false);
});

test('the stack of an error names who awaits the call, and what is no error stays', () => {
  const error = serverError(-101, {});
  const reply = error.stack;
  function awaiting(): unknown {
    return atCaller(error);
  }
  expect(awaiting()).toBe(error);
  expect(error.stack).not.toBe(reply);
  expect(error.stack).toContain('awaiting');
  expect(error.stack).not.toContain('at atCaller');
  expect(atCaller('text')).toBe('text');
});

test('a refused multi of a thousand operations is printed with its cause alone', () => {
  const errors = Array.from({ length: 1000 }, (_, n) =>
    serverError(n === 7 ? ErrorCode.NODEEXISTS : ErrorCode.RUNTIMEINCONSISTENCY, {
      path: `/n${n}`,
    }),
  );
  const printed = inspect(new MultiError(7, errors, { op: 'multi', outcome: 'failed' }));
  expect(printed).toContain('operation 7: Znode exists (/n7)');
  expect(printed).not.toContain('/n8');
});
