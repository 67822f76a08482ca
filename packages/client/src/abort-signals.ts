// One listener on each abort signal, however many calls share it: Node warns of a leak at the eleventh.

interface Waiting {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

export class AbortSignals {
  private readonly waiting: WeakMap<AbortSignal, Waiting>;

  constructor() {
    this.waiting = new WeakMap();
  }

  /** Calls back once when the signal, which is not aborted yet, aborts. Returns how to take that back. */
  onAbort(signal: AbortSignal, callback: () => void): () => void {
    const { callbacks } = this.waiting.get(signal) ?? this.listenTo(signal);
    // One callback may be given twice, and taken back twice.
    const entry = (): void => callback();
    callbacks.add(entry);
    return () => this.remove(signal, entry);
  }

  private listenTo(signal: AbortSignal): Waiting {
    const callbacks = new Set<() => void>();
    const listener = (): void => {
      this.waiting.delete(signal);
      for (const callback of callbacks) callback();
    };
    const waiting = { callbacks, listener };
    this.waiting.set(signal, waiting);
    signal.addEventListener('abort', listener, { once: true });
    return waiting;
  }

  private remove(signal: AbortSignal, callback: () => void): void {
    const waiting = this.waiting.get(signal);
    if (waiting?.callbacks.delete(callback) !== true || waiting.callbacks.size > 0) return;
    // A signal that lives as long as the process must not hold what is done with it.
    this.waiting.delete(signal);
    signal.removeEventListener('abort', waiting.listener);
  }
}
