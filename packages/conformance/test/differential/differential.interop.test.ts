// A short run of the differential test: three seeds. The long one is `node src/differential/main.ts`.

import { describe, expect } from 'vitest';
import { startApache } from '../../src/apache.ts';
import { profileOf, serverOptions } from '../../src/differential/profile.ts';
import { reportDifference } from '../../src/differential/report.ts';
import { runSeed } from '../../src/differential/run.ts';
import { startZebu } from '../../src/zebu.ts';
import { interopTest } from '../support.ts';

const REQUESTS = 1000;

const startSubject = process.env.ZEBU_INTEROP_SUBJECT === 'apache' ? startApache : startZebu;

describe('random requests', () => {
  for (const seed of [1001, 1002, 1003]) {
    interopTest(`of seed ${seed} meet the same server twice`, ['apache'], 300_000, async () => {
      const options = serverOptions(profileOf(seed));
      await using reference = await startApache(options);
      await using subject = await startSubject(options);
      const outcome = await runSeed(
        {
          reference: { name: 'apache', host: '127.0.0.1', ...reference },
          subject: { name: 'zebu', host: '127.0.0.1', ...subject },
        },
        seed,
        REQUESTS,
      );
      if (outcome.difference !== undefined) expect.fail(reportDifference(outcome));
      expect(outcome.requests).toBeGreaterThanOrEqual(REQUESTS);
    });
  }
});
