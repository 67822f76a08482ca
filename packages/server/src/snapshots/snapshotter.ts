// Takes snapshots while the server serves.
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
import { SnapshotPump } from './snapshot-pump.ts';

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
  private readonly trailer: ByteWriter;
  private busy: boolean;
  private stopped: boolean;
  private readonly onIdle: (() => void)[];
  private giveUp: () => void;

  constructor(options: SnapshotterOptions) {
    this.options = options;
    this.trailer = new ByteWriter(64);
    this.busy = false;
    this.stopped = false;
    this.onIdle = [];
    this.giveUp = () => {};
  }

  get isBusy(): boolean {
    return this.busy;
  }

  get isStopped(): boolean {
    return this.stopped;
  }

  /**
   * No further snapshot begins; one that is still being walked is given up. `done` is called when nothing is
   * written any more.
   */
  stop(done: () => void): void {
    this.stopped = true;
    if (!this.busy) {
      done();
      return;
    }
    this.onIdle.push(done);
    this.giveUp();
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
        onReady: () => pump.resume(),
      });
    } catch (error) {
      // The file cannot even be opened. Whoever's request made the snapshot due must not notice.
      environment.scheduler.afterTurn(() => this.failed(error as Error, zxid, done));
      return true;
    }
    const finish = (error?: Error): void => {
      if (error !== undefined) {
        this.failed(error, zxid, done);
        return;
      }
      this.becomeIdle();
      const ms = environment.clock.monotonicMs() - startedMs;
      metrics.snapshotTime.add(Math.trunc(ms));
      environment.logger.info('Snapshot taken', {
        file: writer.name,
        znodes: pump.written,
        bytes: writer.fileBytes,
        ms: Math.round(ms),
      });
      done?.();
    };
    const pump = new SnapshotPump({
      environment,
      tree,
      sessions,
      sink: writer,
      onEnd: (error) => {
        if (error !== undefined) {
          writer.abort(() => finish(error));
          return;
        }
        this.writeTrailer(writer);
        writer.finish(finish);
      },
    });
    this.giveUp = () => pump.stop(new Error(`Snapshot ${formatZxid(zxid)} was given up`));
    pump.start();
    return true;
  }

  private becomeIdle(): void {
    this.busy = false;
    for (const done of this.onIdle.splice(0)) done();
  }

  private failed(error: Error, zxid: number, done: ((error?: Error) => void) | undefined): void {
    this.becomeIdle();
    if (!this.stopped) {
      this.options.metrics.snapshotErrors++;
      this.options.environment.logger.error('Snapshot failed; the txn log still has everything', {
        zxid: formatZxid(zxid),
        reason: error.message,
      });
    }
    done?.(error);
  }

  private writeTrailer(writer: SnapshotWriter): void {
    const { config, tree } = this.options;
    const { trailer: slice } = this;
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
