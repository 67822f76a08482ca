import { expect, test } from 'vitest';
import { StopRequests } from '../src/stop-requests.ts';

test('a signal that comes twice within a second, of a launcher too, is one request', () => {
  const requests = new StopRequests();
  expect(requests.meaningOf('SIGINT', 5000)).toBe('stop');
  expect(requests.meaningOf('SIGINT', 5003)).toBe('the same again');
  expect(requests.meaningOf('SIGINT', 5999)).toBe('the same again');
});

test('one that comes later, or another one, does not wait', () => {
  const requests = new StopRequests();
  requests.meaningOf('SIGINT', 5000);
  expect(requests.meaningOf('SIGINT', 6000)).toBe('stop at once');
  const others = new StopRequests();
  others.meaningOf('SIGTERM', 5000);
  expect(others.meaningOf('SIGINT', 5001)).toBe('stop at once');
});
