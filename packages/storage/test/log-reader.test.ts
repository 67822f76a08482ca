import { beforeEach, describe, expect, test } from 'vitest';
import { FILE_HEADER_BYTES } from '../src/file-header.ts';
import {
  type DataDirectory,
  type Disk,
  logName,
  MemoryDisk,
  StorageError,
  TxnLogReader,
  type TxnLogReaderOptions,
} from '../src/index.ts';
import { directoryOn, EPOCH, entry, logBytes, range, record, writeLog } from './helpers.ts';

let disk: Disk;
let directory: DataDirectory;
beforeEach(() => {
  disk = new MemoryDisk();
  directory = directoryOn(disk);
});

function readAll(afterZxid = 0, options: Partial<TxnLogReaderOptions> = {}) {
  const reader = new TxnLogReader({
    disk,
    directory: directory.logDirectory,
    afterZxid,
    ...options,
  });
  const zxids: number[] = [];
  while (reader.next()) {
    zxids.push(reader.zxid);
    expect(reader.bytes.subarray(reader.start, reader.end).readInt32BE(16)).toBe(
      reader.zxid % EPOCH,
    );
  }
  reader.close();
  return { zxids, reader };
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(StorageError);
    return (error as StorageError).code;
  }
  return 'none';
}

/** Its data are zeros over several sectors, with letters before and after them. */
function zerosEntry(zxid: number): Buffer {
  const bytes = entry(zxid, 2_000);
  bytes.fill(0, 200, 1_900);
  return bytes;
}

/** Where record `i` of a log of equal entries starts. */
const recordAt = (i: number, padding = 0) =>
  FILE_HEADER_BYTES + i * record(entry(1, padding)).length;

describe('order', () => {
  test('several logs are one history', () => {
    writeLog(disk, directory, 1, logBytes(range(1, 4)));
    writeLog(disk, directory, 5, logBytes(range(5, 9)));
    writeLog(disk, directory, EPOCH + 1, logBytes(range(EPOCH + 1, EPOCH + 3)));
    expect(readAll().zxids).toEqual([...range(1, 9), ...range(EPOCH + 1, EPOCH + 3)]);
  });

  test('reading starts after a zxid, and needs no earlier log', () => {
    writeLog(disk, directory, 1, Buffer.from('a log that no recovery needs'));
    writeLog(disk, directory, 5, logBytes(range(5, 9)));
    writeLog(disk, directory, 10, logBytes(range(10, 12)));
    expect(readAll(6).zxids).toEqual(range(7, 12));
    expect(readAll(9).zxids).toEqual(range(10, 12));
    expect(readAll(12).zxids).toEqual([]);
  });

  test('entries longer than a chunk are read', () => {
    writeLog(disk, directory, 1, logBytes(range(1, 5), 100, 700_000));
    expect(readAll().zxids).toEqual(range(1, 5));
  });

  test.each([0, 1, 11, 12, 100])(
    'a log may end after an entry longer than a chunk, with %d bytes of zeros',
    (zeros) => {
      writeLog(disk, directory, 1, logBytes([1, 2], zeros, 300_000));
      expect(readAll().zxids).toEqual([1, 2]);
    },
  );

  test('an entry over the limit is read if it is whole, and its torn rest is an end', () => {
    const whole = logBytes([1, 2, 3], 5_000, 2_000_000);
    writeLog(disk, directory, 1, whole);
    expect(readAll(0, { maxEntryBytes: 1_000_000 }).zxids).toEqual([1, 2, 3]);
    const torn = Buffer.from(whole).fill(0, recordAt(2, 2_000_000) + 700_000);
    writeLog(disk, directory, 1, torn);
    const { zxids, reader } = readAll(0, { maxEntryBytes: 1_000_000 });
    expect(zxids).toEqual([1, 2]);
    expect(reader.tornTail?.offset).toBe(recordAt(2, 2_000_000));
  });

  test('a wrong length over the limit is damage, also when it ends inside the file', () => {
    const bytes = logBytes(range(1, 5), 3_000_000);
    for (const record of [2, 4]) {
      const damaged = Buffer.from(bytes);
      damaged.writeInt32BE(2_000_000, recordAt(record) + 8);
      writeLog(disk, directory, 1, damaged);
      expect(codeOf(() => readAll(0, { maxEntryBytes: 1_000_000 }))).toBe('BAD_LENGTH');
    }
  });

  test('a missing log is a gap', () => {
    writeLog(disk, directory, 1, logBytes(range(1, 4)));
    writeLog(disk, directory, 9, logBytes(range(9, 12)));
    expect(codeOf(() => readAll())).toBe('GAP_IN_LOG');
  });

  test('a gap between the start and the first record, and one inside a log, are noticed', () => {
    writeLog(disk, directory, 5, logBytes([5, 6, 8]));
    expect(codeOf(() => readAll(3))).toBe('GAP_IN_LOG');
    expect(codeOf(() => readAll(4))).toBe('GAP_IN_LOG');
    expect(codeOf(() => readAll(7))).toBe('none');
  });

  test('a higher epoch must start with its first txn', () => {
    writeLog(disk, directory, 1, logBytes([1, 2, EPOCH + 2]));
    expect(codeOf(() => readAll())).toBe('GAP_IN_LOG');
  });

  test('without a snapshot the first record may have any zxid', () => {
    writeLog(disk, directory, 70, logBytes(range(70, 72)));
    expect(readAll(0, { anyStart: true }).zxids).toEqual(range(70, 72));
  });

  test('zxids that come again are handed out again (ZOOKEEPER-4394)', () => {
    writeLog(disk, directory, 1, logBytes([1, 2, 3, 4, 3, 4, 3, 4, 5]));
    writeLog(disk, directory, 4, logBytes([4, 5, 6]));
    const { zxids, reader } = readAll();
    expect(zxids).toEqual([1, 2, 3, 4, 3, 4, 3, 4, 5, 4, 5, 6]);
    expect(reader.repeated).toBe(6);
    expect(reader.maxZxid).toBe(6);
  });

  test('a lower zxid that never came before is damage', () => {
    writeLog(disk, directory, 1, logBytes([1, 2, 3, 2 * EPOCH + 1, EPOCH + 1]));
    expect(codeOf(() => readAll())).toBe('GAP_IN_LOG');
  });
});

describe('ends that a crash leaves are no damage', () => {
  test('zeros, or nothing at all', () => {
    writeLog(disk, directory, 1, logBytes(range(1, 3), 0));
    expect(readAll().zxids).toEqual([1, 2, 3]);
    writeLog(disk, directory, 4, logBytes([], 0));
    const { zxids, reader } = readAll();
    expect(zxids).toEqual([1, 2, 3]);
    expect(reader.tornTail).toBeUndefined();
  });

  test('the newest log cut at any byte ends after its last whole record', () => {
    const whole = logBytes(range(1, 4), 0, 30);
    for (let size = FILE_HEADER_BYTES; size < whole.length; size += 1) {
      writeLog(disk, directory, 1, whole.subarray(0, size));
      const { zxids, reader } = readAll();
      const records = Math.floor((size - FILE_HEADER_BYTES) / record(entry(1, 30)).length);
      expect(zxids).toEqual(range(1, records));
      // Four zero bytes of a checksum look like preallocation: there is nothing to cut.
      const torn = size > recordAt(records, 30) + 4;
      expect(reader.tornTail?.offset, `${size}`).toBe(torn ? recordAt(records, 30) : undefined);
    }
  });

  test('the newest log zeroed from any byte on ends after its last whole record', () => {
    const whole = logBytes(range(1, 4), 64, 30);
    const end = whole.length - 64;
    for (let from = FILE_HEADER_BYTES; from < end; from += 1) {
      writeLog(disk, directory, 1, Buffer.from(whole).fill(0, from));
      const { zxids } = readAll();
      const records = Math.floor((from - FILE_HEADER_BYTES) / record(entry(1, 30)).length);
      expect(zxids, `${from}`).toEqual(range(1, records));
    }
  });

  test('sectors of the last batch missing, in any pattern, end the log before the first bad record', () => {
    const count = 14;
    const durable = 4;
    const padding = 400;
    const whole = logBytes(range(1, count), 64, padding);
    const batchStart = recordAt(durable, padding);
    const end = recordAt(count, padding);
    const sectors: [number, number][] = [];
    for (let from = batchStart; from < end; ) {
      const to = Math.min(end, from - (from % 512) + 512);
      sectors.push([from, to]);
      from = to;
    }
    let state = 7;
    for (let round = 0; round < 3000; round += 1) {
      const torn = Buffer.from(whole);
      let firstLost = end;
      for (const [from, to] of sectors) {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        if (state >>> 31 === 0) continue;
        if (!torn.subarray(from, to).every((byte) => byte === 0))
          firstLost = Math.min(firstLost, from);
        torn.fill(0, from, to);
      }
      writeLog(disk, directory, 1, torn);
      const { zxids } = readAll();
      expect(zxids).toEqual(range(1, zxids.length));
      expect(zxids.length).toBeGreaterThanOrEqual(durable);
      expect(recordAt(zxids.length, padding)).toBeLessThanOrEqual(Math.max(firstLost, batchStart));
    }
  });

  test('a log that another one follows may end torn, as Java leaves it', () => {
    const first = logBytes(range(1, 4), 0, 30);
    writeLog(disk, directory, 1, first.subarray(0, first.length - 5));
    writeLog(disk, directory, 4, logBytes(range(4, 6)));
    expect(readAll().zxids).toEqual(range(1, 6));
  });

  test('what is left of a torn batch is told: where it ends, and its whole records', () => {
    const whole = logBytes(range(1, 9), 5_000, 700);
    const torn = Buffer.from(whole).fill(0, 2_560, 3_072);
    writeLog(disk, directory, 1, torn);
    const { zxids, reader } = readAll();
    expect(zxids).toEqual(range(1, 3));
    expect(reader.tornTail).toMatchObject({
      offset: recordAt(3, 700),
      end: recordAt(9, 700),
      records: 5,
    });
  });

  test('garbage after the last record, near or far, is no damage', () => {
    const garbage = Buffer.from(Array.from({ length: 200 }, (_, i) => 1 + ((i * 37) % 250)));
    const whole = logBytes(range(1, 4), 0, 30);
    for (const bytes of [
      [whole, Buffer.alloc(20_000_000), garbage],
      [whole, Buffer.alloc(40), garbage],
      [whole.subarray(0, whole.length - 20), garbage],
    ]) {
      const path = writeLog(disk, directory, 1, Buffer.concat(bytes));
      const { zxids, reader } = readAll();
      expect(zxids).toEqual(range(1, bytes[0] === whole ? 4 : 3));
      expect(reader.tornTail?.file).toBe(path);
    }
  });

  test('an empty newest log is reported, to be deleted', () => {
    writeLog(disk, directory, 1, logBytes(range(1, 4)));
    const path = writeLog(disk, directory, 5, Buffer.alloc(0));
    const { zxids, reader } = readAll();
    expect(zxids).toEqual(range(1, 4));
    expect(reader.emptyLog).toBe(path);
  });
});

describe('damage stops the reading', () => {
  const flip = (bytes: Buffer, at: number): Buffer => {
    bytes[at] = (bytes[at] as number) ^ 0x40;
    return bytes;
  };

  test('a flipped bit in a record names file and offset', () => {
    const path = writeLog(disk, directory, 1, flip(logBytes(range(1, 9)), recordAt(3) + 40));
    try {
      readAll();
      expect.unreachable();
    } catch (error) {
      const failure = error as StorageError;
      expect(failure.code).toBe('BAD_CHECKSUM');
      expect(failure.file).toBe(path);
      expect(failure.offset).toBe(recordAt(3));
      expect(failure.message).toContain(path);
      expect(failure.message).toContain(`offset ${recordAt(3)}`);
      expect(failure.remedy).toBeDefined();
    }
  });

  test('every flipped byte before the last record is noticed, or loses nothing', () => {
    const whole = logBytes(range(1, 6), 64, 100);
    for (let at = 4; at < recordAt(5, 100); at += 1) {
      if (at >= 4 && at < FILE_HEADER_BYTES) continue; // version and dbid: nobody checks them.
      writeLog(disk, directory, 1, flip(Buffer.from(whole), at));
      expect(
        codeOf(() => readAll()),
        `byte ${at}`,
      ).not.toBe('none');
    }
  });

  // Zeros of the records' own look like sectors that a crash left out.
  describe('in records that hold sectors of zeros', () => {
    const first = record(zerosEntry(3)).length;
    const log = Buffer.concat([
      logBytes([1, 2], 0),
      ...range(3, 5).map((z) => record(zerosEntry(z))),
    ]);
    const start = recordAt(2);

    test('every flipped bit is noticed, in the last record too', () => {
      for (const recordStart of [start, start + 2 * first]) {
        for (let at = recordStart; at < recordStart + first; at += 1) {
          const bit = 1 << (at % 8);
          const damaged = Buffer.concat([log, Buffer.alloc(64)]);
          damaged[at] = (damaged[at] as number) ^ bit;
          writeLog(disk, directory, 1, damaged);
          expect(
            codeOf(() => readAll()),
            `bit ${bit} of byte ${at - recordStart}`,
          ).not.toBe('none');
        }
      }
    });

    test('a flipped bit that is the only one of its sector is noticed', () => {
      const bitmap = entry(3, 4_096);
      bitmap.fill(0, 120, 4_100);
      bitmap[2_000] = 0x10;
      const bytes = Buffer.concat([logBytes([1, 2], 0), record(bitmap), Buffer.alloc(600)]);
      bytes[start + 12 + 2_000] = 0;
      writeLog(disk, directory, 1, bytes);
      expect(codeOf(() => readAll())).toBe('BAD_CHECKSUM');
    });

    test('a flipped bit in the length of an entry over the limit is noticed', () => {
      const bytes = logBytes([1, 2, 3], 100, 100_000);
      const at = recordAt(2, 100_000) + 8;
      for (let bit = 0; bit < 32; bit += 1) {
        const damaged = Buffer.from(bytes);
        damaged[at + (bit >> 3)] = (damaged[at + (bit >> 3)] as number) ^ (1 << (bit & 7));
        writeLog(disk, directory, 1, damaged);
        const code = codeOf(() => readAll(0, { maxEntryBytes: 50_000 }));
        expect(code, `bit ${bit}`).not.toBe('none');
      }
    });

    test('a torn batch whose checksum was lost with a sector is no damage', () => {
      for (let padding = 0; padding < 512; padding += 1) {
        const whole = Buffer.concat([
          logBytes([1], 0),
          record(entry(2, padding)),
          record(entry(3, 700)),
          record(entry(4, 700)),
        ]);
        const at = recordAt(1) + record(entry(2, padding)).length;
        const inSector = 512 - (at % 512);
        if (inSector < 5 || inSector > 8) continue;
        writeLog(disk, directory, 1, Buffer.from(whole).fill(0, at, at + inSector));
        expect(readAll().zxids, `${inSector}`).toEqual([1, 2]);
      }
    });

    test('every zeroed byte of the head is noticed', () => {
      for (let at = start + 4; at < start + 12; at += 1) {
        if (log[at] === 0) continue;
        const damaged = Buffer.from(log);
        damaged[at] = 0;
        writeLog(disk, directory, 1, damaged);
        const code = codeOf(() => readAll());
        // A byte of the checksum is more than one bit: the record counts as torn, and nothing is lost,
        // since what is cut off is kept.
        if (at < start + 8) expect(['none', 'BAD_CHECKSUM']).toContain(code);
        else expect(code, `byte ${at - start}`).toBe('BAD_LENGTH');
      }
    });
  });

  test.each([
    ['a length of 0', 0],
    ['a length of -1', -1],
    ['a length below that', -77],
    ['a length over the limit', 100_000_000],
    ['a length without room for a header', 5],
  ])('%s', (_, length) => {
    const bytes = logBytes(range(1, 9));
    bytes.writeInt32BE(length, recordAt(4) + 8);
    writeLog(disk, directory, 1, bytes);
    const code = codeOf(() => readAll());
    expect(['BAD_LENGTH', 'BAD_END_MARK']).toContain(code);
  });

  test('a checksum error in a log that a recovery needs, before its start too', () => {
    writeLog(disk, directory, 1, flip(logBytes(range(1, 9)), recordAt(2) + 40));
    expect(codeOf(() => readAll(6))).toBe('BAD_CHECKSUM');
  });

  test('zeros with far more after them than one batch', () => {
    const bytes = logBytes(range(1, 20), 0, 1_000_000);
    bytes.fill(0, recordAt(1, 1_000_000), recordAt(2, 1_000_000));
    writeLog(disk, directory, 1, bytes);
    expect(codeOf(() => readAll())).toBe('HOLE_IN_LOG');
  });

  test('a newest log of 7 bytes, an empty older log, another magic', () => {
    writeLog(disk, directory, 1, logBytes(range(1, 3)));
    writeLog(disk, directory, 4, logBytes([]).subarray(0, 7));
    expect(codeOf(() => readAll())).toBe('SHORT_HEADER');
    writeLog(disk, directory, 4, Buffer.alloc(0));
    writeLog(disk, directory, 5, logBytes([4]));
    expect(codeOf(() => readAll())).toBe('SHORT_HEADER');
    writeLog(disk, directory, 4, Buffer.alloc(1000, 1));
    expect(codeOf(() => readAll())).toBe('BAD_MAGIC');
  });

  test('an entry whose epoch no zxid can have', () => {
    const bytes = entry(5);
    bytes.writeInt32BE(-1, 12);
    disk.writeFile(
      `${directory.logDirectory}/${logName(1)}`,
      Buffer.concat([logBytes(range(1, 4), 0), record(bytes)]),
    );
    expect(codeOf(() => readAll())).toBe('BAD_ENTRY');
  });
});

test('a log that is being written may end anyhow', () => {
  const bytes = logBytes(range(1, 5), 600, 500);
  bytes.fill(0, recordAt(3, 500) + 100, recordAt(4, 500) - 50);
  writeLog(disk, directory, 1, bytes);
  const { zxids, reader } = readAll(0, { live: true });
  expect(zxids).toEqual([1, 2, 3]);
  expect(reader.tornTail).toBeUndefined();
});
