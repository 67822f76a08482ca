// The epoch files of a member that accepts, logs and establishes epochs, with a crash at every event of
// its disk. Stand-in for the log: one durable file that holds the epoch of the data.

import { EpochFiles, loadEpochs } from '@zebu/storage';
import { expect, test } from 'vitest';
import { Prng } from '../src/prng.ts';
import { SimScheduler } from '../src/scheduler.ts';
import { SimDisk, SimulatedCrash } from '../src/sim-disk.ts';

const DIRECTORY = '/data/version-2';
const EPOCH = 2 ** 32;

interface Member {
  disk: SimDisk;
  time: SimScheduler;
  /** What it was told to be durable. */
  accepted: number;
  current: number;
  data: number;
  /** The most it may hold. */
  tried: number;
}

function newMember(seed: number): Member {
  const prng = new Prng(seed);
  const member: Member = {
    disk: new SimDisk({
      schedule: (delayMs, fn) => member.time.schedule(delayMs, fn),
      random: () => prng.next(),
    }),
    time: new SimScheduler(),
    accepted: 1,
    current: 1,
    data: 1,
    tried: 1,
  };
  member.disk.makeDirectory(DIRECTORY);
  loadEpochs(member.disk, DIRECTORY, EPOCH);
  return member;
}

function dataEpoch(disk: SimDisk): number {
  return disk.exists('/data/log') ? Number(disk.readFile('/data/log').toString() || '1') : 1;
}

/** Epoch after epoch: accepted, prepared, logged, established; some are left before they are logged. */
function live(member: Member, withPrepare: boolean): void {
  const { disk } = member;
  const files = new EpochFiles(
    disk,
    DIRECTORY,
    loadEpochs(disk, DIRECTORY, dataEpoch(disk) * EPOCH),
  );
  const next = (epoch: number): void => {
    if (epoch > 6) return;
    member.tried = epoch;
    files.accept(epoch, () => {
      member.accepted = epoch;
      if (epoch % 3 === 0) files.prepare(epoch, () => next(epoch + 1));
      else if (withPrepare) files.prepare(epoch, log);
      else log();
    });
    const log = (): void => {
      disk.writeFile('/data/log.new', Buffer.from(String(epoch)));
      disk.rename('/data/log.new', '/data/log');
      disk.syncDirectory('/data');
      member.data = epoch;
      files.establish(epoch, () => {
        member.current = epoch;
        next(epoch + 1);
      });
    };
  };
  next(files.acceptedEpoch + 1);
  while (!disk.down && member.time.step());
}

function liveUntilCrash(member: Member, withPrepare: boolean): void {
  try {
    live(member, withPrepare);
  } catch (error) {
    if (!(error instanceof SimulatedCrash)) throw error;
  }
}

function check(member: Member): void {
  const data = dataEpoch(member.disk);
  const epochs = loadEpochs(member.disk, DIRECTORY, data * EPOCH);
  expect(data).toBeGreaterThanOrEqual(member.data);
  expect(epochs.currentEpoch).toBeGreaterThanOrEqual(Math.max(member.current, data));
  expect(epochs.acceptedEpoch).toBeGreaterThanOrEqual(member.accepted);
  expect(epochs.acceptedEpoch).toBeLessThanOrEqual(member.tried);
  // An epoch that was only prepared is not current: no data of it is there.
  expect(epochs.currentEpoch).toBe(Math.max(data, member.current));
}

function crashAt(event: number, seed: number, withPrepare = true): void {
  const member = newMember(seed);
  member.disk.crashAtEvent(member.disk.events + event);
  liveUntilCrash(member, withPrepare);
  member.disk.crash({ seed: seed * 7919 + event });
  member.time = new SimScheduler();
  // The start after it may crash, too.
  member.disk.crashAtEvent(member.disk.events + 1 + (event % 7));
  try {
    check(member);
    liveUntilCrash(member, withPrepare);
  } catch (error) {
    if (!(error instanceof SimulatedCrash)) throw error;
  }
  member.disk.crash({ seed: seed + event });
  member.time = new SimScheduler();
  check(member);
}

function countEvents(): number {
  const member = newMember(1);
  const before = member.disk.events;
  live(member, true);
  expect(member.data).toBe(5);
  return member.disk.events - before;
}

test('a crash at any event leaves epochs that the data agrees with, and breaks no promise', () => {
  const events = countEvents();
  expect(events).toBeGreaterThan(80);
  for (let seed = 1; seed <= 4; seed += 1) {
    for (let event = 1; event <= events; event += 1) crashAt(event, seed);
  }
});

test('the checker notices data of an epoch that was not prepared', () => {
  let noticed = 0;
  for (let event = 1; event <= countEvents(); event += 1) {
    try {
      crashAt(event, 1, false);
    } catch (error) {
      expect((error as Error).message).toContain('currentEpoch says');
      noticed += 1;
    }
  }
  expect(noticed).toBeGreaterThan(0);
});
