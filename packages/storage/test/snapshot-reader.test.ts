import { beforeEach, describe, expect, test } from 'vitest';
import {
  MemoryDisk,
  SNAPSHOT_SIGNATURE,
  SnapshotReader,
  type SnapshotReaderOptions,
  type StorageError,
} from '../src/index.ts';
import { directoryOn, NamesTarget, treeBytes, writeSnapshot } from './helpers.ts';

const NAMES = ['', '/a', `/${'b'.repeat(9000)}`, '/c'];

class Target extends NamesTarget {
  sessions: string[] = [];
  override session(idHigh = 0, idLow = 0, timeoutMs = 0): void {
    this.sessions.push(`${idHigh.toString(16)}:${idLow.toString(16)} ${timeoutMs}`);
  }
}

/** A snapshot's sections 2 to 4 with two sessions in it. */
function sections(): Buffer {
  const sessions = Buffer.alloc(28);
  sessions.writeInt32BE(2, 0);
  sessions.writeBigInt64BE(0x1_0000_0002n, 4);
  sessions.writeInt32BE(30_000, 12);
  sessions.writeBigInt64BE(0x3_0000_0004n, 16);
  sessions.writeInt32BE(4_000, 24);
  return Buffer.concat([sessions, treeBytes(NAMES).subarray(4)]);
}

let file: Buffer;
let stream: Buffer;
beforeEach(async () => {
  const disk = new MemoryDisk();
  const { path } = await writeSnapshot(disk, directoryOn(disk), { zxid: 5, names: NAMES });
  file = disk.readFile(path);
  stream = Buffer.concat([sections(), SNAPSHOT_SIGNATURE]);
});

function readerOf(kind: SnapshotReaderOptions['kind'], options = {}) {
  const target = new Target();
  return {
    target,
    reader: new SnapshotReader({ kind, handler: target, name: 'peer 3', ...options }),
  };
}

/** Feeds chunks of the given sizes, in turn, each in a buffer of its own that is spoilt afterwards. */
function feedAll(reader: SnapshotReader, bytes: Buffer, ...sizes: number[]): number {
  let at = 0;
  for (let i = 0; at < bytes.length && !reader.isDone; i += 1) {
    const size = Math.min(sizes[i % sizes.length] as number, bytes.length - at);
    const chunk = Buffer.concat([Buffer.from('xx'), bytes.subarray(at, at + size)]);
    const taken = reader.feed(chunk, 2, chunk.length);
    chunk.fill(0xee);
    at += taken;
    if (!reader.isDone) expect(taken).toBe(size);
  }
  return at;
}

describe.each(['file', 'stream'] as const)('a %s', (kind) => {
  const bytesOf = () => (kind === 'file' ? file : stream);
  const check = (target: Target) => {
    expect(target.names).toEqual(NAMES);
    expect(target.sessions).toEqual(kind === 'file' ? [] : ['1:2 30000', '3:4 4000']);
  };

  test('may be cut in two anywhere', () => {
    for (let cut = 0; cut <= bytesOf().length; cut += 1) {
      const { target, reader } = readerOf(kind);
      feedAll(reader, bytesOf(), cut, bytesOf().length);
      reader.finish();
      check(target);
    }
  });

  test.each([[1], [2, 3], [7], [1, 5000], [4096], [10_000, 1]])(
    'comes in chunks of %j',
    (...sizes) => {
      const { target, reader } = readerOf(kind);
      expect(feedAll(reader, bytesOf(), ...(sizes as number[]))).toBe(bytesOf().length);
      const trailer = reader.finish();
      check(target);
      expect(trailer.lastProcessedZxid).toBe(kind === 'file' ? 5n : undefined);
    },
  );

  test('that ends before its end is refused, with a code', () => {
    for (let length = 0; length < bytesOf().length; length += 1) {
      // Without its optional sections a file is whole as well.
      if (kind === 'file' && [21, 54].includes(bytesOf().length - length)) continue;
      const { reader } = readerOf(kind);
      let code = 'none';
      try {
        feedAll(reader, bytesOf().subarray(0, length), 50_000);
        reader.finish();
      } catch (error) {
        ({ code } = error as StorageError);
      }
      expect(['BAD_SNAPSHOT', 'BAD_CHECKSUM']).toContain(code);
    }
  });

  test('with a record over the limit is refused before it is kept', () => {
    const { reader } = readerOf(kind, { maxRecordBytes: 8_000 });
    expect(() => feedAll(reader, bytesOf(), 100)).toThrow(
      expect.objectContaining({ code: 'BAD_SNAPSHOT', file: 'peer 3' }),
    );
    feedAll(readerOf(kind, { maxRecordBytes: 14_000 }).reader, bytesOf(), 100);
  });
});

test('what follows the signature of a stream is left, at every cut', () => {
  const packets = Buffer.from('packets that follow');
  const all = Buffer.concat([stream, packets]);
  for (let cut = stream.length - 20; cut <= all.length; cut += 1) {
    const { target, reader } = readerOf('stream');
    expect(feedAll(reader, all, cut, all.length)).toBe(stream.length);
    expect(reader.isDone).toBe(true);
    expect(reader.feed(all, stream.length, all.length)).toBe(0);
    expect(target.names).toEqual(NAMES);
  }
});

test('a wrong signature, a wrong magic, a wrong byte and a count below zero have their codes', () => {
  const wrong = Buffer.from(stream);
  wrong[wrong.length - 1] = 0x31;
  expect(() => feedAll(readerOf('stream').reader, wrong, 64)).toThrow(/without its signature/);
  const magic = Buffer.from(file);
  magic[0] = 0x31;
  expect(() => feedAll(readerOf('file').reader, magic, 64)).toThrow(/Not a snapshot: magic/);
  const flipped = Buffer.from(file);
  flipped[60] = 0x63;
  const { reader } = readerOf('file');
  feedAll(reader, flipped, 64);
  expect(() => reader.finish()).toThrow(expect.objectContaining({ code: 'BAD_CHECKSUM' }));
  const count = Buffer.from(stream);
  count.writeInt32BE(-3, 0);
  expect(() => feedAll(readerOf('stream').reader, count, 64)).toThrow('-3 sessions');
});

test('what a handler throws names the place and the peer', () => {
  const { target, reader } = readerOf('stream');
  target.records = () => {
    throw new Error('No such parent');
  };
  expect(() => reader.feed(stream, 0, stream.length)).toThrow('No such parent (peer 3, offset 28)');
});
