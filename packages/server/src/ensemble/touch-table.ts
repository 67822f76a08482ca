// Which sessions of this learner's clients gave a sign of life since the leader asked last: the answer to its
// PING (LearnerSessionTracker).

import { putInt32, TOUCH_BYTES } from '@zebu/protocol';
import type { Session } from '@zebu/session';

export class TouchTable {
  private readonly touched: Set<Session>;

  constructor() {
    this.touched = new Set();
  }

  touch(session: Session): void {
    this.touched.add(session);
  }

  /** The data of the answer, never null: long sessionId, int timeout ms of each. Begins anew. */
  take(): Buffer {
    const data = Buffer.allocUnsafe(this.touched.size * TOUCH_BYTES);
    let at = 0;
    for (const { idHigh, idLow, timeoutMs } of this.touched) {
      at = putInt32(data, putInt32(data, putInt32(data, at, idHigh), idLow), timeoutMs);
    }
    this.touched.clear();
    return data;
  }
}
