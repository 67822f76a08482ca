// A learner from LEADERINFO to its ack of NEWLEADER, with a snapshot from the leader in between (SNAP), and
// a crash at each of the points of disk.md 15.

import { makeZxid, type Zxid } from '@zebu/protocol';
import {
  adoptSnapshot,
  type DataDirectory,
  EpochFiles,
  loadEpochs,
  openDataDirectory,
  recover,
  SNAPSHOT_SIGNATURE,
  SnapshotSpool,
  SnapshotWriter,
  TxnLogLives,
} from '@zebu/storage';
import { expect, test } from 'vitest';
import { Prng } from '../src/prng.ts';
import { SimScheduler } from '../src/scheduler.ts';
import { SimDisk, type SimDiskEvent, SimulatedCrash } from '../src/sim-disk.ts';
import { ChainTarget, chain, entryOf, snapshotBytes } from './storage-workload.ts';

const OLD_EPOCH = 5;
const NEW_EPOCH = 6;
/** Own history: the last two of it were never committed. */
const OWN = [1, 2, 3, 4, 5, 6].map((counter) => makeZxid(OLD_EPOCH, counter));
const LEADERS = OWN.slice(0, 4);
const SNAPSHOT = makeZxid(NEW_EPOCH, 0);
const AFTER = [1, 2, 3].map((counter) => makeZxid(NEW_EPOCH, counter));

const stateOf = (zxids: readonly Zxid[]): number =>
  zxids.reduce((state, zxid) => {
    const bytes = entryOf(zxid);
    return chain(state, bytes, 0, bytes.length);
  }, 0);

class Learner {
  private readonly prng = new Prng(1);
  time = new SimScheduler();
  onEvent: (event: SimDiskEvent) => void = () => {};
  readonly disk = new SimDisk({
    schedule: (delayMs, fn) => this.time.schedule(delayMs, fn),
    random: () => this.prng.next(),
    onEvent: (event) => this.onEvent(event),
  });
  readonly directory: DataDirectory = openDataDirectory({
    disk: this.disk,
    dataDir: '/data',
    dataLogDir: '/logs',
  });
  /** What it said, in order: each is a promise. */
  readonly said: string[] = [];
  durableZxid = 0;

  private run(): void {
    while (!this.disk.down && this.time.step());
  }

  private log(): TxnLogLives {
    return new TxnLogLives({
      disk: this.disk,
      directory: this.directory.logDirectory,
      preAllocBytes: 4_096,
      now: () => this.time.nowMs,
      onDurable: (zxid) => {
        this.durableZxid = zxid;
      },
      onFailure: (error) => {
        throw error;
      },
    });
  }

  private append(log: TxnLogLives, lastZxid: Zxid, zxids: readonly Zxid[], done: () => void): void {
    const writer = log.open(lastZxid);
    for (const zxid of zxids) {
      const bytes = entryOf(zxid);
      writer.append(zxid, bytes, 0, bytes.length);
    }
    writer.flush();
    log.drain(done);
  }

  /** Snapshots at 0 and in the middle, logs, and the epochs of a member of epoch 5. */
  prepare(): void {
    const { disk, directory } = this;
    const write = (zxid: Zxid, zxids: readonly Zxid[]): void => {
      const writer = new SnapshotWriter({ disk, directory: directory.snapshotDirectory, zxid });
      const bytes = snapshotBytes(stateOf(zxids));
      writer.write(bytes, 0, bytes.length);
      writer.seal();
      writer.finish(() => {});
      this.run();
    };
    write(0, []);
    this.append(this.log(), 0, OWN.slice(0, 3), () => {});
    this.run();
    write(OWN[2] as Zxid, OWN.slice(0, 3));
    this.append(this.log(), OWN[2] as Zxid, OWN.slice(3), () => {});
    this.run();
    loadEpochs(disk, directory.snapshotDirectory, OWN.at(-1) as Zxid);
  }

  /** From LEADERINFO to the ack of NEWLEADER. */
  sync(): void {
    try {
      this.adoptOneSnapshot();
      this.run();
    } catch (error) {
      if (!(error instanceof SimulatedCrash)) throw error;
    }
  }

  private adoptOneSnapshot(): void {
    const { disk, directory } = this;
    const { snapshotDirectory } = directory;
    const last = OWN.at(-1) as Zxid;
    const epochs = new EpochFiles(
      disk,
      snapshotDirectory,
      loadEpochs(disk, snapshotDirectory, last),
    );
    epochs.accept(NEW_EPOCH, () => {
      this.said.push('ACKEPOCH');
      const spool = new SnapshotSpool({
        disk,
        directory: snapshotDirectory,
        zxid: SNAPSHOT,
        handler: new ChainTarget(),
        name: 'leader',
        onReady: () => {},
      });
      const stream = Buffer.concat([snapshotBytes(stateOf(LEADERS)), SNAPSHOT_SIGNATURE]);
      for (let at = 0; at < stream.length; at += 5_000) {
        spool.feed(stream, at, Math.min(stream.length, at + 5_000));
      }
      spool.finish();
      adoptSnapshot({
        disk,
        directory,
        spool: spool.writer,
        epochs,
        done: (error) => {
          if (error !== undefined) throw error;
          this.said.push('adopted');
          this.append(this.log(), SNAPSHOT, AFTER, () => {
            this.said.push('logged');
            epochs.establish(NEW_EPOCH, () => this.said.push('ACK of NEWLEADER'));
          });
        },
      });
    });
  }

  /** Power fails, and comes back. */
  crash(seed: number): void {
    this.disk.crash({ seed });
    this.time = new SimScheduler();
    this.onEvent = () => {};
  }

  start(): { history: 'own' | 'leader'; logged: number; accepted: number; current: number } {
    const { disk, directory } = this;
    const steps = recover({ disk, directory, createTarget: () => new ChainTarget() });
    let step = steps.next();
    while (step.done !== true) step = steps.next();
    const { zxid, target } = step.value;
    const epochs = loadEpochs(disk, directory.snapshotDirectory, zxid);
    const [accepted, current] = [epochs.acceptedEpoch, epochs.currentEpoch];
    if (zxid === OWN.at(-1) && target.state === stateOf(OWN)) {
      return { history: 'own', logged: 0, accepted, current };
    }
    const logged = zxid === SNAPSHOT ? 0 : AFTER.indexOf(zxid) + 1;
    expect(zxid === SNAPSHOT || logged > 0, `zxid ${zxid}`).toBe(true);
    expect(target.state).toBe(stateOf([...LEADERS, ...AFTER.slice(0, logged)]));
    return { history: 'leader', logged, accepted, current };
  }
}

interface Row {
  readonly point: string;
  /** What the disk does at it, the first time. */
  readonly at: (event: SimDiskEvent) => boolean;
  readonly history: readonly ('own' | 'leader')[];
  readonly accepted: readonly number[];
  readonly current: readonly number[];
  readonly said: readonly string[];
}

const at =
  (operation: string, phase: 'started' | 'done', path: RegExp, nth = 1) =>
  (): Row['at'] => {
    let seen = 0;
    return (event) => {
      if (event.operation !== operation || event.phase !== phase || !path.test(event.path)) {
        return false;
      }
      seen += 1;
      return seen === nth;
    };
  };

const OWN_5 = { history: ['own'], current: [5] } as const;
const LEADER_6 = { history: ['leader'], accepted: [6], current: [6] } as const;
const SAID = ['ACKEPOCH', 'adopted', 'logged', 'ACK of NEWLEADER'];

const rows: readonly (Omit<Row, 'at'> & { readonly at: () => Row['at'] })[] = [
  {
    point: 'before acceptedEpoch is durable: the promise is not yet made',
    at: at('rename', 'started', /acceptedEpoch/),
    ...OWN_5,
    accepted: [5, 6],
    said: [],
  },
  {
    point: 'after acceptedEpoch, before any of the snapshot',
    at: at('open', 'started', /tmp-snapshot\.6/),
    ...OWN_5,
    accepted: [6],
    said: SAID.slice(0, 1),
  },
  {
    point: 'while the snapshot is received',
    at: at('write', 'done', /tmp-snapshot\.6/),
    ...OWN_5,
    accepted: [6],
    said: SAID.slice(0, 1),
  },
  {
    point: 'after it was read and synced, before anything says that it counts',
    at: at('sync', 'done', /tmp-snapshot\.6/),
    ...OWN_5,
    accepted: [6],
    said: SAID.slice(0, 1),
  },
  {
    point: 'after the epoch of its data was prepared',
    at: at('rename', 'done', /currentEpoch\.tmp/),
    ...OWN_5,
    accepted: [6],
    said: SAID.slice(0, 1),
  },
  {
    point: 'while the replacement is written down',
    at: at('sync', 'started', /tmp-pending-replacement/),
    ...OWN_5,
    accepted: [6],
    said: SAID.slice(0, 1),
  },
  {
    point: 'at the moment of the replacement: either history, whole',
    at: at('rename', 'started', /tmp-pending-replacement/),
    history: ['own', 'leader'],
    accepted: [6],
    current: [5, 6],
    said: SAID.slice(0, 1),
  },
  {
    point: 'after that moment, before the snapshot has its name',
    at: at('rename', 'started', /tmp-snapshot\.6/),
    ...LEADER_6,
    said: SAID.slice(0, 1),
  },
  {
    point: 'after the snapshot has its name, before currentEpoch',
    at: at('rename', 'done', /tmp-snapshot\.6/),
    ...LEADER_6,
    said: SAID.slice(0, 1),
  },
  {
    point: 'when one of the own logs is gone',
    at: at('unlink', 'done', /\/log\./),
    ...LEADER_6,
    said: SAID.slice(0, 1),
  },
  {
    point: 'when one of the own snapshots is gone',
    at: at('unlink', 'started', /\/snapshot\./, 2),
    ...LEADER_6,
    said: SAID.slice(0, 1),
  },
  {
    point: 'when the replacement is done with',
    at: at('unlink', 'done', /\/pending-replacement/),
    ...LEADER_6,
    said: SAID.slice(0, 1),
  },
  {
    point: 'when txns after the snapshot are appended, before their sync',
    at: at('writeDurable', 'started', /tmp-log/),
    ...LEADER_6,
    said: SAID.slice(0, 2),
  },
  {
    point: 'after their sync, before currentEpoch',
    at: at('rename', 'started', /currentEpoch\.tmp$/),
    ...LEADER_6,
    said: SAID.slice(0, 3),
  },
  {
    point: 'after currentEpoch, before the ack of NEWLEADER',
    at: at('rename', 'done', /currentEpoch\.tmp$/),
    ...LEADER_6,
    said: SAID.slice(0, 3),
  },
  { point: 'after the ack', at: () => () => false, ...LEADER_6, said: SAID },
];

test.each(rows)('$point', ({ at: makePredicate, history, accepted, current, said }) => {
  const histories = new Set<string>();
  for (let seed = 0; seed < 30; seed += 1) {
    const learner = new Learner();
    learner.prepare();
    const isPoint = makePredicate();
    let isReached = false;
    learner.onEvent = (event) => {
      if (isReached || !isPoint(event)) return;
      isReached = true;
      learner.disk.crashAtEvent(event.index);
    };
    learner.sync();
    expect(isReached || said.length === SAID.length).toBe(true);
    expect(learner.said).toEqual(said);
    learner.crash(seed);
    // The start may be cut short, too.
    learner.disk.crashAtEvent(learner.disk.events + 1 + (seed % 12));
    try {
      learner.start();
    } catch (error) {
      if (!(error instanceof SimulatedCrash)) throw error;
    }
    learner.crash(seed + 1000);
    const found = learner.start();
    histories.add(found.history);
    expect(history).toContain(found.history);
    expect(accepted).toContain(found.accepted);
    expect(current).toContain(found.current);
    expect(found.current === NEW_EPOCH).toBe(found.history === 'leader');
    // All that was acknowledged is there.
    if (said.includes('logged')) expect(found.logged).toBe(AFTER.length);
  }
  expect([...histories].sort()).toEqual([...history].sort());
});
