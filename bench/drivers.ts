// zkload and zkwatch (bench/drivers): compiled once a run, and run.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { formatAddress } from '../apps/bench/src/server-info.ts';
import { parseFields, runDriver } from '../apps/bench/src/zkload.ts';
import type { RunningServer } from './servers.ts';

export interface Drivers {
  readonly zkload: string;
  readonly zkwatch: string;
}

/** Compiles both into `directory`. Throws when there is no C compiler. */
export function compileDrivers(directory: string): Drivers {
  const compile = (name: string): string => {
    const binary = join(directory, name);
    const source = join(import.meta.dirname, 'drivers', `${name}.c`);
    execFileSync('cc', ['-O2', '-w', '-o', binary, source], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return binary;
  };
  return { zkload: compile('zkload'), zkwatch: compile('zkwatch') };
}

export interface ZkloadOptions {
  /** `read`, `write` or the share of reads, e.g. `90`. */
  readonly mix: string;
  readonly connections: number;
  readonly window: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Of each value; 128. */
  readonly bytes?: number;
  /** Znodes that are read and set; 1,000. */
  readonly keys?: number;
}

export interface ZkloadFigures {
  readonly rate: number;
  readonly cpuUs: number;
  readonly p50Ms: number;
  readonly maxMs: number;
  readonly driverCpuSeconds: number;
}

/**
 * The connections are spread over all addresses, and CPU is that of all processes together. Throws when any request
 * failed: a figure of errors is no figure.
 */
export async function zkload(
  { zkload: binary }: Drivers,
  { target: { addresses, pids } }: Pick<RunningServer, 'target'>,
  { mix, connections, window, seconds, warmUpSeconds, bytes = 128, keys = 1000 }: ZkloadOptions,
): Promise<ZkloadFigures> {
  const flags = {
    m: mix,
    c: connections,
    w: window,
    t: seconds,
    W: warmUpSeconds,
    s: bytes,
    k: keys,
    p: pids.join(','),
  };
  const { output, cpuSeconds } = await runDriver(binary, [
    addresses.map(formatAddress).join(','),
    ...Object.entries(flags).flatMap(([flag, value]) => [`-${flag}`, String(value)]),
  ]);
  const field = fieldOf(output);
  if (field('errors') > 0) throw new Error(`Requests failed: ${output}`);
  return {
    rate: field('ops/s'),
    cpuUs: field('server_cpu_us_per_op'),
    p50Ms: field('p50us') / 1000,
    maxMs: field('maxus') / 1000,
    driverCpuSeconds: cpuSeconds,
  };
}

/** Events per second of one change to many one-shot watchers. Leaves its sessions to expire. */
export async function zkwatch(
  { zkwatch: binary }: Drivers,
  { address: { host, port }, pid }: RunningServer,
  { watchers, changes }: { watchers: number; changes: number },
): Promise<number> {
  const flags = { c: watchers, r: changes, p: pid };
  const { output } = await runDriver(binary, [
    `${host}:${port}`,
    ...Object.entries(flags).flatMap(([flag, value]) => [`-${flag}`, String(value)]),
  ]);
  return fieldOf(output)('events/s');
}

function fieldOf(output: string): (name: string) => number {
  const field = parseFields(output);
  return (name) => {
    const value = field(name);
    if (value === undefined) throw new Error(`No ${name} in ${output}`);
    return value;
  };
}
