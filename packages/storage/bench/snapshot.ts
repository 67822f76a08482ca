// Snapshots of a million znodes of about 250 bytes: written in slices, loaded without a tree.
//   node --conditions=@zebu/source bench/snapshot.ts [directory]

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { loadSnapshot, NodeDisk, type SnapshotCompression, SnapshotWriter } from '@zebu/storage';

const ZNODES = 1_000_000;
const directory = mkdtempSync(join(process.argv[2] ?? process.cwd(), 'zebu-bench-'));
const disk = new NodeDisk();

/** One node record: path, 160 bytes of data, ACL id, stat. */
const path = Buffer.from('/services/service-000/instance-0000000');
const data = Buffer.alloc(140);
for (let i = 0; i < data.length; i += 1) data[i] = 97 + ((i * i) % 26);
const record = Buffer.alloc(4 + path.length + 4 + data.length + 8 + 60);
record.writeInt32BE(path.length, 0);
path.copy(record, 4);
record.writeInt32BE(data.length, 4 + path.length);
data.copy(record, 8 + path.length);

class Skimmer {
  isComplete = false;
  private hasAcls = false;
  session(): void {}
  snapshotLoaded(): void {}
  records(bytes: Buffer, start: number, end: number): number {
    let at = start;
    if (!this.hasAcls) {
      at += 4;
      this.hasAcls = true;
    }
    while (end - at >= 4) {
      const pathBytes = bytes.readInt32BE(at);
      if (pathBytes === 1) {
        this.isComplete = end - at >= 5;
        return this.isComplete ? at + 5 - start : at - start;
      }
      if (end - at < 8 + pathBytes) break;
      const next = at + 8 + pathBytes + bytes.readInt32BE(at + 4 + pathBytes) + 68;
      if (next > end) break;
      at = next;
    }
    return at - start;
  }
}

for (const compression of ['', 'snappy', 'gz'] as SnapshotCompression[]) {
  let wake: (() => void) | undefined;
  const writer = new SnapshotWriter({
    disk,
    directory,
    zxid: 1,
    compression,
    onReady: () => wake?.(),
  });
  const startedMs = performance.now();
  let longestMs = 0;
  const head = Buffer.alloc(8);
  writer.write(head, 0, head.length);
  for (let i = 0; i < ZNODES; ) {
    const sliceMs = performance.now();
    let goOn = true;
    for (let k = 0; k < 500; k += 1, i += 1) {
      record.write(String(i), record.length - 20, 'latin1');
      record.writeInt32BE(i, 60);
      goOn = writer.write(record, 0, record.length);
    }
    longestMs = Math.max(longestMs, performance.now() - sliceMs);
    await new Promise<void>((resolve) => {
      if (goOn) setImmediate(resolve);
      else wake = resolve;
    });
  }
  const tail = Buffer.from('000000012f', 'hex');
  writer.write(tail, 0, tail.length);
  writer.seal();
  await new Promise<void>((resolve) => writer.finish(() => resolve()));
  const writeMs = performance.now() - startedMs;

  const loadStartMs = performance.now();
  const target = new Skimmer();
  for (const _ of loadSnapshot(disk, writer.path, { zxid: 1, compression }, target));
  const loadMs = performance.now() - loadStartMs;
  const megabytes = writer.bytesWritten / 1e6;
  console.log(
    `${(compression || 'plain').padEnd(6)} ${megabytes.toFixed(0)} MB as ${(writer.fileBytes / 1e6).toFixed(0)} MB;`,
    `written in ${writeMs.toFixed(0)} ms (${((megabytes / writeMs) * 1000).toFixed(0)} MB/s), longest slice ${longestMs.toFixed(1)} ms;`,
    `loaded in ${loadMs.toFixed(0)} ms (${((megabytes / loadMs) * 1000).toFixed(0)} MB/s)`,
  );
}
rmSync(directory, { recursive: true });
