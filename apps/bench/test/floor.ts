// The floor server (bench/floor.mjs) as a process: enough of a ZooKeeper server to drive load at.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createScratch } from '../src/raw-connection.ts';
import type { MeasuredTarget } from '../src/scenario.ts';

const script = join(import.meta.dirname, '..', '..', '..', 'bench', 'floor.mjs');

export async function floor(label = 'floor') {
  const child = spawn(process.execPath, [script, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const port = Number(line.split(' ')[1]);
  const target: MeasuredTarget = {
    label,
    addresses: [{ host: '127.0.0.1', port }],
    pids: [child.pid as number],
    scratch: createScratch(),
  };
  return {
    port,
    target,
    async [Symbol.asyncDispose]() {
      // A test may have killed it.
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill();
      await once(child, 'exit');
    },
  };
}
