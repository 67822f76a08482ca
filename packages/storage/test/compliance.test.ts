import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, test } from 'vitest';
import { type DiskHarness, diskCases } from '../src/compliance.ts';
import {
  MemoryDisk,
  NodeDisk,
  type OpenWriteOptions,
  type ReadableFile,
  type WritableFile,
} from '../src/index.ts';

const made: string[] = [];
afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true });
});

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1_000_000; i += 1) {
    if (condition()) return;
    await setImmediate();
  }
  throw new Error('The condition does not come to hold');
}

class UncachedDisk extends NodeDisk {
  override openRead(path: string): ReadableFile {
    return super.openRead(path, { sequential: true });
  }

  override openWrite(path: string, options: OpenWriteOptions = {}): WritableFile {
    return super.openWrite(path, { ...options, uncached: true });
  }
}

const harnesses: Record<string, () => DiskHarness> = {
  node: () => {
    const directory = mkdtempSync(join(tmpdir(), 'zebu-disk-'));
    made.push(directory);
    return { disk: new NodeDisk(), directory, until };
  },
  'node, past the page cache,': () => {
    const directory = mkdtempSync(join(tmpdir(), 'zebu-disk-'));
    made.push(directory);
    return { disk: new UncachedDisk(), directory, until };
  },
  memory: () => {
    const disk = new MemoryDisk();
    disk.makeDirectory('/data');
    return { disk, directory: '/data', until };
  },
};

for (const [name, make] of Object.entries(harnesses)) {
  describe(`${name} disk`, () => {
    for (const diskCase of diskCases) test(diskCase.name, () => diskCase.run(make()));
  });
}
