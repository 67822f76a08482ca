// startEnsemble(): a whole ensemble in this process, as those who test against ZooKeeper use it.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@zebu/client';
import { startEnsemble } from '@zebu/server';
import { describe, expect, test } from 'vitest';

const TEST_MS = 60_000;

describe('an ensemble in one process', () => {
  test('serves through every member, and reads see what a sync waited for', {
    timeout: TEST_MS,
  }, async () => {
    await using ensemble = await startEnsemble({ members: 3 });
    expect(ensemble.ids).toEqual([1, 2, 3]);
    expect(ensemble.ids).toContain(ensemble.leader);
    for (const id of ensemble.ids) {
      await using client = await connect(ensemble.connectStringOf(id));
      await client.create(`/by-${id}`, `${id}`);
      for (const other of ensemble.ids) {
        await using reader = await connect(ensemble.connectStringOf(other));
        await reader.sync(`/by-${id}`);
        expect((await reader.get(`/by-${id}`)).data.toString()).toBe(`${id}`);
      }
    }
  });

  test('goes on when its leader is killed, and takes it back', { timeout: TEST_MS }, async () => {
    await using ensemble = await startEnsemble({ members: 3 });
    const first = ensemble.leader as number;
    await using client = await connect(ensemble.connectString);
    await client.create('/a', 'before');
    await ensemble.kill(first);
    await ensemble.ready();
    const second = ensemble.leader as number;
    expect(second).not.toBe(first);
    await using other = await connect(ensemble.connectStringOf(second));
    await other.set('/a', 'after');
    await ensemble.start(first);
    await using back = await connect(ensemble.connectStringOf(first));
    await back.sync('/a');
    expect((await back.get('/a')).data.toString()).toBe('after');
  });

  test('refuses clients of a member that is cut off, and serves them when it is not', {
    timeout: TEST_MS,
  }, async () => {
    await using ensemble = await startEnsemble({ members: 3 });
    const leader = ensemble.leader as number;
    const others = ensemble.ids.filter((id) => id !== leader);
    ensemble.partition([leader], others);
    const answer = await connect({
      servers: ensemble.connectStringOf(leader),
      establishTimeoutMs: 8000,
    }).then(
      async (client) => {
        const error = await client.create('/lost', '').catch((reason: Error) => reason);
        await client.close();
        return error;
      },
      (reason: Error) => reason,
    );
    expect(answer).toBeInstanceOf(Error);
    await using client = await connect(ensemble.connectStringOf(others[0] as number));
    await client.create('/kept', 'by the majority');
    ensemble.heal();
    await ensemble.ready();
    await using back = await connect(ensemble.connectStringOf(leader));
    await back.sync('/kept');
    expect((await back.get('/kept')).data.toString()).toBe('by the majority');
    expect(await back.exists('/lost')).toBe(undefined);
  });

  test.each(['a follower', 'the leader'])(
    '%s that is stopped answers what it has read',
    { timeout: TEST_MS },
    async (which) => {
      await using ensemble = await startEnsemble({ members: 3 });
      const { leader, ids } = ensemble;
      const stopped = which === 'the leader' ? leader : ids.find((id) => id !== leader);
      await using client = await connect({
        servers: ensemble.connectStringOf(stopped as number),
        sessionTimeoutMs: 10_000,
      });
      await client.create('/counted', '');
      const writes = Array.from({ length: 300 }, (_, i) => client.set('/counted', `${i}`));
      const versions = Promise.allSettled(writes);
      // All of them came in the same bytes; a machine that is busy may leave the end of them for another turn.
      await writes[0];
      await ensemble.stop(stopped as number);
      const answers = await versions;
      const answered = answers.filter(({ status }) => status === 'fulfilled');
      for (const answer of answers) {
        if (answer.status === 'rejected') expect(answer.reason.outcome).toBe('not-sent');
      }
      await using other = await connect(
        ensemble.connectStringOf(ids.find((id) => id !== stopped) as number),
      );
      await other.sync('/counted');
      expect(answered.length).toBeGreaterThan(1);
      expect((await other.get('/counted')).stat.version).toBe(answered.length);
    },
  );

  test('comes back after all have stopped, though nothing was ever written', {
    timeout: TEST_MS,
  }, async () => {
    await using ensemble = await startEnsemble({ members: 3 });
    for (const id of ensemble.ids) await ensemble.stop(id);
    await Promise.all(ensemble.ids.map((id) => ensemble.start(id)));
    await ensemble.ready();
    await using client = await connect(ensemble.connectString);
    await client.create('/first', 'write');
    expect((await client.get('/first')).data.toString()).toBe('write');
  });

  test('has observers that see everything and are not needed', { timeout: TEST_MS }, async () => {
    await using ensemble = await startEnsemble({ members: 3, observers: 1 });
    await using client = await connect(ensemble.connectStringOf(4));
    await client.create('/by-observer', 'x');
    await ensemble.stop(4);
    await using voter = await connect(ensemble.connectStringOf(1));
    await voter.sync('/');
    await voter.set('/by-observer', 'y');
    await ensemble.start(4);
    await using again = await connect(ensemble.connectStringOf(4));
    await again.sync('/');
    expect((await again.get('/by-observer')).data.toString()).toBe('y');
  });

  test('brings a member with an empty disk up to date by a snapshot', {
    timeout: TEST_MS,
  }, async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'zebu-embedded-'));
    try {
      await using ensemble = await startEnsemble({ members: 3, dataDir });
      await using client = await connect(ensemble.connectStringOf(ensemble.leader as number));
      for (let i = 0; i < 50; i++) await client.create(`/z${i}`, `${i}`);
      const wiped = ensemble.ids.find((id) => id !== ensemble.leader) as number;
      await ensemble.stop(wiped);
      rmSync(join(dataDir, `${wiped}`), { recursive: true });
      await ensemble.start(wiped);
      expect(ensemble.lastZxidOf(wiped)).toBe(ensemble.lastZxidOf(ensemble.leader as number));
      await using reader = await connect(ensemble.connectStringOf(wiped));
      expect((await reader.get('/z49')).data.toString()).toBe('49');
      await reader.create('/through-it', '');
      // What it has on disk is a history of its own now.
      await ensemble.stop(wiped);
      await ensemble.start(wiped);
      await using again = await connect(ensemble.connectStringOf(wiped));
      await again.sync('/');
      expect(await again.exists('/through-it')).toBeDefined();
    } finally {
      rmSync(dataDir, { recursive: true, force: true });
    }
  });

  test('brings a member that was away back by the logs on disk', { timeout: TEST_MS }, async () => {
    await using ensemble = await startEnsemble({ members: 3, limits: { snapshotSizeFactor: 1e9 } });
    const away = ensemble.ids.find((id) => id !== ensemble.leader) as number;
    const leader = ensemble.leader as number;
    await ensemble.stop(away);
    await using client = await connect(ensemble.connectStringOf(leader));
    await client.create('/counted', '');
    await Promise.all(Array.from({ length: 2000 }, (_, i) => client.set('/counted', `${i}`)));
    await ensemble.start(away);
    await using reader = await connect(ensemble.connectStringOf(away));
    expect((await reader.get('/counted')).stat.version).toBe(2000);
  });

  test('keeps a session and its ephemerals when the client moves to another member', {
    timeout: TEST_MS,
  }, async () => {
    await using ensemble = await startEnsemble({ members: 3 });
    const follower = ensemble.ids.find((id) => id !== ensemble.leader) as number;
    const rest = ensemble.ids.filter((id) => id !== follower);
    await using client = await connect({
      servers: [follower, ...rest].map((id) => ensemble.connectStringOf(id)).join(','),
    });
    const { id } = client.session ?? {};
    await client.create('/mine', '', { mode: 'ephemeral' });
    await ensemble.kill(follower);
    await client.sync('/').catch(() => client.sync('/'));
    expect(client.session?.id).toBe(id);
    expect(await client.exists('/mine')).toBeDefined();
    await client.set('/mine', 'still');
  });
});
