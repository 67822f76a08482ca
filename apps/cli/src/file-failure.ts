// Why a file cannot be read or written, in words: what the system says is for programmers.

import { isAbsolute } from 'node:path';

const TEXTS: { readonly [code: string]: string } = {
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of its path is no directory',
  EACCES: 'this user may not',
  EPERM: 'this user may not',
  EROFS: 'the disk can only be read',
  ENOSPC: 'the disk is full',
};

/** For `Cannot read FILE: ...`; `path` is as the user wrote it. */
export function readFailure(path: string, error: unknown): string {
  return codeOf(error) === 'ENOENT'
    ? `there is no such file${whereFrom(path)}`
    : otherFailure(error);
}

/** For `Cannot write FILE: ...`. */
export function writeFailure(path: string, error: unknown): string {
  return codeOf(error) === 'ENOENT'
    ? `its directory is not there${whereFrom(path)}`
    : otherFailure(error);
}

function otherFailure(error: unknown): string {
  return TEXTS[codeOf(error) ?? ''] ?? (error instanceof Error ? error.message : String(error));
}

function whereFrom(path: string): string {
  return isAbsolute(path) ? '' : ` in ${process.cwd()}`;
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
