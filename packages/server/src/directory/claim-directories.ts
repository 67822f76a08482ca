// One data directory, one server: a second one would cut and overwrite what the first one acknowledged.

import {
  type DataDirectory,
  type DirectoryClaim,
  type Disk,
  type DiskError,
  StorageError,
} from '@zebu/storage';

/**
 * Takes the directories of snapshots and of txn logs, until `releaseClaims` or the death of the process.
 * Rejects with StorageError `DIRECTORY_IN_USE`, holding none.
 */
export async function claimDirectories(
  disk: Disk,
  { snapshotDirectory, logDirectory }: DataDirectory,
): Promise<readonly DirectoryClaim[]> {
  const claims: DirectoryClaim[] = [];
  try {
    for (const path of new Set([snapshotDirectory, logDirectory])) {
      claims.push(await claim(disk, path));
    }
  } catch (error) {
    await releaseClaims(claims);
    throw error;
  }
  return claims;
}

export async function releaseClaims(claims: readonly DirectoryClaim[]): Promise<void> {
  await Promise.all(
    claims.map((held) => new Promise<void>((resolve) => held.release(() => resolve()))),
  );
}

function claim(disk: Disk, path: string): Promise<DirectoryClaim> {
  return new Promise((resolve, reject) => {
    disk.claim(path, (error, held) => {
      if (held !== undefined) resolve(held);
      else reject(error?.code === 'EBUSY' ? inUse(path, error) : error);
    });
  });
}

function inUse(path: string, cause: DiskError): StorageError {
  const { holder } = cause;
  const what =
    holder === undefined
      ? 'Another server has this data directory'
      : `Another server has this data directory: ${holder}`;
  return new StorageError('DIRECTORY_IN_USE', what, {
    file: path,
    remedy: 'Stop that server first, or give this one a dataDir (and dataLogDir) of its own',
    cause,
  });
}
