// CPU and memory over a stretch of time: of the servers under test, of this driver, and of whatever else
// ran on the machine meanwhile.

import type { LatencySummary } from './histogram.ts';
import { machineCpuSeconds, processCpuSeconds, processMemory } from './process-stats.ts';

/** What one run gave. */
export interface Figures {
  /** Requests, events or sessions per second. */
  readonly rate: number;
  readonly count: number;
  readonly errors: number;
  readonly seconds: number;
  /** By kind of request; one kind is the rule, `mixed` has two. */
  readonly latency: Readonly<Record<string, LatencySummary>>;
  readonly usage: Usage;
}

export interface Usage {
  /** CPU of the servers per request, in us; undefined when their pids are not known. */
  readonly serverCpuUs: number | undefined;
  /** Of the servers together, when the run ended. */
  readonly rssBytes: number | undefined;
  readonly peakBytes: number | undefined;
  /** CPU seconds per second, 1 being one core. */
  readonly driverCores: number;
  readonly serverCores: number | undefined;
  /** All that is neither driver nor server; undefined when the servers' pids are not known. */
  readonly otherCores: number | undefined;
}

export class Meter {
  private readonly pids: readonly number[];
  private start: Sample;

  constructor(pids: readonly number[]) {
    this.pids = pids;
    this.start = this.sample();
  }

  restart(): void {
    this.start = this.sample();
  }

  /** What was used since the start, for `count` requests. */
  read(count: number): { seconds: number; usage: Usage } {
    const start = this.start;
    const end = this.sample();
    const seconds = (end.atMs - start.atMs) / 1000;
    const driver = end.driver - start.driver;
    const server = minus(end.servers, start.servers);
    const machine = minus(end.machine, start.machine);
    const memory = this.pids.map(processMemory);
    const isKnown = this.pids.length > 0 && memory.every((one) => one !== undefined);
    const sumOf = (field: 'rssBytes' | 'peakBytes') =>
      isKnown ? memory.reduce((sum, one) => sum + (one?.[field] ?? 0), 0) : undefined;
    return {
      seconds,
      usage: {
        serverCpuUs: server === undefined || count === 0 ? undefined : (server * 1e6) / count,
        rssBytes: sumOf('rssBytes'),
        peakBytes: sumOf('peakBytes'),
        driverCores: driver / seconds,
        serverCores: server === undefined ? undefined : server / seconds,
        otherCores:
          server === undefined || machine === undefined
            ? undefined
            : Math.max(0, (machine - server - driver) / seconds),
      },
    };
  }

  private sample(): Sample {
    const { user, system } = process.cpuUsage();
    const servers = this.pids.map(processCpuSeconds);
    return {
      atMs: performance.now(),
      driver: (user + system) / 1e6,
      servers:
        servers.length === 0 || servers.includes(undefined)
          ? undefined
          : servers.reduce<number>((sum, one) => sum + (one ?? 0), 0),
      machine: machineCpuSeconds(),
    };
  }
}

interface Sample {
  readonly atMs: number;
  readonly driver: number;
  readonly servers: number | undefined;
  readonly machine: number | undefined;
}

function minus(end: number | undefined, start: number | undefined): number | undefined {
  return end === undefined || start === undefined ? undefined : end - start;
}
