// How the scripts of foreign clients are started on a connect string: of one server, or of all members of an ensemble.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { JVM_OPTIONS, logbackFile } from './apache.ts';
import { conformanceRoot, curatorClassPath, goModules, kazooPython, npmClients } from './tools.ts';
import type { Script } from './transcript.ts';

export function kazooScript(servers: string): Script {
  return {
    command: kazooPython(),
    args: [script('kazoo', 'session.py'), servers],
    timeoutMs: 180_000,
  };
}

/** Reads and writes with retries while all servers are restarted in turn. */
export function kazooRollingScript(servers: string): Script {
  return {
    command: kazooPython(),
    args: [script('kazoo', 'rolling.py'), servers],
    timeoutMs: 240_000,
  };
}

export function curatorScript(servers: string): Script {
  return {
    command: 'java',
    args: [
      ...JVM_OPTIONS,
      '-Dzebu.log=OFF',
      `-Dlogback.configurationFile=${logbackFile}`,
      '-cp',
      curatorClassPath(),
      script('curator', 'Session.java'),
      servers,
    ],
    timeoutMs: 240_000,
  };
}

/** One of the two npm clients. */
export function npmScript(client: 'node-zookeeper-client' | 'zookeeper', servers: string): Script {
  return {
    command: npmClients().node,
    args: [script(client, 'session.cjs'), servers],
    env: { NODE_PATH: join(npmClients().folder, 'node_modules') },
    timeoutMs: 180_000,
  };
}

/** Compiles it first. */
export function goScript(servers: string): Script {
  const program = join(conformanceRoot, 'reports', 'foreign', 'go-session');
  mkdirSync(join(program, '..'), { recursive: true });
  return {
    command: 'sh',
    args: ['-c', 'go build -o "$1" . && exec "$1" "$2"', 'sh', program, servers],
    cwd: script('go'),
    env: goModules(),
    timeoutMs: 240_000,
  };
}

function script(...path: string[]): string {
  return join(conformanceRoot, 'foreign', ...path);
}
