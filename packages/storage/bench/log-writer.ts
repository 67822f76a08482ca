// What the log costs per entry: appends of 250 bytes in batches of about 1,000, fsync on, then a recovery.
//   node --conditions=@zebu/source bench/log-writer.ts [directory]

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { NodeDisk, openDataDirectory, recover, SnapshotWriter, TxnLogWriter } from '@zebu/storage';

const ENTRIES = 400_000;
const ENTRY_BYTES = 250;
const BATCH = 1000;
const root = mkdtempSync(join(process.argv[2] ?? process.cwd(), 'zebu-bench-'));
const disk = new NodeDisk();
const directory = openDataDirectory({ disk, dataDir: root });

const snapshot = new SnapshotWriter({ disk, directory: directory.snapshotDirectory, zxid: 0 });
const emptyTree = Buffer.from('0000000000000000000000012f', 'hex');
snapshot.write(emptyTree, 0, emptyTree.length);
snapshot.seal();
await new Promise<void>((resolve) => snapshot.finish(() => resolve()));

let whenDurable: () => void = () => {};
const log = new TxnLogWriter({
  disk,
  directory: directory.logDirectory,
  lastZxid: 0,
  onDurable: (zxid) => {
    if (zxid === ENTRIES) whenDurable();
  },
  onFailure: (error) => {
    throw error;
  },
});
const entry = Buffer.alloc(ENTRY_BYTES, 1);
entry.fill(0, 12, 20);
const heapBefore = process.memoryUsage().heapUsed;
const startedMs = performance.now();
const cpuBefore = process.cpuUsage();
let appendMs = 0;
let zxid = 0;
const turn = (): void => {
  const turnMs = performance.now();
  for (let i = 0; i < BATCH; i += 1) {
    zxid += 1;
    entry.writeUInt32BE(zxid, 16);
    log.append(zxid, entry, 0, ENTRY_BYTES);
  }
  appendMs += performance.now() - turnMs;
  log.flush();
  if (zxid === ENTRIES) return;
  if (log.pendingBytes > 2_000_000) setTimeout(turn, 1);
  else setImmediate(turn);
};
await new Promise<void>((resolve) => {
  whenDurable = resolve;
  turn();
});
const elapsedMs = performance.now() - startedMs;
const cpu = process.cpuUsage(cpuBefore);
console.log(
  `append: ${((appendMs * 1000) / ENTRIES).toFixed(2)} us per entry on the loop;`,
  `${Math.round((ENTRIES / elapsedMs) * 1000)} durable entries/s;`,
  `CPU ${((cpu.user + cpu.system) / ENTRIES).toFixed(2)} us per entry, pool included;`,
  `${log.syncCount} syncs of ${(log.syncMsTotal / log.syncCount).toFixed(2)} ms;`,
  `heap grew by ${((process.memoryUsage().heapUsed - heapBefore) / ENTRIES).toFixed(1)} bytes per entry`,
);
await new Promise<void>((resolve) => log.close(() => resolve()));

let count = 0;
const recoverStartMs = performance.now();
const steps = recover({
  disk,
  directory,
  createTarget: () => ({
    isComplete: false as boolean,
    session() {},
    records() {
      this.isComplete = true;
      return 9;
    },
    snapshotLoaded() {},
    applyEntry() {
      count += 1;
    },
  }),
});
while (steps.next().done !== true);
const recoverMs = performance.now() - recoverStartMs;
console.log(
  `recover: ${count} entries in ${recoverMs.toFixed(0)} ms,`,
  `${Math.round((count * ENTRY_BYTES) / recoverMs / 1000)} MB/s`,
);
rmSync(root, { recursive: true });
