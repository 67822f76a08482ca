// What is promised of counters and queues: an add is counted once, an item is done once. Where a client was told that
// something is unknown, both are allowed; nothing else is.

import { demand } from '../violation.ts';

export class CounterAccount {
  known: number;
  unknown: number;
  private readonly sums: Set<bigint>;

  constructor() {
    this.known = 0;
    this.unknown = 0;
    this.sums = new Set();
  }

  added(who: string, sum: bigint): void {
    this.known++;
    demand(
      !this.sums.has(sum),
      'counted-twice',
      () => `${who} made the sum ${sum}, as another did`,
    );
    this.sums.add(sum);
  }

  balance(value: bigint): void {
    const { known, unknown } = this;
    demand(
      value >= BigInt(known) && value <= BigInt(known + unknown),
      'counter',
      () => `it is ${value} after ${known} adds, and ${unknown} of unknown outcome`,
    );
  }
}

export class QueueAccount {
  readonly put: Set<string>;
  readonly maybePut: Set<string>;
  readonly done: Set<string>;
  readonly maybeDone: Set<string>;

  constructor() {
    this.put = new Set();
    this.maybePut = new Set();
    this.done = new Set();
    this.maybeDone = new Set();
  }

  acknowledged(who: string, item: string): void {
    demand(!this.done.has(item), 'done-twice', () => `${who} has done ${item} again`);
    this.done.add(item);
  }

  /** The queue is empty. */
  balance(): void {
    for (const item of this.put) {
      demand(
        this.done.has(item) || this.maybeDone.has(item),
        'item-lost',
        () => `${item} was put, and nobody has done it`,
      );
    }
    for (const item of this.done) {
      demand(
        this.put.has(item) || this.maybePut.has(item),
        'item-invented',
        () => `${item} was done, and nobody has put it`,
      );
    }
  }
}
