// When the txn log is flushed: at the end of the turn, with all that arrived in it; sooner at
// maxBatchSize txns, later only where flushDelay asks for it. A member of an ensemble gets its txns in batches, and
// the end of a batch is the end of the turn.

import type { ServerConfig } from '../config/server-config.ts';
import type { Scheduler } from '../environment.ts';
import type { TxnLog } from './txn-log.ts';

export class FlushSchedule {
  private readonly scheduler: Scheduler;
  private readonly log: TxnLog;
  private readonly maxBatchSize: number;
  private readonly flushDelayMs: number;
  private isDue: boolean;
  private unflushedTxns: number;
  /** Stops the timer of flushDelay. */
  private stopTimer: (() => void) | undefined;
  private isStopped: boolean;

  constructor(scheduler: Scheduler, config: ServerConfig, log: TxnLog) {
    this.scheduler = scheduler;
    this.log = log;
    this.maxBatchSize = config.maxBatchSize;
    this.flushDelayMs = config.flushDelayMs;
    this.isDue = false;
    this.unflushedTxns = 0;
    this.stopTimer = undefined;
    this.isStopped = false;
  }

  /** A txn was appended to the log. */
  appended(): void {
    if (this.flushIfFull() || this.isDue) return;
    this.isDue = true;
    if (this.flushDelayMs <= 0) this.scheduler.afterTurn(this.flush);
    else this.flushLater();
  }

  /** A txn of a batch was appended to the log. */
  appendedToBatch(): void {
    this.flushIfFull();
  }

  batchEnds(): void {
    if (this.flushDelayMs <= 0) this.flush();
    else if (!this.isDue && this.unflushedTxns > 0) {
      this.isDue = true;
      this.flushLater();
    }
  }

  /** 0 is no limit (SyncRequestProcessor.shouldFlush). */
  private flushIfFull(): boolean {
    this.unflushedTxns++;
    if (this.maxBatchSize === 0 || this.unflushedTxns < this.maxBatchSize) return false;
    this.unflushedTxns = 0;
    this.log.flush();
    return true;
  }

  private flushLater(): void {
    this.stopTimer = this.scheduler.after(this.flushDelayMs, this.flush);
  }

  /** The log is being closed, which writes what it still has, or has failed. */
  stop(): void {
    this.isStopped = true;
    this.stopTimer?.();
  }

  private readonly flush = (): void => {
    this.stopTimer?.();
    this.stopTimer = undefined;
    this.isDue = false;
    this.unflushedTxns = 0;
    if (!this.isStopped) this.log.flush();
  };
}
