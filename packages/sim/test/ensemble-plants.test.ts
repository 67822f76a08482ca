// Defects in whole members, and the engine finds them. Seeds are tried in order until one fails; `seeds` says how many may
// be needed. Here are those that a few seeds find. All of them: npm run sim -- --members 3 --plants all --seeds 300.
//
// How many seeds find each: packages/sim/README.md.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runEnsemblePlan } from '../src/ensemble/engine.ts';
import { drawEnsemblePlan, parseEnsemblePlan } from '../src/ensemble/plan.ts';
import { ENSEMBLE_PLANTS, ensemblePlant } from '../src/ensemble/plants.ts';

interface Case {
  readonly plant: string;
  readonly seeds: number;
  /** Checkers, any of which may come first. */
  readonly found: readonly string[];
}

const CASES: readonly Case[] = [
  { plant: 'log-durable-when-handed-over', seeds: 4, found: ['acked is durable'] },
  { plant: 'disk-lies', seeds: 4, found: ['acked is durable'] },
  { plant: 'epoch-spoken-early', seeds: 4, found: ['acked is durable'] },
  { plant: 'commit-on-own-disk', seeds: 4, found: ['quorum'] },
  { plant: 'txn-left-out', seeds: 8, found: ['order', 'digests'] },
  { plant: 'tree-of-its-own', seeds: 8, found: ['digests'] },
  { plant: 'requests-twice', seeds: 8, found: ['order of requests'] },
  { plant: 'ephemerals-kept', seeds: 8, found: ['digests'] },
  { plant: 'events-after-data', seeds: 8, found: ['watches'] },
  { plant: 'commit-by-minority', seeds: 8, found: ['quorum'] },
  { plant: 'ack-before-durable', seeds: 8, found: ['acked is durable'] },
];

describe('the engine', () => {
  test.each(CASES)(
    'finds $plant within $seeds seeds',
    async ({ plant, seeds, found }) => {
      let kind = '';
      for (let seed = 1; seed <= seeds && kind === ''; seed++) {
        const planted = { plant: ensemblePlant(plant) };
        const { failure } = await runEnsemblePlan(drawEnsemblePlan(seed, 3), planted);
        kind = failure?.kind ?? '';
      }
      expect(found).toContain(kind);
    },
    120_000,
  );

  test.each([
    { plant: 'session-by-the-leader-alone', plan: 'a-session-at-a-leader-that-was-replaced' },
  ])('finds $plant by the plan that found it first', { timeout: 120_000 }, async (one) => {
    const text = readFileSync(join(import.meta.dirname, 'plans', `${one.plan}.json`), 'utf8');
    const planted = { plant: ensemblePlant(one.plant) };
    const { failure } = await runEnsemblePlan(parseEnsemblePlan(text), planted);
    expect(failure?.kind).toBe('sessions');
  });

  test('knows each plant by one name', () => {
    const names = ENSEMBLE_PLANTS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(() => ensemblePlant('rain')).toThrow('there is no plant rain');
  });
});
