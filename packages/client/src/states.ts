// Who wants to know of states and sessions: listeners, and iterables that hold the latest only.

import type { AbortSignals } from './abort-signals.ts';
import type { Session, State } from './session.ts';

export interface ListenOptions {
  /** Aborting it ends the listening. */
  readonly signal?: AbortSignal | undefined;
}

/** One try to reach one server, before there is a session or while it is suspended, that came to nothing. */
export interface FailedAttempt {
  /** As in "zk1:2181"; "servers" if it was the list of servers that could not be had. */
  readonly server: string;
  readonly error: Error;
  /** 1 for the first since the client, or the last connection, began. */
  readonly attempt: number;
}

/** Calls its listeners in a turn of their own, in order; one that throws does not stop the others. */
export class Listeners<T> {
  readonly aborts: AbortSignals;
  private readonly all: Set<(value: T) => void>;

  constructor(aborts: AbortSignals) {
    this.aborts = aborts;
    this.all = new Set();
  }

  add(listener: (value: T) => void, options?: ListenOptions): Disposable {
    const signal = options?.signal;
    if (signal?.aborted === true) return { [Symbol.dispose]: () => {} };
    const entry = (value: T): void => listener(value);
    this.all.add(entry);
    const forget = signal && this.aborts.onAbort(signal, () => this.all.delete(entry));
    return {
      [Symbol.dispose]: () => {
        this.all.delete(entry);
        forget?.();
      },
    };
  }

  emit(value: T): void {
    for (const entry of this.all) {
      queueMicrotask(() => {
        if (this.all.has(entry)) entry(value);
      });
    }
  }
}

export interface ClientListeners {
  readonly state: Listeners<State>;
  readonly session: Listeners<Session>;
  readonly attempt: Listeners<FailedAttempt>;
}

export function clientListeners(aborts: AbortSignals): ClientListeners {
  return {
    state: new Listeners(aborts),
    session: new Listeners(aborts),
    attempt: new Listeners(aborts),
  };
}

/** The state now, then each later one; who is slow sees the latest. Ends with the client. */
export async function* statesOf(
  current: () => { state: State; isLast: boolean },
  listeners: Listeners<State>,
  options: ListenOptions | undefined,
): AsyncGenerator<State, void, void> {
  let wake: (() => void) | undefined;
  const listening = listeners.add(() => wake?.());
  const signal = options?.signal;
  const forget =
    signal === undefined || signal.aborted
      ? undefined
      : listeners.aborts.onAbort(signal, () => wake?.());
  let last: State | undefined;
  try {
    while (signal?.aborted !== true) {
      const { state, isLast } = current();
      if (state !== last) {
        last = state;
        yield state;
        if (isLast) return;
        continue;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    listening[Symbol.dispose]();
    forget?.();
  }
}
