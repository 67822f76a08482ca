// @zebu/client and Apache servers with readonlymode.enabled: two members have a quorum, the third is cut off from
// both and only reads. (zebu has no such mode: docs/decisions/090.)

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect } from '@zebu/client';
import { expect } from 'vitest';
import { ApacheEnsemble } from '../../src/apache-ensemble.ts';
import { repositoryRoot } from '../../src/tools.ts';
import { interopTest } from '../support.ts';

const WAIT = { timeout: 60_000, interval: 50 };

const READ_ONLY = {
  version: '3.9.5',
  voters: [1, 2, 3],
  config: {
    tickTime: '2000',
    localSessionsEnabled: 'true',
    localSessionsUpgradingEnabled: 'true',
  },
  systemProperties: { 'readonlymode.enabled': 'true' },
} as const;

/** Three members, of which the third is cut off after it has served `zk`. */
async function cutOff() {
  const ensemble = await ApacheEnsemble.make(READ_ONLY);
  await ensemble.startAll();
  const address = (sid: number): string => `127.0.0.1:${ensemble.clientPort(sid)}`;
  const all = [1, 2, 3].map(address);
  const zk = await connect({ servers: address(3), readOnly: true, sessionTimeoutMs: 40_000 });
  // It makes the session one that the quorum knows, and tells whether it lives on.
  await zk.create('/kept', '', { mode: 'ephemeral' });
  const nobody = join(ensemble.folder, 'hosts.nobody');
  writeFileSync(nobody, `127.0.0.1 localhost\n${ensemble.ownAddress(3)} zk3.test\n`);
  await ensemble.stop(3);
  await ensemble.start(3, { 'jdk.net.hosts.file': nobody });
  return { ensemble, zk, all, third: address(3) };
}

interopTest(
  'a session of a server that only reads is left for a new one; one of the quorum is refused there, and not lost',
  ['apache'],
  240_000,
  async () => {
    const { ensemble, zk, all, third } = await cutOff();
    await using _ = ensemble;
    await using kept = zk;
    const born = await connect({ servers: third, readOnly: true, establishTimeoutMs: 60_000 });
    expect(born.state).toMatchObject({ readOnly: true });
    // "Refusing global session reconnection in RO mode"
    expect(kept.state.status).toBe('suspended');
    expect((await born.children('/')).names).toContain('kept');
    const { signal } = born.session;
    born.setServers(all);
    await expect.poll(() => born.state, WAIT).toMatchObject({ readOnly: false });
    expect(signal.reason).toMatchObject({ code: 'SESSION_EXPIRED' });
    await born.close();

    const { id } = kept.session;
    kept.setServers(all);
    await expect.poll(() => kept.state, WAIT).toMatchObject({ readOnly: false });
    expect([kept.session.id, kept.session.generation]).toEqual([id, 1]);
    expect((await kept.exists('/kept'))?.ephemeralOwner).toBe(id);

    // One that does not want such a server does not get it.
    await expect(connect({ servers: third, establishTimeoutMs: 3000 })).rejects.toMatchObject({
      code: 'CONNECTION_LOSS',
    });
  },
  undefined,
  1,
);

interopTest(
  'the example goes on reading from a member that has lost its quorum, and writes when that is back',
  ['apache'],
  240_000,
  async () => {
    await using ensemble = await ApacheEnsemble.make(READ_ONLY);
    await ensemble.startAll();
    const all = [1, 2, 3].map((sid) => `127.0.0.1:${ensemble.clientPort(sid)}`).join(',');
    await using zk = await connect(all);
    await zk.create('/example/visits', '0', { parents: 'persistent' });
    await zk.close();
    const example = join(repositoryRoot, 'packages', 'recipes', 'examples', 'read-only.ts');
    const child = spawn(process.execPath, ['--conditions=@zebu/source', example, all], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
    const ended = new Promise((resolve) => child.on('close', (code) => resolve(code)));
    try {
      await expect.poll(() => lines, WAIT).toEqual(['reads and writes: 0', 'written']);
      await ensemble.stop(1);
      await ensemble.stop(2);
      await expect.poll(() => lines.slice(2), WAIT).toContain('not written: NOT_READONLY');
      // Between the two stops it may have moved, and written once more.
      const visits = lines.findLast((line) => line.startsWith('only reads: '))?.split(': ')[1];
      expect(['1', '2']).toContain(visits);
      const before = lines.length;
      await Promise.all([ensemble.start(1), ensemble.start(2)]);
      await expect.poll(() => lines.slice(before), WAIT).toContain('written');
      expect(lines.slice(before)).toContain(`reads and writes: ${visits}`);
      child.kill('SIGTERM');
      expect(await ended).toBe(0);
      expect(lines.at(-1)).toBe('stopped');
    } finally {
      child.kill('SIGKILL');
    }
  },
  undefined,
  1,
);
