// Three zebu processes under load, of which one has a disk that is full, slow, or stands still. Nothing acknowledged is lost,
// the others serve, and the member comes back when its disk does.

import { expect } from 'vitest';
import { EnsembleLoad } from '../../src/ensemble-load.ts';
import { fourLetterWord } from '../../src/four-letter.ts';
import { MixedEnsemble } from '../../src/mixed-ensemble.ts';
import { ServerStartError } from '../../src/server-process.ts';
import { SlowSync } from '../../src/slow-sync.ts';
import { SmallDisk } from '../../src/small-disk.ts';
import { interopTest } from '../support.ts';
import { allAgree, Epochs, printLogs, untilTurnedAway, zxidIn } from './checks.ts';

const SIDS = [1, 2, 3];
const SESSIONS = 3;
const SESSION_TIMEOUT_MS = 12_000;
const WRITES = 20;
const MANY_WRITES = 200;
const DISK_MEGABYTES = 16;
const SLOW_MS = 300;
const TEST_MS = 240_000;
const CONFIG = {
  tickTime: '300',
  syncLimit: '6',
  maxSessionTimeout: '20000',
  preAllocSize: '64',
};
const seed = Number(process.env.ZEBU_DISK_SEED ?? Date.now() % 100_000);

interopTest(
  'a member whose disk is full ends, loses nothing, and comes back when there is space',
  [],
  TEST_MS,
  async () => {
    await using ensemble = await MixedEnsemble.make({ voters: 3, config: CONFIG });
    using disks = new DisposableStack();
    const diskOf = new Map(
      SIDS.map((sid) => {
        const disk = disks.use(SmallDisk.mount(ensemble.dataDir(sid), DISK_MEGABYTES));
        return [sid, disk] as const;
      }),
    );
    await underLoad(ensemble, async (load) => {
      for (const whose of ['the leader', 'a follower'] as const) {
        const leader = await ensemble.leader();
        const sid = whose === 'the leader' ? leader : (leader % 3) + 1;
        const disk = diskOf.get(sid) as SmallDisk;
        disk.fill();
        const { code } = await ensemble.ended(sid);
        expect(code, whose).toBe(1);
        expect(ensemble.log(sid), whose).toMatch(/no space left/i);
        await load.untilWrites(performance.now(), WRITES);

        // As a supervisor does, which starts it again at once: it must not harm what it has.
        const again = await ensemble.start(sid, 'zebu').catch((error: unknown) => error);
        if (again === undefined) await ensemble.ended(sid);
        else expect(again, whose).toBeInstanceOf(ServerStartError);
        await load.untilWrites(performance.now(), WRITES);

        disk.free();
        await ensemble.start(sid, 'zebu');
        await load.untilWrites(performance.now(), WRITES);
      }
    });
    for (const sid of SIDS) await ensemble.stop(sid);
  },
  SmallDisk.whyNot,
);

interopTest(
  'a leader whose disk stands still steps down, and follows when the disk goes on',
  [],
  TEST_MS,
  () =>
    withSlowSyncs(async (ensemble, slow, load) => {
      const leader = await ensemble.leader();
      slow.stall(leader);
      await untilTurnedAway(ensemble, leader);
      expect(ensemble.log(leader)).toContain('The disk has not finished a write for');
      const since = performance.now();
      await load.untilWrites(since, MANY_WRITES);
      expect(await ensemble.leader()).not.toBe(leader);
      slow.delay(leader, 0);
      await ensemble.settled();
      expect(await ensemble.modeOf(leader)).toBe('follower');
    }),
  SlowSync.whyNot,
);

interopTest(
  'a leader whose disk is slow, but within its limit, goes on leading',
  [],
  TEST_MS,
  () =>
    withSlowSyncs(async (ensemble, slow, load) => {
      const leader = await ensemble.leader();
      slow.delay(leader, SLOW_MS);
      await load.untilWrites(performance.now(), WRITES);
      expect(await ensemble.leader()).toBe(leader);
      expect(ensemble.log(leader).match(/Leaving the role/g) ?? []).toEqual([]);
      slow.delay(leader, 0);
    }),
  SlowSync.whyNot,
);

interopTest(
  'a quorum waits for no follower whose disk stands still',
  [],
  TEST_MS,
  () =>
    withSlowSyncs(async (ensemble, slow, load) => {
      const leader = await ensemble.leader();
      const follower = (leader % 3) + 1;
      slow.stall(follower);
      await load.untilWrites(performance.now(), WRITES);
      const standsAt = await zxidOf(ensemble, follower);
      await load.untilWrites(performance.now(), MANY_WRITES);
      expect(await ensemble.leader()).toBe(leader);
      // None of its syncs ended meanwhile: whatever was acknowledged did not wait for one.
      const zxid = await zxidOf(ensemble, follower);
      expect([undefined, standsAt]).toContain(zxid);
      slow.delay(follower, 0);
      await ensemble.settled();
      await load.untilWrites(performance.now(), WRITES);
    }),
  SlowSync.whyNot,
);

/** What a member has applied; undefined while it does not serve. */
async function zxidOf(ensemble: MixedEnsemble, sid: number): Promise<bigint | undefined> {
  const answer = await fourLetterWord(ensemble.clientPort(sid), 'srvr');
  return answer.includes('Mode:') ? zxidIn(answer) : undefined;
}

async function withSlowSyncs(
  body: (ensemble: MixedEnsemble, slow: SlowSync, load: EnsembleLoad) => Promise<void>,
): Promise<void> {
  using slow = SlowSync.make();
  await using ensemble = await MixedEnsemble.make({
    voters: 3,
    config: CONFIG,
    env: (sid) => slow.environment(sid),
  });
  await underLoad(ensemble, (load) => body(ensemble, slow, load));
}

/** Starts the members, and the load; judges what was seen and what is there when `body` has ended. */
async function underLoad(
  ensemble: MixedEnsemble,
  body: (load: EnsembleLoad) => Promise<void>,
): Promise<void> {
  try {
    await ensemble.startAll(Object.fromEntries(SIDS.map((sid) => [sid, 'zebu'] as const)));
    await using load = await EnsembleLoad.begin({
      servers: ensemble.connectString(),
      sessions: SESSIONS,
      seed,
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
    });
    const epochs = new Epochs(ensemble);
    const watching = epochs.watch();
    try {
      await load.untilWrites(0, WRITES);
      await body(load);
      await load.end();
      await ensemble.settled();
    } finally {
      epochs.stop();
      await watching;
    }
    await allAgree(ensemble, load, epochs);
  } catch (error) {
    console.log(`seed ${seed}`);
    printLogs(ensemble);
    throw error;
  }
}
