// One defect for each rule of the core, and the engine finds it. Seeds are tried in order until one fails; `seeds` says
// how many may be needed, `storms` that only runs in which leaders die while they promise an epoch are tried.
//
// How many of 1,500 seeds find each: packages/sim/README.md.

import { PLANTS, type Plant } from '@zebu/zab';
import { describe, expect, test } from 'vitest';
import { drawPlan } from '../src/zab-engine/plan.ts';
import { runZabSeed } from '../src/zab-engine/run-zab-seed.ts';

interface Case {
  readonly plant: Plant;
  readonly seeds: number;
  readonly storms?: boolean;
}

const CASES: readonly Case[] = [
  { plant: 'ack-before-durable', seeds: 20 },
  { plant: 'apply-before-durable', seeds: 20 },
  { plant: 'barrier-without-quorum', seeds: 400 },
  { plant: 'commit-before-sync', seeds: 100 },
  { plant: 'commit-by-minority', seeds: 20 },
  { plant: 'count-minus-one', seeds: 6000, storms: true },
  { plant: 'count-observers', seeds: 400 },
  { plant: 'count-wiped', seeds: 1500 },
  { plant: 'epoch-ack-before-durable', seeds: 20 },
  { plant: 'epoch-before-durable', seeds: 20 },
  { plant: 'epoch-before-history', seeds: 20 },
  { plant: 'establish-without-acks', seeds: 60 },
  { plant: 'forward-from-ack', seeds: 20 },
  { plant: 'keep-half-snapshot', seeds: 1000 },
  { plant: 'keep-leading-below-epoch', seeds: 12_000, storms: true },
  { plant: 'lead-by-applied', seeds: 20 },
  { plant: 'lead-without-quorum', seeds: 60 },
  { plant: 'newleader-ack-before-history', seeds: 20 },
  { plant: 'no-drain', seeds: 60 },
  { plant: 'skip-trunc', seeds: 300 },
  { plant: 'vote-by-applied', seeds: 20 },
  { plant: 'vote-by-zxid-epoch', seeds: 1000 },
  { plant: 'zxid-wraps', seeds: 200 },
];

describe('the engine', () => {
  test.each(CASES)(
    'finds $plant within $seeds seeds',
    ({ plant, seeds, storms }) => {
      let found = 0;
      for (let seed = 1; seed <= seeds && found === 0; seed++) {
        if (storms === true && !drawPlan(seed).storms) continue;
        if (runZabSeed(seed, { plant }).failure !== undefined) found = seed;
      }
      expect(found).toBeGreaterThan(0);
    },
    120_000,
  );

  test('has a case for each plant', () => {
    expect(CASES.map(({ plant }) => plant)).toEqual([...PLANTS]);
  });
});
