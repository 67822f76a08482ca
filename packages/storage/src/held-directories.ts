import * as fs from 'node:fs';
import { basename, dirname } from 'node:path';
import { type DiskError, ignore } from './disk.ts';

// Directories that are held open, so that what is done in them does not go astray when one is moved away
// and another one gets its name: a server that had not noticed yet would put its logs and snapshots, of
// higher zxids, into the directory of the next, which would lose what it acknowledged.
//
//   Linux      files are reached through the open directory, as /proc/self/fd/<fd>/<name>
//   elsewhere  by path, as ever

interface Held {
  readonly fd: number;
  /** While there are any, paths lead through the descriptor. */
  holds: number;
  /** Calls under way that were given such a path: until they end, no other file may get this descriptor. */
  uses: number;
}

/** A path for a call that ends later. */
export interface BorrowedPath {
  readonly real: string;
  /** To be called once, when the call has ended. Returns its error, which names the path as it was given. */
  end<E extends DiskError | null>(error: E): E;
}

export class HeldDirectories {
  readonly #held = new Map<string, Held>();

  /**
   * Holds an existing directory until the returned function is called, once, where this system can. Throws EBUSY
   * while another one is held that had its name before.
   */
  hold(directory: string): () => void {
    const before = this.#held.get(directory);
    if (before !== undefined && !isSame(before.fd, directory)) throw replaced(directory);
    const held = before ?? open(directory);
    if (held === undefined) return ignore;
    this.#held.set(directory, held);
    held.holds += 1;
    return () => {
      held.holds -= 1;
      if (held.holds === 0) this.#held.delete(directory);
      closeIfUnused(held);
    };
  }

  /** The path that leads to what `path` meant when its directory, or it itself, was held. */
  real(path: string): string {
    if (this.#held.size === 0) return path;
    const itself = this.#held.get(path);
    if (itself !== undefined) return descriptorPath(itself.fd);
    const held = this.#held.get(dirname(path));
    return held === undefined ? path : `${descriptorPath(held.fd)}/${basename(path)}`;
  }

  borrow(path: string): BorrowedPath {
    const held = this.#held.get(dirname(path));
    if (held === undefined) return { real: path, end: (error) => error };
    held.uses += 1;
    return {
      real: this.real(path),
      end: (error) => {
        held.uses -= 1;
        closeIfUnused(held);
        return named(error, path);
      },
    };
  }

  /** Does `work` with the real path; what it throws names `path`. */
  in<T>(path: string, work: (real: string) => T): T {
    try {
      return work(this.real(path));
    } catch (error) {
      throw named(error as DiskError, path);
    }
  }
}

const DESCRIPTORS = '/proc/self/fd/';
const DESCRIPTOR = /\/proc\/self\/fd\/\d+/g;

/** The error, with `path` where it names a descriptor. */
function named<E extends DiskError | null>(error: E, path: string): E {
  if (error?.path?.startsWith(DESCRIPTORS) !== true) return error;
  error.message = error.message.replaceAll(error.path, path);
  // The other name of a rename.
  error.message = error.message.replaceAll(DESCRIPTOR, dirname(path));
  error.path = path;
  return error;
}

/** Leads to an open file or directory, whatever has its name by now. Linux alone has such paths. */
export function descriptorPath(fd: number): string {
  return `${DESCRIPTORS}${fd}`;
}

function open(directory: string): Held | undefined {
  if (process.platform !== 'linux' && process.platform !== 'android') return undefined;
  const fd = fs.openSync(directory, 'r');
  // Without /proc, as in some sandboxes, it is by path.
  if (fs.existsSync(`${descriptorPath(fd)}/.`)) return { fd, holds: 0, uses: 0 };
  fs.closeSync(fd);
  return undefined;
}

function closeIfUnused({ fd, holds, uses }: Held): void {
  if (holds === 0 && uses === 0) fs.closeSync(fd);
}

function isSame(fd: number, directory: string): boolean {
  const held = fs.fstatSync(fd, { bigint: true });
  const named = fs.statSync(directory, { bigint: true });
  return held.ino === named.ino && held.dev === named.dev;
}

function replaced(directory: string): DiskError {
  const error: DiskError = new Error(
    `EBUSY: another directory of this name was moved away and is still in use, claim '${directory}'`,
  );
  return Object.assign(error, { code: 'EBUSY', syscall: 'claim', path: directory });
}
