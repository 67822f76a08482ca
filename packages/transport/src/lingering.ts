// Connections that were ended, and wait for their last bytes to leave and for the peer's own end.
// A peer that neither reads nor says goodbye must not hold a socket forever, and a timer per socket
// would cost more than the socket is worth: one timer serves all, and runs only while somebody waits.

interface Ended {
  readonly queuedBytes: number;
  destroy(): void;
}

const SWEEP_MS = 1000;
/** Sweeps that an ended connection may wait for the peer's end, once all is flushed. */
export const LINGER_SWEEPS = 2;
/** Sweeps that it may wait with bytes queued and none of its writes finished. */
export const FLUSH_SWEEPS = 30;

export class Lingering {
  private readonly waiting: Map<Ended, { queuedBytes: number; sweeps: number }>;
  private timer: NodeJS.Timeout | undefined;

  constructor() {
    this.waiting = new Map();
    this.timer = undefined;
  }

  add(connection: Ended): void {
    this.waiting.set(connection, { queuedBytes: connection.queuedBytes, sweeps: 0 });
    this.timer ??= setInterval(sweepLater, SWEEP_MS, this).unref();
  }

  delete(connection: Ended): void {
    this.waiting.delete(connection);
    if (this.waiting.size === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
  }

  /** @internal */
  sweep(): void {
    for (const [connection, entry] of this.waiting) {
      const { queuedBytes } = connection;
      entry.sweeps = queuedBytes === entry.queuedBytes ? entry.sweeps + 1 : 0;
      entry.queuedBytes = queuedBytes;
      if (entry.sweeps >= (queuedBytes > 0 ? FLUSH_SWEEPS : LINGER_SWEEPS)) connection.destroy();
    }
  }
}

function sweepLater(lingering: Lingering): void {
  lingering.sweep();
}
