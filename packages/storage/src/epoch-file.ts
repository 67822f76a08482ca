// currentEpoch and acceptedEpoch (disk.md 7.4): a decimal number, no newline, in the directory of the
// snapshots. Replaced by: write `<name>.new`, sync, rename, sync the directory.
//
// `currentEpoch.tmp` has a meaning of its own: if the data is of a higher epoch than currentEpoch says
// and the .tmp file exists, its value is used (Java's QuorumPeer.loadDataBase; here, the data's). A learner writes it
// before a txn or a snapshot of a new epoch reaches its disk, so that a crash before currentEpoch is
// raised can be survived. It must be whole at every moment for that, so nothing is ever written in
// place under its name, as Java's AtomicFileOutputStream does.

import { epochOf, MAX_EPOCH, type Zxid } from '@zebu/protocol';
import { type Disk, type DiskError, ignore } from './disk.ts';
import { StorageError } from './storage-error.ts';

// `history-discarded` is ours: the history of this member was thrown away or lost, and no sync has replaced it
// since. Such a member must not be counted for what its currentEpoch says. It goes when currentEpoch is written next.

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
  replaceFile(disk, directory, name, encode(epoch));
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
  replaceFileAsync(disk, directory, name, encode(epoch), done);
}

/** Writes `<name>.tmp` only, durably: rule 7.4-2 above. */
export function prepareEpoch(disk: Disk, directory: string, name: EpochName, epoch: number): void {
  replaceFile(disk, directory, prepared(name), encode(epoch));
}

/** As `prepareEpoch`, without blocking. */
export function prepareEpochAsync(
  disk: Disk,
  directory: string,
  name: EpochName,
  epoch: number,
  done: (error?: StorageError) => void,
): void {
  replaceFileAsync(disk, directory, prepared(name), encode(epoch), done);
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
  let wasPrepared = false;
  if (dataEpoch > currentEpoch) {
    const ready = readNumber(disk, `${directory}/${prepared('currentEpoch')}`);
    if (ready === undefined || ready < dataEpoch) {
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
    // Never more than the data: the crash may have come between the preparing of an epoch and its first txn. A
    // member that claims an epoch without all that it begins with could win an election, and undo what is missing.
    currentEpoch = dataEpoch;
    wasPrepared = true;
    writeEpoch(disk, directory, 'currentEpoch', currentEpoch);
    disk.unlink(`${directory}/${prepared('currentEpoch')}`);
    disk.syncDirectory(directory);
  }
  let acceptedEpoch = readEpoch(disk, directory, 'acceptedEpoch');
  if (acceptedEpoch === undefined) {
    acceptedEpoch = dataEpoch;
    writeEpoch(disk, directory, 'acceptedEpoch', acceptedEpoch);
  }
  if (acceptedEpoch < currentEpoch && wasPrepared) {
    // A member without history makes no promise before it is synced: the data of that sync is one.
    acceptedEpoch = currentEpoch;
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

/** Notes that the history is gone, durably on return: before anything of it is removed, or written in its place. */
export function markDiscarded(disk: Disk, directory: string): void {
  replaceFile(disk, directory, DISCARDED, Buffer.alloc(0));
}

export function isMarkedDiscarded(disk: Disk, directory: string): boolean {
  return disk.exists(`${directory}/${DISCARDED}`);
}

/**
 * Both epochs of a member, and the order in which they may be raised. What is read here is durable: a
 * value changes once its file is on the disk, never before (ZOOKEEPER-2307).
 *
 *   accept(e)        before LEADERINFO (a leader) or ACKEPOCH (a learner) is sent
 *   prepare(e)       before the first txn or snapshot of an epoch above currentEpoch reaches the disk
 *   establish(e)     once all txns of the history are durable, before the ack of NEWLEADER is sent
 *                    (ZOOKEEPER-4643); a leader: when a quorum has acked the epoch
 *
 * Calls are carried out one after another. After a failure all of them fail.
 */
export class EpochFiles {
  private readonly disk: Disk;
  private readonly directory: string;
  private accepted: number;
  private current: number;
  /** What `currentEpoch.tmp` is known to hold. */
  private preparedEpoch = -1;
  private readonly queue: (() => void)[] = [];
  private failure: StorageError | undefined;

  /** `epochs` as `loadEpochs` gave them; `directory` is that of the snapshots. */
  constructor(disk: Disk, directory: string, epochs: Epochs) {
    this.disk = disk;
    this.directory = directory;
    this.accepted = epochs.acceptedEpoch;
    this.current = epochs.currentEpoch;
  }

  get acceptedEpoch(): number {
    return this.accepted;
  }

  /** Invariant: currentEpoch <= acceptedEpoch. */
  get currentEpoch(): number {
    return this.current;
  }

  /** Raises acceptedEpoch. Throws RangeError when it would fall: that promise was given already. */
  accept(epoch: number, done: (error?: StorageError) => void): void {
    if (epoch < this.accepted) {
      throw new RangeError(`acceptedEpoch cannot fall from ${this.accepted} to ${epoch}`);
    }
    this.add(
      (end) => writeEpochAsync(this.disk, this.directory, 'acceptedEpoch', epoch, end),
      () => {
        this.accepted = epoch;
      },
      done,
    );
  }

  /**
   * Writes `currentEpoch.tmp`: a start that finds data of this epoch takes it for the current one, and for the
   * accepted one too. A member without history prepares an epoch that it has not accepted.
   */
  prepare(epoch: number, done: (error?: StorageError) => void): void {
    this.add(
      (end) => prepareEpochAsync(this.disk, this.directory, 'currentEpoch', epoch, end),
      () => {
        this.preparedEpoch = epoch;
      },
      done,
    );
  }

  /** Whether a txn or snapshot of this epoch may reach the disk. */
  isPrepared(epoch: number): boolean {
    return epoch <= this.current || epoch === this.preparedEpoch;
  }

  /** Raises currentEpoch. Throws RangeError when it would fall, and for an epoch that was not accepted. */
  establish(epoch: number, done: (error?: StorageError) => void): void {
    if (epoch < this.current) {
      throw new RangeError(`currentEpoch cannot fall from ${this.current} to ${epoch}`);
    }
    this.checkAccepted(epoch);
    this.add(
      (end) => this.writeCurrent(epoch, (error) => (error ? end(error) : this.unmark(end))),
      () => {
        this.current = epoch;
      },
      done,
    );
  }

  private checkAccepted(epoch: number): void {
    if (epoch <= this.accepted) return;
    throw new RangeError(`Epoch ${epoch} is above acceptedEpoch ${this.accepted}`);
  }

  private writeCurrent(epoch: number, end: (error?: StorageError) => void): void {
    if (this.preparedEpoch !== epoch) {
      writeEpochAsync(this.disk, this.directory, 'currentEpoch', epoch, end);
      return;
    }
    this.preparedEpoch = -1;
    renameAsync(this.disk, this.directory, prepared('currentEpoch'), 'currentEpoch', end);
  }

  /** The member is synced: its history counts again. */
  private unmark(end: (error?: StorageError) => void): void {
    if (!isMarkedDiscarded(this.disk, this.directory)) {
      end();
      return;
    }
    const path = `${this.directory}/${DISCARDED}`;
    this.disk.unlinkAsync(path, (error) => {
      if (error === undefined) {
        this.disk.syncDirectoryAsync(this.directory, (failure) =>
          end(failure && cannotWrite(path, failure)),
        );
      } else end(cannotWrite(path, error));
    });
  }

  private add(
    start: (end: (error?: StorageError) => void) => void,
    apply: () => void,
    done: (error?: StorageError) => void,
  ): void {
    const run = (): void => {
      const end = (error?: StorageError): void => {
        this.failure ??= error;
        if (this.failure === undefined) apply();
        this.queue.shift();
        this.queue[0]?.();
        done(this.failure);
      };
      if (this.failure === undefined) start(end);
      else this.disk.syncDirectoryAsync(this.directory, () => end());
    };
    this.queue.push(run);
    if (this.queue.length === 1) run();
  }
}

const DISCARDED = 'history-discarded';

function prepared(name: EpochName): string {
  return `${name}.tmp`;
}

function replaceFile(disk: Disk, directory: string, name: string, bytes: Buffer): void {
  disk.writeFile(`${directory}/${name}.new`, bytes);
  disk.rename(`${directory}/${name}.new`, `${directory}/${name}`);
  disk.syncDirectory(directory);
}

function replaceFileAsync(
  disk: Disk,
  directory: string,
  name: string,
  bytes: Buffer,
  done: (error?: StorageError) => void,
): void {
  const path = `${directory}/${name}.new`;
  const file = disk.openWrite(path, { truncate: true });
  // A failed write fails the sync after it.
  file.write(bytes, bytes.length, 0, ignore);
  file.sync((error) => {
    file.close();
    if (error === undefined) renameAsync(disk, directory, `${name}.new`, name, done);
    else done(cannotWrite(path, error));
  });
}

function renameAsync(
  disk: Disk,
  directory: string,
  from: string,
  to: string,
  done: (error?: StorageError) => void,
): void {
  const path = `${directory}/${to}`;
  disk.renameAsync(`${directory}/${from}`, path, (renameError) => {
    if (renameError !== undefined) {
      done(cannotWrite(path, renameError));
      return;
    }
    disk.syncDirectoryAsync(directory, (error) =>
      done(error === undefined ? undefined : cannotWrite(path, error)),
    );
  });
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
