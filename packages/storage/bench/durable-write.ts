// How a batch of log records gets onto stable storage soonest (docs/decisions/020).
//   node --conditions=@zebu/source bench/durable-write.ts [directory]
//
// Each case appends batches one after another, as group commit does under load, into a file of 64 MiB
// that is sparse (as Java makes it) or filled with zeros beforehand. Rounds of the cases alternate.

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
}

const cases: Case[] = [
  { name: 'write + fdatasync, sparse', dataSync: false, zeroed: false },
  { name: 'O_DSYNC, sparse', dataSync: true, zeroed: false },
  { name: 'write + fdatasync, zeroed', dataSync: false, zeroed: true },
  { name: 'O_DSYNC, zeroed', dataSync: true, zeroed: true },
];

async function run({ dataSync, zeroed }: Case, bytes: number, count: number): Promise<number[]> {
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
  const batch = Buffer.alloc(bytes, 7);
  const times: number[] = [];
  await new Promise<void>((resolve, reject) => {
    let position = 16;
    let startedMs = 0;
    const next = (): void => {
      if (times.length === count) {
        resolve();
        return;
      }
      startedMs = performance.now();
      fs.write(fd, batch, 0, bytes, position, (error, written) => {
        if (error !== null || written !== bytes) reject(error ?? new Error('Short write'));
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
  `node ${process.version}, ${directory}, ms per batch: median of ${ROUNDS} medians (spread), p99`,
);
for (const bytes of [300, 4_000, 32_000, 256_000]) {
  const count = bytes > 100_000 ? 150 : 800;
  const results = new Map<Case, number[][]>();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const item of cases) {
      const times = (await run(item, bytes, count)).sort((a, b) => a - b);
      results.set(item, [...(results.get(item) ?? []), times]);
    }
  }
  for (const [item, rounds] of results) {
    const medians = rounds.map((times) => times[times.length >> 1] as number).sort((a, b) => a - b);
    const p99 = rounds
      .map((times) => times[Math.floor(times.length * 0.99)] as number)
      .sort((a, b) => a - b);
    console.log(
      `${String(bytes).padStart(7)} bytes  ${item.name.padEnd(26)} ${medians[2]?.toFixed(3)}` +
        ` (${medians[0]?.toFixed(3)}-${medians.at(-1)?.toFixed(3)})  p99 ${p99[2]?.toFixed(3)}`,
    );
  }
}
fs.rmSync(directory, { recursive: true });
