import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { ZkError } from '../src/errors.ts';
import { ClientSession, DetachedSession } from '../src/session.ts';

const TICKET = { id: 0x1000_0000_0000_00abn, password: Buffer.alloc(16, 7) };

test('a detached session is shown, and put into JSON, without its password', () => {
  const detached = new DetachedSession(TICKET);
  expect(detached).toMatchObject(TICKET);
  expect(JSON.parse(JSON.stringify(detached))).toEqual({
    id: '0x10000000000000ab',
    password: '(secret)',
  });
  expect(inspect(detached)).toBe('SessionTicket { id: 0x10000000000000ab, password: (secret) }');
});

test('a session is shown, and put into JSON, with all that others may know', () => {
  const session = new ClientSession(TICKET, 3, true);
  session.timeoutMs = 4000;
  expect(session).toMatchObject({ ...TICKET, generation: 3, isOfReadOnly: true, isOver: false });
  const json = { id: '0x10000000000000ab', generation: 3, timeoutMs: 4000, isOver: false };
  expect(JSON.parse(JSON.stringify(session))).toEqual(json);
  expect(inspect(session)).toBe('Session { 0x10000000000000ab, generation 3, 4000 ms }');

  const error = new ZkError('CLOSED', { outcome: 'failed' });
  session.end(error);
  expect(session.signal.reason).toBe(error);
  expect(JSON.parse(JSON.stringify(session))).toEqual({ ...json, isOver: true });
  expect(inspect(session)).toBe('Session { 0x10000000000000ab, generation 3, 4000 ms, over }');
});
