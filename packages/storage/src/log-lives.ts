// The txn log of a member that changes roles: one TxnLogWriter after another on the same directory.
//
//   open(lastZxid) ──► append, flush, roll ──► drain ──► truncateHistory, adoptSnapshot, recover ──► open
//   life 1                                               nobody writes                             life 2
//
// Each life has a number, from 1, and every completion names the life it belongs to: a batch of an
// earlier life that completes late cannot be taken for one of the present (ZOOKEEPER-4541, 4712).
// There must never be two lives that write, nor a life after one that failed: what a failed write or
// sync left in the page cache would be read back as if it were on the disk (ZOOKEEPER-4882).

import type { Zxid } from '@zebu/protocol';
import { TxnLogWriter, type TxnLogWriterOptions } from './log-writer.ts';
import { StorageError } from './storage-error.ts';

export type TxnLogLivesOptions = Omit<TxnLogWriterOptions, 'lastZxid' | 'life' | 'filesBefore'>;

export class TxnLogLives {
  private readonly options: TxnLogLivesOptions;
  private lifeNumber = 0;
  private openWriter: TxnLogWriter | undefined;
  private isDraining = false;
  private drained: ((error?: StorageError) => void)[] = [];
  private filesMade = 0;
  private failure: StorageError | undefined;

  constructor(options: TxnLogLivesOptions) {
    this.options = options;
  }

  /** Number of the newest life; 0 before the first. */
  get life(): number {
    return this.lifeNumber;
  }

  /** The writer of the present life; undefined before `open` and once a drain is done. */
  get writer(): TxnLogWriter | undefined {
    return this.openWriter;
  }

  /**
   * Begins a life: `lastZxid` is what recovery, a truncation or an adopted snapshot ended at. Throws
   * StorageError `WRITER_CLOSED` while another life is open or draining, and after a failure: then only
   * a new process may go on.
   */
  open(lastZxid: Zxid): TxnLogWriter {
    if (this.openWriter !== undefined) {
      throw new StorageError(
        'WRITER_CLOSED',
        `Life ${this.lifeNumber} of the txn log is not drained`,
        { file: this.options.directory },
      );
    }
    if (this.failure !== undefined) {
      throw new StorageError('WRITER_CLOSED', `Life ${this.lifeNumber} of the txn log failed`, {
        file: this.options.directory,
        cause: this.failure,
        remedy: 'Restart the process: what the disk holds is known only then',
      });
    }
    this.lifeNumber += 1;
    this.openWriter = new TxnLogWriter({
      ...this.options,
      lastZxid,
      life: this.lifeNumber,
      filesBefore: this.filesMade,
    });
    return this.openWriter;
  }

  /**
   * Ends the life: `append` throws from now on, what was appended is written and reported as ever, then
   * its file is closed and `done` is called, with the failure if there is or was one. Nothing is reported
   * of this life after that. Asked twice, both are told; without a life there is nothing to wait for.
   */
  drain(done: (error?: StorageError) => void): void {
    this.drained.push(done);
    if (this.isDraining) return;
    this.isDraining = true;
    const writer = this.openWriter;
    if (writer === undefined) {
      const { disk, directory } = this.options;
      disk.syncDirectoryAsync(directory, () => this.endDrain());
    } else {
      writer.close(() => this.endDrain());
    }
  }

  private endDrain(): void {
    const writer = this.openWriter;
    if (writer !== undefined) {
      this.failure = writer.failure;
      this.filesMade = writer.filesMade;
    }
    this.openWriter = undefined;
    this.isDraining = false;
    const drained = this.drained;
    this.drained = [];
    for (const done of drained) done(this.failure);
  }
}
