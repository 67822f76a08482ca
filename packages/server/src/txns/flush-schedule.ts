// When the txn log is flushed: at the end of the turn, with all that arrived in it; sooner at
// maxBatchSize txns, later only where flushDelay asks for it.

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
    this.unflushedTxns++;
    if (this.unflushedTxns >= this.maxBatchSize) {
      this.unflushedTxns = 0;
      this.log.flush();
    } else if (!this.isDue) {
      this.isDue = true;
      if (this.flushDelayMs <= 0) this.scheduler.afterTurn(this.flush);
      else this.stopTimer = this.scheduler.after(this.flushDelayMs, this.flush);
    }
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
