import { randomFillSync } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  type DataDirectory,
  loadSnapshot,
  looksValid,
  MemoryDisk,
  type SnapshotCompression,
  SnapshotWriter,
  StorageError,
} from '../src/index.ts';
import { directoryOn, NamesTarget, treeBytes, writeSnapshot } from './helpers.ts';

let disk: MemoryDisk;
let directory: DataDirectory;
beforeEach(() => {
  disk = new MemoryDisk();
  directory = directoryOn(disk);
});

const METHODS: SnapshotCompression[] = ['', 'gz', 'snappy'];
const suffix = { '': '', gz: '.gz', snappy: '.snappy' };
const manyNames = Array.from({ length: 120_000 }, (_, i) => `/znode-${i % 1000}-${i}`);

function load(name: string, compression: SnapshotCompression = ''): NamesTarget {
  const target = new NamesTarget();
  const path = `${directory.snapshotDirectory}/${name}`;
  for (const _ of loadSnapshot(disk, path, { zxid: 5, compression }, target));
  return target;
}

describe.each(METHODS)('compression "%s"', (compression) => {
  test.each([
    ['empty', ['']],
    ['small', ['', '/a', '/b']],
    ['larger than all buffers', manyNames],
  ])('a snapshot comes back: %s', async (_, names) => {
    const writer = await writeSnapshot(disk, directory, { zxid: 5, names, compression });
    expect(writer.name).toBe(`snapshot.5${suffix[compression]}`);
    expect(disk.list(directory.snapshotDirectory)).toEqual([writer.name]);
    expect(disk.size(writer.path)).toBe(writer.fileBytes);
    expect(looksValid(disk, writer.path, compression)).toBe(true);
    const target = load(writer.name, compression);
    expect(target.names.length).toBe(names.length);
    expect(target.names.join()).toBe(names.join());
    expect(target.trailer).toEqual({
      digest: { zxid: 5n, version: 2, digestHigh: 0, digestLow: 7 },
      lastProcessedZxid: 5n,
    });
  });

  test('a file that is cut anywhere is refused', async () => {
    const { path, name } = await writeSnapshot(disk, directory, { zxid: 5, compression });
    const whole = disk.readFile(path);
    for (let size = 0; size < whole.length; size += 1) {
      disk.writeFile(path, whole.subarray(0, size));
      // Without its optional sections a snapshot is whole as well.
      if (compression === '' && whole.length - size === 21) continue;
      if (compression === '' && whole.length - size === 54) continue;
      expect(() => load(name, compression), `size ${size}`).toThrow(StorageError);
    }
  });

  test('any damaged byte of the content is noticed', async () => {
    const { path, name } = await writeSnapshot(disk, directory, { zxid: 5, compression });
    const whole = disk.readFile(path);
    for (let at = 16; at < whole.length; at += 1) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] as number) ^ 0x21;
      disk.writeFile(path, damaged);
      expect(() => load(name, compression), `byte ${at}`).toThrow(StorageError);
    }
  });
});

test('gzip output is one that node:zlib reads', async () => {
  const plain = await writeSnapshot(disk, directory, { zxid: 5, names: manyNames });
  const packed = await writeSnapshot(disk, directory, {
    zxid: 5,
    names: manyNames,
    compression: 'gz',
  });
  expect(gunzipSync(disk.readFile(packed.path)).equals(disk.readFile(plain.path))).toBe(true);
  expect(packed.fileBytes).toBeLessThan(plain.fileBytes / 3);
});

test.each([
  [true, true],
  [true, false],
  [false, true],
  [false, false],
])('digest section %s and last zxid section %s are told by length', async (digest, lastZxid) => {
  await writeSnapshot(disk, directory, { zxid: 5, digest, lastZxid });
  const target = load('snapshot.5');
  expect(target.trailer?.digest !== undefined).toBe(digest);
  expect(target.trailer?.lastProcessedZxid !== undefined).toBe(lastZxid);
});

test('the empty-database snapshot of disk.md section 13 has these seals', async () => {
  const text = (value: string): Buffer => {
    const bytes = Buffer.alloc(4 + value.length);
    bytes.writeInt32BE(value.length);
    bytes.write(value, 4);
    return bytes;
  };
  const node = (path: string, acl: bigint, aversion: number): Buffer => {
    const stat = Buffer.alloc(60);
    stat.writeInt32BE(aversion, 40);
    const aclId = Buffer.alloc(8);
    aclId.writeBigInt64BE(acl);
    return Buffer.concat([text(path), Buffer.alloc(4), aclId, stat]);
  };
  const acl = Buffer.concat([
    Buffer.from('00000001000000000000000100000001' + '00000001', 'hex'),
    text('world'),
    text('anyone'),
  ]);
  const tree = Buffer.concat([
    Buffer.alloc(4),
    acl,
    node('', -1n, 0),
    node('/zookeeper', -1n, 0),
    node('/zookeeper/config', 1n, -1),
    node('/zookeeper/quota', -1n, 0),
    text('/'),
  ]);
  const writer = new SnapshotWriter({ disk, directory: directory.snapshotDirectory, zxid: 0 });
  writer.write(tree, 0, tree.length);
  writer.seal();
  const digest = Buffer.from('0000000000000000' + '00000002' + '0000000000000000', 'hex');
  writer.write(digest, 0, digest.length);
  writer.seal();
  writer.write(Buffer.alloc(8), 0, 8);
  writer.seal();
  await new Promise<void>((resolve) => writer.finish(() => resolve()));
  const bytes = disk.readFile(writer.path);
  expect(bytes.length).toBe(478);
  expect(bytes.subarray(-67).toString('hex')).toBe(
    [
      '00000000b8a23b49000000012f',
      '0000000000000000000000020000000000000000',
      '0000000095b93d59000000012f',
      '0000000000000000',
      '00000000bde83f6d000000012f',
    ].join(''),
  );
});

test('write asks to wait when the disk falls behind, and says when to go on', () => {
  const queue: (() => void)[] = [];
  disk = new MemoryDisk({ schedule: (fn) => queue.push(fn) });
  directory = directoryOn(disk);
  let readies = 0;
  const writer = new SnapshotWriter({
    disk,
    directory: directory.snapshotDirectory,
    zxid: 1,
    onReady: () => {
      readies += 1;
    },
  });
  const bytes = Buffer.alloc(64 * 1024);
  let taken = 0;
  while (writer.write(bytes, 0, bytes.length)) taken += bytes.length;
  expect(taken).toBeLessThan(1024 * 1024);
  expect(readies).toBe(0);
  while (readies === 0) (queue.shift() as () => void)();
  expect(writer.ready).toBe(true);
});

test('nothing is visible before finish, and an aborted snapshot leaves nothing', async () => {
  const writer = new SnapshotWriter({ disk, directory: directory.snapshotDirectory, zxid: 1 });
  const tree = treeBytes(manyNames);
  writer.write(tree, 0, tree.length);
  await new Promise((resolve) => setImmediate(resolve));
  expect(disk.list(directory.snapshotDirectory)).toEqual(['tmp-snapshot.1']);
  await new Promise<void>((resolve) => writer.abort(resolve));
  expect(disk.list(directory.snapshotDirectory)).toEqual([]);
});

test.each(METHODS)(
  'a failed write is reported by finish, which leaves nothing: "%s"',
  async (compression) => {
    const failing = new MemoryDisk();
    directory = directoryOn(failing);
    const broken = new Error('ENOSPC: no space') as NodeJS.ErrnoException;
    broken.code = 'ENOSPC';
    const openWrite = failing.openWrite.bind(failing);
    failing.openWrite = (path, options) => {
      const file = openWrite(path, options);
      return {
        ...file,
        write: (_buffer, _length, position, done) =>
          position < 16
            ? file.write(Buffer.alloc(1), 1, position, done)
            : queueMicrotask(() => done(broken)),
      };
    };
    const writer = new SnapshotWriter({
      disk: failing,
      directory: directory.snapshotDirectory,
      zxid: 1,
      compression,
    });
    // Several chunks that wait for each other.
    writer.write(randomFillSync(Buffer.alloc(2_000_000)), 0, 2_000_000);
    writer.seal();
    const error = await new Promise<StorageError | undefined>((resolve) => writer.finish(resolve));
    expect(error?.code).toBe('DISK_FAILED');
    expect(error?.message).toContain('ENOSPC');
    expect(failing.list(directory.snapshotDirectory)).toEqual([]);
  },
);

test('a field larger than what is read at a time is put together', async () => {
  const names = ['', '/a', 'x'.repeat(3_000_000), '/b'];
  await writeSnapshot(disk, directory, { zxid: 5, names });
  const target = load('snapshot.5');
  expect(target.names.map((name) => name.length)).toEqual(names.map((name) => name.length));
});

test('garbage lengths neither hang nor take memory', async () => {
  const { path, name } = await writeSnapshot(disk, directory, { zxid: 5 });
  const bytes = disk.readFile(path);
  bytes.writeInt32BE(0x7fffffff, 24);
  disk.writeFile(path, bytes);
  const before = process.memoryUsage().arrayBuffers;
  expect(() => load(name)).toThrow(StorageError);
  bytes.writeInt32BE(-5, 24);
  disk.writeFile(path, bytes);
  expect(() => load(name)).toThrow(StorageError);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
});
