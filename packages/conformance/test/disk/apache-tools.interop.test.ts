// Apache's TxnLogToolkit and SnapshotFormatter read what zebu wrote. Their exit codes say nothing (the toolkit
// ends with 0 on a checksum error): what they print is read.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { JVM_OPTIONS, logbackFile, startApache } from '../../src/apache.ts';
import { writeLoad } from '../../src/load.ts';
import { apacheClassPath } from '../../src/tools.ts';
import { startZebu } from '../../src/zebu.ts';
import { interopTest, isSelfTest } from '../support.ts';

describe("Apache's tools on zebu's files", () => {
  for (const compression of ['', 'gz', 'snappy']) {
    interopTest(
      `read logs, and snapshots ${compression === '' ? 'as they are' : `in ${compression}`}`,
      ['apache'],
      180_000,
      () => readFiles(compression),
    );
  }
});

async function readFiles(compression: string): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'zebu-tools-'));
  try {
    const dataDir = join(home, 'data');
    const config = {
      extendedTypesEnabled: 'true',
      snapCount: '500',
      preAllocSize: '64',
      'snapshot.compression.method': compression,
    };
    const start = isSelfTest ? startApache : startZebu;
    const server = await start({ dataDir, config });
    const { sessions } = await writeLoad(server.port, { root: '/load', requests: 2000, seed: 7 });
    await server.stop();

    const folder = join(dataDir, 'version-2');
    const files = readdirSync(folder);
    const logs = byZxid(files, 'log');
    expect(logs.length, `several logs among ${files}`).toBeGreaterThan(1);
    let next = 1;
    for (const { name, zxid } of logs) {
      const printed = javaTool('persistence.TxnLogToolkit', join(folder, name));
      expect(printed).not.toMatch(/CRC ERROR|Exception/);
      expect(printed).toMatch(
        /^ZooKeeper Transactional Log File with dbid 0 txnlog format version 2$/m,
      );
      const zxids = [...printed.matchAll(/ zxid 0x([0-9a-f]+) /g)].map((found) =>
        Number.parseInt(found[1] ?? '', 16),
      );
      expect(printed).toContain(`EOF reached after ${zxids.length} txns.`);
      expect(zxids[0], `${name} begins with its own zxid`).toBe(zxid);
      // One log after the other, and no zxid left out.
      expect(zxids).toEqual(Array.from(zxids, (_, index) => next + index));
      next += zxids.length;
    }
    for (const session of sessions) {
      const id = `session 0x${session.id.toString(16)} `;
      const printed = javaTool('persistence.TxnLogToolkit', join(folder, logs[0]?.name ?? ''));
      expect(printed).toMatch(new RegExp(`${id}cxid 0x0 zxid 0x[0-9a-f]+ createSession 30000`));
    }

    const snapshots = byZxid(files, 'snapshot').filter(({ zxid }) => zxid > 0);
    expect(snapshots.length, `snapshots among ${files}`).toBeGreaterThan(0);
    const suffix = { gz: '.gz', snappy: '.snappy' }[compression] ?? '';
    for (const { name } of snapshots) {
      expect(name).toMatch(new RegExp(`^snapshot\\.[0-9a-f]+${suffix.replace('.', '\\.')}$`));
      const printed = javaTool('SnapshotFormatter', join(folder, name));
      expect(printed).not.toMatch(/Exception/);
      // The root is counted twice: Apache's tree has it under "" and "/".
      const count = -1 + Number(/^ZNode Details \(count=(\d+)\):$/m.exec(printed)?.[1]);
      expect(printed.match(/^\/.*$/gm)?.length, `${name} lists the znodes it counts`).toBe(count);
      expect(count).toBeGreaterThan(50);
      expect(printed).toMatch(/^\/load$/m);
      expect(printed).toMatch(/^Last zxid: 0x[0-9a-f]+$/m);
      for (const session of sessions) {
        expect(printed).toMatch(new RegExp(`^0x${session.id.toString(16)}, 30000, \\d+$`, 'm'));
      }
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function byZxid(files: string[], prefix: string): Array<{ name: string; zxid: number }> {
  return files
    .filter((name) => name.startsWith(`${prefix}.`))
    .map((name) => ({ name, zxid: Number.parseInt(name.split('.')[1] ?? '', 16) }))
    .sort((a, b) => a.zxid - b.zxid);
}

function javaTool(main: string, file: string): string {
  const args = [
    ...JVM_OPTIONS,
    '-Dzebu.log=OFF',
    `-Dlogback.configurationFile=${logbackFile}`,
    '-cp',
    apacheClassPath('3.9.5'),
    `org.apache.zookeeper.server.${main}`,
    file,
  ];
  // A tool that fails prints why on the other stream, and may end with an error: both are read.
  try {
    return execFileSync('java', args, { encoding: 'utf8', maxBuffer: 64 << 20, stdio: 'pipe' });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return `${stdout}\nException: ${stderr}`;
  }
}
