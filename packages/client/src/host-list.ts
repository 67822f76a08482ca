// Which server to try next, and how long to wait before it.
//
// The list is shuffled once, so that a crowd of clients spreads over the ensemble. A round tries each
// server once, without waiting; between rounds comes a pause that doubles, and is jittered so that
// the crowd does not return in step. No pause is longer than a tenth of the session's timeout: servers that are there
// for a moment only are met, and not slept through until the session is over.

import type { Host } from './connect-string.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 3000;
const LONGEST_SHARE_OF_TIMEOUT = 1 / 10;

export class HostList {
  private hosts: Host[];
  private at: number;
  private tried: number;
  private rounds: number;
  private readonly random: () => number;

  constructor(hosts: readonly Host[], random: () => number) {
    this.random = random;
    this.hosts = [];
    this.at = 0;
    this.tried = 0;
    this.rounds = 0;
    this.replace(hosts);
  }

  get size(): number {
    return this.hosts.length;
  }

  replace(hosts: readonly Host[]): void {
    this.hosts = shuffle(hosts, this.random);
    this.at = 0;
    this.tried = 0;
  }

  has(host: Host): boolean {
    return this.hosts.some((other) => other.host === host.host && other.port === host.port);
  }

  /** The next server to try. */
  next(): Host {
    const host = this.hosts[this.at % this.hosts.length] as Host;
    this.at++;
    this.tried++;
    return host;
  }

  /** How long to wait before `next()`, with a session of that timeout: nothing within a round. */
  pauseMs(timeoutMs: number): number {
    if (this.tried < this.hosts.length) return 0;
    this.tried = 0;
    const limit = Math.max(FIRST_PAUSE_MS, timeoutMs * LONGEST_SHARE_OF_TIMEOUT);
    const longest = Math.min(FIRST_PAUSE_MS * 2 ** this.rounds, LONGEST_PAUSE_MS, limit);
    this.rounds++;
    return longest * (0.5 + this.random() / 2);
  }

  /** A server served us for a while: the next loss starts a round of its own. */
  served(): void {
    this.tried = 0;
    this.rounds = 0;
  }
}

function shuffle(hosts: readonly Host[], random: () => number): Host[] {
  const shuffled = [...hosts];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j] as Host, shuffled[i] as Host];
  }
  return shuffled;
}
