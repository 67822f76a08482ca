import { expect, test } from 'vitest';
import type { Figures } from '../src/meter.ts';
import { InterruptedRow, runRounds } from '../src/rounds.ts';
import type { MeasuredTarget, Scenario } from '../src/scenario.ts';

const targets = ['a', 'b'].map((label) => ({ label }) as MeasuredTarget);

/** A scenario that fails where it is told to; `done` says what was asked of it. */
function scenarioFailing(failures: Record<string, string>) {
  const done: string[] = [];
  const step = (name: string) => async (target: MeasuredTarget) => {
    done.push(`${name} ${target.label}`);
    const message = failures[`${name} ${target.label}`];
    if (message !== undefined) throw new Error(message);
    return {} as Figures;
  };
  const scenario = {
    name: 'get',
    summary: '',
    connections: 1,
    window: 1,
    unit: 'requests/s',
    prepare: step('prepare'),
    run: step('run'),
    cleanUp: step('cleanUp'),
  } as unknown as Scenario;
  return { scenario, done };
}

test('targets take turns, and all are cleaned up', async () => {
  const { scenario, done } = scenarioFailing({});
  const { sides } = await runRounds(scenario, targets, { rounds: 2 });
  expect(done).toEqual([
    ...['prepare a', 'prepare b', 'run a', 'run b', 'run a', 'run b'],
    ...['cleanUp a', 'cleanUp b'],
  ]);
  expect(sides.map(({ label, rounds }) => [label, rounds.length])).toEqual([
    ['a', 2],
    ['b', 2],
  ]);
});

test('a target that cannot be prepared is cleaned up, those after it are left alone', async () => {
  const { scenario, done } = scenarioFailing({ 'prepare a': 'no room' });
  await expect(runRounds(scenario, targets, { rounds: 1 })).rejects.toThrow(/^no room$/);
  expect(done).toEqual(['prepare a', 'cleanUp a']);
});

test('that a server died in a round is told, not what came of it, and the other one is cleaned up', async () => {
  const { scenario, done } = scenarioFailing({
    'run a': 'a: The server closed the connection',
    'cleanUp a': 'connect ECONNREFUSED',
  });
  await expect(runRounds(scenario, targets, { rounds: 1 })).rejects.toThrow(
    /^a: The server closed the connection$/,
  );
  expect(done).toEqual(['prepare a', 'prepare b', 'run a', 'cleanUp a', 'cleanUp b']);
});

test('a failure of cleaning up alone is told', async () => {
  const { scenario, done } = scenarioFailing({ 'cleanUp a': 'lost' });
  await expect(runRounds(scenario, targets, { rounds: 1 })).rejects.toThrow(/^lost$/);
  expect(done).toContain('cleanUp b');
});

test('a server that dies in a later round leaves the rounds before it', async () => {
  const { scenario } = scenarioFailing({});
  let runs = 0;
  const dying = {
    ...scenario,
    run: async () => {
      runs += 1;
      if (runs === 4) throw new Error('b: The server closed the connection');
      return { rate: runs } as Figures;
    },
  };
  const error = await runRounds(dying, targets, { rounds: 3 }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(InterruptedRow);
  const { message, row } = error as InterruptedRow;
  expect(message).toBe('b: The server closed the connection');
  expect(row.sides.map(({ rounds }) => rounds.map(({ rate }) => rate))).toEqual([[1, 3], [2]]);
});
