// The epochs of a member on disk, in the order in which they may be raised (storage's epoch-file.ts). An error of
// the disk ends the server: a promise that may not be on disk cannot be kept.

import type { EpochFiles, StorageError } from '@zebu/storage';

export class EpochStore {
  readonly files: EpochFiles;
  private readonly fail: (error: Error) => void;
  /** Writes that wait, in order, the first one for the epoch that is being prepared. */
  private waiting: { readonly epoch: number; readonly write: () => void }[];

  constructor(files: EpochFiles, fail: (error: Error) => void) {
    this.files = files;
    this.fail = fail;
    this.waiting = [];
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
    this.waiting.push({ epoch, write });
    if (this.waiting.length === 1) this.goOn();
  }

  /** A leader's history may go through several epochs that this member has never been in: each is prepared by itself. */
  private goOn(): void {
    for (let first = this.waiting[0]; first !== undefined; first = this.waiting[0]) {
      if (!this.files.isPrepared(first.epoch)) {
        this.files.prepare(
          first.epoch,
          this.unlessFailed(() => this.goOn()),
        );
        return;
      }
      // Taken away afterwards: what it asks for itself waits for its turn.
      first.write();
      this.waiting.shift();
    }
  }

  private unlessFailed(next: () => void): (error?: StorageError) => void {
    return (error) => {
      if (error === undefined) next();
      else this.fail(error);
    };
  }
}
