// @zebu/client and Apache servers with readonlymode.enabled: two members have a quorum, the third is cut off from
// both and only reads.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@zebu/client';
import { expect } from 'vitest';
import { ApacheEnsemble } from '../../src/apache-ensemble.ts';
import { interopTest } from '../support.ts';

const WAIT = { timeout: 60_000, interval: 50 };

/** Three members, of which the third is cut off after it has served `zk`. */
async function cutOff() {
  const ensemble = await ApacheEnsemble.make({
    version: '3.9.5',
    voters: [1, 2, 3],
    config: {
      tickTime: '2000',
      localSessionsEnabled: 'true',
      localSessionsUpgradingEnabled: 'true',
    },
    systemProperties: { 'readonlymode.enabled': 'true' },
  });
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
