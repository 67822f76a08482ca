// A directory is claimed by listening on a local address named for its device and inode. The kernel frees
// it when the process dies, however that happens, so no stale lock can be left behind, and nothing
// is written that a copy of the directory would carry along.
//
//   Linux      abstract socket \0zebu-<device>-<inode>: one per network namespace, so two containers
//              that share a volume but no network do not see each other's claims
//   Windows    named pipe
//   elsewhere  nothing of that kind: every claim succeeds
//
// Apache's servers make no such claim: directory-writers.ts looks for them.

import * as fs from 'node:fs';
import * as net from 'node:net';
import type { Claimed, DirectoryClaim, DiskError, Done } from './disk.ts';

/** Claims an existing directory: see `Disk.claim`. */
export function claimDirectory(directory: string, done: Claimed): void {
  fs.stat(directory, { bigint: true }, (error, stats) => {
    if (error !== null) {
      done(error);
      return;
    }
    const address = addressOf(`zebu-${stats.dev.toString(16)}-${stats.ino.toString(16)}`);
    if (address === undefined) {
      done(undefined, NO_CLAIM);
      return;
    }
    const server = net.createServer((socket) => socket.destroy());
    server.once('error', (failure: DiskError) => {
      // Without the means (an old kernel, a sandbox) there is no claim, and no reason not to serve.
      if (!isTaken(failure)) done(undefined, NO_CLAIM);
      else done(busy(directory));
    });
    server.listen({ path: address, exclusive: true }, () => {
      server.unref();
      done(undefined, { release: (released?: Done) => void server.close(() => released?.()) });
    });
  });
}

const NO_CLAIM: DirectoryClaim = {
  release: (released) => {
    if (released !== undefined) setImmediate(released);
  },
};

function addressOf(name: string): string | undefined {
  switch (process.platform) {
    case 'linux':
    case 'android':
      return `\0${name}`;
    case 'win32':
      return `\\\\?\\pipe\\${name}`;
    default:
      return undefined;
  }
}

function isTaken(error: DiskError): boolean {
  return error.code === 'EADDRINUSE' || (process.platform === 'win32' && error.code === 'EACCES');
}

/** `holder`, if it is known: "process 12 (java) has ... open". */
export function busy(directory: string, holder?: string): DiskError {
  const why = holder ?? 'directory is in use';
  const error: DiskError = new Error(`EBUSY: ${why}, claim '${directory}'`);
  return Object.assign(error, { code: 'EBUSY', syscall: 'claim', path: directory, holder });
}
