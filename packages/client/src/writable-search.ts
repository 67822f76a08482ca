// From a server that only reads, having lost its quorum, looks for one that writes: by handshakes that
// do not accept a read-only server, on connections beside the one that serves meanwhile.

import type { ClientEnvironment } from './environment.ts';
import type { Host } from './host-provider.ts';
import type { Target, Targets } from './targets.ts';
import type { Wire } from './wire.ts';

/** Source: ClientCnxn.SendThread, minPingRwTimeout and maxPingRwTimeout. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 60_000;

export class WritableSearch {
  /** To a server that may write; undefined between two tries. */
  wire: Wire | undefined;
  private readonly environment: ClientEnvironment;
  private readonly targets: Targets;
  /** Begins a connection with a handshake that only a server that writes accepts; may throw. */
  private readonly dial: (target: Target) => Wire;
  private servedBy: Host | undefined;
  private pauseMs: number;
  private timer: unknown;
  private cancel: () => void;

  constructor(environment: ClientEnvironment, targets: Targets, dial: (target: Target) => Wire) {
    this.wire = undefined;
    this.environment = environment;
    this.targets = targets;
    this.dial = dial;
    this.servedBy = undefined;
    this.pauseMs = FIRST_PAUSE_MS;
    this.timer = undefined;
    this.cancel = () => {};
  }

  /** `servedBy` is the server that only reads. */
  start(servedBy: Host): void {
    this.stop();
    this.servedBy = servedBy;
    this.pauseMs = FIRST_PAUSE_MS;
    this.later();
  }

  stop(): void {
    this.environment.clearTimer(this.timer);
    this.timer = undefined;
    this.cancel();
    const { wire } = this;
    this.wire = undefined;
    wire?.destroy();
  }

  /** The server has answered: the wire is the caller's now. */
  taken(): void {
    this.wire = undefined;
    this.stop();
  }

  /** The server took no session, or there is none. */
  failed(): void {
    this.wire = undefined;
    this.later();
  }

  private later(): void {
    const { pauseMs } = this;
    this.pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    this.timer = this.environment.setTimer(
      () => this.attempt(),
      pauseMs * (0.5 + this.environment.random() / 2),
    );
  }

  private attempt(passedOver = 0): void {
    this.cancel = this.targets.next(this.pauseMs, {
      found: (target) => {
        // The one that serves us says itself when it writes again: it closes its connections.
        const { host, port } = target.host;
        const servesUs = host === this.servedBy?.host && port === this.servedBy.port;
        if (servesUs && passedOver < this.targets.size - 1) return this.attempt(passedOver + 1);
        try {
          this.wire = this.dial(target);
        } catch {
          this.later();
        }
      },
      failed: () => this.later(),
      trouble: () => {},
    });
  }
}
