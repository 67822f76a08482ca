// Several things that are held as one: lost with the first of them, released with all.

import type { Client, Op, OpOptions, Results, Session, ZkError } from '@zebu/client';
import { guardedMulti } from './guarded-multi.ts';
import { type Held, lockLost } from './held.ts';

export class HeldTogether implements Held {
  readonly parts: readonly Held[];
  readonly signal: AbortSignal;
  private readonly zk: Client;
  private releasing: Promise<void> | undefined;

  /** Of at least one. */
  constructor(zk: Client, parts: readonly Held[]) {
    this.zk = zk;
    this.parts = parts;
    this.signal = AbortSignal.any(parts.map(({ signal }) => signal));
    this.releasing = undefined;
  }

  get path(): string {
    return this.first.path;
  }

  /** The largest: of two grants that share a part the later one has the larger. */
  get token(): number {
    return Math.max(...this.parts.map(({ token }) => token));
  }

  get session(): Session {
    return this.first.session;
  }

  get paths(): readonly string[] {
    return this.parts.flatMap(({ paths }) => paths);
  }

  async guard<const T extends readonly Op[]>(ops: T, options?: OpOptions): Promise<Results<T>> {
    for (const part of this.parts) part.look();
    const lost = (cause: ZkError | undefined, outcome: ZkError['outcome']): ZkError =>
      lockLost('guard', this.path, outcome, cause);
    if (this.signal.aborted) throw lost(this.signal.reason.cause, 'not-sent');
    if (this.releasing !== undefined) throw lost(undefined, 'not-sent');
    return await guardedMulti(
      this.zk,
      this.paths.map((path) => ({ path })),
      ops,
      options,
      lost,
    );
  }

  look(): void {
    for (const part of this.parts) part.look();
  }

  onRevoke(listener: () => void): Disposable {
    const listening = this.parts.map((part) => part.onRevoke(listener));
    return {
      [Symbol.dispose]: () => {
        for (const one of listening) one[Symbol.dispose]();
      },
    };
  }

  release(): Promise<void> {
    this.releasing ??= releaseAll(this.parts);
    return this.releasing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  private get first(): Held {
    return this.parts[0] as Held;
  }
}

/** All, also if one fails; throws the first failure. */
export async function releaseAll(parts: readonly Held[]): Promise<void> {
  const ends = await Promise.allSettled(parts.map((part) => part.release()));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
