// What a member says in its log of its role: each change once, and why.

import type { Network } from '@zebu/transport';
import { expect, test } from 'vitest';
import type { EnsembleMember } from '../../src/ensemble/ensemble-member.ts';
import { type Logger, silentLogger } from '../../src/index.ts';
import { create } from '../support/asks.ts';
import { WorldEnsemble } from '../support/world-ensemble.ts';

const CHANGES = [
  'Looking for a leader',
  'Elected leader',
  'Found a leader',
  'Bringing learners up to date',
  'Being brought up to date',
  'Leading',
  'Following',
  'Observing',
  'Leaving the role',
];

/** The lines about the roles of each member, with what they say of the reason. */
class Lines {
  private readonly ofMember = new Map<number, string[]>();

  loggerOf(sid: number): Logger {
    const lines: string[] = [];
    this.ofMember.set(sid, lines);
    const info = (
      message: string,
      fields: { reason?: string; by?: string; zxid?: string } = {},
    ) => {
      if (!CHANGES.includes(message)) return;
      const { reason, by, zxid } = fields;
      lines.push(by === undefined ? `${message}: ${reason}` : `${message}: ${by} after ${zxid}`);
    };
    return { ...silentLogger, info: info as Logger['info'] };
  }

  of(sid: number): string[] {
    return this.ofMember.get(sid) ?? [];
  }
}

test('every change of role is said once, with its reason', async () => {
  const lines = new Lines();
  const options = { observers: 1, loggerOf: (sid: number) => lines.loggerOf(sid) };
  const world = await WorldEnsemble.start(options, [1, 2]);
  expect(lines.of(2)).toEqual([
    'Looking for a leader: The member starts',
    expect.stringMatching(/^Elected leader: Servers 2,1 voted for server 2 in round \d$/),
    'Bringing learners up to date: Servers 2,1 acked epoch 1',
    'Leading: Servers 2,1 are in sync',
  ]);
  expect(lines.of(1)).toEqual([
    'Looking for a leader: The member starts',
    expect.stringMatching(/^Found a leader: Servers 1,2 voted for server 2 in round \d$/),
    'Being brought up to date: DIFF 0x0 after 0x0',
    'Following: Server 2 says that this member is up to date',
  ]);
  world.client(1).must(create('/a'));
  await world.launch(4);
  world.serve();
  expect(lines.of(4).slice(2)).toEqual([
    expect.stringMatching(/^Being brought up to date: (DIFF|SNAP) 0x100000002 after 0x0$/),
    'Observing: Server 2 says that this member is up to date',
  ]);
  world.isolate(2);
  world.until(() => lines.of(2).length === 6, 'the leader steps down');
  expect(lines.of(2).slice(4)).toEqual([
    'Leaving the role: Only servers 2 are in time',
    'Looking for a leader: Only servers 2 are in time',
  ]);
});

test('a learner does not say that it is brought up to date before its leader begins', async () => {
  const lines = new Lines();
  const held: (() => void)[] = [];
  /** What comes by the learner's link, but for the first packet, waits. */
  const heldNetwork = (network: Network): Network => ({
    ...network,
    dial: (options, handler) => {
      let reads = 0;
      return network.dial(options, {
        connected: () => handler.connected(),
        data: (bytes, start, end) => {
          if (options.port !== 2888 || reads++ === 0) handler.data(bytes, start, end);
          else {
            const copy = Buffer.from(bytes.subarray(start, end));
            held.push(() => handler.data(copy, 0, copy.length));
          }
        },
        drained: () => handler.drained(),
        closed: (reason) => handler.closed(reason),
      });
    },
  });
  const options = {
    loggerOf: (sid: number) => lines.loggerOf(sid),
    peerNetworkOf: (sid: number, network: Network) => (sid === 3 ? heldNetwork(network) : network),
  };
  const world = await WorldEnsemble.start(options, [1, 2]);
  const { driver } = (await world.launch(3)).ensemble as EnsembleMember;
  world.until(() => held.length > 0, 'its epoch is acked');
  expect(driver.core.phase).toBe('synchronization');
  expect(lines.of(3).at(-1)).toMatch(/^Found a leader: /);
  for (const go of held) go();
  world.time.run();
  expect(lines.of(3).at(-1)).toMatch(/^Being brought up to date: /);
});
