// What the client takes from the machine it runs on, so that tests and the simulator can be one.

import { lookup } from 'node:dns';
import dns from 'node:dns/promises';
import { type Network, nodeNetwork } from '@zebu/transport';
import type { ResolveSrv } from './host-provider.ts';
import { shuffledLookup } from './shuffled-lookup.ts';

export interface ClientEnvironment {
  readonly network: Network;
  /** Milliseconds of a clock that never jumps. */
  now(): number;
  /** Runs `callback` once, `ms` from now. */
  setTimer(callback: () => void, ms: number): unknown;
  clearTimer(timer: unknown): void;
  /** 0 <= random < 1. */
  random(): number;
  /** Runs `callback` when the code that now runs, and what it has settled, is through. */
  gather(callback: () => void): void;
  /** For servers given as "srv://name". */
  readonly resolveSrv?: ResolveSrv | undefined;
}

export function nodeEnvironment(): ClientEnvironment {
  const network = nodeNetwork();
  const inAnyOrder = shuffledLookup(lookup, Math.random);
  return {
    network: {
      ...network,
      dial: (options, handler) => network.dial({ ...options, lookup: inAnyOrder }, handler),
    },
    // Looked up at each call: dns.setServers() puts another function in its place.
    resolveSrv: (name) => dns.resolveSrv(name),
    now: () => performance.now(),
    setTimer: (callback, ms) => setTimeout(callback, ms),
    clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
    random: Math.random,
    // A tick asked for by a microtask comes after all microtasks: what a chunk of replies sets off
    // is gathered into one write.
    gather: (callback) => process.nextTick(callback),
  };
}
