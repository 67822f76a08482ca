import { beforeEach, describe, expect, test } from 'vitest';
import {
  type DataDirectory,
  MemoryDisk,
  openTxnFeed,
  Pins,
  purge,
  type TxnFeed,
  type TxnFeedOptions,
  type TxnFeedOutcome,
  TxnLogReader,
  TxnLogWriter,
} from '../src/index.ts';
import {
  appendAll,
  directoryOn,
  EPOCH,
  entry,
  logBytes,
  range,
  writeLog,
  writeSnapshot,
} from './helpers.ts';

let disk: MemoryDisk;
let directory: DataDirectory;
beforeEach(() => {
  disk = new MemoryDisk();
  directory = directoryOn(disk);
});

const SMALL = { preAllocBytes: 16_384 };
const pathOf = (name: string) => `${directory.logDirectory}/${name}`;
const feedOf = (fromZxid: number, toZxid: number, options: Partial<TxnFeedOptions> = {}) =>
  openTxnFeed({ disk, directory, fromZxid, toZxid, pins: new Pins(), ...options });
const ask = (feed: TxnFeed) => new Promise<TxnFeedOutcome>((resolve) => feed.next(resolve));

interface Fed {
  zxids: number[];
  entries: Buffer[];
  previousZxid: number | undefined;
  last: TxnFeedOutcome;
}

/** Asks until something else than txns comes; the chunks must join. */
async function drainFeed(feed: TxnFeed, onChunk: () => void = () => {}): Promise<Fed> {
  const fed: Fed = {
    zxids: [],
    entries: [],
    previousZxid: undefined,
    last: { kind: 'end', lastZxid: -1 },
  };
  for (;;) {
    const outcome = await ask(feed);
    fed.last = outcome;
    if (outcome.kind !== 'txns') return fed;
    expect(outcome.count).toBeGreaterThan(0);
    fed.previousZxid ??= outcome.previousZxid;
    if (fed.zxids.length > 0) expect(outcome.previousZxid).toBe(fed.zxids.at(-1));
    for (let i = 0; i < outcome.count; i += 1) {
      fed.zxids.push(outcome.zxids[i] as number);
      fed.entries.push(Buffer.from(outcome.bytes.subarray(outcome.starts[i], outcome.ends[i])));
    }
    onChunk();
  }
}

/** Logs of ten txns each: 1 to 10, 11 to 20, ... */
async function tens(count: number, padding = 0): Promise<void> {
  await writeSnapshot(disk, directory, { zxid: 0 });
  for (let first = 1; first <= 10 * count; first += 10) {
    await appendAll(disk, directory, range(first, first + 9), {
      lastZxid: first - 1,
      padding,
      ...SMALL,
    });
  }
}

test('hands out the entries above and up to, as they were logged, over all logs', async () => {
  await tens(3);
  for (let from = 0; from <= 30; from += 1) {
    for (const to of [from, from + 1, from + 7, 30]) {
      if (to > 30) continue;
      const feed = feedOf(from, to);
      const { zxids, entries, previousZxid, last } = await drainFeed(feed);
      feed.close();
      expect(zxids).toEqual(to > from ? range(from + 1, to) : []);
      expect(entries.every((bytes, i) => bytes.equals(entry(zxids[i] as number)))).toBe(true);
      if (to > from) expect(previousZxid).toBe(from);
      expect(last).toEqual({ kind: 'end', lastZxid: to });
    }
  }
});

test('hands out the same as TxnLogReader, from logs of many chunks and records of every size', async () => {
  await writeSnapshot(disk, directory, { zxid: 0 });
  let zxid = 0;
  for (const padding of [0, 300_000, 5, 262_000, 262_144, 70_000, 1]) {
    const zxids = range(zxid + 1, zxid + 9);
    await appendAll(disk, directory, zxids, { lastZxid: zxid, padding, batch: 2, ...SMALL });
    zxid += 9;
  }
  const feed = feedOf(0, zxid);
  const { entries } = await drainFeed(feed);
  const reader = new TxnLogReader({ disk, directory: directory.logDirectory, afterZxid: 0 });
  for (const bytes of entries) {
    expect(reader.next()).toBe(true);
    expect(bytes.equals(reader.bytes.subarray(reader.start, reader.end))).toBe(true);
  }
  expect(entries).toHaveLength(63);
});

test('an entry over the expected length is handed out if it is whole', async () => {
  await writeSnapshot(disk, directory, { zxid: 0 });
  await appendAll(disk, directory, range(1, 3), { padding: 400_000, preAllocBytes: 0 });
  const { zxids, last } = await drainFeed(feedOf(0, 3, { maxEntryBytes: 1_000 }));
  expect([zxids, last]).toEqual([[1, 2, 3], { kind: 'end', lastZxid: 3 }]);
});

test('nothing is called back before next has returned, and nothing after close', async () => {
  await tens(1);
  const feed = feedOf(3, 5);
  const called: string[] = [];
  feed.next(({ kind }) => called.push(kind));
  expect(called).toEqual([]);
  expect(() => feed.next(() => {})).toThrow(/asked already/);
  feed.close();
  await new Promise((resolve) => setImmediate(resolve));
  expect(called).toEqual([]);
  expect(() => feed.next(() => {})).toThrow(/closed/);
});

describe('a log that is being written', () => {
  let writer: TxnLogWriter;
  let durable: number;
  beforeEach(async () => {
    await writeSnapshot(disk, directory, { zxid: 0 });
    durable = 0;
    writer = new TxnLogWriter({
      disk,
      directory: directory.logDirectory,
      lastZxid: 0,
      onDurable: (zxid) => {
        durable = zxid;
      },
      onFailure: (error) => {
        throw error;
      },
      ...SMALL,
    });
  });
  const append = async (to: number): Promise<void> => {
    for (let zxid = writer.appendedZxid + 1; zxid <= to; zxid += 1) {
      const bytes = entry(zxid, zxid % 50);
      writer.append(zxid, bytes, 0, bytes.length);
    }
    writer.flush();
    while (durable < to) await Promise.resolve();
  };

  test('is followed over rolls, as far as the feed is raised', async () => {
    await append(40);
    const feed = feedOf(10, 30);
    expect((await drainFeed(feed)).zxids).toEqual(range(11, 30));
    let last = 30;
    for (let to = 35; to < 400; to += 37) {
      await append(to + 5);
      if (to % 2 === 0) writer.roll();
      feed.raise(to);
      const fed = await drainFeed(feed);
      expect(fed.zxids).toEqual(range(last + 1, to));
      expect(fed.last).toEqual({ kind: 'end', lastZxid: to });
      last = to;
    }
    feed.raise(5);
    expect(await ask(feed)).toEqual({ kind: 'end', lastZxid: last });
  });

  test('whose newest bytes were read before they were written is read again', async () => {
    await append(3);
    const feed = feedOf(0, 3);
    await drainFeed(feed);
    await append(9);
    feed.raise(9);
    expect((await drainFeed(feed)).zxids).toEqual(range(4, 9));
  });
});

describe('what the logs do not reach', () => {
  const reasonOf = async (from: number, to: number, options = {}): Promise<string> => {
    const feed = feedOf(from, to, options);
    const { last } = await drainFeed(feed);
    // It stays so.
    expect(await ask(feed)).toEqual(last);
    feed.close();
    if (last.kind !== 'unreachable') return last.kind;
    return `${last.reason}; oldest 0x${last.oldestZxid.toString(16)}`;
  };

  test('is said: no logs, logs that begin too late, and a zxid above them', async () => {
    expect(await reasonOf(5, 9)).toBe('Txns after 0x5: there are no logs; oldest 0x-1');
    await tens(3);
    disk.unlink(pathOf('snapshot.0'));
    expect(await reasonOf(0, 9)).toBe('Txns after 0x0: the oldest log is log.1; oldest 0x1');
    disk.unlink(pathOf('log.1'));
    expect(await reasonOf(9, 20)).toBe('Txns after 0x9: the oldest log is log.b; oldest 0xb');
    // One txn before the first one is not enough: nothing shows that it is in this history.
    expect(await reasonOf(10, 20)).toBe('Txns after 0xa: the oldest log is log.b; oldest 0xb');
    expect(await reasonOf(11, 20)).toBe('end');
    expect(await reasonOf(25, 40)).toBe('Txns after 0x19: the logs end at 0x1e; oldest 0x15');
  });

  test('is reached where a snapshot lies just under the oldest log', async () => {
    await writeSnapshot(disk, directory, { zxid: 10 });
    await appendAll(disk, directory, range(11, 20), { lastZxid: 10, ...SMALL });
    const { zxids, previousZxid } = await drainFeed(feedOf(10, 20));
    expect([zxids, previousZxid]).toEqual([range(11, 20), 10]);
    expect(await reasonOf(9, 20)).toMatch(/the oldest log is log\.b/);
  });

  test('is not reached from a snapshot with another one between it and the oldest log', async () => {
    await writeSnapshot(disk, directory, { zxid: 0 });
    await writeSnapshot(disk, directory, { zxid: 2 * EPOCH });
    writeLog(disk, directory, 2 * EPOCH + 1, logBytes(range(2 * EPOCH + 1, 2 * EPOCH + 5)));
    expect(await reasonOf(0, 2 * EPOCH + 5)).toMatch(/the oldest log is log\.200000001/);
    expect(await reasonOf(EPOCH + 3, 2 * EPOCH + 5)).toMatch(/the oldest log is log\.200000001/);
    expect(await reasonOf(2 * EPOCH, 2 * EPOCH + 5)).toBe('end');
    // The first txn of an ensemble's life is of epoch 1 at least.
    disk.unlink(pathOf('snapshot.200000000'));
    expect((await drainFeed(feedOf(0, 2 * EPOCH + 5))).previousZxid).toBe(0);
  });

  test('a learner whose zxid this history does not have is told what it follows', async () => {
    await writeSnapshot(disk, directory, { zxid: 0 });
    await appendAll(disk, directory, range(1, 20), SMALL);
    await appendAll(disk, directory, range(2 * EPOCH + 1, 2 * EPOCH + 5), {
      lastZxid: 20,
      ...SMALL,
    });
    for (const from of [21, EPOCH, EPOCH + 7, 2 * EPOCH]) {
      const { zxids, previousZxid } = await drainFeed(feedOf(from, 2 * EPOCH + 2));
      expect([zxids, previousZxid]).toEqual([[2 * EPOCH + 1, 2 * EPOCH + 2], 20]);
    }
  });

  test('a gap between logs ends it (ZOOKEEPER-2418)', async () => {
    await tens(3);
    disk.unlink(pathOf('log.b'));
    const feed = feedOf(5, 30);
    const { zxids, last } = await drainFeed(feed);
    expect(zxids).toEqual(range(6, 10));
    expect(last).toMatchObject({
      kind: 'unreachable',
      oldestZxid: 21,
      reason: 'Txns after 0x5: 0x15 comes after 0xa',
    });
    expect(await reasonOf(15, 30)).toBe('Txns after 0xf: 0x15 comes after 0xa; oldest 0x15');
  });

  test('so does a snapshot that another server got from its leader, with proposals of a dead epoch before it', async () => {
    await writeSnapshot(disk, directory, { zxid: 0 });
    await appendAll(disk, directory, range(1, 20), SMALL);
    await writeSnapshot(disk, directory, { zxid: 3 * EPOCH, compression: 'gz' });
    writeLog(disk, directory, 3 * EPOCH + 1, logBytes(range(3 * EPOCH + 1, 3 * EPOCH + 5)));
    expect(await reasonOf(10, 3 * EPOCH + 5)).toMatch(
      /before log\.300000001 the history was replaced by a snapshot; oldest 0x300000001/,
    );
    expect((await drainFeed(feedOf(3 * EPOCH, 3 * EPOCH + 5))).zxids).toHaveLength(5);
  });

  test('txns that another server logged twice are handed out once (ZOOKEEPER-4712)', async () => {
    await tens(2);
    writeLog(disk, directory, 18, logBytes(range(18, 25)));
    const { zxids } = await drainFeed(feedOf(5, 25));
    expect(zxids).toEqual(range(6, 25));
  });
});

describe('damage and disk errors', () => {
  test.each([
    ['a byte of an entry', 60, 'BAD_CHECKSUM'],
    ['a length', 24, 'BAD_LENGTH'],
  ])('%s that is wrong ends it', async (_, at, code) => {
    await tens(1);
    const bytes = disk.readFile(pathOf('log.1'));
    bytes[at] = 0xff;
    disk.writeFile(pathOf('log.1'), bytes);
    const { last } = await drainFeed(feedOf(0, 10));
    expect(last).toMatchObject({ kind: 'failed', error: { code, file: pathOf('log.1') } });
  });

  test('a torn tail that a crash left is passed where the next log goes on', async () => {
    await writeSnapshot(disk, directory, { zxid: 0 });
    const torn = Buffer.concat([
      logBytes(range(1, 5), 0),
      Buffer.from('leftovers of a torn write'),
    ]);
    writeLog(disk, directory, 1, torn);
    writeLog(disk, directory, 6, logBytes(range(6, 9)));
    expect((await drainFeed(feedOf(2, 9))).zxids).toEqual(range(3, 9));
  });

  test('a read that fails ends it', async () => {
    await tens(1);
    const { openRead } = disk;
    disk.openRead = (path) => ({
      ...openRead.call(disk, path),
      readAsync: (_target, _offset, _length, _position, done) =>
        queueMicrotask(() => done(Object.assign(new Error('EIO'), { code: 'EIO' }), 0)),
    });
    expect((await drainFeed(feedOf(0, 5))).last).toMatchObject({
      kind: 'failed',
      error: { code: 'DISK_FAILED' },
    });
  });

  test('a log without its header', async () => {
    await tens(1);
    disk.writeFile(pathOf('log.1'), Buffer.from('ZKL'));
    expect((await drainFeed(feedOf(0, 5))).last).toMatchObject({ error: { code: 'BAD_MAGIC' } });
  });
});

describe('purge', () => {
  const purged = (pins?: Pins) =>
    new Promise<readonly string[]>((resolve, reject) =>
      purge(disk, directory, 3, (error, paths) => (error ? reject(error) : resolve(paths)), pins),
    );

  beforeEach(async () => {
    await tens(9, 30_000);
    for (const zxid of [45, 55, 65, 75, 85]) await writeSnapshot(disk, directory, { zxid });
  });

  test('removes no log that a feed has still to read, at whatever chunk it runs', async () => {
    const pins = new Pins();
    const feed = feedOf(25, 90, { pins });
    let runs = 0;
    const { zxids, last } = await drainFeed(feed, () => {
      runs += 1;
      purge(disk, directory, 3, () => {}, pins);
    });
    expect(runs).toBeGreaterThan(3);
    expect(zxids).toEqual(range(26, 90));
    expect(last.kind).toBe('end');
    expect(disk.exists(pathOf('log.15'))).toBe(false);
    feed.close();
    expect(pins.lowestZxid).toBe(Number.POSITIVE_INFINITY);
  });

  test('that is not told of the pin takes them away, which the feed says', async () => {
    const feed = feedOf(25, 90);
    const fed = drainFeed(feed);
    await purged();
    const { zxids, last } = await fed;
    expect(zxids.length).toBeLessThan(65);
    expect(last).toMatchObject({ kind: 'unreachable' });
  });

  test('keeps a pinned snapshot and the logs after it, until it is released', async () => {
    const pins = new Pins();
    const pin = pins.pin(55);
    const other = pins.pin(70);
    await purged(pins);
    const left = () =>
      disk.list(directory.logDirectory).filter((name) => !name.startsWith('log.5'));
    expect(left()).toEqual([
      'log.33',
      'log.3d',
      'log.47',
      'snapshot.37',
      'snapshot.41',
      'snapshot.4b',
      'snapshot.55',
    ]);
    pin.moveTo(50);
    expect(pins.lowestZxid).toBe(55);
    pin.release();
    pin.release();
    expect(pins.lowestZxid).toBe(70);
    await purged(pins);
    expect(left()).toEqual(['log.3d', 'log.47', 'snapshot.41', 'snapshot.4b', 'snapshot.55']);
    other.release();
  });

  test('stops at a pin that is set while it runs', async () => {
    for (let after = 0; after < 9; after += 1) {
      const pins = new Pins();
      const { unlinkAsync } = disk;
      let unlinks = 0;
      disk.unlinkAsync = (path, done) => {
        if (unlinks === after) pins.pin(5);
        unlinks += 1;
        unlinkAsync.call(disk, path, done);
      };
      const deleted = await purged(pins);
      // The one under way is not held back.
      expect(deleted.length).toBeLessThanOrEqual(after + 1);
      disk.unlinkAsync = unlinkAsync;
    }
  });
});
