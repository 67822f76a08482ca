// Where the foreign software is that `setup.mjs` installs, and whether it is there. A test asks `hasTool`
// and skips itself with the command that would install what it misses.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The root of the repository. */
export const repositoryRoot = join(import.meta.dirname, '..', '..', '..');

/** This package's folder. */
export const conformanceRoot = join(import.meta.dirname, '..');

const installed = join(repositoryRoot, '.tools', 'interop');

/** A part of `setup.mjs`. */
export type Tool = 'apache' | 'curator' | 'kazoo' | 'c' | 'npm' | 'go' | 'runtimes';

/** True when `node setup.mjs <tool>` has succeeded here. */
export function hasTool(tool: Tool): boolean {
  switch (tool) {
    case 'apache':
      return isDone('zookeeper-3.9.5') && isDone('zookeeper-3.8.6');
    case 'curator':
      return isDone('curator-5.9.0');
    case 'kazoo':
      return isDone('kazoo');
    case 'c':
      return existsSync('/usr/include/zookeeper/zookeeper.h');
    case 'npm':
      return isDone('npm');
    case 'go':
      return isDone('go');
    case 'runtimes':
      return isDone('runtimes');
  }
}

/** The Java class path of Apache's server and tools. */
export function apacheClassPath(version: '3.9.5' | '3.8.6'): string {
  return join(installed, `zookeeper-${version}`, 'lib', '*');
}

/** The Java class path of Curator with its ZooKeeper client. */
export function curatorClassPath(): string {
  return join(installed, 'curator-5.9.0', 'lib', '*');
}

/** The Python that has kazoo. */
export function kazooPython(): string {
  return join(installed, 'kazoo', 'bin', 'python');
}

/** The folder with the npm clients, and the Node that their native addon was built for. */
export function npmClients(): { folder: string; node: string } {
  const folder = join(installed, 'npm');
  return { folder, node: readFileSync(join(folder, 'node-path'), 'utf8') };
}

/** Where Go finds go-zookeeper, without a network. */
export function goModules(): Record<'PATH' | 'GOMODCACHE' | 'GOPROXY' | 'GOFLAGS', string> {
  // Go's own installer puts it there, and on nobody's PATH.
  const PATH = `${process.env.PATH}:/usr/local/go/bin`;
  return {
    PATH,
    GOMODCACHE: join(installed, 'go', 'modules'),
    GOPROXY: 'off',
    GOFLAGS: '-mod=mod',
  };
}

/** The command line that runs a script on this runtime. */
export function runtimeCommand(runtime: 'node' | 'bun' | 'deno'): readonly string[] {
  const binary = (name: string): string =>
    join(installed, 'runtimes', 'node_modules', '.bin', name);
  switch (runtime) {
    case 'node':
      return [process.execPath];
    case 'bun':
      return [binary('bun'), 'run'];
    case 'deno':
      // All that Node's programs may do, and no look-ups of newer versions.
      return [binary('deno'), 'run', '--allow-all', '--no-prompt', '--node-modules-dir=manual'];
  }
}

function isDone(folder: string): boolean {
  return existsSync(join(installed, folder, '.done'));
}
