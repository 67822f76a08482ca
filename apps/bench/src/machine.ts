// Where the figures come from: this machine, this Node, this tool.

import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  readonly bench: string;
}

export function describeMachine(): Machine {
  const cores = cpus();
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryBytes: totalmem(),
    system: `${type()} ${release()}`,
    node: process.version,
    bench: benchVersion(),
  };
}

export function machineLine(machine: Machine): string {
  const memoryGb = (machine.memoryBytes / 2 ** 30).toFixed(0);
  return `${machine.cpu}, ${machine.cores} cores, ${memoryGb} GB, ${machine.system}, Node ${machine.node}, zebu-bench ${machine.bench}`;
}

/** package.json lies one folder up from both src/ and dist/. */
export function benchVersion(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
