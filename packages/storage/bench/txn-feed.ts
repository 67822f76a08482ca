// What a feed of txns costs a leader: 400,000 entries of 250 bytes read back, the time per chunk that its loop is held.
//   node --conditions=@zebu/source bench/txn-feed.ts [directory]

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { NodeDisk, openDataDirectory, openTxnFeed, Pins, TxnLogWriter } from '@zebu/storage';

const ENTRIES = 400_000;
const root = mkdtempSync(join(process.argv[2] ?? process.cwd(), 'zebu-bench-'));
const disk = new NodeDisk();
const directory = openDataDirectory({ disk, dataDir: root });
const log = new TxnLogWriter({
  disk,
  directory: directory.logDirectory,
  lastZxid: 0,
  onDurable: () => {},
  onFailure: (error) => {
    throw error;
  },
});
const entry = Buffer.alloc(250, 1);
entry.fill(0, 12, 20);
for (let zxid = 1; zxid <= ENTRIES; zxid += 1) {
  entry.writeUInt32BE(zxid, 16);
  log.append(zxid, entry, 0, entry.length);
}
await new Promise<void>((resolve) => log.close(() => resolve()));

const feed = openTxnFeed({ disk, directory, fromZxid: 1, toZxid: ENTRIES, pins: new Pins() });
const startedMs = performance.now();
const cpuBefore = process.cpuUsage();
let count = 0;
const held = monitorEventLoopDelay({ resolution: 1 });
let chunks = 0;
await new Promise<void>((resolve) => {
  const next = (): void => {
    feed.next((outcome) => {
      if (outcome.kind !== 'txns') {
        resolve();
        return;
      }
      chunks += 1;
      count += outcome.count;
      setImmediate(next);
    });
  };
  held.enable();
  next();
});
held.disable();
const ms = performance.now() - startedMs;
const cpu = process.cpuUsage(cpuBefore);
console.log(
  `fed ${count} entries in ${chunks} chunks, ${ms.toFixed(0)} ms,`,
  `${((cpu.user + cpu.system) / 1000 / chunks).toFixed(2)} ms of CPU a chunk,`,
  `loop delay p50 ${(held.percentile(50) / 1e6).toFixed(2)}, p99 ${(held.percentile(99) / 1e6).toFixed(2)}, max ${(held.max / 1e6).toFixed(2)} ms (1 ms is the timer's own)`,
);
feed.close();
rmSync(root, { recursive: true });
