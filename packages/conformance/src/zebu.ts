// Our server as a process, in the same shape as `apache.ts`.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type ServerOptions, type ServerProcess, startServerProcess } from './server-process.ts';
import { repositoryRoot } from './tools.ts';

/**
 * Starts zebu's standalone server and waits until it serves: the built one, or with ZEBU_FROM_SOURCE set, or
 * nothing built, the sources. Java system properties go where service units put them, in SERVER_JVMFLAGS.
 */
export function startZebu(options: ServerOptions = {}): Promise<ServerProcess> {
  const flags = Object.entries(options.systemProperties ?? {}).map(
    ([name, value]) => `-D${name}=${value}`,
  );
  return startServerProcess('zebu', options, (configFile) => ({
    command: node,
    args: [`--max-old-space-size=${options.heapMb ?? 512}`, ...server(), configFile],
    env: { SERVER_JVMFLAGS: flags.join(' ') },
  }));
}

/** True when there is a server to start at all. */
export function hasZebu(): boolean {
  return existsSync(built) || existsSync(source);
}

// The Node that the repository installs; the one that runs this, where it has none for the platform.
const installedNode = join(repositoryRoot, 'node_modules', '.bin', 'node');
const node = existsSync(installedNode) ? installedNode : process.execPath;
const built = join(repositoryRoot, 'apps', 'server', 'dist', 'main.js');
const source = join(repositoryRoot, 'apps', 'server', 'src', 'main.ts');

function server(): string[] {
  const fromSource = process.env.ZEBU_FROM_SOURCE !== undefined || !existsSync(built);
  return fromSource ? ['--conditions=@zebu/source', source] : [built];
}
