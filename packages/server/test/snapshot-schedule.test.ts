// When the log is rolled and a snapshot begins: how much is logged between two, and where in the log.

import { expect, test } from 'vitest';
import { defaultServerConfig, type ServerConfigOverrides } from '../src/config/server-config.ts';
import type { Environment } from '../src/environment.ts';
import { SnapshotSchedule } from '../src/snapshots/snapshot-schedule.ts';
import type { Snapshotter } from '../src/snapshots/snapshotter.ts';
import type { TxnLog } from '../src/txns/txn-log.ts';

const ENTRY_BYTES = 100;

/** Counts what is appended since the last roll, as TxnLogWriter does. */
class CountingLog implements TxnLog {
  readonly rolls: number[] = [];
  readonly prepared: number[] = [];
  txnsSinceRoll = 0;
  private last = 0;

  get bytesSinceRoll(): number {
    return this.txnsSinceRoll * ENTRY_BYTES;
  }

  append(zxid: number): void {
    this.txnsSinceRoll++;
    this.last = zxid;
  }

  prepareRoll(): void {
    this.prepared.push(this.last);
  }

  roll(): void {
    this.txnsSinceRoll = 0;
    this.rolls.push(this.last);
  }

  flush(): void {}

  abandon(): void {}

  lostFile(): undefined {}

  close(done: () => void): void {
    done();
  }
}

function scheduleWith(overrides: ServerConfigOverrides, random = 0) {
  const log = new CountingLog();
  const warnings: string[] = [];
  const snapshotter = {
    starts: 0,
    isBusy: false,
    isStopped: false,
    start() {
      if (this.isBusy || this.isStopped) return false;
      this.starts++;
      return true;
    },
  };
  const environment = {
    random: () => random,
    logger: { warn: (message: string) => warnings.push(message) },
  } as unknown as Environment;
  const schedule = new SnapshotSchedule(
    environment,
    defaultServerConfig(overrides),
    log,
    snapshotter as unknown as Snapshotter,
  );
  const append = (from: number, to: number): void => {
    for (let zxid = from; zxid <= to; zxid++) {
      log.append(zxid);
      schedule.appended(zxid);
    }
  };
  return { schedule, log, snapshotter, warnings, append };
}

test.each([
  [0, 11],
  [0.5, 16],
  [1, 21],
])('rolls between half and all of snapCount: by chance %d, with txn %d', (random, rolledAt) => {
  const { log, append } = scheduleWith({ snapCount: 20 }, random);
  append(1, rolledAt - 1);
  expect(log.rolls).toEqual([]);
  append(rolledAt, rolledAt);
  expect(log.rolls).toEqual([rolledAt]);
});

test('rolls by bytes too', () => {
  const { log, append } = scheduleWith({ snapSizeLimitBytes: 20 * ENTRY_BYTES });
  append(1, 30);
  expect(log.rolls).toEqual([11, 22]);
});

test('a roll is prepared once, half of the way', () => {
  const { log, append } = scheduleWith({ snapCount: 40 });
  append(1, 50);
  expect(log.rolls).toEqual([21, 42]);
  expect(log.prepared).toEqual([11, 32]);
});

test('a txn that goes all the way at once rolls at once', () => {
  const { log, append } = scheduleWith({ snapSizeLimitBytes: ENTRY_BYTES });
  append(1, 2);
  expect(log.rolls).toEqual([1, 2]);
});

test('the snapshot waits until the log file after the roll is in use', () => {
  const { schedule, log, snapshotter, append } = scheduleWith({ snapCount: 20 });
  append(1, 13);
  expect(log.rolls).toEqual([11]);
  schedule.durable(10);
  schedule.durable(11);
  expect(snapshotter.starts).toBe(0);
  schedule.durable(13);
  expect(snapshotter.starts).toBe(1);
  schedule.durable(13);
  expect(snapshotter.starts).toBe(1);
});

test('the snapshot does not wait for a log file that nothing is written to', () => {
  const { schedule, snapshotter, append } = scheduleWith({ snapCount: 20 });
  append(1, 11);
  schedule.durable(11);
  expect(snapshotter.starts).toBe(1);
});

test('rolls that crowd share one snapshot, and none is left without', () => {
  const { schedule, log, snapshotter, append } = scheduleWith({ snapCount: 4 });
  append(1, 9);
  expect(log.rolls).toEqual([3, 6, 9]);
  schedule.durable(6);
  expect(snapshotter.starts).toBe(1);
  append(10, 12);
  schedule.durable(9);
  schedule.durable(12);
  expect(log.rolls).toEqual([3, 6, 9, 12]);
  expect(snapshotter.starts).toBe(2);
});

test('only a snapshot that is still being written is worth a warning', () => {
  const { schedule, snapshotter, warnings, append } = scheduleWith({ snapCount: 20 });
  snapshotter.isStopped = true;
  append(1, 11);
  snapshotter.isBusy = true;
  schedule.durable(11);
  expect(warnings).toEqual([]);
  snapshotter.isStopped = false;
  append(12, 22);
  schedule.durable(22);
  expect(warnings).toEqual(['Too busy to snapshot: the one before is still being written']);
});
