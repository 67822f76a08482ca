// Data directories as operators leave them: a log or snapshot renamed, compressed, put in the wrong place; and
// one that another server is using. What Apache's server does with each is written down here and asked of it,
// along with what zebu does instead (docs/decisions/051).

import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect } from 'vitest';
import { startApache } from '../../src/apache.ts';
import { fourLetterWord } from '../../src/four-letter.ts';
import { writeLoad } from '../../src/load.ts';
import { ServerStartError } from '../../src/server-process.ts';
import { startZebu } from '../../src/zebu.ts';
import { interopTest, isSelfTest } from '../support.ts';

/** `all`: everything is served; `less`: what the left-out file holds is not; `stops`: the start. */
type Verdict = 'all' | 'less' | 'stops';

interface Case {
  readonly what: string;
  /** `folder` is version-2, `log` the newest log. */
  readonly arrange: (folder: string, log: string) => void;
  readonly apache: Verdict;
  readonly zebu: Verdict;
}

const renamed = (suffix: string, apache: Verdict): Case => ({
  what: `log.N${suffix}`,
  arrange: (folder, log) => renameSync(join(folder, log), join(folder, log + suffix)),
  apache,
  zebu: 'stops',
});

const CASES: readonly Case[] = [
  { what: 'nothing', arrange: () => {}, apache: 'all', zebu: 'all' },
  renamed('.bak', 'all'),
  renamed('.1', 'all'),
  renamed('~', 'less'),
  renamed('-20261130', 'less'),
  renamed(' (1)', 'less'),
  {
    what: 'log.N.gz, compressed',
    arrange: (folder, log) => {
      writeFileSync(join(folder, `${log}.gz`), gzipSync(readFileSync(join(folder, log))));
      rmSync(join(folder, log));
    },
    apache: 'stops',
    zebu: 'stops',
  },
  {
    what: 'a copy log.N~ beside log.N',
    arrange: (folder, log) => cpSync(join(folder, log), join(folder, `${log}~`)),
    apache: 'all',
    zebu: 'all',
  },
  {
    what: 'log.N beside version-2',
    arrange: (folder, log) => renameSync(join(folder, log), join(folder, '..', log)),
    apache: 'less',
    zebu: 'stops',
  },
  {
    what: 'all files beside version-2',
    arrange: (folder) => {
      for (const name of readdirSync(folder)) {
        renameSync(join(folder, name), join(folder, '..', name));
      }
    },
    apache: 'less',
    zebu: 'stops',
  },
  {
    what: 'a directory log.5000',
    arrange: (folder) => mkdirSync(join(folder, 'log.5000')),
    apache: 'stops',
    zebu: 'stops',
  },
  {
    what: 'a directory snapshot.5000',
    arrange: (folder) => mkdirSync(join(folder, 'snapshot.5000')),
    apache: 'all',
    zebu: 'all',
  },
];

describe('a data directory', () => {
  interopTest('with files that are left out', ['apache'], 240_000, compareVerdicts);
  interopTest('that an Apache server writes to is refused', ['apache'], 60_000, refuseDirectory);
});

async function compareVerdicts(): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'zebu-left-out-'));
  try {
    const seed = join(home, 'seed');
    for (const root of ['/first', '/second']) {
      await using server = await startApache({ dataDir: seed });
      await writeLoad(server.port, { root, requests: 50, seed: 7 });
      await server.stop();
    }
    const logs = readdirSync(join(seed, 'version-2')).filter((name) => name.startsWith('log.'));
    const newest = logs.reduce((a, b) => (zxidOf(a) > zxidOf(b) ? a : b));
    expect(logs).toHaveLength(2);
    // Of a copy: Apache writes a snapshot when it starts.
    cpSync(seed, join(home, 'whole'), { recursive: true });
    const whole = await zxidServed(startApache, join(home, 'whole'));

    const said: Record<string, string> = {};
    const expected: Record<string, string> = {};
    for (const { what, arrange, apache, zebu } of CASES) {
      const starts = { apache: startApache, zebu: isSelfTest ? startApache : startZebu };
      for (const [kind, start] of Object.entries(starts)) {
        const dataDir = join(home, `${kind}-${Object.keys(said).length}`);
        cpSync(seed, dataDir, { recursive: true });
        arrange(join(dataDir, 'version-2'), newest);
        const zxid = await zxidServed(start, dataDir);
        said[`${kind}: ${what}`] = zxid === undefined ? 'stops' : zxid === whole ? 'all' : 'less';
        expected[`${kind}: ${what}`] = kind === 'apache' || isSelfTest ? apache : zebu;
        rmSync(dataDir, { recursive: true });
      }
    }
    expect(said).toEqual(expected);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function refuseDirectory(): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'zebu-in-use-'));
  try {
    const dataDir = join(home, 'data');
    await using apache = await startApache({ dataDir });
    await writeLoad(apache.port, { root: '/load', requests: 20, seed: 7 });
    const before = readdirSync(join(dataDir, 'version-2'));
    const start = startZebu({ dataDir: join(home, 'other'), config: { dataDir } });
    const error = await start.then(
      () => undefined,
      (failure: unknown) => failure,
    );
    expect(error).toBeInstanceOf(ServerStartError);
    const { log } = error as ServerStartError;
    expect(log).toContain(`process ${apache.pid} (java)`);
    expect(readdirSync(join(dataDir, 'version-2'))).toEqual(before);
    await writeLoad(apache.port, { root: '/more', requests: 20, seed: 8 });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** Where the data end that a server serves; undefined when it does not start. */
async function zxidServed(start: typeof startApache, dataDir: string): Promise<string | undefined> {
  try {
    await using server = await start({ dataDir });
    return /Zxid: (\S+)/.exec(await fourLetterWord(server.port, 'srvr'))?.[1];
  } catch (error) {
    if (error instanceof ServerStartError) return undefined;
    throw error;
  }
}

function zxidOf(name: string): number {
  return Number.parseInt(name.split('.')[1] ?? '', 16);
}
