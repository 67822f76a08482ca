import { expect, test } from 'vitest';
import { assertInvariant, InvariantError } from '../src/index.ts';

test('a broken invariant throws an error of its own that says the rule', () => {
  assertInvariant(true, 'nothing');
  expect(() => assertInvariant(false, 'less than nothing')).toThrow(InvariantError);
  expect(() => assertInvariant(false, 'less than nothing')).toThrow(
    'Broken invariant: less than nothing',
  );
});
