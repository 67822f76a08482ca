// The promise of connect(): it is kept with the first session, its credentials taken, or broken with
// what each server did.

import type { ClientEnvironment } from './environment.ts';
import { ConnectionLossError } from './errors.ts';

export class Starting {
  private readonly environment: ClientEnvironment;
  /** By server: why the last attempt came to nothing. */
  private attemptErrors: Map<string, Error>;
  private promised: { resolve: () => void; reject: (error: Error) => void } | undefined;
  private timer: unknown;

  constructor(environment: ClientEnvironment) {
    this.environment = environment;
    this.attemptErrors = new Map();
    this.promised = undefined;
    this.timer = undefined;
  }

  get isOn(): boolean {
    return this.promised !== undefined;
  }

  /** Calls `tooLate` after so many milliseconds, 0 for never. */
  begin(timeoutMs: number, tooLate: (error: ConnectionLossError) => void): Promise<void> {
    const promise = new Promise<void>((resolve, reject) => {
      this.promised = { resolve, reject };
    });
    if (timeoutMs > 0) {
      this.timer = this.environment.setTimer(
        () => tooLate(this.noServerError(`no session within ${timeoutMs} ms`)),
        timeoutMs,
      );
    }
    return promise;
  }

  attemptFailed(server: string, error: Error): void {
    if (this.isOn) this.attemptErrors.set(server, error);
  }

  succeeded(): void {
    this.end()?.resolve();
  }

  failed(error: Error): void {
    this.end()?.reject(error);
  }

  private end(): { resolve: () => void; reject: (error: Error) => void } | undefined {
    const { promised } = this;
    if (this.timer !== undefined) this.environment.clearTimer(this.timer);
    this.timer = undefined;
    this.promised = undefined;
    this.attemptErrors = new Map();
    return promised;
  }

  private noServerError(detail: string): ConnectionLossError {
    const errors = [...this.attemptErrors].map(
      ([server, error]) => new Error(`${server}: ${error.message}`, { cause: error }),
    );
    const causes = errors.map((error) => error.message).join('; ');
    return new ConnectionLossError({
      op: 'connect',
      outcome: 'not-sent',
      detail: causes === '' ? detail : `${detail} (${causes})`,
      cause: new AggregateError(errors, detail),
    });
  }
}
