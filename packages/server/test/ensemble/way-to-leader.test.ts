// A learner whose link to its leader ends too early: before the leader has said anything, and in the middle of a sync.

import type { DialHandler, Network } from '@zebu/transport';
import { expect, test } from 'vitest';
import type { EnsembleMember } from '../../src/ensemble/ensemble-member.ts';
import { type Logger, silentLogger } from '../../src/index.ts';
import { create } from '../support/asks.ts';
import { WorldEnsemble } from '../support/world-ensemble.ts';

const QUORUM_PORT = 2888;
const LATE_SID = 3;

interface Line {
  readonly atMs: number;
  readonly message: string;
  readonly fields: { readonly pauseMs?: number; readonly reason?: string };
}

/** Two members that serve; what happens to the links that the third one dials is up to the test. */
class LateMember {
  readonly lines: Line[] = [];
  /** When it dialled the quorum port of another member. */
  readonly dials: number[] = [];
  /** What becomes of a link that it dials. */
  fate: 'taken' | 'closed by what took it' | 'reset at its first bytes' = 'taken';
  world: WorldEnsemble = undefined as unknown as WorldEnsemble;

  static async among(voters: number): Promise<LateMember> {
    const late = new LateMember();
    const options = {
      voters,
      peerNetworkOf: (sid: number, network: Network) =>
        sid === LATE_SID ? late.between(network) : network,
      loggerOf: (sid: number) => (sid === LATE_SID ? late.logger : silentLogger),
    };
    late.world = await WorldEnsemble.start(options, [1, 2]);
    return late;
  }

  count(message: string): number {
    return this.lines.filter((line) => line.message === message).length;
  }

  private get logger(): Logger {
    const keep = (message: string, fields: object = {}): void => {
      this.lines.push({ atMs: this.world.time.nowMs, message, fields: { ...fields } });
    };
    return { debugEnabled: false, debug() {}, info: keep, warn: keep, error: keep };
  }

  private between(network: Network): Network {
    return {
      listen: (options, accept) => network.listen(options, accept),
      dial: (options, handler) => {
        if (options.port !== QUORUM_PORT) return network.dial(options, handler);
        this.dials.push(this.world.time.nowMs);
        const connection = network.dial(options, {
          connected: () => {
            handler.connected();
            if (this.fate === 'closed by what took it') connection.end();
          },
          data: (bytes, start, end) => {
            if (this.fate === 'reset at its first bytes') {
              // LEADERINFO arrives; what follows does not.
              handler.data(bytes, start, end);
              connection.destroy(new Error('ECONNRESET'));
            } else handler.data(bytes, start, end);
          },
          drained: () => handler.drained(),
          closed: (reason) => handler.closed(reason),
        } satisfies DialHandler);
        return connection;
      },
    };
  }
}

test('a link that ends before the leader has answered is dialled again, without an election', async () => {
  const late = await LateMember.among(3);
  late.fate = 'closed by what took it';
  const member = await late.world.launch(LATE_SID);
  late.world.until(() => late.dials.length === 6, 'it has dialled six times');
  late.fate = 'taken';
  late.world.serve();
  expect(member.ensemble?.mode).toBe('follower');
  expect(late.dials.length).toBeLessThanOrEqual(7);
  expect(late.count('Found a leader')).toBe(1);
  late.world.client(LATE_SID).must(create('/through-it'));
});

test('a leader that never answers is given up after as many tries as one that cannot be reached', async () => {
  const late = await LateMember.among(3);
  late.fate = 'closed by what took it';
  await late.world.launch(LATE_SID);
  late.world.until(() => late.count('Found a leader') === 2, 'it looks again');
  const end = late.lines.find(({ message }) => message === 'Leaving the role');
  expect(end?.fields.reason).toMatch(/^The link to server \d ended$/);
  // Eight tries, and the first one after the election.
  expect(late.dials).toHaveLength(9);
  late.fate = 'taken';
  late.world.serve();
});

test('a learner whose syncs fail one after the other waits longer each time, and says so', async () => {
  const late = await LateMember.among(3);
  late.fate = 'reset at its first bytes';
  await late.world.launch(LATE_SID);
  const startedMs = late.world.time.nowMs;
  late.world.until(() => late.world.time.nowMs - startedMs > 20_000, '20 s have passed');
  const waits = late.lines.filter(({ message }) => message === WAITING);
  expect(waits.slice(0, 7).map(({ fields }) => fields.pauseMs)).toEqual([
    100, 200, 400, 800, 1600, 2000, 2000,
  ]);
  expect(waits[0]?.fields).toMatchObject({
    failures: 2,
    reason: expect.stringMatching(/^The link to server \d ended$/),
  });
  // Each of them was waited for.
  for (const { atMs, fields } of waits.slice(0, -1)) {
    const next = late.dials.find((dialledMs) => dialledMs >= atMs + 1) ?? 0;
    expect(next - atMs).toBeGreaterThanOrEqual(fields.pauseMs ?? 0);
  }
  // Two dials that did not wait, six pauses of 5.1 s in all, then one every 2 s and an election.
  expect(late.dials.length).toBeLessThan(20);

  late.fate = 'taken';
  late.world.serve();
  // It served: the next change of leader is one as any other.
  const before = late.lines.length;
  const { nowMs } = late.world.time;
  late.world.isolate(late.world.leaderSid);
  late.world.time.advance(1000);
  late.world.heal();
  late.world.serve();
  const after = late.lines.slice(before);
  expect(after.some(({ message }) => message === WAITING)).toBe(false);
  expect(after.find(({ message }) => message === 'Looking for a leader')?.atMs).toBe(nowMs);
});

test('a learner that is stopped while it waits stops at once', async () => {
  const late = await LateMember.among(3);
  late.fate = 'reset at its first bytes';
  const member = await late.world.launch(LATE_SID);
  late.world.until(
    () => late.lines.some(({ fields }) => fields.pauseMs === 2000),
    'it waits for 2 s',
  );
  const { nowMs } = late.world.time;
  let isStopped = false;
  (member.ensemble as EnsembleMember).stop(() => {
    isStopped = true;
  });
  late.world.time.run();
  expect(isStopped).toBe(true);
  expect(late.world.time.nowMs).toBe(nowMs);
});

const WAITING = 'Not brought up to date again; waiting';
