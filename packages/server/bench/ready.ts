// How long an embedded server takes until clients can connect, and until it is gone.
//   node --conditions=@zebu/source bench/ready.ts [rounds]

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from '../src/index.ts';

const rounds = Number(process.argv[2] ?? 20);

async function measure(options: { dataDir?: string }): Promise<[number, number]> {
  const startedMs = performance.now();
  const server = await startServer({ port: 0, ...options });
  const readyMs = performance.now();
  await server.close();
  return [readyMs - startedMs, performance.now() - readyMs];
}

function describe(values: number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const [least, median, most] = [0, sorted.length >> 1, sorted.length - 1].map((i) => sorted[i]);
  return `${median?.toFixed(1)} (${least?.toFixed(1)}-${most?.toFixed(1)})`;
}

for (const kind of ['in memory', 'on disk']) {
  const ready: number[] = [];
  const closed: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const dataDir = kind === 'on disk' ? mkdtempSync(join(tmpdir(), 'zebu-ready-')) : undefined;
    const [readyMs, closedMs] = await measure(dataDir === undefined ? {} : { dataDir });
    ready.push(readyMs);
    closed.push(closedMs);
    if (dataDir !== undefined) rmSync(dataDir, { recursive: true });
  }
  console.log(`${kind}: ready in ${describe(ready)} ms, closed in ${describe(closed)} ms`);
}
