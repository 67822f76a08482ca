import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import {
  machineCpuSeconds,
  pidListeningOn,
  processCommand,
  processCpuSeconds,
  processMemory,
} from '../src/process-stats.ts';

describe.runIf(process.platform === 'linux')('what Linux counts', () => {
  it('knows this process', () => {
    const memory = processMemory(process.pid);
    expect(memory?.rssBytes).toBeGreaterThan(10 * 2 ** 20);
    expect(memory?.peakBytes).toBeGreaterThanOrEqual((memory?.rssBytes as number) * 0.9);
    const { user, system } = process.cpuUsage();
    expect(processCpuSeconds(process.pid)).toBeCloseTo((user + system) / 1e6, 0);
    expect(processCommand(process.pid)).toContain('node');
    expect(machineCpuSeconds()).toBeGreaterThan(processCpuSeconds(process.pid) as number);
  });

  it('finds who listens on a port, and nobody where nobody does', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    expect(pidListeningOn(port)).toBe(process.pid);
    await new Promise((resolve) => server.close(resolve));
    expect(pidListeningOn(port)).toBeUndefined();
  });

  it('has no answer about a process that is gone', () => {
    expect(processCpuSeconds(2 ** 30)).toBeUndefined();
    expect(processMemory(2 ** 30)).toBeUndefined();
  });
});
