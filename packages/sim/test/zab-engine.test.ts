// The core of the ensemble alone, in an engine of its own: a fixed range of seeds, and that a seed is a run.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Coverage } from '../src/zab-engine/coverage.ts';
import { runZabSeed } from '../src/zab-engine/run-zab-seed.ts';
import { planOfCase, SEARCH_CASES, SEARCH_EVENTS } from '../src/zab-engine/search.ts';
import { ZabWorld } from '../src/zab-engine/world.ts';

const SEEDS = 150;

describe('the ensemble of cores', () => {
  test('keeps its promises in every seed, and meets what makes them hard', () => {
    const coverage = new Coverage();
    const failures: string[] = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const result = runZabSeed(seed);
      coverage.merge(result.coverage);
      if (result.failure !== undefined) failures.push(`seed ${seed}: ${result.failure.message}`);
    }
    expect(failures).toEqual([]);
    for (const name of ['election', 'DIFF', 'TRUNC', 'SNAP', 'barrier', 'torn batch', 'wiped']) {
      expect({ name, met: coverage.get(name) > 0 }).toEqual({ name, met: true });
    }
  });

  test('a member whose disk was wiped is not made a leader by votes for what it was', () => {
    const text = readFileSync(
      join(import.meta.dirname, 'plans', 'zab-votes-for-what-was-wiped.json'),
      'utf8',
    );
    const plan = JSON.parse(text);
    expect(runZabSeed(plan.seed, { plan }).failure?.message).toBe(undefined);
  });

  test.each([7, 42, 1003])('seed %i is one run', (seed) => {
    const first = runZabSeed(seed);
    const second = runZabSeed(seed);
    expect(second.hash).toBe(first.hash);
    expect(second.steps).toBe(first.steps);
  });

  test('a plan that was printed is the same run', () => {
    const first = runZabSeed(11);
    const second = runZabSeed(11, { plan: JSON.parse(JSON.stringify(first.plan)) });
    expect(second.hash).toBe(first.hash);
  });

  test('keeps them in a sample of the bounded search', () => {
    const failures: string[] = [];
    const cases = 800;
    for (let i = 0; i < cases; i++) {
      const index = Math.floor((i * SEARCH_CASES) / cases) + i;
      const { failure } = runZabSeed(1, { plan: planOfCase(index) });
      if (failure !== undefined) failures.push(`case ${index}: ${failure.message}`);
    }
    expect(failures).toEqual([]);
  });

  test('a run without a fault takes fewer events than the search strikes at', () => {
    const world = new ZabWorld({ ...planOfCase(0), strikes: [] });
    const { decided } = world.oracle;
    const isDone = world.runUntilTrue(45, () => decided.length === 2);
    expect({ isDone, isLong: world.happened > SEARCH_EVENTS / 4 }).toEqual({
      isDone: true,
      isLong: true,
    });
    expect(world.happened).toBeLessThan(SEARCH_EVENTS);
  });
});
