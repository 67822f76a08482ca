// Damaged data directories: what stops Apache 3.9.5 must stop zebu, with an error that names the file, and what
// Apache shrugs off zebu must serve the same tree from.

import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect } from 'vitest';
import { startApache } from '../../src/apache.ts';
import { writeLoad } from '../../src/load.ts';
import { Probe, walkExactly } from '../../src/probe.ts';
import { ServerStartError } from '../../src/server-process.ts';
import type { StartServer } from '../../src/transcript.ts';
import { startZebu } from '../../src/zebu.ts';
import { interopTest, isSelfTest, SUPER } from '../support.ts';

interface Files {
  folder: string;
  /** Oldest first. */
  logs: string[];
  snapshots: string[];
}

interface Damage {
  name: string;
  /** What zebu decided where it differs from Apache, and why; see docs/decisions. */
  ours?: { outcome: 'serves' | 'refuses'; because: string };
  do: (files: Files) => void;
}

const at = (list: readonly string[], index: number): string =>
  list.at(index) ?? expect.fail('too few files');

const damages: Damage[] = [
  { name: 'nothing', do: () => {} },
  {
    name: 'a gap between logs that are needed',
    do: (files) => {
      keepFirstSnapshot(files);
      unlinkSync(at(files.logs, 1));
    },
  },
  {
    name: 'a flipped byte in the middle of a log that is needed',
    do: (files) => {
      keepFirstSnapshot(files);
      flip(at(files.logs, 1), middleRecord(at(files.logs, 1)) + 30);
    },
  },
  {
    name: 'an impossible length in the middle of a log that is needed',
    do: (files) => {
      keepFirstSnapshot(files);
      const log = at(files.logs, 1);
      overwrite(log, middleRecord(log) + 8, Buffer.from('7fffffff', 'hex'));
    },
  },
  {
    name: 'a negative length in the newest log',
    do: ({ logs }) =>
      overwrite(at(logs, -1), middleRecord(at(logs, -1)) + 8, Buffer.from('ffffff00', 'hex')),
  },
  {
    name: 'bad magic in the newest log',
    do: ({ logs }) => overwrite(at(logs, -1), 0, Buffer.from('XXXX')),
  },
  {
    name: 'bad magic in a log that is not needed',
    do: ({ logs }) => overwrite(at(logs, 0), 0, Buffer.from('XXXX')),
  },
  { name: 'a newest log of 7 bytes', do: (files) => writeFileSync(nextLog(files), 'ZKLG\0\0\0') },
  { name: 'a newest log of 0 bytes', do: (files) => writeFileSync(nextLog(files), '') },
  {
    name: 'a newest log of its header only',
    do: (files) => writeFileSync(nextLog(files), readFileSync(at(files.logs, 0)).subarray(0, 16)),
  },
  { name: 'no snapshot', do: ({ snapshots }) => snapshots.forEach(unlinkSync) },
  {
    name: 'snapshots that are all broken',
    do: ({ snapshots }) => {
      for (const file of snapshots) truncateSync(file, Math.floor(readFileSync(file).length / 2));
    },
  },
  {
    name: 'a torn last record',
    do: ({ logs }) => truncateSync(at(logs, -1), usedBytes(at(logs, -1)) - 5),
  },
  {
    name: 'a last record torn in its checksum',
    do: ({ logs }) => truncateSync(at(logs, -1), (records(at(logs, -1)).at(-1) as number) + 5),
  },
  {
    name: 'a last record that is zeros at its end',
    do: ({ logs }) => overwrite(at(logs, -1), usedBytes(at(logs, -1)) - 12, Buffer.alloc(12)),
  },
  {
    name: 'a checksum error in the very last record',
    do: ({ logs }) => flip(at(logs, -1), usedBytes(at(logs, -1)) - 6),
  },
  {
    name: 'no padding after the last record',
    do: ({ logs }) => truncateSync(at(logs, -1), usedBytes(at(logs, -1))),
  },
  {
    name: 'bytes of no meaning after the last record',
    do: ({ logs }) => {
      truncateSync(at(logs, -1), usedBytes(at(logs, -1)));
      appendFileSync(at(logs, -1), Buffer.alloc(100, 0x5a));
    },
  },
  {
    name: 'stray files',
    do: ({ folder }) => {
      for (const name of ['foo', 'log.x', 'log', 'snapshot.xyz', 'snapshot.ffff.tmp', '.hidden']) {
        writeFileSync(join(folder, name), 'stray');
      }
    },
  },
  {
    name: 'a newest snapshot cut in half',
    do: ({ snapshots }) =>
      truncateSync(at(snapshots, -1), Math.floor(readFileSync(at(snapshots, -1)).length / 2)),
  },
  { name: 'an empty newest snapshot', do: ({ snapshots }) => truncateSync(at(snapshots, -1), 0) },
  {
    name: 'a flipped byte in the newest snapshot',
    do: ({ snapshots }) =>
      flip(at(snapshots, -1), Math.floor(readFileSync(at(snapshots, -1)).length / 2)),
  },
  {
    name: 'a checksum error in a log that is not needed',
    do: ({ logs }) => flip(at(logs, 0), middleRecord(at(logs, 0)) + 30),
  },
  {
    name: 'a log that is missing but not needed',
    do: ({ logs }) => unlinkSync(at(logs, 0)),
  },
];

describe('a damaged data directory', () => {
  // Made by the first test that runs: skipped ones leave nothing behind.
  let made: string | undefined;
  afterAll(() => {
    if (made !== undefined) rmSync(made, { recursive: true, force: true });
  });

  for (const { name, ours, do: damage } of damages) {
    interopTest(
      `${name}: zebu starts on it just when Apache does`,
      ['apache'],
      120_000,
      async () => {
        const isFirst = made === undefined;
        made ??= mkdtempSync(join(tmpdir(), 'zebu-damage-'));
        const home = made;
        const sound = join(home, 'sound');
        if (isFirst) await writeSound(sound);
        const outcomes = [];
        for (const [who, start] of [
          ['apache', startApache],
          ['zebu', isSelfTest ? startApache : startZebu],
        ] as const) {
          const dataDir = join(home, who);
          rmSync(dataDir, { recursive: true, force: true });
          cpSync(sound, dataDir, { recursive: true });
          damage(filesOf(dataDir));
          outcomes.push(await outcomeOf(start, dataDir));
        }
        const [apache, zebu] = outcomes as [Outcome, Outcome];
        if (ours !== undefined) {
          expect(zebu.what, ours.because).toBe(ours.outcome);
          return;
        }
        expect(zebu.what, zebu.log).toBe(apache.what);
        const differing = zebu.lines.filter((line, n) => line !== apache.lines[n]);
        expect(differing.slice(0, 5), 'znodes that are not as Apache serves them').toEqual([]);
        expect(zebu.lines.length).toBe(apache.lines.length);
      },
    );
  }
});

interface Outcome {
  what: 'serves' | 'refuses';
  lines: string[];
  log: string;
}

async function outcomeOf(start: StartServer, dataDir: string): Promise<Outcome> {
  try {
    const server = await start({ dataDir, config, startTimeoutMs: 15_000 });
    try {
      const probe = await Probe.open(server.port);
      await probe.addAuth('digest', 'super:admin');
      return { what: 'serves', lines: await walkExactly(probe), log: '' };
    } finally {
      await server.stop('SIGKILL');
    }
  } catch (error) {
    if (!(error instanceof ServerStartError)) throw error;
    // Ours must end, and say why; Apache may hang.
    if (start === startZebu) {
      expect(error.message).toMatch(/ended \(code [1-9]/);
      expect(error.log, 'the error names the file or its directory').toContain(
        join(dataDir, 'version-2'),
      );
    }
    return { what: 'refuses', lines: [], log: error.log.slice(-1500) };
  }
}

const config = {
  extendedTypesEnabled: 'true',
  'DigestAuthenticationProvider.superDigest': SUPER,
  snapCount: '300',
  preAllocSize: '64',
  maxSessionTimeout: '600000',
  minSessionTimeout: '300000',
};

/** Several logs and snapshots, and a newest log with txns after the newest snapshot. */
async function writeSound(dataDir: string): Promise<void> {
  const server = await startApache({ dataDir, config });
  await writeLoad(server.port, { root: '/load', requests: 1500, seed: 11 });
  const newest = () => records(at(filesOf(dataDir).logs, -1)).length;
  // Apache rolls its log by chance, just before the end of the load as well.
  for (let i = 1; newest() <= 20; i++) {
    await writeLoad(server.port, { root: `/more${i}`, requests: 60, seed: 11 + i });
  }
  await server.stop('SIGKILL');
  const { logs, snapshots } = filesOf(dataDir);
  expect(logs.length).toBeGreaterThan(2);
  expect(snapshots.length).toBeGreaterThan(2);
  expect(newest()).toBeGreaterThan(20);
}

function filesOf(dataDir: string): Files {
  const folder = join(dataDir, 'version-2');
  const zxid = (name: string) => Number.parseInt(name.split('.')[1] ?? '', 16);
  const sorted = (prefix: string) =>
    readdirSync(folder)
      .filter((name) => name.startsWith(`${prefix}.`))
      .sort((a, b) => zxid(a) - zxid(b))
      .map((name) => join(folder, name));
  return { folder, logs: sorted('log'), snapshots: sorted('snapshot') };
}

function keepFirstSnapshot({ snapshots }: Files): void {
  snapshots.slice(1).forEach(unlinkSync);
}

/** A log named for the zxid after the last one. */
function nextLog({ folder, logs }: Files): string {
  const bytes = readFileSync(at(logs, -1));
  // checksum, length, then the header: session, cxid, zxid.
  const zxid = bytes.readBigInt64BE((records(at(logs, -1)).at(-1) as number) + 12 + 12);
  return join(folder, `log.${(zxid + 1n).toString(16)}`);
}

/** The offset of each record of a log, and of its end. */
function records(log: string): number[] {
  const bytes = readFileSync(log);
  const offsets: number[] = [];
  let offset = 16;
  while (offset + 12 <= bytes.length && bytes.readInt32BE(offset + 8) > 0) {
    offsets.push(offset);
    offset += 12 + bytes.readInt32BE(offset + 8) + 1;
  }
  return offsets;
}

function middleRecord(log: string): number {
  const offsets = records(log);
  return offsets[Math.floor(offsets.length / 2)] ?? expect.fail('an empty log');
}

function usedBytes(log: string): number {
  const last = records(log).at(-1) ?? expect.fail('an empty log');
  return last + 12 + readFileSync(log).readInt32BE(last + 8) + 1;
}

function flip(file: string, offset: number): void {
  const bytes = readFileSync(file);
  overwrite(file, offset, Buffer.from([(bytes[offset] ?? 0) ^ 0xff]));
}

function overwrite(file: string, offset: number, change: Buffer): void {
  const bytes = readFileSync(file);
  change.copy(bytes, offset);
  writeFileSync(file, bytes);
}
