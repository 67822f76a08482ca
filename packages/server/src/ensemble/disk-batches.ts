// What the ZAB core wants on disk, batch after batch, in order: the log first, then the epochs (ZOOKEEPER-4643).
//
//   add(batch) ─► cut the log ─► append ─► ... durable ─► acceptedEpoch, currentEpoch ─► onDurable(number)
//
// Batches that only append overlap: the next is handed to the log while the one before it is being written. A
// batch with an epoch is waited for: no txn of an epoch reaches the log before currentEpoch says so.

import { strict as assert } from 'node:assert';
import type { Zxid } from '@zebu/protocol';

export interface Batch {
  readonly number: number;
  /** -1: nothing to cut. */
  readonly truncateAfter: Zxid;
  /** -1: nothing to append. */
  readonly appendTo: Zxid;
  /** -1: unchanged. */
  readonly acceptedEpoch: number;
  readonly currentEpoch: number;
}

/** The disk below, each call answered by `done` at once or later. An error never comes back: it ends the server. */
export interface BatchDisk {
  truncate(zxid: Zxid, done: () => void): void;
  /** Everything up to the zxid is written; logDurable() is called when it is. */
  writeLog(upTo: Zxid): void;
  writeEpochs(acceptedEpoch: number, currentEpoch: number, done: () => void): void;
}

export class DiskBatches {
  private readonly disk: BatchDisk;
  /** This batch and all before it. */
  private readonly onDurable: (number: number) => void;
  /** Not completed, oldest first. */
  private readonly queue: Batch[];
  /** How many of them were handed to the disk. Invariant: <= queue.length. */
  private handed: number;
  /** A truncation or an epoch is being written: nothing else is begun. */
  private isBlocked: boolean;
  private durableZxid: Zxid;
  private onIdle: (() => void) | undefined;
  /** Raised when everything is dropped: what completes for an earlier history is ignored. */
  private history: number;

  constructor(disk: BatchDisk, durableZxid: Zxid, onDurable: (number: number) => void) {
    this.disk = disk;
    this.onDurable = onDurable;
    this.queue = [];
    this.handed = 0;
    this.isBlocked = false;
    this.durableZxid = durableZxid;
    this.onIdle = undefined;
    this.history = 0;
  }

  add(batch: Batch): void {
    this.queue.push(batch);
    this.pump();
  }

  /** The log holds everything up to the zxid. */
  logDurable(zxid: Zxid): void {
    this.durableZxid = zxid;
    this.pump();
  }

  /** The history ends elsewhere: it was cut, or replaced by a leader's. */
  restartAt(zxid: Zxid): void {
    assert(this.handed === 0, 'the history is replaced while batches are being written');
    this.durableZxid = zxid;
  }

  /** Forgets what is not complete: the history that it was for is thrown away, and ends at the zxid now. */
  dropAll(zxid: Zxid): void {
    this.history++;
    this.queue.length = 0;
    this.handed = 0;
    this.isBlocked = false;
    this.onIdle = undefined;
    this.durableZxid = zxid;
  }

  /** Calls `done` once every batch is complete. */
  whenIdle(done: () => void): void {
    if (this.queue.length === 0) done();
    else this.onIdle = done;
  }

  private pump(): void {
    this.handOver();
    this.complete();
  }

  private handOver(): void {
    while (!this.isBlocked && this.handed < this.queue.length) {
      const batch = this.queue[this.handed] as Batch;
      const before = this.queue[this.handed - 1];
      if (before !== undefined && hasEpoch(before)) return;
      if (batch.truncateAfter >= 0) {
        if (this.handed > 0) return;
        this.truncate(batch);
        return;
      }
      this.handed++;
      if (batch.appendTo >= 0) this.disk.writeLog(batch.appendTo);
    }
  }

  private truncate(batch: Batch): void {
    this.isBlocked = true;
    const { history } = this;
    this.disk.truncate(batch.truncateAfter, () => {
      if (this.history !== history) return;
      this.isBlocked = false;
      this.durableZxid = batch.truncateAfter;
      this.handed++;
      if (batch.appendTo >= 0) this.disk.writeLog(batch.appendTo);
      this.pump();
    });
  }

  private complete(): void {
    while (!this.isBlocked && this.handed > 0) {
      const done = this.takeWritten();
      if (done > 0) {
        this.onDurable(done);
        this.handOver();
        continue;
      }
      const batch = this.queue[0] as Batch;
      if (batch.appendTo > this.durableZxid) return;
      this.isBlocked = true;
      const { history } = this;
      this.disk.writeEpochs(batch.acceptedEpoch, batch.currentEpoch, () => {
        if (this.history !== history) return;
        this.isBlocked = false;
        this.queue.shift();
        this.handed--;
        this.onDurable(batch.number);
        this.pump();
      });
      return;
    }
    if (this.queue.length > 0 || this.onIdle === undefined) return;
    const { onIdle } = this;
    this.onIdle = undefined;
    onIdle();
  }

  /**
   * Takes all batches off the queue that are in the log and want no more; the number of the last one, or 0. One write
   * of the log brings many, and each report sends acks or commits: they are reported as one.
   */
  private takeWritten(): number {
    let last = 0;
    while (this.handed > 0) {
      const batch = this.queue[0] as Batch;
      if (batch.appendTo > this.durableZxid || hasEpoch(batch)) break;
      this.queue.shift();
      this.handed--;
      last = batch.number;
    }
    return last;
  }
}

function hasEpoch(batch: Batch): boolean {
  return batch.acceptedEpoch >= 0 || batch.currentEpoch >= 0;
}
