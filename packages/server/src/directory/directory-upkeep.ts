// What the data directory of a running server needs from time to time: old files are purged, and a look
// whether it is still the one that the server began with.

import { type DataDirectory, purge } from '@zebu/storage';
import { halfTickMs, type ServerConfig } from '../config/server-config.ts';
import type { Environment } from '../environment.ts';

export class DirectoryUpkeep {
  private readonly environment: Environment;
  private readonly config: ServerConfig;
  private readonly directory: DataDirectory;
  private readonly onGone: (error: Error) => void;
  private readonly identityAtFirst: string | undefined;
  private readonly timers: (() => void)[];

  /** `onGone`: the log is not in the directory of its name any more; the server must not go on. */
  constructor(
    environment: Environment,
    config: ServerConfig,
    directory: DataDirectory,
    onGone: (error: Error) => void,
  ) {
    this.environment = environment;
    this.config = config;
    this.directory = directory;
    this.onGone = onGone;
    this.identityAtFirst = this.identity();
    this.timers = [];
  }

  start(): void {
    const { scheduler } = this.environment;
    const { autopurgePurgeIntervalMs } = this.config;
    this.timers.push(scheduler.every(halfTickMs(this.config), () => this.checkIdentity()));
    if (autopurgePurgeIntervalMs <= 0) return;
    this.purge();
    this.timers.push(scheduler.every(autopurgePurgeIntervalMs, () => this.purge()));
  }

  stop(): void {
    for (const stopTimer of this.timers) stopTimer();
    this.timers.length = 0;
  }

  private identity(): string | undefined {
    return this.environment.disk.identity(this.directory.logDirectory);
  }

  private checkIdentity(): void {
    if (this.identity() === this.identityAtFirst) return;
    // What is written to a directory that was removed is gone with this process. Where one that was moved away
    // is not held open (the disk's claim), the next file would go into another server's directory.
    const { logDirectory } = this.directory;
    this.onGone(new Error(`Data directory ${logDirectory} was removed or replaced`));
  }

  private purge(): void {
    const { disk, logger } = this.environment;
    purge(disk, this.directory, this.config.autopurgeSnapRetainCount, (error, deleted) => {
      if (deleted.length > 0) logger.info('Purged old files', { deleted });
      if (error !== undefined) logger.warn('Purge failed', { reason: error.message });
    });
  }
}
