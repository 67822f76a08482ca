// What the server needs of its txn log, and the log of a server that keeps nothing.

import type { Zxid } from '@zebu/protocol';

/** The part of TxnLogWriter that the server uses. */
export interface TxnLog {
  append(zxid: Zxid, entry: Buffer, start: number, end: number): void;
  /** Writes what was appended; the log says by itself when it is durable. */
  flush(): void;
  /** `share` of the way to the next roll is done: what can be done ahead of it may be done. */
  prepareRoll(share: number): void;
  /** The next entry begins a new file. */
  roll(): void;
  readonly txnsSinceRoll: number;
  readonly bytesSinceRoll: number;
  /** The file that txns go to, if another file, or none, has its name now. */
  lostFile(): string | undefined;
  close(done: (error?: Error) => void): void;
  /** Ends at once: nothing more is written or told. */
  abandon(): void;
}

/** A server in memory: every entry is as durable as it will ever be, at the next flush. */
export class MemoryTxnLog implements TxnLog {
  readonly txnsSinceRoll = 0;
  readonly bytesSinceRoll = 0;
  private appendedZxid: Zxid;
  private readonly onDurable: (zxid: Zxid) => void;

  constructor(lastZxid: Zxid, onDurable: (zxid: Zxid) => void) {
    this.appendedZxid = lastZxid;
    this.onDurable = onDurable;
  }

  append(zxid: Zxid): void {
    this.appendedZxid = zxid;
  }

  flush(): void {
    this.onDurable(this.appendedZxid);
  }

  prepareRoll(): void {}

  roll(): void {}

  abandon(): void {}

  lostFile(): undefined {}

  close(done: (error?: Error) => void): void {
    this.flush();
    done();
  }
}
