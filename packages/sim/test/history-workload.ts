// A member without a server that lives through roles: it logs txns of several epochs, is drained, truncated,
// given another history or none, and goes on in the same process, on a disk that may crash at any event.
// Its "tree" is a hash chain over the entries, so state at a zxid is one number.

import { makeZxid, type Zxid } from '@zebu/protocol';
import {
  adoptSnapshot,
  type DataDirectory,
  type Disk,
  discardHistory,
  EpochFiles,
  loadEpochs,
  openDataDirectory,
  purge,
  type RecoveryResult,
  recover,
  SnapshotWriter,
  type TruncateResult,
  TxnLogLives,
  truncateHistory,
} from '@zebu/storage';
import { Prng } from '../src/prng.ts';
import { SimScheduler } from '../src/scheduler.ts';
import { SimDisk, SimulatedCrash } from '../src/sim-disk.ts';
import { ChainTarget, chain, entryOf, snapshotBytes } from './storage-workload.ts';

/** Zxids from the beginning of time; no two histories give one zxid different bytes. */
type History = readonly Zxid[];

/** A history that a start may find, of at least `min` txns. */
interface Allowed {
  readonly history: History;
  readonly min: number;
}

export interface Member {
  sim: SimDisk;
  disk: Disk;
  time: SimScheduler;
  prng: Prng;
  /** What a start may find now: more than one while a step is under way. */
  allowed: readonly Allowed[];
  /** No two members of an ensemble lead in one epoch: each is used once. */
  nextEpoch: number;
  /** Where the logs are; the snapshots are in /data. */
  readonly dataLogDir: string;
  stepsLeft: number;
  /** Steps done, by name. */
  readonly done: Map<string, number>;
}

export function newMember(
  seed: number,
  steps: number,
  disguise: (sim: SimDisk) => Disk = (sim) => sim,
): Member {
  const prng = new Prng(seed);
  const sim = new SimDisk({
    schedule: (delayMs, fn) => member.time.schedule(delayMs, fn),
    random: () => prng.next(),
  });
  const member: Member = {
    sim,
    disk: disguise(sim),
    time: new SimScheduler(),
    prng: new Prng(seed + 1),
    allowed: [{ history: [], min: 0 }],
    nextEpoch: 1,
    dataLogDir: seed % 2 === 1 ? '/logs' : '/data',
    stepsLeft: steps,
    done: new Map(),
  };
  return member;
}

/** Power fails and comes back. */
export function crash(member: Member, seed: number): void {
  member.sim.crash({ seed });
  member.time = new SimScheduler();
}

/** Works until all steps are done or the disk goes down. */
export function live(member: Member): void {
  try {
    new Work(member).begin();
    while (!member.sim.down && member.time.step());
  } catch (error) {
    if (!(error instanceof SimulatedCrash)) throw error;
  }
}

/** Recovers, and throws unless it finds what it may. What it found is promised from then on. */
export function check(member: Member): RecoveryResult<ChainTarget> {
  const { disk, allowed } = member;
  const directory = directoryOf(member);
  const result = recoverState(disk, directory);
  const { zxid, target } = result;
  for (const { history, min } of allowed) {
    const count = zxid === 0 ? 0 : history.indexOf(zxid) + 1;
    if (zxid !== 0 && count === 0) continue;
    if (count < min || target.state !== stateOf(history.slice(0, count))) continue;
    const found = history.slice(0, count);
    member.allowed = [{ history: found, min: count }];
    return result;
  }
  const choices = allowed.map(({ history, min }) => `${min} to ${history.length} of [${history}]`);
  throw new Error(`Zxid ${zxid} with state ${target.state}, not one of ${choices.join(' or ')}`);
}

function directoryOf({ disk, dataLogDir }: Member): DataDirectory {
  return openDataDirectory({ disk, dataDir: '/data', dataLogDir });
}

function recoverState(disk: Disk, directory: DataDirectory): RecoveryResult<ChainTarget> {
  const steps = recover({ disk, directory, createTarget: () => new ChainTarget() });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

const entries = new Map<Zxid, Buffer>();

/** Made once: thousands of lives log the same. */
function entryBytes(zxid: Zxid): Buffer {
  const bytes = entries.get(zxid) ?? entryOf(zxid);
  entries.set(zxid, bytes);
  return bytes;
}

function stateOf(history: History): number {
  let state = 0;
  for (const zxid of history) {
    const bytes = entryBytes(zxid);
    state = chain(state, bytes, 0, bytes.length);
  }
  return state;
}

/** One life of the process. */
class Work {
  private readonly member: Member;
  private readonly directory: DataDirectory;
  private readonly log: TxnLogLives;
  private epochs: EpochFiles | undefined;
  private history: History = [];
  private epoch = 0;
  private counter = 0;

  constructor(member: Member) {
    const { disk } = member;
    this.member = member;
    this.directory = directoryOf(member);
    this.log = new TxnLogLives({
      disk,
      directory: this.directory.logDirectory,
      preAllocBytes: 4_096,
      now: () => member.time.nowMs,
      onDurable: (zxid, life) => {
        if (life !== this.log.life) throw new Error(`Durable in life ${life}: ${zxid}`);
        const min = this.history.indexOf(zxid) + 1;
        if (min === 0) throw new Error(`${zxid} is durable and not in the history`);
        member.allowed = [{ history: this.history, min }];
      },
      onFailure: (error) => {
        throw error;
      },
    });
  }

  begin(): void {
    this.recover(() => this.next());
  }

  /** As a process does when it starts, and after its history was changed. */
  private recover(then: () => void): void {
    const member = this.member;
    const result = check(member);
    this.history = member.allowed[0]?.history ?? [];
    const epochs = loadEpochs(member.disk, this.directory.snapshotDirectory, result.zxid);
    this.epochs ??= new EpochFiles(member.disk, this.directory.snapshotDirectory, epochs);
    const open = (): void => {
      this.log.open(result.zxid);
      this.newEpoch(then);
    };
    if (result.needsSnapshot) this.snapshot(open);
    else open();
  }

  /** A leader of a new epoch is found. */
  private newEpoch(then: () => void): void {
    const epochs = this.epochs as EpochFiles;
    this.epoch = this.member.nextEpoch;
    this.member.nextEpoch += 1;
    this.counter = 0;
    epochs.accept(this.epoch, () => epochs.prepare(this.epoch, then));
  }

  private next(): void {
    const member = this.member;
    if (member.stepsLeft === 0) {
      this.log.drain(() => {});
      return;
    }
    member.stepsLeft -= 1;
    const then = (): void => {
      member.time.schedule(0.2, () => this.next());
    };
    const choice = member.prng.below(10);
    if (choice < 5) this.append(then);
    else if (choice === 5) this.snapshot(then);
    else if (choice === 6) this.truncate(then);
    else if (choice === 7) this.adopt(then);
    else if (choice === 8) this.discard(then);
    else (this.epochs as EpochFiles).establish(this.epoch, then);
  }

  private count(step: string): void {
    const { done } = this.member;
    done.set(step, (done.get(step) ?? 0) + 1);
  }

  private append(then: () => void): void {
    const member = this.member;
    const { writer } = this.log;
    if (writer === undefined) throw new Error('No life');
    const count = 1 + member.prng.below(6);
    for (let i = 0; i < count; i += 1) {
      this.counter += 1;
      const zxid = makeZxid(this.epoch, this.counter);
      const bytes = entryBytes(zxid);
      this.history = [...this.history, zxid];
      member.allowed = [{ history: this.history, min: member.allowed[0]?.min ?? 0 }];
      writer.append(zxid, bytes, 0, bytes.length);
      if (member.prng.chance(0.3)) writer.flush();
    }
    if (member.prng.chance(0.3)) writer.roll();
    if (member.prng.chance(0.3)) writer.prepareRoll(0.9);
    writer.flush();
    this.count('append');
    then();
  }

  private snapshot(then: () => void): void {
    const member = this.member;
    const history = this.history;
    const writer = this.spool(history);
    const finish = (): void => {
      // What a snapshot shows must be durable in the log first.
      if (member.allowed[0]?.min !== history.length) {
        member.time.schedule(0.1, finish);
        return;
      }
      writer.finish(() => {
        this.count('snapshot');
        purge(member.disk, this.directory, 3, then);
      });
    };
    finish();
  }

  private spool(history: History): SnapshotWriter {
    const writer = new SnapshotWriter({
      disk: this.member.disk,
      directory: this.directory.snapshotDirectory,
      zxid: history.at(-1) ?? 0,
    });
    const bytes = snapshotBytes(stateOf(history));
    writer.write(bytes, 0, bytes.length);
    writer.seal();
    return writer;
  }

  private drained(then: () => void): void {
    this.log.drain((error) => {
      if (error !== undefined) throw error;
      const { history, min } = this.member.allowed[0] as Allowed;
      if (min !== history.length) throw new Error('Drained, and not durable');
      then();
    });
  }

  private truncate(then: () => void): void {
    const member = this.member;
    this.drained(() => {
      const history = this.history;
      const count = member.prng.below(history.length + 1);
      const zxid = history[count - 1] ?? 0;
      member.allowed = [{ history, min: count }];
      const result = truncate(member.disk, this.directory, zxid);
      const isCut = result.outcome === 'truncated';
      const left = isCut ? history.slice(0, count) : history;
      member.allowed = [{ history: left, min: left.length }];
      this.count(result.outcome);
      this.recover(then);
    });
  }

  private adopt(then: () => void): void {
    this.drained(() => this.newEpoch(() => this.adoptDrained(then)));
  }

  private adoptDrained(then: () => void): void {
    const member = this.member;
    const own = this.history;
    // A part of what is here, and then what others decided; or the same, or less.
    const shared = own.slice(0, member.prng.below(own.length + 1));
    const others = member.prng.below(4);
    const leaders = Array.from({ length: others }, (_, i) => makeZxid(this.epoch, i + 1));
    const history = [...shared, ...leaders];
    member.allowed = [
      { history: own, min: own.length },
      { history, min: history.length },
    ];
    adoptSnapshot({
      disk: member.disk,
      directory: this.directory,
      spool: this.spool(history),
      epochs: this.epochs as EpochFiles,
      done: (error) => {
        if (error !== undefined) throw error;
        member.allowed = [{ history, min: history.length }];
        this.count('adopt');
        this.recover(then);
      },
    });
  }

  private discard(then: () => void): void {
    const member = this.member;
    this.drained(() => {
      const own = this.history;
      member.allowed = [
        { history: own, min: own.length },
        { history: [], min: 0 },
      ];
      discardHistory({
        disk: member.disk,
        directory: this.directory,
        done: (error) => {
          if (error !== undefined) throw error;
          member.allowed = [{ history: [], min: 0 }];
          this.count('discard');
          this.recover(then);
        },
      });
    });
  }
}

function truncate(disk: Disk, directory: DataDirectory, zxid: Zxid): TruncateResult {
  const steps = truncateHistory({ disk, directory, zxid });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
