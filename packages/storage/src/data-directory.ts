// The layout of disk.md section 1: <dataDir>/version-2 holds snapshots and epoch files,
// <dataLogDir>/version-2 the txn logs; the two may be one. `myid` and `initialize` stand beside.

import type { Disk, DiskError } from './disk.ts';
import { isLogName, isSnapshotName } from './file-names.ts';
import { StorageError } from './storage-error.ts';

const VERSION_DIRECTORY = 'version-2';

export interface DataDirectory {
  /** <dataDir>: myid. */
  readonly dataDir: string;
  /** <dataLogDir>: the `initialize` marker is looked for in its parent place, beside version-2. */
  readonly dataLogDir: string;
  /** Snapshots, currentEpoch, acceptedEpoch. */
  readonly snapshotDirectory: string;
  /** Txn logs. */
  readonly logDirectory: string;
}

export interface OpenDataDirectoryOptions {
  disk: Disk;
  dataDir: string;
  /** Default: dataDir. */
  dataLogDir?: string | undefined;
  /** `zookeeper.datadir.autocreate`. Default true. */
  autocreate?: boolean;
}

const ANOTHER_DIRECTORY = 'Set dataDir (or dataLogDir) to another directory';

/** What helps where a directory cannot be made or written to, by the system's reason. */
const REMEDIES = {
  EACCES: `Give the user that runs the server the right to write there, or: ${ANOTHER_DIRECTORY}`,
  ENOTDIR: `A file is in the way. ${ANOTHER_DIRECTORY}`,
  EEXIST: `A file is in the way. ${ANOTHER_DIRECTORY}`,
  EROFS: `That file system is read-only. ${ANOTHER_DIRECTORY}`,
} as { readonly EACCES: string; readonly [code: string]: string };

/**
 * Makes or checks both directories. Throws StorageError `BAD_DATA_DIRECTORY` when one is missing and may
 * not be made, is not writable, or holds the other's files (FileTxnSnapLog's constructor).
 */
export function openDataDirectory(options: OpenDataDirectoryOptions): DataDirectory {
  const { disk, dataDir } = options;
  const dataLogDir = options.dataLogDir ?? dataDir;
  const snapshotDirectory = `${dataDir}/${VERSION_DIRECTORY}`;
  const logDirectory = `${dataLogDir}/${VERSION_DIRECTORY}`;
  for (const path of new Set([logDirectory, snapshotDirectory])) {
    if (!disk.exists(path)) {
      if (options.autocreate === false) {
        throw wrong(path, 'Data directory is missing and datadir.autocreate is false', 'Create it');
      }
      try {
        disk.makeDirectory(path);
      } catch (error) {
        const { message, code = '' } = error as DiskError;
        throw wrong(path, `Cannot create: ${message}`, REMEDIES[code] ?? ANOTHER_DIRECTORY);
      }
    }
    if (!disk.isWritable(path)) {
      throw wrong(path, 'Cannot write here', REMEDIES.EACCES);
    }
  }
  // One directory by two names: a link, or a volume that is mounted twice.
  if (disk.identity(snapshotDirectory) === disk.identity(logDirectory)) {
    return { dataDir, dataLogDir, snapshotDirectory, logDirectory: snapshotDirectory };
  }
  const remedy = 'Check whether dataDir and dataLogDir were swapped or changed';
  const snapshot = disk.list(logDirectory).find(isSnapshotName);
  if (snapshot !== undefined) {
    const path = `${logDirectory}/${snapshot}`;
    throw wrong(path, 'The directory of the txn logs holds a snapshot', remedy);
  }
  const log = disk.list(snapshotDirectory).find(isLogName);
  if (log !== undefined) {
    const path = `${snapshotDirectory}/${log}`;
    throw wrong(path, 'The directory of the snapshots holds a txn log', remedy);
  }
  return { dataDir, dataLogDir, snapshotDirectory, logDirectory };
}

/**
 * The server id in `<dataDir>/myid`: decimal, first line, no spaces (QuorumPeerConfig.setupMyId).
 * Undefined when there is no such file. Throws StorageError `BAD_MYID`.
 */
export function readMyId(disk: Disk, dataDir: string): number | undefined {
  const path = `${dataDir}/myid`;
  if (!disk.exists(path)) return undefined;
  const line = disk.readFile(path).toString('latin1').split(/\r?\n/, 1)[0] as string;
  const id = /^[+-]?\d{1,15}$/.test(line) ? Number(line) : Number.NaN;
  if (!Number.isSafeInteger(id)) {
    throw new StorageError('BAD_MYID', `Not a server id: ${JSON.stringify(line.slice(0, 40))}`, {
      file: path,
      remedy:
        'Write the number of this server, as in server.N of the configuration, without spaces',
    });
  }
  return id;
}

/** True if the `initialize` marker stands in `<dataLogDir>`. */
export function hasInitializeMarker(disk: Disk, dataLogDir: string): boolean {
  return disk.exists(`${dataLogDir}/initialize`);
}

/** True if the `initialize` marker stood in `<dataLogDir>`; it is deleted, durably. Recovery calls it. */
export function takeInitializeMarker(disk: Disk, dataLogDir: string): boolean {
  if (!hasInitializeMarker(disk, dataLogDir)) return false;
  disk.unlink(`${dataLogDir}/initialize`);
  disk.syncDirectory(dataLogDir);
  return true;
}

function wrong(path: string, what: string, remedy: string): StorageError {
  return new StorageError('BAD_DATA_DIRECTORY', what, { file: path, remedy });
}
