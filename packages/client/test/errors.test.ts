import { ErrorCode } from '@zebu/protocol';
import { expect, test } from 'vitest';
import { serverError } from '../src/errors.ts';
import { ConnectionLossError, SessionExpiredError, ZkError } from '../src/index.ts';

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
