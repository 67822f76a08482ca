import { beforeEach, expect, test } from 'vitest';
import {
  adoptSnapshot,
  type DataDirectory,
  EpochFiles,
  loadEpochs,
  MemoryDisk,
  SNAPSHOT_SIGNATURE,
  SnapshotSpool,
} from '../src/index.ts';
import { directoryOn, NamesTarget, recoverAll, treeBytes, writeSnapshot } from './helpers.ts';

const NAMES = ['', ...Array.from({ length: 3000 }, (_, i) => `/znode-${i}`.padEnd(400, '.'))];

let disk: MemoryDisk;
let directory: DataDirectory;
let stream: Buffer;
let readyCalls: number;
beforeEach(async () => {
  disk = new MemoryDisk();
  directory = directoryOn(disk);
  await writeSnapshot(disk, directory, { zxid: 0 });
  stream = Buffer.concat([treeBytes(NAMES), SNAPSHOT_SIGNATURE]);
  readyCalls = 0;
});

function spoolTo(target: NamesTarget): SnapshotSpool {
  return new SnapshotSpool({
    disk,
    directory: directory.snapshotDirectory,
    zxid: 40,
    handler: target,
    name: 'leader',
    onReady: () => {
      readyCalls += 1;
    },
  });
}

async function adopt(spool: SnapshotSpool): Promise<unknown> {
  const { snapshotDirectory } = directory;
  const epochs = new EpochFiles(disk, snapshotDirectory, loadEpochs(disk, snapshotDirectory, 0));
  return new Promise((done) => {
    adoptSnapshot({ disk, directory, spool: spool.writer, epochs, done });
  });
}

test.each([100, 4096, 65_536, 5_000_000])(
  'what comes in chunks of %i bytes is loaded, and is the same when it is adopted and recovered',
  async (size) => {
    const target = new NamesTarget();
    const spool = spoolTo(target);
    const bytes = Buffer.concat([stream, Buffer.from('packets')]);
    let at = 0;
    for (;;) {
      at += spool.feed(bytes, at, Math.min(bytes.length, at + size));
      if (spool.isDone) break;
      while (!spool.isReady) await Promise.resolve();
    }
    expect(at).toBe(stream.length);
    spool.finish();
    expect(target.names).toEqual(NAMES);
    expect(await adopt(spool)).toBeUndefined();
    const again = recoverAll(disk, directory);
    expect(again).toMatchObject({ zxid: 40, snapshotZxid: 40, warnings: [] });
    expect(again.target.names).toEqual(NAMES);
  },
);

test('a disk that is slower than the link asks for a pause, and says when it is over', async () => {
  const spool = spoolTo(new NamesTarget());
  let at = 0;
  while (spool.isReady && at < stream.length) at += spool.feed(stream, at, at + 10_000);
  expect(at).toBeLessThan(stream.length);
  expect(readyCalls).toBe(0);
  while (!spool.isReady) await Promise.resolve();
  expect(readyCalls).toBe(1);
  await new Promise<void>((done) => spool.abort(done));
});

test('half a snapshot is none (ZOOKEEPER-3642)', async () => {
  for (const length of [0, 10, 500_000, stream.length - 1]) {
    const spool = spoolTo(new NamesTarget());
    spool.feed(stream, 0, length);
    expect(spool.isDone).toBe(false);
    expect(() => spool.finish()).toThrow(expect.objectContaining({ code: 'BAD_SNAPSHOT' }));
    await new Promise<void>((done) => spool.abort(done));
    expect(disk.list(directory.snapshotDirectory)).toEqual(['snapshot.0']);
  }
});
