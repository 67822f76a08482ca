import { describe, expect, test } from 'vitest';
import { acknowledged } from '../src/checkers/acknowledged.ts';
import { runForOutcome, shrinkFailure } from '../src/engines.ts';
import { drawPlan, parsePlan } from '../src/plan.ts';
import type { ScenarioOverrides } from '../src/scenario.ts';
import { minimize } from '../src/shrink.ts';
import { withDisk, withFile } from '../src/txn-log-tap.ts';

describe('minimize', () => {
  const needs = (...wanted: number[]) => {
    const asked: number[][] = [];
    const works = async (kept: readonly number[]) => {
      asked.push([...kept]);
      return wanted.every((one) => kept.includes(one));
    };
    return { works, asked };
  };
  const items = Array.from({ length: 50 }, (_, index) => index);

  test.each([[[]], [[0]], [[49]], [[7, 8]], [[3, 24, 25, 49]]])(
    'keeps exactly what is needed: %j',
    async (wanted) => {
      const { works, asked } = needs(...wanted);
      expect(await minimize(items, works)).toEqual(wanted);
      // Far fewer questions than there are subsets, and no more than a few for each part that stays.
      expect(asked.length).toBeLessThan(50 + 40 * (wanted.length + 1));
    },
  );

  test('keeps everything when nothing can be taken out', async () => {
    expect(await minimize([1, 2, 3], async () => false)).toEqual([1, 2, 3]);
  });

  test('asks nothing about nothing', async () => {
    expect(await minimize([], () => Promise.reject(new Error('asked')))).toEqual([]);
  });
});

test('a failure is made smaller, fails alike, and shows its last events', async () => {
  // The log takes writes and never makes them durable: a power cut loses what was acknowledged.
  const overrides: ScenarioOverrides = {
    checkers: [acknowledged],
    plant: {
      disk: (disk) =>
        withDisk(disk, {
          openWrite: (path, options) => {
            const file = disk.openWrite(path, options);
            if (!path.includes('log.')) return file;
            return withFile(file, {
              writeDurable: (buffer, length, position, done) =>
                file.write(buffer, length, position, done),
            });
          },
        }),
    },
  };
  for (let seed = 1; seed <= 30; seed++) {
    const { failure } = await runForOutcome(drawPlan(seed), overrides);
    if (failure?.kind !== 'acknowledged') continue;
    expect(failure.transcript).toContain('power  cut');
    const before = parsePlan(failure.plan);
    const smaller = await shrinkFailure(failure, () => {}, overrides);
    const after = parsePlan(smaller.plan);
    expect(smaller.kind).toBe('acknowledged');
    expect(after.requests.length).toBeLessThan(before.requests.length / 4);
    expect(after.lives.length).toBeLessThanOrEqual(before.lives.length);
    expect((await runForOutcome(after, overrides)).failure?.message).toBe(smaller.message);
    return;
  }
  expect.fail('the defect was not found in 30 seeds');
}, 240_000);
