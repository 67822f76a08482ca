// A voter of zebu's takes part in elections of real Apache servers, and is counted: of five voters two are Apache's, one
// is ours and two never start, so that there is a quorum with us and none without us.

import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '@zebu/client';
import { describe, expect } from 'vitest';
import type { ApacheVersion } from '../../src/apache.ts';
import { ApacheEnsemble } from '../../src/apache-ensemble.ts';
import { fourLetterWord } from '../../src/four-letter.ts';
import { interopTest } from '../support.ts';
import { SmallVoter } from './small-voter.ts';

const VERSIONS: readonly ApacheVersion[] = ['3.9.5', '3.8.6'];

for (const version of VERSIONS) {
  describe(`with two servers of Apache ${version}`, () => {
    interopTest('a voter of ours votes, follows and is counted', ['apache'], 180_000, async () => {
      await using ensemble = await ApacheEnsemble.make({
        version,
        voters: [1, 2, 3, 4, 5],
        config: { tickTime: '500' },
      });
      await using voter = new SmallVoter(ensemble, 1);
      try {
        // All three look for a leader, and agree. That the two serve says that we were counted.
        await Promise.all([voter.start(), ensemble.start(2), ensemble.start(3)]);
        const leader = await ensemble.leader();
        await until(() => voter.core.phase === 'broadcast');
        expect([voter.core.role, voter.core.leaderSid]).toEqual(['following', leader]);
        expect(await figure(ensemble, leader, 'zk_synced_followers')).toBe(2);

        // A write needs our ack.
        {
          await using client = await connect(`127.0.0.1:${ensemble.clientPort(leader)}`);
          await client.create('/with-us', 'data');
          expect((await client.get('/with-us')).data.toString()).toBe('data');
        }
        await until(() => voter.core.committedZxid === voter.core.durableZxid);
        const { durableZxid } = voter.core;

        // The leader starts anew: another election of the same three.
        await ensemble.stop(leader, 'SIGKILL');
        await until(() => voter.core.role === 'looking');
        expect(voter.core.durableZxid).toBe(durableZxid);
        await ensemble.start(leader);
        const next = await ensemble.leader();
        await until(() => voter.core.phase === 'broadcast');
        expect(voter.core.leaderSid).toBe(next);

        // Without us there is no quorum.
        await voter[Symbol.asyncDispose]();
        for (let waitedMs = 0; (await ensemble.modeOf(next)) !== undefined; waitedMs += 100) {
          expect(waitedMs, 'the leader serves without a quorum').toBeLessThan(10_000);
          await delay(100);
        }
      } catch (error) {
        console.log(voter.log.join('\n'));
        throw error;
      }
    });
  });
}

async function figure(ensemble: ApacheEnsemble, sid: number, name: string): Promise<number> {
  const answer = await fourLetterWord(ensemble.clientPort(sid), 'mntr');
  return Number(new RegExp(`^${name}\\t(\\S+)$`, 'm').exec(answer)?.[1]);
}

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 20) {
    if (waited > 30_000) throw new Error(`Never came true: ${condition}`);
    await delay(20);
  }
}
