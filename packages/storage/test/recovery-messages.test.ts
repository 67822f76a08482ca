// Every sentence with which a recovery stops or warns names the path of the file that it is about. That no
// message can be written without one is a matter of types: StorageError and FileMessage ask for a path.

import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from 'vitest';
import type { FileMessage } from '../src/file-message.ts';
import {
  type DataDirectory,
  type Disk,
  loadEpochs,
  NodeDisk,
  openDataDirectory,
  type RecoverOptions,
  readMyId,
  recover,
  type StorageErrorDetails,
} from '../src/index.ts';
import type { finishReplacement } from '../src/replace-history.ts';
import { drain, logBytes, NamesTarget, range, record, writeLog, writeSnapshot } from './helpers.ts';

// On a real disk: what it says of a directory or of a file that cannot be read is not always the same.

let disk: NodeDisk;
let root: string;
let directory: DataDirectory;
beforeEach(() => {
  disk = new NodeDisk();
  root = mkdtempSync(join(tmpdir(), 'zebu-messages-'));
  directory = openDataDirectory({ disk, dataDir: root });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const path = (name: string): string => join(directory.snapshotDirectory, name);

type Options = Partial<RecoverOptions<NamesTarget>>;

/** What a start says: its warnings, or the error that it ends with. */
function said(options: Options = {}): { messages: readonly string[]; outcome: string } {
  try {
    const { warnings, zxid } = drain(
      recover({ disk, directory, createTarget: () => new NamesTarget(), ...options }),
    );
    loadEpochs(disk, directory.snapshotDirectory, zxid);
    readMyId(disk, root);
    return { messages: warnings, outcome: 'warnings' };
  } catch (error) {
    const { message, code } = error as Error & { code: string };
    return { messages: [message], outcome: code };
  }
}

const withSnapshot = (): Promise<unknown> => writeSnapshot(disk, directory, { zxid: 0 });
const cut = (name: string, size: number): void => disk.truncate(path(name), size);
const change = (name: string, at: number, bytes: readonly number[]): void => {
  const changed = disk.readFile(path(name));
  changed.set(bytes, at);
  disk.writeFile(path(name), changed);
};
/** Snapshots 0 and 12, and a log of txns 1 to 20. */
const history = async (): Promise<void> => {
  await withSnapshot();
  await writeSnapshot(disk, directory, { zxid: 12 });
  writeLog(disk, directory, 1, logBytes(range(1, 20)));
};
/** Of a log that `logBytes` made: where the record of txn `n` begins. */
const recordAt = (n: number): number => logBytes(range(1, n - 1), 0).length;
/** Txns with 700 bytes of data, and a sector of zeros in the fourth. */
const tornLog = (): Buffer => logBytes(range(1, 9), 5_000, 700).fill(0, 2_560, 3_072);

/** A disk that fails to do one thing to the file with this name, as a broken one does. */
function failing(
  call: 'read' | 'syncFile' | 'truncate' | 'unlink' | 'writeFile',
  name: string,
): Disk {
  const fails = (of: string): boolean => of.includes(name);
  return new Proxy(disk, {
    get(target, key: keyof Disk) {
      const value = target[key] as (...args: unknown[]) => unknown;
      return (of: string, ...rest: unknown[]) => {
        // What cannot be read on the real disk is a directory: its error is one without a path.
        if (call === 'read' && key === 'openRead' && fails(of)) return target.openRead(root);
        if (call === key && fails(of)) {
          const error = new Error(`EIO: i/o error, ${call} '${of}'`);
          throw Object.assign(error, { code: 'EIO', syscall: call, path: of });
        }
        return value.call(target, of, ...rest);
      };
    },
  });
}

interface Case {
  readonly what: string;
  readonly make: () => unknown;
  readonly options?: () => Options;
  /** 'warnings', or the code of the error. */
  readonly outcome: string;
  /** Names of which each message must hold the path of one, and of which each must be in one message. */
  readonly names: readonly string[];
}

const SNAPSHOTS: readonly Case[] = [
  {
    what: 'a snapshot that is a directory',
    make: async () => {
      await withSnapshot();
      disk.makeDirectory(path('snapshot.5'));
    },
    outcome: 'warnings',
    names: ['snapshot.5'],
  },
  {
    what: 'a snapshot that is a link to nothing',
    make: async () => {
      await withSnapshot();
      symlinkSync('/nowhere', path('snapshot.5'));
    },
    outcome: 'warnings',
    names: ['snapshot.5'],
  },
  {
    what: 'a snapshot that is cut',
    make: async () => {
      await history();
      cut('snapshot.c', 60);
    },
    outcome: 'warnings',
    names: ['snapshot.c'],
  },
  {
    what: 'a snapshot without its magic',
    make: async () => {
      await history();
      change('snapshot.c', 0, [0]);
    },
    outcome: 'warnings',
    names: ['snapshot.c'],
  },
  {
    what: 'a snapshot whose bytes changed',
    make: async () => {
      await history();
      change('snapshot.c', 30, [0x78]);
    },
    outcome: 'warnings',
    names: ['snapshot.c'],
  },
  {
    what: 'a snapshot with a wrong checksum',
    make: async () => {
      await history();
      change('snapshot.c', disk.size(path('snapshot.c')) - 6, [0x78]);
    },
    outcome: 'warnings',
    names: ['snapshot.c'],
  },
  {
    what: 'a snapshot that says it is compressed, and is not',
    make: async () => {
      await history();
      disk.writeFile(path('snapshot.d.gz'), Buffer.from([0x1f, 0x8b, ...Buffer.alloc(40, 7)]));
      disk.writeFile(path('snapshot.e.snappy'), Buffer.alloc(40, 7));
    },
    outcome: 'warnings',
    names: ['snapshot.d.gz', 'snapshot.e.snappy'],
  },
  {
    what: 'a compressed snapshot that is cut',
    make: async () => {
      await history();
      await writeSnapshot(disk, directory, { zxid: 13, compression: 'gz' });
      await writeSnapshot(disk, directory, { zxid: 14, compression: 'snappy' });
      cut('snapshot.d.gz', 30);
      cut('snapshot.e.snappy', 30);
    },
    outcome: 'warnings',
    names: ['snapshot.d.gz', 'snapshot.e.snappy'],
  },
  {
    what: 'snapshots none of which can be read',
    make: async () => {
      await history();
      for (const name of ['snapshot.0', 'snapshot.c']) change(name, 30, [0x78]);
    },
    outcome: 'NO_VALID_SNAPSHOT',
    names: ['snapshot.c'],
  },
  {
    what: 'a snapshot that the disk cannot read',
    make: history,
    options: () => ({ disk: failing('read', 'snapshot.c') }),
    outcome: 'EISDIR',
    // The path of what was opened.
    names: ['..'],
  },
  {
    what: 'logs without a snapshot',
    make: () => writeLog(disk, directory, 5, logBytes(range(5, 9))),
    outcome: 'NO_SNAPSHOT_FOR_LOGS',
    names: ['.'],
  },
  {
    what: 'a broken snapshot beyond the end of the logs',
    make: async () => {
      await history();
      cut('snapshot.c', 60);
      writeLog(disk, directory, 1, logBytes(range(1, 11)));
    },
    outcome: 'HISTORY_CUT',
    names: ['snapshot.c'],
  },
  {
    what: 'a snapshot of an impossible zxid',
    make: () => disk.writeFile(path('snapshot.ffffffffffffffff'), Buffer.alloc(60)),
    outcome: 'BAD_FILE_NAME',
    names: ['snapshot.ffffffffffffffff'],
  },
  {
    what: 'a snapshot by another name, beyond the data',
    make: async () => {
      await history();
      await writeSnapshot(disk, directory, { zxid: 99 });
      disk.rename(path('snapshot.63'), path('snapshot.63.bak'));
    },
    outcome: 'FILE_LEFT_OUT',
    names: ['snapshot.63.bak'],
  },
];

const LOGS: readonly Case[] = [
  {
    what: 'a log that is a directory',
    make: async () => {
      await history();
      disk.makeDirectory(path('log.15'));
    },
    outcome: 'NOT_A_FILE',
    names: ['log.15'],
  },
  {
    what: 'a log that is a link to nothing',
    make: async () => {
      await history();
      symlinkSync('/nowhere', path('log.15'));
    },
    outcome: 'NOT_A_FILE',
    names: ['log.15'],
  },
  {
    what: 'a log that the disk cannot read',
    make: history,
    options: () => ({ disk: failing('read', 'log.1') }),
    outcome: 'EISDIR',
    // The path of what was opened.
    names: ['..'],
  },
  {
    what: 'a log of an impossible zxid',
    make: async () => {
      await withSnapshot();
      disk.writeFile(path('log.ffffffffffffffff'), logBytes([]));
    },
    outcome: 'BAD_FILE_NAME',
    names: ['log.ffffffffffffffff'],
  },
  {
    what: 'a log that is shorter than its header',
    make: async () => {
      await history();
      cut('log.1', 9);
    },
    outcome: 'SHORT_HEADER',
    names: ['log.1'],
  },
  {
    what: 'a log without its magic',
    make: async () => {
      await history();
      change('log.1', 0, [0]);
    },
    outcome: 'BAD_MAGIC',
    names: ['log.1'],
  },
  {
    what: 'a log with a wrong checksum',
    make: async () => {
      await history();
      change('log.1', recordAt(15) + 5, [0x78, 0x79]);
    },
    outcome: 'BAD_CHECKSUM',
    names: ['log.1'],
  },
  {
    what: 'a log with a wrong length',
    make: async () => {
      await history();
      change('log.1', recordAt(15) + 8, [0x7f]);
    },
    outcome: 'BAD_LENGTH',
    names: ['log.1'],
  },
  {
    what: 'a log without one of its end marks',
    make: async () => {
      await history();
      change('log.1', recordAt(16) - 1, [0]);
    },
    outcome: 'BAD_END_MARK',
    names: ['log.1'],
  },
  {
    what: 'a log with a hole longer than a batch',
    make: async () => {
      await withSnapshot();
      const start = logBytes([1], 0);
      const rest = logBytes([2], 0).subarray(16);
      writeLog(disk, directory, 1, Buffer.concat([start, Buffer.alloc(17 << 20), rest]));
    },
    outcome: 'HOLE_IN_LOG',
    names: ['log.1'],
  },
  {
    what: 'a txn of an impossible epoch',
    make: async () => {
      await withSnapshot();
      const entry = logBytes([1], 0).subarray(16 + 12, -1);
      entry.writeInt32BE(-2, 12);
      writeLog(disk, directory, 1, Buffer.concat([logBytes([], 0), record(entry)]));
    },
    outcome: 'BAD_ENTRY',
    names: ['log.1'],
  },
  {
    what: 'a gap between two logs',
    make: async () => {
      await history();
      writeLog(disk, directory, 22, logBytes(range(22, 24)));
    },
    outcome: 'GAP_IN_LOG',
    names: ['log.16'],
  },
  {
    what: 'a gap that a log by another name explains',
    make: async () => {
      await history();
      writeLog(disk, directory, 22, logBytes(range(22, 24)));
      disk.writeFile(path('log.15.gz'), gzipSync(logBytes([21])));
    },
    outcome: 'GAP_IN_LOG',
    names: ['log.16', 'log.15.gz'],
  },
  {
    what: 'a txn that cannot be applied',
    make: history,
    options: () => ({
      createTarget: () =>
        Object.assign(new NamesTarget(), {
          applyEntry() {
            throw new Error('unsupported txn');
          },
        }),
    }),
    outcome: 'BAD_ENTRY',
    names: ['log.1'],
  },
  {
    what: 'a log that ends inside a record',
    make: async () => {
      await withSnapshot();
      writeLog(disk, directory, 1, logBytes(range(1, 4), 0).subarray(0, -7));
    },
    outcome: 'warnings',
    names: ['log.1'],
  },
  {
    what: 'a torn batch with whole txns in it',
    make: async () => {
      await withSnapshot();
      writeLog(disk, directory, 1, tornLog());
    },
    outcome: 'warnings',
    names: ['log.1', 'cut-log.1-'],
  },
  {
    what: 'a torn batch that is only looked at',
    make: async () => {
      await withSnapshot();
      writeLog(disk, directory, 1, tornLog());
    },
    options: () => ({ repair: false }),
    outcome: 'warnings',
    names: ['log.1'],
  },
  {
    what: 'a log by another name beyond the data',
    make: async () => {
      await history();
      disk.writeFile(path('log.15.bak'), logBytes([21, 22]));
      disk.writeFile(path('log.17~'), logBytes([23]));
    },
    outcome: 'FILE_LEFT_OUT',
    names: ['log.15.bak', 'log.17~'],
  },
  {
    what: 'a log by another name that holds nothing new, and a directory like one',
    make: async () => {
      await history();
      disk.writeFile(path('log.3.bak'), logBytes([3, 4]));
      disk.makeDirectory(path('log.4.d'));
    },
    outcome: 'warnings',
    names: ['log.3.bak', 'log.4.d'],
  },
  ...(['syncFile', 'truncate'] as const).map((call) => ({
    what: `a disk that fails at ${call} of a log`,
    make: async () => {
      await withSnapshot();
      writeLog(disk, directory, 1, logBytes(range(1, 4), 0).subarray(0, -7));
    },
    options: () => ({ disk: failing(call, 'log.1') }),
    outcome: 'EIO',
    names: ['log.1'],
  })),
  {
    what: 'a disk that cannot remove an empty log',
    make: async () => {
      await history();
      writeLog(disk, directory, 21, Buffer.alloc(0));
    },
    options: () => ({ disk: failing('unlink', 'log.15') }),
    outcome: 'EIO',
    names: ['log.15'],
  },
  {
    what: 'a disk that cannot keep what is cut off',
    make: async () => {
      await withSnapshot();
      writeLog(disk, directory, 1, tornLog());
    },
    options: () => ({ disk: failing('writeFile', 'cut-log') }),
    outcome: 'EIO',
    names: ['cut-log.1-'],
  },
];

const replacement = (value: object): void =>
  disk.writeFile(path('pending-replacement'), Buffer.from(JSON.stringify(value)));

const OTHERS: readonly Case[] = [
  {
    what: 'a replacement that leaves a snapshot',
    make: async () => {
      await history();
      replacement({ snapshot: 'snapshot.c', logs: ['log.1'], snapshots: ['snapshot.0'] });
    },
    outcome: 'warnings',
    names: ['pending-replacement'],
  },
  {
    what: 'a replacement that leaves nothing',
    make: async () => {
      await history();
      replacement({ logs: ['log.1'], snapshots: ['snapshot.0', 'snapshot.c'] });
    },
    outcome: 'warnings',
    names: ['pending-replacement'],
  },
  {
    what: 'a replacement that is void',
    make: async () => {
      await history();
      replacement({ snapshot: 'snapshot.c', logs: [], snapshots: [] });
    },
    outcome: 'warnings',
    names: ['pending-replacement'],
  },
  {
    what: 'a replacement whose snapshot is gone',
    make: async () => {
      await history();
      replacement({
        snapshot: 'snapshot.f',
        logs: ['log.1'],
        snapshots: ['snapshot.0', 'snapshot.c'],
      });
    },
    outcome: 'warnings',
    names: ['pending-replacement'],
  },
  {
    what: 'a replacement that makes no sense',
    make: () => disk.writeFile(path('pending-replacement'), Buffer.from('{}')),
    outcome: 'BAD_DATA_DIRECTORY',
    names: ['pending-replacement'],
  },
  ...['pending-replacement', 'currentEpoch', 'acceptedEpoch', '../myid'].map((name) => ({
    what: `a directory in the place of ${name}`,
    make: () => disk.makeDirectory(path(name)),
    outcome: 'EISDIR',
    names: [name],
  })),
  {
    what: 'a directory in the place of initialize',
    make: () => disk.makeDirectory(join(root, 'initialize')),
    outcome: 'EISDIR',
    names: ['../initialize'],
  },
  {
    what: 'an epoch that is no number',
    make: () => disk.writeFile(path('currentEpoch'), Buffer.from('one')),
    outcome: 'BAD_EPOCH_FILE',
    names: ['currentEpoch'],
  },
  {
    what: 'an accepted epoch below the current one',
    make: () => {
      disk.writeFile(path('currentEpoch'), Buffer.from('3'));
      disk.writeFile(path('acceptedEpoch'), Buffer.from('2'));
    },
    outcome: 'BAD_EPOCH_FILE',
    names: ['acceptedEpoch'],
  },
  {
    what: 'data of an epoch above the current one',
    make: async () => {
      await writeSnapshot(disk, directory, { zxid: 3 * 2 ** 32 });
      disk.writeFile(path('currentEpoch'), Buffer.from('2'));
    },
    outcome: 'BAD_EPOCH_FILE',
    names: ['currentEpoch'],
  },
  {
    what: 'a server id that is no number',
    make: () => disk.writeFile(join(root, 'myid'), Buffer.from('one')),
    outcome: 'BAD_MYID',
    names: ['../myid'],
  },
  {
    what: 'a data directory that is gone',
    make: () => rmSync(directory.snapshotDirectory, { recursive: true }),
    outcome: 'ENOENT',
    names: ['.'],
  },
];

describe.each([
  ['a snapshot', SNAPSHOTS],
  ['a log', LOGS],
  ['what else stands in a data directory', OTHERS],
])('a message about %s names it', (_, cases) => {
  test.each(cases)('$what', async ({ make, options, outcome, names }) => {
    await make();
    const result = said(options?.());
    expect(result.outcome).toBe(outcome);
    expect(result.messages.length).toBeGreaterThan(0);
    const wanted = names.map(path);
    for (const message of result.messages) {
      expect(
        wanted.some((name) => message.includes(name)),
        message,
      ).toBe(true);
    }
    for (const name of wanted) expect(result.messages.join('\n')).toContain(name);
  });
});

test.each(['snapshot.c', 'log.1'])('the version and the db id of %s say nothing', async (name) => {
  await history();
  change(name, 4, [0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8]);
  const { messages, outcome } = said();
  // The header of a snapshot is under its seals, that of a log under no checksum.
  expect(outcome).toBe('warnings');
  expect(messages.length).toBe(name === 'log.1' ? 0 : 1);
  for (const message of messages) expect(message).toContain(path(name));
});

test('reading without blocking fails with the path, too', async () => {
  const file = disk.openRead(root);
  const error = await new Promise<Error | undefined>((resolve) => {
    file.readAsync(Buffer.alloc(8), 0, 8, 0, resolve);
  });
  file.close();
  expect(error?.message).toContain(root);
});

test('an error and a warning cannot be made without a file', () => {
  expectTypeOf<StorageErrorDetails>().toHaveProperty('file').toEqualTypeOf<string>();
  expectTypeOf<ReturnType<typeof finishReplacement>>().toEqualTypeOf<FileMessage | undefined>();
  expectTypeOf<string>().not.toExtend<FileMessage>();
});
