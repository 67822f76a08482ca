// Many connections that all wait for the same kind of message: their next reply, or a watch event.

import { Xid } from '@zebu/protocol';
import type { RawConnection, ReplySink } from './raw-connection.ts';

export type Awaited = 'reply' | 'event';

const TIMEOUT_MS = 120_000;

export class Crowd {
  awaited: Awaited = 'reply';
  now = 0;
  private readonly members: readonly Member[];
  private left = 0;
  private startMs = 0;
  private onEach: ((ms: number) => void) | undefined;
  private done: () => void = () => {};
  private reject: (reason: Error) => void = () => {};

  /** Becomes the sink of all these connections. */
  constructor(connections: readonly RawConnection[]) {
    this.members = connections.map((connection) => new Member(this, connection));
  }

  /**
   * Does `start`, and resolves to the seconds until every member has one more of what is awaited. `onEach`
   * gets the time to each, in ms. Rejects when a connection is lost, a reply is an error, or after two
   * minutes.
   */
  async expect(
    awaited: Awaited,
    start: () => void,
    onEach?: (ms: number) => void,
  ): Promise<number> {
    this.awaited = awaited;
    this.onEach = onEach;
    this.left = this.members.length;
    for (const member of this.members) member.isServed = false;
    const served = new Promise<void>((resolve, reject) => {
      this.done = resolve;
      this.reject = reject;
    });
    const timer = setTimeout(
      () => this.fail(new Error(`${this.left} clients never got their ${awaited}`)),
      TIMEOUT_MS,
    );
    this.startMs = performance.now();
    this.now = this.startMs;
    start();
    await served.finally(() => clearTimeout(timer));
    return (this.now - this.startMs) / 1000;
  }

  served(): void {
    this.onEach?.(this.now - this.startMs);
    this.left -= 1;
    if (this.left === 0) this.done();
  }

  fail(reason: Error): void {
    this.reject(reason);
  }
}

class Member implements ReplySink {
  isServed = true;
  private readonly crowd: Crowd;

  constructor(crowd: Crowd, connection: RawConnection) {
    this.crowd = crowd;
    connection.sink = this;
  }

  readStart(): void {
    this.crowd.now = performance.now();
  }

  reply(xid: number, error: number): void {
    if (xid === Xid.ping) return;
    const isEvent = xid === Xid.notification;
    if (!isEvent && error !== 0) this.crowd.fail(new Error(`A client got error ${error}`));
    if (this.isServed || isEvent !== (this.crowd.awaited === 'event')) return;
    this.isServed = true;
    this.crowd.served();
  }

  readEnd(): void {}

  closed(reason: Error): void {
    this.crowd.fail(reason);
  }
}
