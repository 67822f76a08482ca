/** Tells a second request to stop, which must not wait, from the first one sent twice. */

/** Ctrl-C reaches the whole process group, and a launcher in it (npm, a script) passes its own on: one request, twice. */
const SAME_REQUEST_MS = 1000;

export type Meaning = 'stop' | 'the same again' | 'stop at once';

export class StopRequests {
  private first: { readonly signal: string; readonly atMs: number } | undefined;

  /** What this signal means. `nowMs`: monotonic. */
  meaningOf(signal: string, nowMs: number): Meaning {
    const first = this.first;
    if (first === undefined) {
      this.first = { signal, atMs: nowMs };
      return 'stop';
    }
    const isSame = signal === first.signal && nowMs - first.atMs < SAME_REQUEST_MS;
    return isSame ? 'the same again' : 'stop at once';
  }
}
