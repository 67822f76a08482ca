/** What a signal that asks the server to stop means, the second time too. */

/** A process group gets Ctrl-C, and a launcher in it (npm, a script) passes its own on: one wish, told twice. */
const SAME_WISH_MS = 1000;

export type Meaning = 'stop' | 'the same again' | 'stop at once';

export class StopWishes {
  #first: { readonly signal: string; readonly atMs: number } | undefined;

  /** `nowMs`: monotonic. */
  told(signal: string, nowMs: number): Meaning {
    const first = this.#first;
    if (first === undefined) {
      this.#first = { signal, atMs: nowMs };
      return 'stop';
    }
    const isSame = signal === first.signal && nowMs - first.atMs < SAME_WISH_MS;
    return isSame ? 'the same again' : 'stop at once';
  }
}
