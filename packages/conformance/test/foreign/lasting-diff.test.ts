import { expect, test } from 'vitest';
import { lastingDiff } from './lasting-diff.ts';

function runsWith(...diffs: string[]): { compare: () => Promise<string>; left: string[] } {
  return { compare: async () => diffs.shift() ?? 'one run too many', left: diffs };
}

test('servers alike are compared once', async () => {
  const { compare, left } = runsWith('', 'unused');
  expect(await lastingDiff(compare)).toEqual({ diff: '', passing: '' });
  expect(left).toEqual(['unused']);
});

test('a difference in both runs is one', async () => {
  const { compare } = runsWith('-a', '-b');
  expect(await lastingDiff(compare)).toEqual({ diff: '-b', passing: '' });
});

test('a difference of the first run alone is told', async () => {
  const { compare } = runsWith('-a', '');
  expect(await lastingDiff(compare)).toEqual({ diff: '', passing: '-a' });
});

test('a client that ends in both runs fails, with what the second said', async () => {
  let calls = 0;
  const compare = async (): Promise<string> => {
    calls += 1;
    throw new Error(`no server ${calls}`);
  };
  await expect(lastingDiff(compare)).rejects.toThrow('no server 2');
});

test('a client that ended in the first run alone is told of', async () => {
  let calls = 0;
  const compare = async (): Promise<string> => {
    calls += 1;
    if (calls === 1) throw new Error('a race of its own');
    return '';
  };
  expect(await lastingDiff(compare)).toEqual({ diff: '', passing: 'a race of its own' });
});
