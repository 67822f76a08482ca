// The epochs of a member on disk, in the order in which they may be raised (storage's epoch-file.ts). An error of
// the disk ends the server: a promise that may not be on disk cannot be kept.

import type { EpochFiles, StorageError } from '@zebu/storage';

export class EpochStore {
  readonly files: EpochFiles;
  private readonly fail: (error: Error) => void;
  private preparedEpoch: number;
  /** Writes that wait for the epoch that is being prepared, in order. */
  private waiting: (() => void)[] | undefined;

  constructor(files: EpochFiles, fail: (error: Error) => void) {
    this.files = files;
    this.fail = fail;
    this.preparedEpoch = -1;
    this.waiting = undefined;
  }

  /** Raises acceptedEpoch, then currentEpoch; -1 leaves one as it is. */
  write(acceptedEpoch: number, currentEpoch: number, done: () => void): void {
    const establish = (): void => {
      if (currentEpoch < 0) done();
      else this.files.establish(currentEpoch, this.unlessFailed(done));
    };
    if (acceptedEpoch < 0) establish();
    else this.files.accept(acceptedEpoch, this.unlessFailed(establish));
  }

  /** Calls `write` once a txn of this epoch may reach the log, in the order of the calls. */
  prepare(epoch: number, write: () => void): void {
    if (this.waiting !== undefined) {
      this.waiting.push(write);
      return;
    }
    if (epoch <= this.files.currentEpoch || epoch === this.preparedEpoch) {
      write();
      return;
    }
    this.waiting = [write];
    this.files.prepare(
      epoch,
      this.unlessFailed(() => {
        this.preparedEpoch = epoch;
        const { waiting } = this;
        this.waiting = undefined;
        for (const one of waiting ?? []) one();
      }),
    );
  }

  private unlessFailed(next: () => void): (error?: StorageError) => void {
    return (error) => {
      if (error === undefined) next();
      else this.fail(error);
    };
  }
}
