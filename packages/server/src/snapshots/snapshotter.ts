// Takes snapshots while the server serves: half a millisecond of the walk at a time, the rest of
// the loop in between.
//
//   sessions | ACL table, znodes | seal | digest | seal | lastProcessedZxid | seal     (disk.md 5.1)
//
// Only txns that are durable are ever applied to the tree, so a snapshot never holds more than the
// log does.

import type { DataTree } from '@zebu/data-tree';
import { ByteWriter, DIGEST_VERSION, formatZxid } from '@zebu/protocol';
import type { SessionTable } from '@zebu/session';
import { type DataDirectory, type SnapshotCompression, SnapshotWriter } from '@zebu/storage';
import type { ServerConfig } from '../config/server-config.ts';
import type { Environment } from '../environment.ts';
import type { ServerMetrics } from '../metrics/metrics.ts';

/** Bytes walked between two looks at the clock, and how long a turn may take. */
const SLICE_BYTES = 64 * 1024;
const SLICE_MS = 0.5;

export interface SnapshotterOptions {
  readonly environment: Environment;
  readonly config: ServerConfig;
  readonly directory: DataDirectory;
  readonly tree: DataTree;
  readonly sessions: SessionTable;
  readonly metrics: Pick<ServerMetrics, 'snapshotTime' | 'snapshotErrors'>;
}

export class Snapshotter {
  private readonly options: SnapshotterOptions;
  private readonly slice: ByteWriter;
  private busy: boolean;
  private stopped: boolean;
  private onIdle: () => void;

  constructor(options: SnapshotterOptions) {
    this.options = options;
    this.slice = new ByteWriter(2 * SLICE_BYTES);
    this.busy = false;
    this.stopped = false;
    this.onIdle = () => {};
  }

  get isBusy(): boolean {
    return this.busy;
  }

  get isStopped(): boolean {
    return this.stopped;
  }

  /**
   * No further snapshot begins; one under way is given up at its next slice. Resolves when nothing is
   * written any more.
   */
  stop(): Promise<void> {
    this.stopped = true;
    if (!this.busy) return Promise.resolve();
    return new Promise<void>((resolve) => {
      this.onIdle = resolve;
    });
  }

  /**
   * Starts a snapshot unless one is under way. `done` is called when it is on disk under its name, or
   * with what went wrong; a failed snapshot loses nothing, the log has it all.
   */
  start(done?: (error?: Error) => void): boolean {
    if (this.busy || this.stopped) return false;
    this.busy = true;
    const { environment, config, directory, tree, sessions, metrics } = this.options;
    const startedMs = environment.clock.monotonicMs();
    const zxid = tree.lastProcessedZxid;
    let writer: SnapshotWriter;
    try {
      writer = new SnapshotWriter({
        disk: environment.disk,
        directory: directory.snapshotDirectory,
        zxid,
        compression: compressionOf(config.snapshotCompression),
        onReady: () => step(),
      });
    } catch (error) {
      // The file cannot even be opened. Whoever's request made the snapshot due must not notice.
      environment.scheduler.afterTurn(() => this.failed(error as Error, zxid, done));
      return true;
    }
    // Sessions and the ACL table are of this moment, the znodes of whenever they are walked.
    this.writeSessions(writer, sessions);
    const walk = tree.startWalk();

    const finish = (error?: Error): void => {
      walk.close();
      if (error !== undefined) {
        this.failed(error, zxid, done);
        return;
      }
      this.busy = false;
      this.onIdle();
      const ms = environment.clock.monotonicMs() - startedMs;
      metrics.snapshotTime.add(Math.trunc(ms));
      environment.logger.info('Snapshot taken', {
        file: writer.name,
        znodes: walk.written,
        bytes: writer.fileBytes,
        ms: Math.round(ms),
      });
      done?.();
    };

    let isWalked = false;
    const step = (): void => {
      // The writer says that it is ready once more after the last bytes were given to it.
      if (isWalked) return;
      if (this.stopped || writer.failure !== undefined) {
        isWalked = true;
        const reason = writer.failure ?? new Error(`Snapshot ${formatZxid(zxid)} was given up`);
        writer.abort(() => finish(reason));
        return;
      }
      const { slice } = this;
      const untilMs = environment.clock.monotonicMs() + SLICE_MS;
      let mayGoOn = true;
      // One slice at least, however slow the machine: a turn without any would only ask for the next.
      do {
        isWalked = walk.fill(slice.reset(), SLICE_BYTES);
        mayGoOn = writer.write(slice.bytes, 0, slice.offset);
      } while (!isWalked && mayGoOn && environment.clock.monotonicMs() <= untilMs);
      if (isWalked) {
        this.writeTrailer(writer);
        writer.finish(finish);
      } else if (mayGoOn) {
        environment.scheduler.afterTurn(step);
      }
    };
    environment.scheduler.afterTurn(step);
    return true;
  }

  private failed(error: Error, zxid: number, done: ((error?: Error) => void) | undefined): void {
    this.busy = false;
    this.onIdle();
    if (!this.stopped) {
      this.options.metrics.snapshotErrors++;
      this.options.environment.logger.error('Snapshot failed; the txn log still has everything', {
        zxid: formatZxid(zxid),
        reason: error.message,
      });
    }
    done?.(error);
  }

  private writeSessions(writer: SnapshotWriter, sessions: SessionTable): void {
    const section = new ByteWriter(4 + 12 * sessions.size);
    section.int32(sessions.size);
    for (const session of sessions.values()) {
      section.int64Parts(session.idHigh, session.idLow);
      section.int32(session.loggedTimeoutMs);
    }
    writer.write(section.bytes, 0, section.offset);
  }

  private writeTrailer(writer: SnapshotWriter): void {
    const { config, tree } = this.options;
    const { slice } = this;
    writer.seal();
    if (config.digestEnabled) {
      slice.reset();
      slice.int64(tree.lastProcessedZxid);
      slice.int32(DIGEST_VERSION);
      slice.int64Parts(tree.digestHigh, tree.digestLow);
      writer.write(slice.bytes, 0, slice.offset);
      writer.seal();
    }
    if (config.serializeLastProcessedZxid) {
      slice.reset();
      slice.int64(tree.lastProcessedZxid);
      writer.write(slice.bytes, 0, slice.offset);
      writer.seal();
    }
  }
}

function compressionOf(name: ServerConfig['snapshotCompression']): SnapshotCompression {
  return name === 'none' ? '' : name;
}
