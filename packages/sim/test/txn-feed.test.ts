// Learners that are fed from the logs of a leader that goes on writing, rolling, taking snapshots and purging,
// on a disk whose operations take as long as they please.

import { makeZxid, type Zxid } from '@zebu/protocol';
import {
  openDataDirectory,
  openTxnFeed,
  Pins,
  purge,
  SnapshotWriter,
  type TxnFeed,
  TxnLogWriter,
} from '@zebu/storage';
import { expect, test } from 'vitest';
import { Prng } from '../src/prng.ts';
import { SimScheduler } from '../src/scheduler.ts';
import { SimDisk } from '../src/sim-disk.ts';
import { entryOf, snapshotBytes } from './storage-workload.ts';

const TXNS = 300;
const entries = new Map<Zxid, Buffer>();
const entryBytes = (zxid: Zxid): Buffer => {
  const bytes = entries.get(zxid) ?? entryOf(zxid);
  entries.set(zxid, bytes);
  return bytes;
};

interface Fed {
  readonly from: Zxid;
  readonly zxids: Zxid[];
  ended: string;
}

interface Outcome {
  readonly fed: readonly Fed[];
  readonly history: readonly Zxid[];
  readonly purged: number;
  readonly pins: Pins;
}

/** `isTold` false: a defect planted, purge does not know of the pins. */
function run(seed: number, isTold = true): Outcome {
  const prng = new Prng(seed);
  const time = new SimScheduler();
  const disk = new SimDisk({
    schedule: (delayMs, fn) => time.schedule(delayMs, fn),
    random: () => prng.next(),
    // Now and then one takes long: the rest of the log goes on meanwhile.
    latencyMs: () => (prng.chance(0.05) ? prng.between(1, 8) : prng.between(0.02, 0.3)),
  });
  const directory = openDataDirectory({ disk, dataDir: '/data' });
  const pins = new Pins();
  const history: Zxid[] = [];
  const fed: Fed[] = [];
  let purged = 0;
  let durableZxid = 0;
  let isDone = false;

  const writer = new TxnLogWriter({
    disk,
    directory: directory.logDirectory,
    lastZxid: 0,
    preAllocBytes: 8_192,
    now: () => time.nowMs,
    onDurable: (zxid) => {
      durableZxid = zxid;
    },
    onFailure: (error) => {
      throw error;
    },
  });

  const snapshot = (): void => {
    const zxid = durableZxid;
    const snapshotWriter = new SnapshotWriter({
      disk,
      directory: directory.snapshotDirectory,
      zxid,
    });
    const bytes = snapshotBytes(zxid % 1000);
    snapshotWriter.write(bytes, 0, bytes.length);
    snapshotWriter.seal();
    snapshotWriter.finish(() =>
      purge(
        disk,
        directory,
        3,
        (_error, deleted) => {
          purged += deleted.length;
        },
        isTold ? pins : new Pins(),
      ),
    );
  };

  /** A learner comes that has a part of the history. */
  const newLearner = (): void => {
    const durable = history.indexOf(durableZxid) + 1;
    if (durable === 0) return;
    const from = prng.below(durable);
    const learner: Fed = { from: history[from - 1] ?? 0, zxids: [], ended: '' };
    fed.push(learner);
    const feed = openTxnFeed({
      disk,
      directory,
      fromZxid: learner.from,
      toZxid: durableZxid,
      pins,
    });
    ask(feed, learner);
  };

  const ask = (feed: TxnFeed, learner: Fed): void => {
    feed.next((outcome) => {
      if (outcome.kind === 'txns') {
        expect(outcome.previousZxid).toBe(learner.zxids.at(-1) ?? learner.from);
        for (let i = 0; i < outcome.count; i += 1) {
          const zxid = outcome.zxids[i] as Zxid;
          learner.zxids.push(zxid);
          const bytes = outcome.bytes.subarray(outcome.starts[i], outcome.ends[i]);
          expect(bytes.equals(entryBytes(zxid))).toBe(true);
        }
      }
      if (outcome.kind === 'unreachable' || outcome.kind === 'failed') {
        learner.ended = outcome.kind;
        feed.close();
        return;
      }
      if (outcome.kind === 'end') {
        if (isDone && outcome.lastZxid === durableZxid) {
          learner.ended = 'end';
          feed.close();
          return;
        }
        feed.raise(durableZxid);
      }
      // Its link takes as long as it takes.
      time.schedule(prng.between(0, 3), () => ask(feed, learner));
    });
  };

  let epoch = 1;
  let counter = 0;
  const turn = (left: number): void => {
    if (left <= 0) {
      writer.close(() => {
        isDone = true;
      });
      return;
    }
    const count = 1 + prng.below(8);
    if (prng.chance(0.05)) {
      epoch += 1 + prng.below(3);
      counter = 0;
    }
    for (let i = 0; i < count; i += 1) {
      counter += 1;
      const zxid = makeZxid(epoch, counter);
      const bytes = entryBytes(zxid);
      writer.append(zxid, bytes, 0, bytes.length);
      history.push(zxid);
    }
    writer.flush();
    if (prng.chance(0.2)) writer.roll();
    if (prng.chance(0.1)) writer.prepareRoll(0.9);
    if (prng.chance(0.15)) snapshot();
    if (prng.chance(0.15)) newLearner();
    time.schedule(prng.between(0, 1), () => turn(left - count));
  };
  snapshot();
  time.schedule(5, () => turn(TXNS));
  while (time.step());
  return { fed, history, purged, pins };
}

/** Throws unless each learner got all that it lacked, or nothing; returns how many got all. */
function check({ fed, history, pins }: Outcome): number {
  let whole = 0;
  for (const { from, zxids, ended } of fed) {
    const first = history.indexOf(from) + 1;
    if (ended === 'end') {
      whole += 1;
      expect(zxids).toEqual(history.slice(first));
    } else {
      // What it lacks was purged before it came. Nothing is taken away from it afterwards.
      expect(ended).toBe('unreachable');
      expect(zxids).toEqual([]);
    }
  }
  expect(pins.lowestZxid).toBe(Number.POSITIVE_INFINITY);
  return whole;
}

test('a learner is given all that it lacks, in order, or is told at once that it cannot be', () => {
  let learners = 0;
  let whole = 0;
  let purged = 0;
  for (let seed = 1; seed <= 40; seed += 1) {
    const outcome = run(seed);
    whole += check(outcome);
    learners += outcome.fed.length;
    purged += outcome.purged;
  }
  expect(learners).toBeGreaterThan(200);
  expect(whole).toBeGreaterThan(100);
  expect(learners - whole).toBeGreaterThan(10);
  expect(purged).toBeGreaterThan(150);
});

test('the checker notices a purge that does not know of the pins', () => {
  const isNoticed = (seed: number): boolean => {
    const outcome = run(seed, false);
    try {
      check(outcome);
      return false;
    } catch {
      return true;
    }
  };
  expect(Array.from({ length: 60 }, (_, seed) => seed).some(isNoticed)).toBe(true);
});
