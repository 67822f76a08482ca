// Which server to try next, and how long to wait before it.
//
// A round tries each server once, in an order of its own, without waiting: a crowd of clients spreads
// over the ensemble. Between rounds comes a pause that doubles, and is jittered so that the crowd does
// not return in step. No pause is longer than a tenth of the session's timeout: servers that are there
// for a moment only are met, and not slept through until the session is over. The list may change
// between rounds.

import type { Host } from './host-provider.ts';
import { shuffle } from './shuffled-lookup.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 3000;
const LONGEST_SHARE_OF_TIMEOUT = 1 / 10;

export class HostList {
  private hosts: readonly Host[];
  /** Of this round, still to be tried. */
  private left: Host[];
  /** All were tried since the last pause. */
  private isRoundOver: boolean;
  private rounds: number;
  private readonly random: () => number;

  constructor(hosts: readonly Host[], random: () => number) {
    this.random = random;
    this.hosts = hosts;
    this.left = [];
    this.isRoundOver = false;
    this.rounds = 0;
  }

  get size(): number {
    return this.hosts.length;
  }

  /** Whether `next()` begins a round: the time to look for a new list. */
  get startsRound(): boolean {
    return this.left.length === 0;
  }

  replace(hosts: readonly Host[]): void {
    this.hosts = hosts;
    this.left = [];
    this.isRoundOver = false;
  }

  has(host: Host): boolean {
    return this.hosts.some((other) => other.host === host.host && other.port === host.port);
  }

  /** The next server to try; undefined if there are none. */
  next(): Host | undefined {
    if (this.left.length === 0) this.left = shuffle(this.hosts, this.random);
    const host = this.left.shift();
    this.isRoundOver = this.left.length === 0;
    return host;
  }

  /** How long to wait before `next()`, with a session of that timeout: nothing within a round. */
  pauseMs(timeoutMs: number): number {
    if (!this.isRoundOver) return 0;
    const limit = Math.max(FIRST_PAUSE_MS, timeoutMs * LONGEST_SHARE_OF_TIMEOUT);
    const longest = Math.min(FIRST_PAUSE_MS * 2 ** this.rounds, LONGEST_PAUSE_MS, limit);
    this.rounds++;
    return longest * (0.5 + this.random() / 2);
  }

  /** A server served us for a while: the next loss starts a round of its own, at once. */
  served(): void {
    this.left = [];
    this.isRoundOver = false;
    this.rounds = 0;
  }
}
