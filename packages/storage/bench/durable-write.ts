// How a batch of log records gets onto stable storage soonest (docs/decisions/015).
//   node --conditions=@zebu/source bench/durable-write.ts [directory]
//
// Each case appends batches one after another, as group commit does under load, into a file of 64 MiB
// that is sparse (as Java makes it), filled with zeros beforehand, or given some zeros along with each batch that
// reaches new blocks. Rounds of the cases alternate; means hold the batches that carry zeros too.

import * as fs from 'node:fs';
import { join } from 'node:path';

const directory = fs.mkdtempSync(join(process.argv[2] ?? process.cwd(), 'zebu-bench-'));
const path = join(directory, 'file');
const { O_CREAT, O_DSYNC, O_RDWR } = fs.constants;
const FILE_BYTES = 64 << 20;
const ROUNDS = 5;

interface Case {
  name: string;
  dataSync: boolean;
  zeroed: boolean;
  /** Bytes of zeros after a batch that reaches blocks which were never written. */
  zerosAlong: number;
}

const cases: Case[] = [
  { name: 'write + fdatasync, sparse', dataSync: false, zeroed: false, zerosAlong: 0 },
  { name: 'O_DSYNC, sparse', dataSync: true, zeroed: false, zerosAlong: 0 },
  { name: 'O_DSYNC, 64 KB along', dataSync: true, zeroed: false, zerosAlong: 64 * 1024 },
  { name: 'O_DSYNC, 512 KB along', dataSync: true, zeroed: false, zerosAlong: 512 * 1024 },
  { name: 'O_DSYNC, 4 MB along', dataSync: true, zeroed: false, zerosAlong: 4 << 20 },
  { name: 'write + fdatasync, zeroed', dataSync: false, zeroed: true, zerosAlong: 0 },
  { name: 'O_DSYNC, zeroed', dataSync: true, zeroed: true, zerosAlong: 0 },
];

async function run(
  { dataSync, zeroed, zerosAlong }: Case,
  bytes: number,
  count: number,
): Promise<number[]> {
  fs.rmSync(path, { force: true });
  const fd = fs.openSync(path, O_CREAT | O_RDWR | (dataSync ? O_DSYNC : 0));
  fs.ftruncateSync(fd, FILE_BYTES);
  if (zeroed) {
    const zeros = Buffer.alloc(1 << 20);
    const plain = fs.openSync(path, 'r+');
    for (let at = 0; at < bytes * count; at += zeros.length)
      fs.writeSync(plain, zeros, 0, zeros.length, at);
    fs.closeSync(plain);
  }
  fs.fsyncSync(fd);
  const batch = Buffer.concat([Buffer.alloc(bytes, 7), Buffer.alloc(zerosAlong)]);
  const times: number[] = [];
  await new Promise<void>((resolve, reject) => {
    let position = 16;
    let writtenTo = 0;
    let startedMs = 0;
    const next = (): void => {
      if (times.length === count) {
        resolve();
        return;
      }
      startedMs = performance.now();
      const length = position + bytes > writtenTo ? batch.length : bytes;
      writtenTo = Math.max(writtenTo, position + length);
      fs.write(fd, batch, 0, length, position, (error, written) => {
        if (error !== null || written !== length) reject(error ?? new Error('Short write'));
        else if (dataSync) end(null);
        else fs.fdatasync(fd, end);
      });
      position += bytes;
    };
    const end = (error: Error | null): void => {
      if (error !== null) {
        reject(error);
        return;
      }
      times.push(performance.now() - startedMs);
      next();
    };
    next();
  });
  fs.closeSync(fd);
  return times;
}

console.log(
  `node ${process.version}, ${directory}, ms per batch: median of ${ROUNDS} means (spread), p99`,
);
for (const bytes of [300, 6_500, 20_000, 60_000, 256_000]) {
  const count = bytes > 100_000 ? 150 : 800;
  const results = new Map<Case, number[][]>();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const item of cases) {
      const times = (await run(item, bytes, count)).sort((a, b) => a - b);
      results.set(item, [...(results.get(item) ?? []), times]);
    }
  }
  for (const [item, rounds] of results) {
    const means = rounds
      .map((times) => times.reduce((sum, ms) => sum + ms, 0) / times.length)
      .sort((a, b) => a - b);
    const p99 = rounds
      .map((times) => times[Math.floor(times.length * 0.99)] as number)
      .sort((a, b) => a - b);
    console.log(
      `${String(bytes).padStart(7)} bytes  ${item.name.padEnd(26)} ${means[2]?.toFixed(3)}` +
        ` (${means[0]?.toFixed(3)}-${means.at(-1)?.toFixed(3)})  p99 ${p99[2]?.toFixed(3)}`,
    );
  }
}
fs.rmSync(directory, { recursive: true });
