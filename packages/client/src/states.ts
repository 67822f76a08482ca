// Who wants to know of states and sessions: listeners, and iterables that hold the latest only.

import type { Session, State } from './session.ts';

export interface ListenOptions {
  readonly signal?: AbortSignal;
}

/** Calls its listeners in a turn of their own, in order; one that throws does not stop the others. */
export class Listeners<T> {
  private readonly all: Set<(value: T) => void>;

  constructor() {
    this.all = new Set();
  }

  add(listener: (value: T) => void, options?: ListenOptions): Disposable {
    const entry = (value: T): void => listener(value);
    const remove = (): void => {
      this.all.delete(entry);
      options?.signal?.removeEventListener('abort', remove);
    };
    if (options?.signal?.aborted !== true) {
      this.all.add(entry);
      options?.signal?.addEventListener('abort', remove);
    }
    return { [Symbol.dispose]: remove };
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
}

export function clientListeners(): ClientListeners {
  return { state: new Listeners(), session: new Listeners() };
}

/** The state now, then each later one; who is slow sees the latest. Ends with the client. */
export async function* statesOf(
  current: () => { state: State; isLast: boolean },
  listeners: Listeners<State>,
  options: ListenOptions | undefined,
): AsyncGenerator<State, void, void> {
  let wake: (() => void) | undefined;
  const listening = listeners.add(() => wake?.());
  const onAbort = (): void => wake?.();
  options?.signal?.addEventListener('abort', onAbort);
  let last: State | undefined;
  try {
    while (options?.signal?.aborted !== true) {
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
    options?.signal?.removeEventListener('abort', onAbort);
  }
}
