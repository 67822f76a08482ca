import { expect, test } from 'vitest';
import { StopWishes } from '../src/stop-wishes.ts';

test('a signal that comes twice within a second, of a launcher too, is one wish', () => {
  const wishes = new StopWishes();
  expect(wishes.told('SIGINT', 5000)).toBe('stop');
  expect(wishes.told('SIGINT', 5003)).toBe('the same again');
  expect(wishes.told('SIGINT', 5999)).toBe('the same again');
});

test('one that comes later, or another one, does not wait', () => {
  const wishes = new StopWishes();
  wishes.told('SIGINT', 5000);
  expect(wishes.told('SIGINT', 6000)).toBe('stop at once');
  const others = new StopWishes();
  others.told('SIGTERM', 5000);
  expect(others.told('SIGINT', 5001)).toBe('stop at once');
});
