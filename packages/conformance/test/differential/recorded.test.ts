// zebu answers as Apache 3.9.5 did when recorded.json was made. Needs no Java.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CASE_PROFILE, CASES } from '../../src/differential/cases.ts';
import { startEmbedded } from '../../src/differential/embedded.ts';
import { transcribe } from '../../src/differential/run.ts';

const recorded = JSON.parse(
  readFileSync(new URL('recorded.json', import.meta.url), 'utf8'),
) as Record<string, string[][]>;

describe('as Apache answered', () => {
  for (const { name, script, profile } of CASES) {
    test(name, async () => {
      await using server = await startEmbedded({ ...CASE_PROFILE, ...profile });
      const answers = await transcribe({ name: 'zebu', host: '127.0.0.1', ...server }, script);
      expect(answers).toEqual(recorded[name]);
    });
  }

  test('every recorded case is still there', () => {
    expect(Object.keys(recorded)).toEqual(CASES.map(({ name }) => name));
  });
});
