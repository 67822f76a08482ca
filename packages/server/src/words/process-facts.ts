/** What the process knows of itself and its machine, for `envi` and `mntr`. Reads, never writes. */

import { readdirSync } from 'node:fs';
import os from 'node:os';
import { dirname } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import { maxFileDescriptors } from '@zebu/transport';
import { FULL_VERSION } from '../version.ts';

const NONE = '<NA>';
const MEGABYTE = 1024 * 1024;

/** Java's names of architectures. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'aarch64' };

/**
 * What `envi` lists, under the names that Apache has: Node and its paths stand where Java and its own
 * were.
 */
export function* processEnvironment(): Generator<readonly [key: string, value: string]> {
  const heap = getHeapStatistics();
  const megabytes = (bytes: number) => `${Math.floor(bytes / MEGABYTE)}MB`;
  yield ['zookeeper.version', FULL_VERSION];
  yield ['host.name', os.hostname()];
  yield ['java.version', process.versions.node];
  yield ['java.vendor', 'Node.js'];
  yield ['java.home', dirname(dirname(process.execPath))];
  yield ['java.class.path', process.argv[1] ?? NONE];
  yield ['java.library.path', NONE];
  yield ['java.io.tmpdir', os.tmpdir()];
  yield ['java.compiler', NONE];
  yield ['os.name', os.type()];
  yield ['os.arch', ARCHITECTURES[os.arch()] ?? os.arch()];
  yield ['os.version', os.release()];
  yield ['user.name', userName()];
  yield ['user.home', os.homedir()];
  yield ['user.dir', process.cwd()];
  yield ['os.memory.free', megabytes(heap.total_available_size)];
  yield ['os.memory.max', megabytes(heap.heap_size_limit)];
  yield ['os.memory.total', megabytes(heap.total_heap_size)];
}

/** Open file descriptors and how many there may be; -1 where the system does not say (not Linux). */
export function fileDescriptors(): { open: number; max: number } {
  return { open: openFileDescriptors(), max: maxFileDescriptors() ?? -1 };
}

function openFileDescriptors(): number {
  try {
    // One of them is the directory being read.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return -1;
  }
}

/** On whose account the process runs; `<NA>` for a user without a name, as in a container. */
export function userName(): string {
  try {
    return os.userInfo().username;
  } catch {
    return NONE;
  }
}
