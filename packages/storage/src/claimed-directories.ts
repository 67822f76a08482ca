// Keeps a server from working in the wrong directory. When a claimed directory is moved away and another
// one gets its name, the next log or snapshot, of higher zxids, would go into that one, and its server
// would lose what it acknowledged. So before a file is made, renamed, cut or removed, the directory is
// compared with the one that was claimed.
//
// Between this look and the system call the directory may still be moved. What is done to it then does no
// harm as long as temporary names are of one directory alone: see `temporaryName` in file-names.ts.

import * as fs from 'node:fs';
import { dirname } from 'node:path';
import type { DiskError } from './disk.ts';

interface ClaimedDirectory {
  readonly identity: string;
  /** Kept open, so that no new directory gets its inode number once it is removed. Undefined on Windows. */
  readonly fd: number | undefined;
  /** Invariant: > 0 while it is in the map. */
  claims: number;
}

export class ClaimedDirectories {
  private readonly claimed = new Map<string, ClaimedDirectory>();

  /**
   * Remembers an existing directory until the returned function is called, once. Throws EBUSY while another
   * one is claimed that had this path before.
   */
  add(directory: string): () => void {
    const identity = identityOf(directory);
    if (identity === undefined) throw stale('ENOENT', 'no such directory', 'claim', directory);
    let claimed = this.claimed.get(directory);
    if (claimed !== undefined && claimed.identity !== identity) {
      const why = 'another directory of this name was moved away and is still in use';
      throw stale('EBUSY', why, 'claim', directory);
    }
    claimed ??= { identity, fd: openDirectory(directory), claims: 0 };
    this.claimed.set(directory, claimed);
    claimed.claims += 1;
    return () => {
      claimed.claims -= 1;
      if (claimed.claims > 0) return;
      this.claimed.delete(directory);
      if (claimed.fd !== undefined) fs.closeSync(claimed.fd);
    };
  }

  /** Throws ESTALE when `path` lies in a directory that was claimed, and another one, or none, has its name. */
  check(path: string, syscall: string): void {
    if (this.claimed.size === 0) return;
    const directory = dirname(path);
    const claimed = this.claimed.get(directory);
    if (claimed === undefined || identityOf(directory) === claimed.identity) return;
    throw stale('ESTALE', `${directory} was moved away or replaced`, syscall, path);
  }
}

function openDirectory(directory: string): number | undefined {
  return process.platform === 'win32' ? undefined : fs.openSync(directory, 'r');
}

/** Device and inode of what has this name; undefined when nothing has. */
export function identityOf(path: string): string | undefined {
  const stats = fs.statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats && `${stats.dev}-${stats.ino}`;
}

function stale(code: string, why: string, syscall: string, path: string): DiskError {
  const error: DiskError = new Error(`${code}: ${why}, ${syscall} '${path}'`);
  return Object.assign(error, { code, syscall, path });
}
