// Writes sessions, ACL table and znodes into a sink, half a millisecond of the walk at a time, the rest of the
// loop in between; it waits for a sink that is full.
//
//   source                            sink
//   sessions | ACLs, znodes, "/" ──►  SnapshotWriter: a file, with seals around it
//                                     a peer link: the stream of SNAP, with its signature after it
//
// Sessions and the ACL table are of the moment it begins, the znodes of whenever they are walked: what it
// writes is fuzzy, and the txns after that moment must be replayed over it.

import type { DataTree, SnapshotWalk } from '@zebu/data-tree';
import { ByteWriter } from '@zebu/protocol';
import type { SessionTable } from '@zebu/session';
import { SNAPSHOT_SIGNATURE } from '@zebu/storage';
import type { Environment, SnapshotPace } from '../environment.ts';

/** Bytes walked between two looks at the clock, and how long a turn may take. */
const SLICE_BYTES = 64 * 1024;
const SLICE_MS = 0.5;

/** Where a snapshot goes. Its owner calls `SnapshotPump.resume` when it may be written to again. */
export interface SnapshotSink {
  /**
   * Takes `bytes[start, end)`, all of them, before it returns: they are used again. False when it is full:
   * nothing comes before `resume`.
   */
  write(bytes: Buffer, start: number, end: number): boolean;
  /** Set once it takes no more. */
  readonly failure: Error | undefined;
}

export interface SnapshotPumpOptions {
  readonly environment: Pick<Environment, 'clock' | 'scheduler' | 'snapshotPace'>;
  readonly tree: DataTree;
  readonly sessions: SessionTable;
  readonly sink: SnapshotSink;
  /** Writes "BenWasHere" at the end, as a peer expects it (quorum.md 6.4). Default false. */
  readonly isSigned?: boolean;
  /** Called once, later than `start`: all was given to the sink, or why not. */
  readonly onEnd: (error?: Error) => void;
}

export class SnapshotPump {
  private readonly options: SnapshotPumpOptions;
  private readonly pace: SnapshotPace;
  private readonly slice: ByteWriter;
  private walk: SnapshotWalk | undefined;
  private hasBegun: boolean;
  /** The sink asked to wait. */
  private isFull: boolean;
  private isOver: boolean;

  constructor(options: SnapshotPumpOptions) {
    this.options = options;
    const { scheduler, snapshotPace } = options.environment;
    this.pace = snapshotPace ?? {
      sliceBytes: SLICE_BYTES,
      turnMs: SLICE_MS,
      pause: (next) => scheduler.afterTurn(next),
    };
    this.slice = new ByteWriter(2 * this.pace.sliceBytes);
    this.walk = undefined;
    this.hasBegun = false;
    this.isFull = false;
    this.isOver = false;
  }

  /** Znodes written so far. */
  get written(): number {
    return this.walk?.written ?? 0;
  }

  /** The moment that the snapshot is of: its zxid is the tree's lastProcessedZxid now. */
  start(): void {
    const { tree, sessions, sink, environment } = this.options;
    // A leader knows of sessions whose createSession is not applied yet.
    const created = [...sessions.values()].filter(({ isCreated }) => isCreated);
    const section = new ByteWriter(4 + 12 * created.length);
    section.int32(created.length);
    for (const session of created) {
      section.int64Parts(session.idHigh, session.idLow);
      section.int32(session.loggedTimeoutMs);
    }
    this.walk = tree.startWalk();
    this.isFull = !sink.write(section.bytes, 0, section.offset);
    environment.scheduler.afterTurn(() => {
      this.hasBegun = true;
      if (!this.isFull) this.step();
    });
  }

  /** The sink has room again, or failed when it was full. */
  resume(): void {
    if (!this.isFull) return;
    this.isFull = false;
    if (this.hasBegun) this.step();
  }

  /** Ends at once: nothing more is written, and `onEnd` gets the reason. */
  stop(reason: Error): void {
    if (!this.isOver) this.end(reason);
  }

  private step(): void {
    const { walk } = this;
    if (this.isOver || walk === undefined) return;
    const { sink, environment, isSigned } = this.options;
    if (sink.failure !== undefined) {
      this.end(sink.failure);
      return;
    }
    const { slice, pace } = this;
    const { clock } = environment;
    const untilMs = clock.monotonicMs() + pace.turnMs;
    let isWalked: boolean;
    // One slice at least, however slow the machine: a turn without any would only ask for the next.
    do {
      isWalked = walk.fill(slice.reset(), pace.sliceBytes);
      this.isFull = !sink.write(slice.bytes, 0, slice.offset);
    } while (!isWalked && !this.isFull && clock.monotonicMs() < untilMs);
    if (isWalked) {
      if (isSigned === true) sink.write(SNAPSHOT_SIGNATURE, 0, SNAPSHOT_SIGNATURE.length);
      this.end();
    } else if (!this.isFull) {
      pace.pause(() => this.step());
    }
  }

  private end(error?: Error): void {
    this.isOver = true;
    this.walk?.close();
    this.options.onEnd(error);
  }
}
