// A small member without a server: it appends, rolls, takes snapshots, raises epochs and purges, on a disk
// that may crash at any event. Its "tree" is a hash chain over the entries, so state at a zxid is one
// number, and any entry that is lost, doubled, changed or out of order shows.

import { adler32, crc32, type Zxid } from '@zebu/protocol';
import {
  type DataDirectory,
  type Disk,
  loadEpochs,
  openDataDirectory,
  purge,
  type RecoveryResult,
  type RecoveryTarget,
  recover,
  SnapshotWriter,
  TxnLogWriter,
  writeEpochAsync,
} from '@zebu/storage';
import { Prng } from '../src/prng.ts';
import { SimScheduler } from '../src/scheduler.ts';
import { SimDisk, SimulatedCrash } from '../src/sim-disk.ts';

const HEADER_BYTES = 32;

/** Entry of a zxid: the same bytes at every run, of a size that depends on the zxid. */
export function entryOf(zxid: Zxid): Buffer {
  const prng = new Prng(zxid);
  const size =
    zxid % 29 === 0
      ? 40_000 // Longer than a preallocation and than what a reader expects.
      : zxid % 17 === 0
        ? 3000
        : zxid % 5 === 0
          ? 700
          : 40 + prng.below(200);
  const bytes = Buffer.alloc(HEADER_BYTES + size);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = 1 + prng.below(255);
  // Some data is all zeros, as users have it.
  if (zxid % 7 === 0) bytes.fill(0, HEADER_BYTES);
  bytes.writeUInt32BE(Math.floor(zxid / 2 ** 32), 12);
  bytes.writeUInt32BE(zxid >>> 0, 16);
  return bytes;
}

export function chain(state: number, bytes: Buffer, start: number, end: number): number {
  return crc32(bytes, start, end, state);
}

/** The state after every entry up to `zxid`. */
function stateAt(zxid: Zxid): number {
  let state = 0;
  for (let z = 1; z <= zxid; z += 1) {
    const bytes = entryOf(z);
    state = chain(state, bytes, 0, bytes.length);
  }
  return state;
}

/** Sections 2 to 4 of a snapshot: no sessions, no ACLs, one "path" of the state and 20 KB of filling. */
export function snapshotBytes(state: number): Buffer {
  const path = Buffer.alloc(20_000, 0x70);
  path.writeUInt32BE(state, 0);
  path.writeUInt32BE(adler32(path, 0, 4), 4);
  const head = Buffer.alloc(12);
  head.writeInt32BE(path.length, 8);
  return Buffer.concat([head, path, Buffer.from([0, 0, 0, 1, 0x2f])]);
}

export class ChainTarget implements RecoveryTarget {
  state = 0;

  isComplete = false;

  session(): void {}

  records(bytes: Buffer, start: number, end: number): number {
    const length = end - start < 8 ? 0 : bytes.readInt32BE(start + 4);
    if (end - start < 8 + length + 5) return 0;
    this.state = bytes.readUInt32BE(start + 8);
    if (bytes.readInt32BE(start + 8 + length) !== 1) throw new Error('No end');
    this.isComplete = true;
    return 8 + length + 5;
  }

  snapshotLoaded(): void {}

  applyEntry(bytes: Buffer, start: number, end: number): void {
    this.state = chain(this.state, bytes, start, end);
  }
}

function recoverState(disk: Disk, directory: DataDirectory): RecoveryResult<ChainTarget> {
  const steps = recover({
    disk,
    directory,
    createTarget: () => new ChainTarget(),
    maxEntryBytes: 20_000,
  });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** What the disk has promised, and the most it may hold. */
interface Promises {
  /** Every entry up to here was reported durable. */
  durableZxid: Zxid;
  /** No entry above this was ever given to it. */
  appendedZxid: Zxid;
  durableEpoch: number;
  attemptedEpoch: number;
}

export interface Life {
  /** What storage sees: the simulated disk, or a plant around it. */
  disk: Disk;
  sim: SimDisk;
  time: SimScheduler;
  prng: Prng;
  promises: Promises;
  /** Entries to append in this life. */
  entries: number;
}

export function newLife(
  seed: number,
  entries: number,
  disguise: (sim: SimDisk) => Disk = (sim) => sim,
): Life {
  const prng = new Prng(seed);
  const time = new SimScheduler();
  const sim = new SimDisk({
    schedule: (delayMs, fn) => life.time.schedule(delayMs, fn),
    random: () => prng.next(),
  });
  const promises = { durableZxid: 0, appendedZxid: 0, durableEpoch: 0, attemptedEpoch: 0 };
  const life: Life = {
    disk: disguise(sim),
    sim,
    time,
    prng: new Prng(seed + 1),
    promises,
    entries,
  };
  return life;
}

/** Power fails and comes back: what the process had asked the scheduler for is gone with it. */
export function crash(life: Life, seed: number): void {
  life.sim.crash({ seed });
  life.time = new SimScheduler();
}

/** Recovers, checks what was promised, works until all is done or the disk goes down. */
export function live(life: Life): void {
  try {
    work(life);
    while (!life.sim.down && life.time.step());
  } catch (error) {
    if (!(error instanceof SimulatedCrash)) throw error;
  }
}

/** Throws when a promise is broken. */
export function check(life: Life): RecoveryResult<ChainTarget> {
  const { promises } = life;
  const directory = openDataDirectory({ disk: life.disk, dataDir: '/data' });
  const result = recoverState(life.disk, directory);
  const { zxid } = result;
  if (zxid < promises.durableZxid) {
    throw new Error(`Lost: ${zxid} recovered, ${promises.durableZxid} was acknowledged`);
  }
  if (zxid > promises.appendedZxid) throw new Error(`Invented: ${zxid}`);
  if (result.repeatedEntries > 0) throw new Error('Repeated entries in our own logs');
  if (result.target.state !== stateAt(zxid)) throw new Error(`Wrong state at ${zxid}`);
  const epochs = loadEpochs(life.disk, directory.snapshotDirectory, 0);
  if (epochs.currentEpoch < promises.durableEpoch) {
    throw new Error(`Epoch ${epochs.currentEpoch} after ${promises.durableEpoch} was acknowledged`);
  }
  if (epochs.currentEpoch > promises.attemptedEpoch) throw new Error('Invented epoch');
  // What was recovered is a promise from now on: a server would act on it.
  promises.durableZxid = zxid;
  promises.durableEpoch = epochs.currentEpoch;
  return result;
}

function work(life: Life): void {
  const { disk, prng, promises, time } = life;
  const result = check(life);
  const directory = openDataDirectory({ disk, dataDir: '/data' });
  let state = result.target.state;
  let zxid = result.zxid;
  let snapshotting = false;
  let raising = false;

  const writer = new TxnLogWriter({
    disk,
    directory: directory.logDirectory,
    lastZxid: zxid,
    preAllocBytes: 16_384,
    now: () => time.nowMs,
    onDurable: (durableZxid) => {
      promises.durableZxid = durableZxid;
    },
    onFailure: () => {},
  });

  const snapshot = (): void => {
    snapshotting = true;
    const at = zxid;
    const bytes = snapshotBytes(state);
    const snapshotWriter = new SnapshotWriter({
      disk,
      directory: directory.snapshotDirectory,
      zxid: at,
    });
    snapshotWriter.write(bytes, 0, bytes.length);
    snapshotWriter.seal();
    const finish = (): void => {
      // The rule above SnapshotWriter: what it shows must be durable in the log first.
      if (writer.durableZxid < at) {
        if (writer.failure === undefined) time.schedule(0.1, finish);
        return;
      }
      snapshotWriter.finish((error) => {
        snapshotting = false;
        if (error === undefined) purge(disk, directory, 3, () => {});
      });
    };
    finish();
  };

  const turn = (left: number): void => {
    if (writer.failure !== undefined) return;
    if (left === 0) {
      writer.close(() => {});
      return;
    }
    const count = Math.min(left, 1 + prng.below(8));
    for (let i = 0; i < count; i += 1) {
      const bytes = entryOf(zxid + 1);
      zxid += 1;
      promises.appendedZxid = Math.max(promises.appendedZxid, zxid);
      writer.append(zxid, bytes, 0, bytes.length);
      state = chain(state, bytes, 0, bytes.length);
    }
    writer.flush();
    const what = prng.next();
    if (what < 0.12) writer.roll();
    // Sparing with bytes as it is, it is made to zero a whole file for each tenth of one.
    if (what > 0.4 && what < 0.7) writer.prepareRoll(0.9);
    if (what < 0.09 && !snapshotting) snapshot();
    if (what > 0.85 && !raising) {
      raising = true;
      promises.attemptedEpoch += 1;
      const epoch = promises.attemptedEpoch;
      writeEpochAsync(
        disk,
        directory.snapshotDirectory,
        'acceptedEpoch',
        epoch,
        (acceptedError) => {
          if (acceptedError !== undefined) return;
          writeEpochAsync(disk, directory.snapshotDirectory, 'currentEpoch', epoch, (error) => {
            if (error !== undefined) return;
            raising = false;
            promises.durableEpoch = epoch;
          });
        },
      );
    }
    time.schedule(prng.between(0, 0.6), () => turn(left - count));
  };

  if (result.needsSnapshot) snapshot();
  // As a server would, nothing is logged before the first snapshot is there.
  const begin = (): void => {
    if (snapshotting) time.schedule(0.1, begin);
    else turn(life.entries);
  };
  begin();
}
