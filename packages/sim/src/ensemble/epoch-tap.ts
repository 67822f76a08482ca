// A disk that lets the checkers see which epochs are durable on it: a file counts once its new name is synced.
// Changes nothing.

import { basename } from 'node:path/posix';
import type { Disk } from '@zebu/storage';
import { withDisk } from '../txn-log-tap.ts';

export type EpochFile = 'acceptedEpoch' | 'currentEpoch';

/** `disk` with a tap on the two files of epochs. */
export function tapEpochs(disk: Disk, durable: (file: EpochFile, epoch: number) => void): Disk {
  const renamed = new Map<EpochFile, number>();
  const note = (to: string): void => {
    const name = basename(to);
    if (name === 'acceptedEpoch' || name === 'currentEpoch') {
      renamed.set(name, Number(disk.readFile(to).toString('latin1')));
    }
  };
  const tell = (covered: ReadonlyMap<EpochFile, number>): void => {
    for (const [name, epoch] of covered) {
      durable(name, epoch);
      if (renamed.get(name) === epoch) renamed.delete(name);
    }
  };
  return withDisk(disk, {
    rename: (from, to) => {
      disk.rename(from, to);
      note(to);
    },
    renameAsync: (from, to, done) => {
      disk.renameAsync(from, to, (error) => {
        if (error === undefined) note(to);
        done(error);
      });
    },
    syncDirectory: (path) => {
      disk.syncDirectory(path);
      tell(renamed);
    },
    syncDirectoryAsync: (path, done) => {
      const covered = new Map(renamed);
      disk.syncDirectoryAsync(path, (error) => {
        if (error === undefined) tell(covered);
        done(error);
      });
    },
  });
}
