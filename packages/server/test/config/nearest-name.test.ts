import { expect, test } from 'vitest';
import { nearestName, typingErrors } from '../../src/config/nearest-name.ts';

test.each<[string, string, number]>([
  ['', '', 0],
  ['', 'abc', 3],
  ['port', 'port', 0],
  ['prt', 'port', 1],
  ['poort', 'port', 1],
  ['pert', 'port', 1],
  ['prot', 'port', 1],
  ['tropp', 'port', 4],
  ['ca', 'abc', 3],
])('from %j to %j it takes %i errors', (a, b, errors) => {
  expect(typingErrors(a, b)).toBe(errors);
  expect(typingErrors(b, a)).toBe(errors);
});

test.each<[string, string | undefined]>([
  ['ticktime', 'ticktime'],
  ['ticktme', 'ticktime'],
  ['tcktme', 'ticktime'],
  ['tcktm', undefined],
  ['minsesiontimeout', 'minsessiontimeout'],
  // One letter from both.
  ['mensessiontimeout', undefined],
  ['abs', 'abc'],
  // Two of three letters are another name.
  ['axs', undefined],
  ['', undefined],
])('of %j %s is near', (name, nearest) => {
  const known = ['abc', 'ticktime', 'minsessiontimeout', 'mansessiontimeout'];
  expect(nearestName(name, known)).toBe(nearest);
});
