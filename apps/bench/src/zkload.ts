// The same measurement by zkload, a small C program (bench/drivers/zkload.c) that is independent of Node and
// zebu: a check of this driver's figures, and a driver for cases where this one's own cost matters.

import { spawn } from 'node:child_process';
import type { Target } from './ask-all.ts';
import type { OnProgress } from './data-set.ts';
import { deleteTree } from './delete-tree.ts';
import type { LatencySummary } from './histogram.ts';
import { type Figures, Meter } from './meter.ts';
import { processCpuSeconds } from './process-stats.ts';
import type { LoadSettings, MeasuredTarget, Scenario } from './scenario.ts';
import { formatAddress } from './server-info.ts';
import type { WorkloadSettings } from './workloads.ts';

const MIXES: Readonly<Record<string, string>> = {
  get: 'read',
  set: 'write',
  exists: 'exists',
  children: 'children',
  create: 'create',
  multi: 'multi',
  mixed: '90',
};

/** Where zkload makes its znodes; it has no option for that. */
const PATH = '/zkload';

export class ZkloadScenario implements Scenario {
  readonly name: string;
  readonly summary: string;
  readonly connections: number;
  readonly window: number;
  readonly unit = 'requests';
  private readonly binary: string;
  private readonly mix: string;
  private readonly settings: LoadSettings & WorkloadSettings;

  /** Throws SyntaxError for a workload that zkload does not know. */
  constructor(binary: string, workload: string, settings: LoadSettings & WorkloadSettings) {
    const mix = MIXES[workload] ?? (/^\d+$/.test(workload) ? workload : undefined);
    if (mix === undefined) throw new SyntaxError(`zkload has no workload ${workload}`);
    this.name = workload;
    this.summary = `zkload -m ${mix}`;
    this.connections = settings.connections;
    this.window = settings.window;
    this.binary = binary;
    this.mix = mix;
    this.settings = settings;
  }

  async prepare(_target: Target): Promise<void> {}

  async run(target: MeasuredTarget): Promise<Figures> {
    const { connections, window, seconds, warmUpSeconds, size, keys } = this.settings;
    const flags: Readonly<Record<string, string | number>> = {
      '-m': this.mix,
      '-c': connections,
      '-w': window,
      '-t': seconds,
      '-W': warmUpSeconds,
      '-s': size,
      '-k': keys,
      ...(target.pids.length > 0 ? { '-p': target.pids.join(',') } : {}),
    };
    const meter = new Meter(target.pids);
    const addresses = target.addresses.map(formatAddress).join(',');
    const { output, cpuSeconds } = await runDriver(this.binary, [
      addresses,
      ...Object.entries(flags).flatMap(([flag, value]) => [flag, String(value)]),
    ]);
    const { rate, errors, serverCpuUs, latency } = parseZkload(output);
    const count = Math.round(rate * seconds);
    const { usage, seconds: wallSeconds } = meter.read(count);
    const driverCores = cpuSeconds / wallSeconds;
    const { otherCores } = usage;
    return {
      rate,
      count,
      errors,
      seconds,
      latency: { [this.name]: latency },
      usage: {
        ...usage,
        serverCpuUs,
        driverCores,
        otherCores: otherCores === undefined ? undefined : Math.max(0, otherCores - driverCores),
      },
    };
  }

  cleanUp(target: Target, onProgress?: OnProgress): Promise<void> {
    return deleteTree(target, PATH, onProgress);
  }
}

/** Runs a driver to its end; also says what CPU it used, as far as that was seen. */
export function runDriver(
  binary: string,
  flags: readonly string[],
): Promise<{ output: string; cpuSeconds: number }> {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, flags, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let complaint = '';
    let cpuSeconds = 0;
    const timer = setInterval(() => {
      if (child.pid !== undefined) cpuSeconds = processCpuSeconds(child.pid) || cpuSeconds;
    }, 100);
    child.stdout.on('data', (text) => {
      output += text;
    });
    child.stderr.on('data', (text) => {
      complaint += text;
    });
    child.on('error', (error) => {
      clearInterval(timer);
      reject(error);
    });
    child.on('close', (code) => {
      clearInterval(timer);
      if (code === 0) resolve({ output, cpuSeconds });
      else reject(new Error(`${binary} ended with ${code}: ${complaint.trim() || output.trim()}`));
    });
  });
}

/** The numbers among the `name=value` pairs of a driver's line. */
export function parseFields(output: string): (name: string) => number | undefined {
  const fields = new Map<string, number>();
  for (const [, name = '', value] of output.matchAll(/(\S+?)=(\S+)/g)) {
    if (Number.isFinite(Number(value))) fields.set(name, Number(value));
  }
  return (name) => fields.get(name);
}

/** What zkload prints. Throws when it is not zkload's line. */
export function parseZkload(output: string): {
  rate: number;
  errors: number;
  serverCpuUs: number | undefined;
  latency: LatencySummary;
} {
  const field = parseFields(output);
  const need = (name: string): number => {
    const value = field(name);
    if (value === undefined) throw new Error(`zkload did not say ${name}: ${output.trim()}`);
    return value;
  };
  return {
    rate: need('ops/s'),
    errors: need('errors'),
    serverCpuUs: field('server_cpu_us_per_op'),
    latency: {
      p50Ms: need('p50us') / 1000,
      p99Ms: need('p99us') / 1000,
      p999Ms: need('p999us') / 1000,
      maxMs: need('maxus') / 1000,
    },
  };
}
