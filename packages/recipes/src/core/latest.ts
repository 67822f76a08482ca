// The newest of a series of values, for any number of readers. A slow reader skips to the newest, so nothing piles up.

interface Entry<T> {
  readonly value: T;
}

export class Latest<T> {
  private entry: Entry<T> | undefined;
  private end: { readonly error: unknown } | undefined;
  private readonly waiting: Set<() => void>;

  constructor() {
    this.entry = undefined;
    this.end = undefined;
    this.waiting = new Set();
  }

  get current(): T | undefined {
    return this.entry?.value;
  }

  set(value: T): void {
    if (this.end !== undefined) return;
    this.entry = { value };
    this.wakeAll();
  }

  /** Ends every reader, after the newest value; with an error if there is one. */
  finish(error?: unknown): void {
    this.end ??= { error };
    this.wakeAll();
  }

  /** The newest value, then each newer one. An abort ends it without an error. */
  async *read(signal?: AbortSignal): AsyncGenerator<T, void, void> {
    let last: Entry<T> | undefined;
    for (;;) {
      if (signal?.aborted === true) return;
      const { entry } = this;
      if (entry !== undefined && entry !== last) {
        last = entry;
        yield entry.value;
        continue;
      }
      if (this.end !== undefined) {
        if (this.end.error !== undefined) throw this.end.error;
        return;
      }
      await this.change(signal);
    }
  }

  private change(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.waiting.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      this.waiting.add(wake);
      signal?.addEventListener('abort', wake, { once: true });
    });
  }

  private wakeAll(): void {
    for (const wake of [...this.waiting]) wake();
  }
}
