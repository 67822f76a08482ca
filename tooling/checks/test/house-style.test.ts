// What every source here is spelt like, where lint has no rule for it. CONTRIBUTING.md says the same in words.

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stripCommentsAndStrings } from '../src/source-text.ts';
import { ROOT } from '../src/workspace.ts';

const sources = globSync('{packages,apps}/*/src/**/*.ts', { cwd: ROOT }).map((file) => ({
  file,
  text: readFileSync(join(ROOT, file), 'utf8'),
}));

const filesWhere = (isWrong: (text: string) => boolean): string[] =>
  sources.filter(({ text }) => isWrong(text)).map(({ file }) => file);

test('a file begins by saying what it is for', () => {
  expect(sources.length).toBeGreaterThan(300);
  expect(filesWhere((text) => !/^(?:\/\/|\/\*\*)/.test(text))).toEqual([]);
});

test('private members are spelt private', () => {
  const code = (text: string) => stripCommentsAndStrings(text);
  expect(filesWhere((text) => /^\s+[\w ]*#\w|\.#\w/m.test(code(text)))).toEqual([]);
});

test('a set of values is an object as const, not an enum', () => {
  expect(filesWhere((text) => /^(?:export )?(?:const )?enum /m.test(text))).toEqual([]);
});

test('a property that asks for more than ten elements gets them', () => {
  // fast-check makes ten at most, whatever maxLength says, unless size says otherwise.
  const tests = globSync('{packages,apps,tooling}/*/test/**/*.ts', { cwd: ROOT });
  const short = tests.flatMap((file) =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(/maxLength: (\d+)(?!.*size: 'max')/g)]
      .filter(([, length]) => Number(length) > 10)
      .map(([text]) => `${file}: ${text}`),
  );
  expect(tests.length).toBeGreaterThan(100);
  expect(short).toEqual([]);
});
