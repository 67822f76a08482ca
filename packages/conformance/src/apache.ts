// Apache's own server as a process: the reference that every test here compares with.

import { join } from 'node:path';
import { type ServerOptions, type ServerProcess, startServerProcess } from './server-process.ts';
import { apacheClassPath, conformanceRoot } from './tools.ts';

/** The releases that `setup.mjs` installs. */
export type ApacheVersion = '3.9.5' | '3.8.6';

/** Java options that start a small JVM fast and without surprises; also for Apache's command-line tools. */
export const JVM_OPTIONS = [
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Xshare:auto',
  '-Djava.awt.headless=true',
  '-Dfile.encoding=UTF-8',
  '-Dsun.jnu.encoding=UTF-8',
] as const;

/** Starts Apache's standalone server and waits until it serves. Needs `node setup.mjs apache`. */
export function startApache(
  options: ServerOptions & { version?: ApacheVersion } = {},
): Promise<ServerProcess> {
  const version = options.version ?? '3.9.5';
  const properties = { 'logback.configurationFile': logbackFile, ...options.systemProperties };
  return startServerProcess(`apache-${version}`, options, (configFile) => ({
    command: 'java',
    args: [
      ...JVM_OPTIONS,
      `-Xmx${options.heapMb ?? 256}m`,
      ...Object.entries(properties).map(([name, value]) => `-D${name}=${value}`),
      '-cp',
      apacheClassPath(version),
      'org.apache.zookeeper.server.quorum.QuorumPeerMain',
      configFile,
    ],
  }));
}

/** Quiets logback, which without a configuration prints every debug line. */
export const logbackFile = join(conformanceRoot, 'foreign', 'logback.xml');
