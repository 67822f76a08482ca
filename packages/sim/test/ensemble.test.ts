// Whole ensembles of production servers: fixed seeds that must run clean, and defects that must be found.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runEnsemblePlan } from '../src/ensemble/engine.ts';
import { drawEnsemblePlan, type EnsemblePlan, parseEnsemblePlan } from '../src/ensemble/plan.ts';

const FIXED_SEEDS = 24;
const TEST_MS = 300_000;

test(`${FIXED_SEEDS} fixed seeds run clean`, { timeout: TEST_MS }, async () => {
  let acknowledged = 0;
  for (let seed = 1; seed <= FIXED_SEEDS; seed++) {
    const { report, failure } = await runEnsemblePlan(drawEnsemblePlan(seed));
    expect(failure?.message, `seed ${seed}`).toBe(undefined);
    acknowledged += report?.seen['write acknowledged'] ?? 0;
  }
  // Runs in which nobody is served prove nothing.
  expect(acknowledged).toBeGreaterThan(10 * FIXED_SEEDS);
});

test('a snapshot that becomes a history after the role that asked for it is on disk', {
  timeout: TEST_MS,
}, async () => {
  const text = readFileSync(
    join(import.meta.dirname, 'plans', 'read-again-while-adopted.json'),
    'utf8',
  );
  const { report, failure } = await runEnsemblePlan(parseEnsemblePlan(text));
  expect(failure?.message).toBe(undefined);
  expect(report?.seen['snapshot restored late']).toBeGreaterThan(0);
});

test('two runs of a plan are the same run', { timeout: TEST_MS }, async () => {
  const plan = drawEnsemblePlan(7);
  const [first, second] = [await runEnsemblePlan(plan), await runEnsemblePlan(plan)];
  expect(first.report?.hash).toBe(second.report?.hash);
});

/** Plans that failed once, as the command left them. */
test.each([
  [
    'the tree is read again while a snapshot takes the place of the history',
    'read-again-while-adopted',
  ],
  [
    'the log fails while txns wait for an epoch to be prepared: they go nowhere',
    'log-fails-while-an-epoch-is-prepared',
  ],
  [
    'a leader drops a write that it prepared as it lost its quorum, and leads again',
    'leads-again-after-a-dropped-write',
  ],
  ['a client that only hears of events is not heard of itself', 'an-event-is-no-answer'],
  ['a leader brings what it has only of an unfinished snapshot', 'led-by-a-snapshot'],
  [
    'a member that lacks two epochs dies while txns of both go to its log, and starts again',
    'txns-of-two-epochs-at-once',
  ],
  [
    'a leader at the end of its zxids takes a write of a learner no more, nor the sync after it',
    'a-sync-after-a-write-not-taken',
  ],
  [
    'a client that comes back to a leader that was replaced while it stood still is told nothing',
    'a-session-at-a-leader-that-was-replaced',
  ],
  [
    'a request that a learner has not read when its client goes on elsewhere is not done afterwards',
    'a-request-of-a-former-connection',
  ],
  [
    'a write that a slow disk refuses after the faults have ended: the member is started again',
    'a-write-that-fails-after-the-faults',
  ],
  ['a session that a leader has only of an unfinished snapshot', 'session-of-a-snapshot'],
])('%s', { timeout: TEST_MS }, async (_what, name) => {
  const text = readFileSync(join(import.meta.dirname, 'plans', `${name}.json`), 'utf8');
  const { failure } = await runEnsemblePlan(parseEnsemblePlan(text));
  expect(failure?.message).toBe(undefined);
});

test('the zxid of a member is known before it has a role', { timeout: TEST_MS }, async () => {
  // All members lose their power with txns on disk that no disk had reported as durable yet.
  const plan: EnsemblePlan = {
    ...drawEnsemblePlan(18),
    ...{ voters: 3, observers: 0, clients: 4, requests: 80 },
    ...{ paceMs: 20, diskMs: 20, latencyMs: 2, snapCount: 24 },
    faults: [
      { atMs: 662, kind: 'power cut of all', member: 32, other: 26, forMs: 297, seed: 241966316 },
    ],
  };
  const { failure } = await runEnsemblePlan(plan);
  expect(failure?.message).toBe(undefined);
});
