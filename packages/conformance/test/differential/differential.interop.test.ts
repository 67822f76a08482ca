// A short run of the differential test: one seed of each kind of server configuration. The long run is
// `node src/differential/main.ts`.

import { describe, expect } from 'vitest';
import { withPair } from '../../src/differential/pair.ts';
import { profileOf } from '../../src/differential/profile.ts';
import { reportDifference } from '../../src/differential/report.ts';
import { runSeed } from '../../src/differential/run.ts';
import { interopTest, isSelfTest } from '../support.ts';

const REQUESTS = 1000;

const KINDS = { reference: 'apache', subject: isSelfTest ? 'apache' : 'zebu' };

// 1000 starts at the edges of all counters; 1003 is without TTL znodes, 1004 without hard quotas.
describe('random requests', () => {
  for (const seed of [1000, 1003, 1004]) {
    interopTest(`of seed ${seed} meet the same server twice`, ['apache'], 300_000, async () => {
      const outcome = await withPair(profileOf(seed), KINDS, (pair) =>
        runSeed(pair, seed, REQUESTS),
      );
      if (outcome.difference !== undefined) expect.fail(reportDifference(outcome));
      expect(outcome.requests).toBeGreaterThanOrEqual(REQUESTS);
    });
  }
});
