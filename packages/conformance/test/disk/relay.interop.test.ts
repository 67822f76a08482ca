// A data directory is handed from server to server: each must serve exactly the tree that the one before it
// served, take up its sessions, write on, and leave files that the next one reads.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { startApache } from '../../src/apache.ts';
import { OP } from '../../src/differential/wire.ts';
import { monitor } from '../../src/four-letter.ts';
import { writeLoad } from '../../src/load.ts';
import { body, Probe, type SessionKey, walkExactly } from '../../src/probe.ts';
import type { ServerOptions, ServerProcess } from '../../src/server-process.ts';
import { startZebu } from '../../src/zebu.ts';
import { interopTest, isSelfTest, SUPER } from '../support.ts';

type Runner = 'zebu' | '3.9.5' | '3.8.6';

interface Relay {
  name: string;
  runners: Runner[];
  /** snapshot.compression.method: gz, snappy, or empty for none. */
  compression: string;
  /** How each server is stopped. */
  signal: NodeJS.Signals;
  /** Logs in a directory of their own. */
  hasLogDir?: boolean;
  /** Lines of zoo.cfg for one stage only. */
  stageConfig?: Record<number, Record<string, string>>;
}

const relays: Relay[] = [
  {
    name: 'zebu to Apache 3.9.5 and back, and on to 3.8.6',
    runners: ['zebu', '3.9.5', 'zebu', '3.8.6', 'zebu'],
    compression: '',
    signal: 'SIGTERM',
  },
  {
    name: 'Apache 3.8.6 to zebu to 3.8.6, killed each time',
    runners: ['3.8.6', 'zebu', '3.8.6'],
    compression: '',
    signal: 'SIGKILL',
  },
  {
    name: 'snapshots in gzip, Apache 3.9.5 first',
    runners: ['3.9.5', 'zebu', '3.9.5', 'zebu'],
    compression: 'gz',
    signal: 'SIGTERM',
  },
  {
    name: 'snapshots in snappy, Apache 3.8.6 first',
    runners: ['3.8.6', 'zebu', '3.9.5', 'zebu'],
    compression: 'snappy',
    signal: 'SIGKILL',
  },
  {
    name: 'logs in a directory of their own',
    runners: ['zebu', '3.9.5', 'zebu'],
    compression: '',
    signal: 'SIGKILL',
    hasLogDir: true,
  },
  {
    name: 'digests switched off, and on again',
    runners: ['3.9.5', 'zebu', '3.9.5', 'zebu'],
    compression: '',
    signal: 'SIGTERM',
    stageConfig: { 0: { 'digest.enabled': 'false' }, 3: { 'digest.enabled': 'false' } },
  },
];

describe('a data directory from hand to hand', () => {
  for (const relay of relays) {
    interopTest(relay.name, ['apache'], 300_000, () => run(relay));
  }
});

async function run({ runners, compression, signal, hasLogDir, stageConfig }: Relay): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'zebu-relay-'));
  const dataDir = join(home, 'data');
  let expected: Served | undefined;
  try {
    for (const [stage, runner] of runners.entries()) {
      const who = `${runner}, stage ${stage}`;
      const server = await start(runner, {
        dataDir,
        config: {
          ...config(compression),
          ...(hasLogDir ? { dataLogDir: join(home, 'logs') } : {}),
          ...stageConfig?.[stage],
        },
      });
      try {
        if (expected !== undefined) {
          const served = await lookAt(server, expected.sessions);
          expect(served.lines, `the tree as ${who} serves it`).toEqual(expected.lines);
          expect(served.mismatches, `digests that ${who} found wrong in the files`).toBe('0');
          expect(served.attached, `sessions taken up by ${who}`).toEqual(expected.attached);
        }
        const { sessions } = await writeLoad(server.port, {
          root: `/stage${stage}`,
          requests: 1500,
          seed: stage + 1,
        });
        expected = await lookAt(server, [...(expected?.sessions ?? []), ...sessions]);
        expect(expected.attached.every((owned) => owned.length > 0)).toBe(true);
      } finally {
        await server.stop(signal);
      }
      const files = readdirSync(join(dataDir, 'version-2'));
      const suffix = { gz: '\\.gz', snappy: '\\.snappy' }[compression] ?? '';
      const snapshot = new RegExp(`^snapshot\\.[0-9a-f]+${suffix}$`);
      const hasSnapshot = files.some((file) => snapshot.test(file));
      expect(hasSnapshot, `snapshots of ${who}: ${files}`).toBe(true);
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

interface Served {
  lines: string[];
  /** Digests that the server found wrong in what it read. */
  mismatches: string | undefined;
  sessions: SessionKey[];
  /** The ephemerals of each session, as the session itself sees them. */
  attached: string[][];
}

/** The tree, what its reader counted, and what sessions hold; leaves the sessions open. */
async function lookAt({ port }: ServerProcess, sessions: SessionKey[]): Promise<Served> {
  const attached: string[][] = [];
  for (const session of sessions) {
    const probe = await Probe.open(port, { session });
    expect(probe.timeoutMs, `session ${session.id.toString(16)} is taken up`).toBeGreaterThan(0);
    const { body: answer } = await probe.ask(OP.getEphemerals, body.path('/'));
    const paths: string[] = [];
    for (let count = answer.int(); count > 0; count--) paths.push(answer.string() ?? '');
    attached.push(paths.sort());
    probe.drop();
  }
  const probe = await Probe.open(port);
  await probe.addAuth('digest', 'super:admin');
  const lines = await walkExactly(probe);
  await probe.close();
  const mismatches = (await monitor(port)).get('zk_digest_mismatches_count');
  return { lines, mismatches, sessions, attached };
}

function start(runner: Runner, options: ServerOptions): Promise<ServerProcess> {
  if (runner !== 'zebu') return startApache({ ...options, version: runner });
  return isSelfTest ? startApache(options) : startZebu(options);
}

function config(compression: string): Record<string, string> {
  return {
    extendedTypesEnabled: 'true',
    'DigestAuthenticationProvider.superDigest': SUPER,
    // Several logs and snapshots in each stage; sessions last as long as the test.
    snapCount: '400',
    preAllocSize: '64',
    'snapshot.compression.method': compression,
    maxSessionTimeout: '600000',
    minSessionTimeout: '300000',
  };
}
