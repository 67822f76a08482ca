// A user's call: one request, or several if a policy says to try again. The stack of what a call
// rejects with names the line that awaits it.

import type { AbortSignals } from './abort-signals.ts';
import type { ClientEnvironment } from './environment.ts';
import { atCaller } from './errors.ts';
import type { OpOptions, Request, RequestSpec } from './request.ts';
import type { RequestFlow } from './request-flow.ts';
import { mayRepeat, type RetryPolicy } from './retry.ts';
import type { Session } from './session.ts';
import { areRequestsTraced, type RequestTrace, traceRequest } from './tracing.ts';

export interface CallsOwner {
  /** Whether the client is closed, or about to be. */
  readonly isClosed: boolean;
  /** Where calls go now. */
  readonly place: { readonly session: Session | undefined; readonly server: string | undefined };
}

export class Calls {
  private readonly flow: RequestFlow;
  private readonly environment: ClientEnvironment;
  private readonly aborts: AbortSignals;
  /** For calls that name none. */
  private readonly retry: RetryPolicy | undefined;
  private readonly owner: CallsOwner;

  constructor(
    flow: RequestFlow,
    environment: ClientEnvironment,
    aborts: AbortSignals,
    { retry, owner }: { retry: RetryPolicy | undefined; owner: CallsOwner },
  ) {
    this.flow = flow;
    this.environment = environment;
    this.aborts = aborts;
    this.retry = retry;
    this.owner = owner;
  }

  /** Sends a request in the order of the calls. */
  call<T>(spec: RequestSpec<T>, options: OpOptions | undefined): Promise<T> {
    return this.inTurn(spec, options, () => this.callOnce(spec, options));
  }

  /** As the policy says that holds for this request, if any, repeats `once`, which consists of several requests. */
  inTurn<T>(
    spec: RequestSpec<T>,
    options: OpOptions | undefined,
    once: () => Promise<T>,
  ): Promise<T> {
    if (areRequestsTraced()) return this.traced(spec, options, once);
    const policy = this.policyFor(options);
    return policy === undefined ? once() : this.repeat(spec, options, policy, once);
  }

  /** As call(), without the stack, and returns the request too, whose `wireNumber` tells who answered. */
  tracked<T>(
    spec: RequestSpec<T>,
    options: OpOptions | undefined,
  ): { promise: Promise<T>; request: Request | undefined } {
    let request: Request | undefined;
    const promise = new Promise<T>((resolve, reject) => {
      request = this.flow.submit(
        spec as RequestSpec<unknown>,
        options,
        resolve as (value: unknown) => void,
        reject,
      );
    });
    return { promise, request };
  }

  private async traced<T>(
    spec: RequestSpec<T>,
    options: OpOptions | undefined,
    once: () => Promise<T>,
  ): Promise<T> {
    const policy = this.policyFor(options);
    const trace: RequestTrace = { op: spec.op, path: spec.path, tries: 0, ...this.owner.place };
    const counted = (): Promise<T> => {
      trace.tries++;
      return once().finally(() => Object.assign(trace, this.owner.place));
    };
    try {
      return await traceRequest(trace, () =>
        policy === undefined ? counted() : this.repeat(spec, options, policy, counted),
      );
    } catch (error) {
      throw atCaller(error);
    }
  }

  private policyFor(options: OpOptions | undefined): RetryPolicy | undefined {
    const policy = options?.retry ?? this.retry;
    return policy === false ? undefined : policy;
  }

  private async callOnce<T>(spec: RequestSpec<T>, options: OpOptions | undefined): Promise<T> {
    try {
      return await new Promise<T>((resolve, reject) => {
        this.flow.submit(
          spec as RequestSpec<unknown>,
          options,
          resolve as (value: unknown) => void,
          reject,
        );
      });
    } catch (error) {
      throw atCaller(error);
    }
  }

  private async repeat<T>(
    spec: RequestSpec<T>,
    options: OpOptions | undefined,
    policy: RetryPolicy,
    once: () => Promise<T>,
  ): Promise<T> {
    const startedAt = this.environment.now();
    for (let attempt = 1; ; attempt++) {
      try {
        return await once();
      } catch (error) {
        if (this.owner.isClosed || !mayRepeat(spec, error)) throw error;
        const pauseMs = policy.next(attempt, this.environment.now() - startedAt, error);
        if (pauseMs === undefined) throw error;
        await this.pause(pauseMs, options?.signal);
      }
    }
  }

  /** Ends early when the signal aborts: the next try says so. */
  private pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.environment.clearTimer(timer);
        forget?.();
        resolve();
      };
      const timer = this.environment.setTimer(done, ms);
      const forget =
        signal === undefined || signal.aborted ? undefined : this.aborts.onAbort(signal, done);
    });
  }
}
