// Looks for another process that has files of a data directory open for writing: an Apache server, which makes
// no claim (directory-claim.ts), or a zebu server whose claim is in another network namespace. Its log would be
// cut as torn, and overwritten.
//
// Linux tells by /proc/<pid>/fd. It does not show
//   - the files of another user's processes, unless this one is root's;
//   - processes of another machine, or of a container whose pids are not seen here;
//   - a server that has no file open: Apache's opens its log with the first txn after a start or a roll.
// Other systems show nothing of this kind here.

import * as fs from 'node:fs';
import { basename } from 'node:path';

const PROC = '/proc';
/** Processes looked at before the event loop turns. */
const SLICE_PROCESSES = 16;
/** The bits of open's flags that are not zero when a file is open for writing. */
const WRITE_FLAGS = fs.constants.O_WRONLY | fs.constants.O_RDWR;

export interface DirectoryWriters {
  /** `process 1234 (java)`, and the file that it has open; undefined when none is seen. */
  readonly writer: { readonly process: string; readonly file: string } | undefined;
  /** Processes of another user, who owns files of the directory: what they have open cannot be seen. */
  readonly unseen: readonly string[];
}

/** Looks at every process but this one. Calls back later; there is no error: what cannot be read is not seen. */
export function findWriters(directory: string, done: (found: DirectoryWriters) => void): void {
  const unseen: string[] = [];
  const files = filesOf(directory);
  const pids = files.names.size === 0 ? [] : otherPids();
  let next = 0;
  const look = (): void => {
    for (let i = 0; i < SLICE_PROCESSES && next < pids.length; i += 1) {
      const pid = pids[next] as string;
      next += 1;
      const file = openForWriting(pid, files, unseen);
      if (file !== undefined) {
        done({ writer: { process: describe(pid), file: `${directory}/${file}` }, unseen });
        return;
      }
    }
    if (next < pids.length) setImmediate(look);
    else done({ writer: undefined, unseen });
  };
  setImmediate(look);
}

interface Files {
  readonly names: ReadonlySet<string>;
  /** `<device>-<inode>`: names lead elsewhere in other mount namespaces. */
  readonly identities: ReadonlySet<string>;
  readonly owners: ReadonlySet<number>;
}

function filesOf(directory: string): Files {
  const names = new Set<string>();
  const identities = new Set<string>();
  const owners = new Set<number>();
  for (const name of attempt(() => fs.readdirSync(directory)) ?? []) {
    const stats = attempt(() => fs.statSync(`${directory}/${name}`, { bigint: true }));
    if (stats?.isFile() !== true) continue;
    names.add(name);
    identities.add(`${stats.dev}-${stats.ino}`);
    owners.add(Number(stats.uid));
  }
  return { names, identities, owners };
}

function otherPids(): string[] {
  if (process.platform !== 'linux') return [];
  const entries = attempt(() => fs.readdirSync(PROC)) ?? [];
  return entries.filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
}

/** The name of a file of the directory that the process may write to. */
function openForWriting(pid: string, files: Files, unseen: string[]): string | undefined {
  let descriptors: string[];
  try {
    descriptors = fs.readdirSync(`${PROC}/${pid}/fd`);
  } catch (error) {
    // ENOENT: it has ended in the meantime.
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') return undefined;
    const owner = attempt(() => fs.statSync(`${PROC}/${pid}`).uid);
    const isOurs = owner === process.getuid?.();
    if (owner !== undefined && !isOurs && files.owners.has(owner)) unseen.push(describe(pid));
    return undefined;
  }
  for (const fd of descriptors) {
    const path = `${PROC}/${pid}/fd/${fd}`;
    // Most are sockets and libraries: their names are enough.
    const name = basename(attempt(() => fs.readlinkSync(path)) ?? '');
    if (!files.names.has(name)) continue;
    const stats = attempt(() => fs.statSync(path, { bigint: true }));
    if (stats === undefined || !files.identities.has(`${stats.dev}-${stats.ino}`)) continue;
    const info = attempt(() => fs.readFileSync(`${PROC}/${pid}/fdinfo/${fd}`, 'latin1'));
    const flags = Number.parseInt(/^flags:\s*(\d+)/m.exec(info ?? '')?.[1] ?? '0', 8);
    if ((flags & WRITE_FLAGS) !== 0) return name;
  }
  return undefined;
}

function describe(pid: string): string {
  const name = attempt(() => fs.readFileSync(`${PROC}/${pid}/comm`, 'utf8').trim());
  return `process ${pid}${name === undefined ? '' : ` (${name})`}`;
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
