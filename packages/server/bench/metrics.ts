// What one sample costs: node --conditions=@zebu/source packages/server/bench/metrics.ts
// Each case runs in a process of its own, since V8 makes slower code for a loop that ran several. The least of many
// runs counts: on a machine that does other things the rest is theirs.

import { execFileSync } from 'node:child_process';
import { DataTree, ROOT_ID } from '@zebu/data-tree';
import { ServerMetrics } from '../src/metrics/metrics.ts';
import { NamespaceTraffic } from '../src/metrics/namespace-traffic.ts';

const SAMPLES = 1_000_000;
const RUNS = 25;

const metrics = new ServerMetrics();
const { paths } = new DataTree();
const traffic = new NamespaceTraffic(paths, metrics);
const shallow = intern('/app/key');
const deep = intern('/app/one/two/three/four/five/six/seven');
const others = Array.from({ length: 64 }, (_, i) => intern(`/app${i}/key`));

const CASES: Record<string, (i: number) => void> = {
  'a counter': () => {
    metrics.packetsSent++;
  },
  'a summary': (i) => metrics.createdWatches.add(i & 7),
  'a summary with percentiles': (i) => metrics.readLatency.add(i & 7),
  'traffic of a path of 2 names': () => traffic.read(shallow, 128),
  'traffic of a path of 8 names': () => traffic.read(deep, 128),
  'traffic of 64 first names in turn': (i) => traffic.read(others[i & 63] as number, 128),
};

/** The interned path, linked to those above it, as the path of a znode is. */
function intern(path: string): number {
  const bytes = Buffer.from(path);
  const id = paths.intern(bytes, 0, bytes.length);
  const slash = path.lastIndexOf('/');
  paths.link(id, slash === 0 ? ROOT_ID : intern(path.slice(0, slash)));
  return id;
}

function leastNs(sample: (i: number) => void): number {
  let leastMs = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const startedMs = performance.now();
    for (let i = 0; i < SAMPLES; i++) sample(i);
    leastMs = Math.min(leastMs, performance.now() - startedMs);
  }
  return (leastMs * 1e6) / SAMPLES;
}

const [, script, only] = process.argv;
if (only !== undefined) {
  console.log(`${only}: ${leastNs(CASES[only] as (i: number) => void).toFixed(1)} ns`);
} else {
  for (const name of Object.keys(CASES)) {
    const args = [...process.execArgv, script as string, name];
    process.stdout.write(execFileSync(process.execPath, args));
  }
}
