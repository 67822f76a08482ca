// Real files of Apache's servers (test/fixtures/README.md) through our readers and back.

import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ByteReader, decodeTxn, encodeTxn, readAclVector } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import {
  type DataDirectory,
  loadEpochs,
  loadSnapshot,
  logFiles,
  MemoryDisk,
  NodeDisk,
  parseSnapshotName,
  type RecoveryTarget,
  recover,
  type SnapshotTrailer,
  SnapshotWriter,
  snapshotFiles,
  TxnLogReader,
  TxnLogWriter,
} from '../src/index.ts';
import { RECORD_FRAME_BYTES } from '../src/log-record.ts';
import { directoryOn } from './helpers.ts';
import { canRunAsOther, runAsOther } from './support/other-user.ts';

const fixtures = join(import.meta.dirname, 'fixtures');
const disk = new NodeDisk();

function directoryOf(name: string): DataDirectory {
  const dataDir = join(fixtures, name);
  const version2 = `${dataDir}/version-2`;
  return { dataDir, dataLogDir: dataDir, snapshotDirectory: version2, logDirectory: version2 };
}

/** Parses sections 2 to 4, and keeps their bytes. */
class ParsingTarget implements RecoveryTarget {
  readonly sessions: bigint[] = [];
  acls = 0;
  readonly paths: string[] = [];
  tree: Buffer = Buffer.alloc(0);
  trailer: SnapshotTrailer | undefined;
  readonly zxids: number[] = [];

  isComplete = false;

  session(idHigh: number, idLow: number, timeoutMs: number): void {
    const bytes = Buffer.alloc(12);
    bytes.writeInt32BE(idHigh, 0);
    bytes.writeInt32BE(idLow, 4);
    bytes.writeInt32BE(timeoutMs, 8);
    this.sessions.push(bytes.readBigInt64BE(0));
    this.tree = Buffer.concat([this.tree, bytes]);
  }

  records(bytes: Buffer, start: number, end: number): number {
    // The fixtures come in one piece.
    const reader = new ByteReader(bytes, start, end);
    for (this.acls = reader.int32(); this.acls > 0; this.acls -= 1) {
      reader.skip(8);
      expect(readAclVector(reader)).not.toBeNull();
    }
    for (;;) {
      const path = reader.string() as string;
      if (path === '/') break;
      this.paths.push(path);
      reader.buffer();
      reader.skip(8 + 60);
    }
    const count = Buffer.alloc(4);
    count.writeInt32BE(this.sessions.length);
    this.tree = Buffer.concat([count, this.tree, bytes.subarray(start, reader.offset)]);
    this.isComplete = true;
    return reader.offset - start;
  }

  snapshotLoaded(_zxid: number, trailer: SnapshotTrailer): void {
    this.trailer = trailer;
  }

  applyEntry(bytes: Buffer, start: number, end: number, zxid: number): void {
    const txn = decodeTxn(bytes, start, end);
    expect(txn.header.zxid).toBe(zxid);
    expect(encodeTxn(txn).equals(bytes.subarray(start, end))).toBe(true);
    this.zxids.push(zxid);
  }
}

describe.each([
  ['apache-3.9.5', 0x23, 0x2c, true],
  ['apache-3.9.5-gz', 0x23, 0x2c, true],
  ['apache-3.9.5-snappy', 0x23, 0x2c, true],
  ['apache-3.8.6', 0x23, 0x2c, false],
  ['apache-3.9.5-member', 0x1_0000_001a, 0x3_0000_0004, true],
])('the directory of %s', (name, snapshotZxid, zxid, hasLastZxid) => {
  const directory = directoryOf(name);
  const names = disk.list(directory.snapshotDirectory);

  function load(file: string): ParsingTarget {
    const snapshot = parseSnapshotName(file);
    if (snapshot === undefined) throw new Error(`${file} is no snapshot`);
    const target = new ParsingTarget();
    const path = `${directory.snapshotDirectory}/${file}`;
    for (const _ of loadSnapshot(disk, path, snapshot, target));
    return target;
  }

  test('is recovered', () => {
    const steps = recover({
      disk,
      directory,
      createTarget: () => new ParsingTarget(),
      repair: false,
    });
    let step = steps.next();
    while (step.done !== true) step = steps.next();
    const { target, ...result } = step.value;
    expect(result).toMatchObject({ zxid, snapshotZxid, warnings: [], repeatedEntries: 0 });
    expect(target.zxids.length).toBe(result.entries);
    expect(target.paths).toContain('/app/config');
    expect(target.paths).toContain('/u\u00e9');
    expect(target.trailer?.digest?.version).toBe(2);
  });

  test('has snapshots that all verify, with the sections of its release', () => {
    for (const { name: file } of snapshotFiles(names)) {
      const target = load(file);
      expect(target.paths[0]).toBe('');
      expect(target.trailer?.digest).toBeDefined();
      expect(target.trailer?.lastProcessedZxid !== undefined, file).toBe(hasLastZxid);
    }
  });

  test('has snapshots that we write in the same bytes', async () => {
    for (const { name: file, zxid: at, compression } of snapshotFiles(names)) {
      if (compression !== '') continue;
      const { tree, trailer } = load(file);
      const memory = new MemoryDisk();
      const writer = new SnapshotWriter({
        disk: memory,
        directory: directoryOn(memory).snapshotDirectory,
        zxid: at,
      });
      writer.write(tree, 0, tree.length);
      writer.seal();
      const digest = Buffer.alloc(20);
      digest.writeBigInt64BE(trailer?.digest?.zxid ?? 0n, 0);
      digest.writeInt32BE(2, 8);
      digest.writeInt32BE(trailer?.digest?.digestHigh ?? 0, 12);
      digest.writeInt32BE(trailer?.digest?.digestLow ?? 0, 16);
      writer.write(digest, 0, 20);
      writer.seal();
      if (trailer?.lastProcessedZxid !== undefined) {
        const last = Buffer.alloc(8);
        last.writeBigInt64BE(trailer.lastProcessedZxid);
        writer.write(last, 0, 8);
        writer.seal();
      }
      await new Promise<void>((resolve) => writer.finish(() => resolve()));
      const theirs = readFileSync(`${directory.snapshotDirectory}/${file}`);
      expect(memory.readFile(writer.path).equals(theirs)).toBe(true);
    }
  });

  test('has logs whose every entry survives decoding, and that we write in the same bytes', async () => {
    const memory = new MemoryDisk();
    const ours = directoryOn(memory);
    const writer = new TxnLogWriter({
      disk: memory,
      directory: ours.logDirectory,
      lastZxid: 0,
      preAllocBytes: 0,
      onDurable: () => {},
      onFailure: (error) => {
        throw error;
      },
    });
    const reader = new TxnLogReader({ disk, directory: directory.logDirectory, afterZxid: 0 });
    let file = '';
    const target = new ParsingTarget();
    while (reader.next()) {
      if (reader.file !== file) writer.roll();
      file = reader.file;
      target.applyEntry(reader.bytes, reader.start, reader.end, reader.zxid);
      writer.append(reader.zxid, reader.bytes, reader.start, reader.end);
    }
    reader.close();
    await new Promise<void>((resolve) => writer.close(() => resolve()));
    expect(reader.tornTail).toBeUndefined();
    expect(target.zxids.length).toBeGreaterThan(40);
    for (const { name: log } of logFiles(names)) {
      const theirs = readFileSync(`${directory.logDirectory}/${log}`);
      const mine = memory.readFile(`${ours.logDirectory}/${log}`);
      expect(theirs.length).toBeGreaterThan(RECORD_FRAME_BYTES);
      expect(mine.equals(theirs.subarray(0, mine.length)), log).toBe(true);
      expect(theirs.subarray(mine.length).every((byte) => byte === 0)).toBe(true);
    }
  });
});

test("a member's epochs are read, and agree with its data", () => {
  const { snapshotDirectory } = directoryOf('apache-3.9.5-member');
  expect(loadEpochs(disk, snapshotDirectory, 0x3_0000_0004)).toEqual({
    currentEpoch: 3,
    acceptedEpoch: 3,
  });
});

test.runIf(canRunAsOther())('a backup that may be read and not written is recovered', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'zebu-backup-'));
  try {
    cpSync(join(fixtures, 'apache-3.9.5'), dataDir, { recursive: true });
    const version2 = join(dataDir, 'version-2');
    for (const name of readdirSync(version2)) chmodSync(join(version2, name), 0o444);
    for (const path of [dataDir, version2]) chmodSync(path, 0o777);
    const recovered = runAsOther(`
      const disk = new storage.NodeDisk();
      const directory = storage.openDataDirectory({ disk, dataDir: ${JSON.stringify(dataDir)} });
      // Three seals, the digest and the last zxid follow the nodes: 67 bytes.
      const createTarget = () => ({
        isComplete: false,
        session() {},
        records(_bytes, start, end) {
          this.isComplete = true;
          return end - start - 67;
        },
        snapshotLoaded() {},
        applyEntry() {},
      });
      const steps = storage.recover({ disk, directory, createTarget });
      for (;;) {
        const step = steps.next();
        if (step.done) return [process.getuid(), step.value.snapshotZxid, step.value.zxid];
      }`);
    const [uid, ...zxids] = recovered as [number, number, number];
    expect(uid).not.toBe(0);
    expect(zxids).toEqual([0x23, 0x2c]);
  } finally {
    rmSync(dataDir, { recursive: true });
  }
});
