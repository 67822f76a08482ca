// A txn log whose durability the test decides.

import type { Zxid } from '@zebu/protocol';
import type { TxnLog } from '../../src/txns/txn-log.ts';
import type { ManualTime } from './manual-time.ts';

export class HeldLog implements TxnLog {
  txnsSinceRoll = 0;
  bytesSinceRoll = 0;
  rolls = 0;
  /** How many txns each flush had. */
  readonly flushes: number[] = [];
  /** While set, what is flushed becomes durable only by release(). */
  isHeld = false;
  appendedZxid: Zxid;
  private hasFailed = false;
  private flushedZxid: Zxid;
  private unflushed = 0;
  private readonly time: ManualTime;
  private readonly onDurable: (zxid: Zxid) => void;
  private readonly onFailure: (error: Error) => void;

  constructor(
    time: ManualTime,
    lastZxid: Zxid,
    onDurable: (zxid: Zxid) => void,
    onFailure: (error: Error) => void,
  ) {
    this.time = time;
    this.appendedZxid = lastZxid;
    this.flushedZxid = lastZxid;
    this.onDurable = onDurable;
    this.onFailure = onFailure;
  }

  append(zxid: Zxid, _entry: Buffer, start: number, end: number): void {
    this.appendedZxid = zxid;
    this.txnsSinceRoll++;
    this.bytesSinceRoll += end - start;
    this.unflushed++;
  }

  flush(): void {
    if (this.hasFailed) return;
    this.flushes.push(this.unflushed);
    this.unflushed = 0;
    this.flushedZxid = this.appendedZxid;
    if (this.isHeld) return;
    const zxid = this.flushedZxid;
    this.time.afterTurn(() => this.onDurable(zxid));
  }

  prepareRoll(): void {}

  lostFile(): undefined {}

  abandon(): void {
    this.isHeld = true;
  }

  roll(): void {
    this.rolls++;
    this.txnsSinceRoll = 0;
    this.bytesSinceRoll = 0;
  }

  close(done: (error?: Error) => void): void {
    if (this.hasFailed) {
      this.time.afterTurn(() => done());
      return;
    }
    this.flush();
    this.time.afterTurn(() => {
      this.onDurable(this.flushedZxid);
      done();
    });
  }

  /** Everything flushed, up to `zxid` if given, is durable now. */
  release(zxid: Zxid = this.flushedZxid): void {
    this.onDurable(zxid);
  }

  fail(reason: string): void {
    this.hasFailed = true;
    this.onFailure(new Error(reason));
  }
}
