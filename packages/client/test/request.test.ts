import { expect, test } from 'vitest';
import { ZkError } from '../src/errors.ts';
import { Request, type RequestSpec } from '../src/request.ts';

const SPEC: RequestSpec<unknown> = {
  type: 4,
  op: 'get',
  path: '/a',
  isRead: true,
  isSessionBound: false,
  encode() {},
  decode() {},
};

/** A request that notes what becomes of it. */
function noted() {
  const heard: unknown[] = [];
  const request = new Request(SPEC, 7, {
    isResendable: true,
    resolve: (value) => heard.push(value),
    reject: (error) => heard.push(error),
  });
  request.onSettled(() => heard.push('released'));
  return { request, heard };
}

const FAILURE = new ZkError('CLOSED', { outcome: 'failed' });

test.each<[string, (request: Request) => void, unknown]>([
  ['an answer', (request) => request.succeed('value'), 'value'],
  ['an error', (request) => request.fail(FAILURE), FAILURE],
])('%s settles a request once: whatever comes later changes nothing', (_, settle, outcome) => {
  const { request, heard } = noted();
  settle(request);
  expect(request.isSettled).toBe(true);
  expect(heard).toEqual(['released', outcome]);
  request.onSettled(() => heard.push('released again'));
  request.succeed('late');
  request.fail(new ZkError('ABORTED', { outcome: 'failed' }));
  request.giveUp('TIMEOUT', undefined);
  expect(heard).toEqual(['released', outcome]);
});

test.each([
  ['not-sent', Buffer.alloc(8)],
  ['unknown', undefined],
] as const)('a caller who gives up is told %s of a request with the frame %j', (outcome, frame) => {
  const { request, heard } = noted();
  request.frame = frame;
  const cause = new Error('enough');
  request.giveUp('ABORTED', cause);
  expect(heard[1]).toMatchObject({ code: 'ABORTED', op: 'get', path: '/a', outcome, cause });
});
