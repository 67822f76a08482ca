// What the data directory of a running server needs from time to time. Old files are purged. And every half
// tick the server checks that the directory is the one it began with, and that the files are there which a
// restart would read: what is written to a deleted log is lost when the process ends.

import {
  type DataDirectory,
  missingFile,
  type NeededFiles,
  neededFiles,
  type Pins,
  purge,
} from '@zebu/storage';
import { halfTickMs, type ServerConfig } from '../config/server-config.ts';
import type { Environment } from '../environment.ts';

/** What is being written. */
export interface History {
  /** The newest txn that is durable. */
  readonly durableZxid: number;
  /** The log that txns go to, if another file, or none, has its name now. Looks at the disk. */
  lostFile(): string | undefined;
}

export interface DirectoryUpkeepOptions {
  readonly environment: Environment;
  readonly config: ServerConfig;
  readonly directory: DataDirectory;
  /** What is being read: purge leaves it alone. */
  readonly pins: Pins;
  /** Undefined while nothing is served: a member may discard its history then. */
  readonly history: () => History | undefined;
  /** The directory is another one, or gone: the server must not go on, and write nothing. */
  readonly onDirectoryGone: (error: Error) => void;
  /** A needed file is gone: the server must not go on. The directory can be written to. */
  readonly onFileGone: (error: Error) => void;
}

export class DirectoryUpkeep {
  private readonly options: DirectoryUpkeepOptions;
  /** Of both directories. */
  private readonly identityAtFirst: string;
  /** As of the last look. */
  private needed: NeededFiles | undefined;
  private readonly timers: (() => void)[];

  constructor(options: DirectoryUpkeepOptions) {
    this.options = options;
    this.identityAtFirst = this.identity();
    this.needed = undefined;
    this.timers = [];
  }

  start(): void {
    const { config, environment } = this.options;
    const { scheduler } = environment;
    const { autopurgePurgeIntervalMs } = config;
    this.timers.push(scheduler.every(halfTickMs(config), () => this.check()));
    if (autopurgePurgeIntervalMs <= 0) return;
    this.purge();
    this.timers.push(scheduler.every(autopurgePurgeIntervalMs, () => this.purge()));
  }

  /** Serving begins: what is there now is what a restart would read. */
  rememberFiles(): void {
    const { environment, directory, history } = this.options;
    const current = history();
    this.needed = current && neededFiles(environment.disk, directory, current.durableZxid);
  }

  stop(): void {
    for (const stopTimer of this.timers) stopTimer();
    this.timers.length = 0;
  }

  private identity(): string {
    const { environment, directory } = this.options;
    const { disk } = environment;
    return `${disk.identity(directory.logDirectory)} ${disk.identity(directory.snapshotDirectory)}`;
  }

  private check(): void {
    try {
      this.checkFiles();
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== 'EMFILE' && code !== 'ENFILE') throw error;
      // Somebody holds all descriptors for now: that says nothing of the files.
      const { logger } = this.options.environment;
      logger.warn('The data directory could not be looked at', {
        reason: (error as Error).message,
      });
    }
  }

  private checkFiles(): void {
    const { directory, history, onDirectoryGone, onFileGone } = this.options;
    const { logDirectory, snapshotDirectory } = directory;
    if (this.identity() !== this.identityAtFirst) {
      // What is written to a directory that was removed is gone with this process.
      const paths = [...new Set([logDirectory, snapshotDirectory])].join(' or ');
      onDirectoryGone(new Error(`Data directory ${paths} was removed or replaced`));
      return;
    }
    const before = this.needed;
    this.rememberFiles();
    const missing = before && this.needed && missingFile(before, this.needed, directory);
    const lost = history()?.lostFile() ?? missing;
    if (lost === undefined) return;
    onFileGone(new Error(`${lost} was deleted or replaced while the server was running`));
  }

  private purge(): void {
    const { environment, config, directory, pins } = this.options;
    const { disk, logger } = environment;
    const report = (error: Error | undefined, deleted: readonly string[]): void => {
      if (deleted.length > 0) logger.info('Purged old files', { deleted });
      if (error !== undefined) logger.warn('Purge failed', { reason: error.message });
    };
    purge(disk, directory, config.autopurgeSnapRetainCount, report, pins);
  }
}
