// How much of the machine went to neither the server nor the driver while something was measured.

import { machineCpuSeconds, processCpuSeconds } from '../apps/bench/src/process-stats.ts';
import { spreadOf } from '../apps/bench/src/statistics.ts';
import type { RunningServer } from './servers.ts';

export class BusyWatch {
  private readonly otherCores: number[] = [];

  /** Runs `measure`, which tells what CPU its driver used. */
  async during<Result extends { driverCpuSeconds: number }>(
    { target: { pids } }: Pick<RunningServer, 'target'>,
    measure: () => Promise<Result>,
  ): Promise<Result> {
    const servers = () => pids.reduce((sum, pid) => sum + (processCpuSeconds(pid) ?? 0), 0);
    const own = () => process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6;
    const startMs = performance.now();
    const start = { machine: machineCpuSeconds(), server: servers(), own: own() };
    const result = await measure();
    const end = { machine: machineCpuSeconds(), server: servers(), own: own() };
    if (start.machine !== undefined && end.machine !== undefined) {
      const known = result.driverCpuSeconds + end.own - start.own + end.server - start.server;
      const seconds = (performance.now() - startMs) / 1000;
      this.otherCores.push(Math.max(0, (end.machine - start.machine - known) / seconds));
    }
    return result;
  }

  /** e.g. "0.02 (0.01-0.05)" */
  text(): string {
    if (this.otherCores.length === 0) return 'an unknown number of';
    const { median, min, max } = spreadOf(this.otherCores);
    return `${median.toFixed(2)} (${min.toFixed(2)}-${max.toFixed(2)})`;
  }
}
