// Containers and TTL znodes that one server wrote and another cleans up: the mark that makes them so is in the
// files alone, no client sees it.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { startApache } from '../../src/apache.ts';
import { OP } from '../../src/differential/wire.ts';
import { body, Probe } from '../../src/probe.ts';
import type { StartServer } from '../../src/transcript.ts';
import { startZebu } from '../../src/zebu.ts';
import { interopTest, isSelfTest } from '../support.ts';

const zebu: StartServer = isSelfTest ? startApache : startZebu;

describe('containers and TTL znodes', () => {
  for (const [name, writer, cleaner] of [
    ['Apache writes and zebu cleans', startApache, zebu],
    ['zebu writes and Apache cleans', zebu, startApache],
    ['zebu writes and zebu cleans', zebu, zebu],
  ] as const) {
    interopTest(`${name}, and leaves what Apache leaves`, ['apache'], 120_000, async () => {
      const left = await whatIsLeft(writer, cleaner);
      expect(left).toEqual(await whatIsLeft(startApache, startApache));
      // The kinds are not all the same to the cleaner.
      expect(left).toContain('/used-container-with-child');
      expect(left).not.toContain('/used-container');
    });
  }
});

/** The znodes that are there some time after the cleaner started on what the writer left. */
async function whatIsLeft(writer: StartServer, cleaner: StartServer): Promise<string[]> {
  const home = mkdtempSync(join(tmpdir(), 'zebu-containers-'));
  const options = {
    dataDir: join(home, 'data'),
    config: { extendedTypesEnabled: 'true' },
  };
  try {
    const first = await writer(options);
    const probe = await Probe.open(first.port);
    const data = Buffer.from('x');
    await probe.ask(OP.createContainer, body.create('/used-container', data, 4));
    await probe.ask(OP.createContainer, body.create('/unused-container', data, 4));
    await probe.ask(OP.createContainer, body.create('/used-container-with-child', data, 4));
    // As old clients asked for one.
    await probe.ask(OP.create, body.create('/old-container', data, 4));
    await probe.ask(OP.create2, body.create('/old-container2', data, 4));
    await probe.ask(OP.createTTL, body.createTtl('/ttl', data, 300n));
    await probe.ask(OP.createTTL, body.createTtl('/ttl-with-child', data, 300n));
    await probe.ask(OP.createTTL, body.createTtl('/ttl-long', data, 3_600_000n));
    for (const path of ['/used-container', '/old-container', '/old-container2']) {
      await probe.ask(OP.create, body.create(`${path}/child`, data));
      await probe.ask(OP.delete, body.delete(`${path}/child`));
    }
    await probe.ask(OP.create, body.create('/used-container-with-child/child', data));
    await probe.ask(OP.create, body.create('/ttl-with-child/child', data));
    await probe.close();
    await first.stop('SIGKILL');

    const second = await cleaner({
      ...options,
      systemProperties: { 'znode.container.checkIntervalMs': '100' },
    });
    await delay(2500);
    const reader = await Probe.open(second.port);
    const { body: answer } = await reader.ask(OP.getChildren, body.read('/'));
    const left: string[] = [];
    for (let count = answer.int(); count > 0; count--) left.push(`/${answer.string()}`);
    await reader.close();
    await second.stop();
    return left.sort();
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
