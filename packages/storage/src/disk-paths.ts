// What disks that live in memory share: how they read paths, and the errors of a real disk.

import type { DiskError } from './disk.ts';

/** Without a slash at its end; "/" stays. */
export function normalPath(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/** The directory that a normal path lies in: "/" for "/a", and for "/". */
export function parentPath(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

/** The name of a normal path in its directory. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** As Node makes one: `note`, if there is one, stands after the code. */
export function diskError(code: string, syscall: string, path: string, note?: string): DiskError {
  const error: DiskError = new Error(
    `${code}: ${note === undefined ? '' : `${note}, `}${syscall} '${path}'`,
  );
  return Object.assign(error, { code, path, syscall });
}
