import { expect, test } from 'vitest';
import { runScenario } from '../src/scenario.ts';

const SEEDS = 40;

test('whatever happens to a server, it keeps its promises', async () => {
  const misfortunes = new Set<string>();
  let lostTxns = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const report = await runScenario(seed);
    for (const name of report.misfortunes) misfortunes.add(name);
    lostTxns += report.lostTxns;
  }
  // The misfortunes must have come to pass for this to mean anything.
  expect(misfortunes.size).toBeGreaterThan(18);
  expect([...misfortunes]).toEqual(
    expect.arrayContaining([
      'gave up: txn log',
      'disk full',
      'failed sync',
      'power cut',
      'kill',
      'stall',
    ]),
  );
  expect(lostTxns).toBeGreaterThan(0);
}, 240_000);

test('one seed is one run', async () => {
  for (const seed of [3, 11, 42]) {
    const [first, second, other] = [
      await runScenario(seed),
      await runScenario(seed),
      await runScenario(seed + 100),
    ];
    expect(second).toEqual(first);
    expect(other.hash).not.toBe(first.hash);
  }
});
