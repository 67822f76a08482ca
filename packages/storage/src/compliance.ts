// What every Disk must do, as cases that a test runner of any kind can run: the real disk, the one in
// memory and the simulator's pass the same list.
//
//   for (const { name, run } of diskCases) test(name, () => run(makeHarness()));

import assert from 'node:assert/strict';
import type { DirectoryClaim, Disk, DiskError, Done } from './disk.ts';

export interface DiskHarness {
  readonly disk: Disk;
  /** An existing empty directory. */
  readonly directory: string;
  /** Lets the disk work until the condition holds; rejects when it does not come to hold. */
  until(condition: () => boolean): Promise<void>;
}

export interface DiskCase {
  readonly name: string;
  readonly run: (harness: DiskHarness) => Promise<void>;
}

export const diskCases: readonly DiskCase[] = [
  {
    name: 'what was written is read back, at its position',
    run: async (harness) => {
      const { disk } = harness;
      const path = `${harness.directory}/file`;
      const file = disk.openWrite(path);
      await done(harness, (end) => file.write(Buffer.from('head-body'), 9, 0, end));
      await done(harness, (end) => file.writeDurable(Buffer.from('BODY-tail'), 4, 5, end));
      await done(harness, (end) => file.sync(end));
      await done(harness, (end) => file.close(end));
      assert.equal(disk.readFile(path).toString(), 'head-BODY');
      assert.equal(disk.size(path), 9);
    },
  },
  {
    name: 'operations on one file run in the order of the calls, and call back later',
    run: async (harness) => {
      const file = harness.disk.openWrite(`${harness.directory}/file`);
      const order: string[] = [];
      file.write(Buffer.from('aaaa'), 4, 0, () => order.push('write'));
      file.resize(2, () => order.push('resize'));
      file.writeDurable(Buffer.from('b'), 1, 4, () => order.push('durable'));
      file.sync(() => order.push('sync'));
      file.close(() => order.push('close'));
      assert.deepEqual(order, []);
      await harness.until(() => order.length === 5);
      assert.deepEqual(order, ['write', 'resize', 'durable', 'sync', 'close']);
      assert.deepEqual(
        harness.disk.readFile(`${harness.directory}/file`),
        Buffer.from([97, 97, 0, 0, 98]),
      );
    },
  },
  {
    name: 'a gap that was never written, and what resize adds, read as zeros',
    run: async (harness) => {
      const path = `${harness.directory}/file`;
      const file = harness.disk.openWrite(path);
      await done(harness, (end) => file.write(Buffer.from('x'), 1, 2000, end));
      await done(harness, (end) => file.resize(100_000, end));
      await done(harness, (end) => file.close(end));
      const expected = Buffer.alloc(100_000);
      expected[2000] = 0x78;
      assert.ok(harness.disk.readFile(path).equals(expected));
    },
  },
  {
    name: 'bytes cut off by resize do not come back when the file grows again',
    run: async (harness) => {
      const path = `${harness.directory}/file`;
      const file = harness.disk.openWrite(path);
      await done(harness, (end) => file.write(Buffer.alloc(1000, 1), 1000, 0, end));
      await done(harness, (end) => file.resize(300, end));
      await done(harness, (end) => file.resize(1000, end));
      await done(harness, (end) => file.close(end));
      const expected = Buffer.concat([Buffer.alloc(300, 1), Buffer.alloc(700)]);
      assert.ok(harness.disk.readFile(path).equals(expected));
    },
  },
  {
    name: 'a reader reads in pieces, and less only at the end of the file',
    run: async (harness) => {
      const path = `${harness.directory}/file`;
      harness.disk.writeFile(path, Buffer.from('0123456789'));
      const file = harness.disk.openRead(path);
      const target = Buffer.alloc(8, 0x2e);
      assert.equal(file.size, 10);
      assert.equal(file.read(target, 2, 4, 3), 4);
      assert.equal(target.toString(), '..3456..');
      assert.equal(file.read(target, 0, 8, 7), 3);
      assert.equal(target.toString(), '789456..');
      assert.equal(file.read(target, 0, 8, 10), 0);
      assert.equal(file.read(target, 0, 8, 99), 0);
      file.close();
    },
  },
  {
    name: 'a reader reads without blocking, what was written meanwhile too, and is closed at any time',
    run: async (harness) => {
      const path = `${harness.directory}/file`;
      harness.disk.writeFile(path, Buffer.from('0123456789'));
      const file = harness.disk.openRead(path);
      const target = Buffer.alloc(8, 0x2e);
      const read = async (offset: number, length: number, position: number): Promise<number> => {
        let got = -1;
        file.readAsync(target, offset, length, position, (error, bytes) => {
          assert.equal(error, undefined);
          got = bytes;
        });
        assert.equal(got, -1);
        await harness.until(() => got >= 0);
        return got;
      };
      assert.equal(await read(2, 4, 3), 4);
      assert.equal(target.toString(), '..3456..');
      assert.equal(await read(0, 8, 7), 3);
      assert.equal(target.toString(), '789456..');
      assert.equal(await read(0, 8, 10), 0);
      const writer = harness.disk.openWrite(path);
      await done(harness, (end) => writer.write(Buffer.from('abcde'), 5, 10, end));
      assert.equal(await read(0, 8, 9), 6);
      assert.equal(target.toString(), '9abcde..');
      await done(harness, (end) => writer.close(end));
      let isTold = false;
      file.readAsync(target, 0, 4, 0, () => {
        isTold = true;
      });
      file.close();
      await harness.until(() => isTold);
    },
  },
  {
    name: 'opening with truncate empties a file, without it keeps the bytes',
    run: async (harness) => {
      const path = `${harness.directory}/file`;
      harness.disk.writeFile(path, Buffer.from('old bytes'));
      const kept = harness.disk.openWrite(path);
      await done(harness, (end) => kept.write(Buffer.from('new'), 3, 0, end));
      await done(harness, (end) => kept.close(end));
      assert.equal(harness.disk.readFile(path).toString(), 'new bytes');
      const emptied = harness.disk.openWrite(path, { truncate: true, writeThrough: true });
      await done(harness, (end) => emptied.writeDurable(Buffer.from('x'), 1, 0, end));
      await done(harness, (end) => emptied.close(end));
      assert.equal(harness.disk.readFile(path).toString(), 'x');
    },
  },
  {
    name: 'a file that cannot be opened fails its queue, and closing it is still fine',
    run: async (harness) => {
      const file = harness.disk.openWrite(`${harness.directory}/missing/file`);
      const errors: (DiskError | undefined)[] = [];
      file.write(Buffer.from('x'), 1, 0, (error) => errors.push(error));
      file.sync((error) => errors.push(error));
      await done(harness, (end) => file.close(end));
      assert.deepEqual(
        errors.map((error) => error?.code),
        ['ENOENT', 'ENOENT'],
      );
    },
  },
  {
    name: 'after close every operation fails',
    run: async (harness) => {
      const file = harness.disk.openWrite(`${harness.directory}/file`);
      await done(harness, (end) => file.close(end));
      let failure: DiskError | undefined;
      file.write(Buffer.from('x'), 1, 0, (error) => {
        failure = error;
      });
      await harness.until(() => failure !== undefined);
      assert.equal(failure?.code, 'EBADF');
    },
  },
  {
    name: 'list gives sorted names of files and directories',
    run: async ({ disk, directory }) => {
      disk.writeFile(`${directory}/b`, Buffer.from('1'));
      disk.makeDirectory(`${directory}/c/d`);
      disk.writeFile(`${directory}/a`, Buffer.from('2'));
      assert.deepEqual(disk.list(directory), ['a', 'b', 'c']);
      assert.deepEqual(disk.list(`${directory}/c`), ['d']);
      disk.makeDirectory(`${directory}/c/d`);
      assert.equal(disk.isWritable(directory), true);
      assert.equal(disk.isWritable(`${directory}/nowhere`), false);
      assert.throws(() => disk.list(`${directory}/nowhere`), { code: 'ENOENT' });
    },
  },
  {
    name: 'rename replaces, unlink removes, truncate cuts',
    run: async ({ disk, directory }) => {
      disk.writeFile(`${directory}/a`, Buffer.from('from a'));
      disk.writeFile(`${directory}/b`, Buffer.from('from b'));
      disk.rename(`${directory}/a`, `${directory}/b`);
      assert.deepEqual(disk.list(directory), ['b']);
      assert.equal(disk.readFile(`${directory}/b`).toString(), 'from a');
      disk.truncate(`${directory}/b`, 4);
      disk.syncFile(`${directory}/b`);
      disk.syncDirectory(directory);
      assert.equal(disk.readFile(`${directory}/b`).toString(), 'from');
      assert.equal(disk.exists(`${directory}/b`), true);
      disk.unlink(`${directory}/b`);
      assert.equal(disk.exists(`${directory}/b`), false);
    },
  },
  {
    name: 'missing files throw ENOENT',
    run: async ({ disk, directory }) => {
      const path = `${directory}/missing`;
      const attempts: (() => unknown)[] = [
        () => disk.size(path),
        () => disk.readFile(path),
        () => disk.openRead(path),
        () => disk.unlink(path),
        () => disk.rename(path, `${path}2`),
        () => disk.truncate(path, 0),
        () => disk.syncFile(path),
        () => disk.syncDirectory(path),
      ];
      for (const attempt of attempts) assert.throws(attempt, { code: 'ENOENT' });
    },
  },
  {
    name: 'the asynchronous twins do the same and report errors',
    run: async (harness) => {
      const { disk, directory } = harness;
      disk.writeFile(`${directory}/a`, Buffer.from('a'));
      await done(harness, (end) => disk.renameAsync(`${directory}/a`, `${directory}/b`, end));
      await done(harness, (end) => disk.syncDirectoryAsync(directory, end));
      assert.deepEqual(disk.list(directory), ['b']);
      await done(harness, (end) => disk.unlinkAsync(`${directory}/b`, end));
      assert.deepEqual(disk.list(directory), []);
      let failure: DiskError | undefined;
      disk.unlinkAsync(`${directory}/b`, (error) => {
        failure = error;
      });
      await harness.until(() => failure !== undefined);
      assert.equal(failure?.code, 'ENOENT');
    },
  },
  {
    name: 'an open file survives its renaming',
    run: async (harness) => {
      const { disk, directory } = harness;
      const file = disk.openWrite(`${directory}/before`);
      await done(harness, (end) => file.write(Buffer.from('one '), 4, 0, end));
      await done(harness, (end) =>
        disk.renameAsync(`${directory}/before`, `${directory}/after`, end),
      );
      await done(harness, (end) => file.writeDurable(Buffer.from('two'), 3, 4, end));
      await done(harness, (end) => file.close(end));
      assert.equal(disk.readFile(`${directory}/after`).toString(), 'one two');
    },
  },
  {
    name: 'a directory is claimed once, until the claim is released',
    run: async (harness) => {
      const claim = async (path: string): Promise<DirectoryClaim | DiskError> => {
        let outcome: DirectoryClaim | DiskError | undefined;
        harness.disk.claim(path, (error, claimed) => {
          outcome = error ?? claimed;
        });
        assert.equal(outcome, undefined);
        await harness.until(() => outcome !== undefined);
        return outcome as unknown as DirectoryClaim | DiskError;
      };
      const first = (await claim(harness.directory)) as DirectoryClaim;
      const refused = (await claim(harness.directory)) as DiskError;
      // Without the means on this platform, a claim is never refused.
      if (refused instanceof Error) {
        assert.equal(refused.code, 'EBUSY');
        assert.ok(refused.message.includes(harness.directory));
      }
      harness.disk.makeDirectory(`${harness.directory}/inner`);
      const inner = (await claim(`${harness.directory}/inner`)) as DirectoryClaim;
      await done(harness, (end) => first.release(end));
      const second = (await claim(harness.directory)) as DirectoryClaim;
      await done(harness, (end) => second.release(end));
      await done(harness, (end) => inner.release(end));
      const missing = (await claim(`${harness.directory}/missing`)) as DiskError;
      assert.equal(missing.code, 'ENOENT');
    },
  },
  {
    name: 'large writes arrive whole',
    run: async (harness) => {
      const bytes = Buffer.alloc(3 * 1024 * 1024 + 17);
      for (let i = 0; i < bytes.length; i += 1) bytes[i] = (i * 7) >>> 3;
      const path = `${harness.directory}/file`;
      const file = harness.disk.openWrite(path, { writeThrough: true });
      await done(harness, (end) => file.writeDurable(bytes, bytes.length, 1000, end));
      await done(harness, (end) => file.close(end));
      assert.ok(harness.disk.readFile(path).subarray(1000).equals(bytes));
    },
  },
];

/** Starts one operation and waits for its success. */
async function done(harness: DiskHarness, start: (end: Done) => void): Promise<void> {
  let ended = false;
  let failure: DiskError | undefined;
  start((error) => {
    ended = true;
    failure = error;
  });
  await harness.until(() => ended);
  if (failure !== undefined) throw failure;
}
