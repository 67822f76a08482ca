import { epochOf, MAX_EPOCH, type Zxid } from '@zebu/protocol';
import type { Disk, DiskError, Done } from './disk.ts';
import { StorageError } from './storage-error.ts';

// currentEpoch and acceptedEpoch (disk.md 7.4): a decimal number, no newline, in the directory of the
// snapshots. Replaced by: write `<name>.tmp`, sync, rename, sync the directory.
//
// `currentEpoch.tmp` has a meaning of its own: if the data is of a higher epoch than currentEpoch says
// and the .tmp file exists, its value is used (Java's QuorumPeer.loadDataBase). A learner writes it
// before it takes a snapshot of a new epoch, so that a crash between the two can be survived.

export type EpochName = 'currentEpoch' | 'acceptedEpoch';

export interface Epochs {
  readonly currentEpoch: number;
  readonly acceptedEpoch: number;
}

/** Undefined when there is no such file. Throws StorageError `BAD_EPOCH_FILE`. */
export function readEpoch(disk: Disk, directory: string, name: EpochName): number | undefined {
  return readNumber(disk, `${directory}/${name}`);
}

/** Durable on return. Synchronous: for start-up. */
export function writeEpoch(disk: Disk, directory: string, name: EpochName, epoch: number): void {
  prepareEpoch(disk, directory, name, epoch);
  disk.rename(temporary(directory, name), `${directory}/${name}`);
  disk.syncDirectory(directory);
}

/**
 * As `writeEpoch`, without blocking: durable when `done` is called without an error. The same name must
 * not be written again before that.
 */
export function writeEpochAsync(
  disk: Disk,
  directory: string,
  name: EpochName,
  epoch: number,
  done: (error?: StorageError) => void,
): void {
  prepareEpochAsync(disk, directory, name, epoch, (prepareError) => {
    if (prepareError !== undefined) {
      done(prepareError);
      return;
    }
    const path = `${directory}/${name}`;
    disk.renameAsync(temporary(directory, name), path, (renameError) => {
      if (renameError !== undefined) {
        done(cannotWrite(path, renameError));
        return;
      }
      disk.syncDirectoryAsync(directory, (syncError) => {
        done(syncError === undefined ? undefined : cannotWrite(path, syncError));
      });
    });
  });
}

/** Writes `<name>.tmp` only, durably: rule 7.4-2 above. */
export function prepareEpoch(disk: Disk, directory: string, name: EpochName, epoch: number): void {
  disk.writeFile(temporary(directory, name), encode(epoch));
  disk.syncDirectory(directory);
}

/** As `prepareEpoch`, without blocking. */
export function prepareEpochAsync(
  disk: Disk,
  directory: string,
  name: EpochName,
  epoch: number,
  done: (error?: StorageError) => void,
): void {
  const path = temporary(directory, name);
  const bytes = encode(epoch);
  const file = disk.openWrite(path, { truncate: true });
  const end: Done = (error?: DiskError) => {
    file.close();
    if (error !== undefined) {
      done(cannotWrite(path, error));
      return;
    }
    disk.syncDirectoryAsync(directory, (syncError) => {
      done(syncError === undefined ? undefined : cannotWrite(path, syncError));
    });
  };
  // A failed write fails the sync behind it.
  file.write(bytes, bytes.length, 0, () => {});
  file.sync(end);
}

/**
 * Loads both epochs after the database was recovered to `lastZxid`, creating and repairing files as
 * Java does. Throws StorageError `BAD_EPOCH_FILE` when they contradict the data.
 */
export function loadEpochs(disk: Disk, directory: string, lastZxid: Zxid): Epochs {
  const dataEpoch = Math.max(0, epochOf(lastZxid));
  let currentEpoch = readEpoch(disk, directory, 'currentEpoch');
  if (currentEpoch === undefined) {
    currentEpoch = dataEpoch;
    writeEpoch(disk, directory, 'currentEpoch', currentEpoch);
  }
  if (dataEpoch > currentEpoch) {
    const prepared = readNumber(disk, temporary(directory, 'currentEpoch'));
    if (prepared === undefined) {
      throw new StorageError(
        'BAD_EPOCH_FILE',
        `The data is of epoch ${dataEpoch}, but currentEpoch says ${currentEpoch}`,
        {
          file: `${directory}/currentEpoch`,
          remedy:
            'Put back the epoch file that belongs to this data, or empty the data directory of this ' +
            'member and let it sync from the others',
        },
      );
    }
    currentEpoch = prepared;
    writeEpoch(disk, directory, 'currentEpoch', currentEpoch);
  }
  let acceptedEpoch = readEpoch(disk, directory, 'acceptedEpoch');
  if (acceptedEpoch === undefined) {
    acceptedEpoch = dataEpoch;
    writeEpoch(disk, directory, 'acceptedEpoch', acceptedEpoch);
  }
  if (acceptedEpoch < currentEpoch) {
    throw new StorageError(
      'BAD_EPOCH_FILE',
      `acceptedEpoch ${acceptedEpoch} is below currentEpoch ${currentEpoch}`,
      {
        file: `${directory}/acceptedEpoch`,
        remedy: `Write ${currentEpoch} into it if this data directory is otherwise trusted`,
      },
    );
  }
  return { currentEpoch, acceptedEpoch };
}

function temporary(directory: string, name: EpochName): string {
  return `${directory}/${name}.tmp`;
}

function encode(epoch: number): Buffer {
  if (!Number.isInteger(epoch) || epoch < 0 || epoch > MAX_EPOCH) {
    throw new RangeError(`Epoch ${epoch} is outside 0..${MAX_EPOCH}`);
  }
  return Buffer.from(String(epoch), 'latin1');
}

function readNumber(disk: Disk, path: string): number | undefined {
  if (!disk.exists(path)) return undefined;
  const line = disk.readFile(path).toString('latin1').split('\n', 1)[0] as string;
  const text = line.trim();
  const epoch = /^\d{1,18}$/.test(text) ? Number(text) : Number.NaN;
  if (!(epoch <= MAX_EPOCH)) {
    throw new StorageError('BAD_EPOCH_FILE', `Not an epoch: ${JSON.stringify(text.slice(0, 40))}`, {
      file: path,
      remedy: 'Restore the file, or empty the data directory of this member and let it sync',
    });
  }
  return epoch;
}

function cannotWrite(path: string, error: DiskError): StorageError {
  return new StorageError('DISK_FAILED', `Cannot write an epoch file: ${error.message}`, {
    file: path,
    cause: error,
    remedy: 'Check the disk, then restart the server',
  });
}
