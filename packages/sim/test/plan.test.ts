import { expect, test } from 'vitest';
import { drawPlan, FAULT_KINDS, formatPlan, parsePlan } from '../src/plan.ts';
import { Prng } from '../src/prng.ts';
import { runPlan } from '../src/scenario.ts';

test('a plan is the same after it was written as JSON and read again', () => {
  for (const seed of [1, 2, 3]) {
    const plan = drawPlan(seed);
    expect(parsePlan(formatPlan(plan))).toEqual(plan);
  }
});

test('a plan that was read again runs as it did', async () => {
  for (const seed of [5, 6]) {
    const plan = drawPlan(seed);
    const again = await runPlan(parsePlan(formatPlan(plan)));
    expect(again).toEqual(await runPlan(plan));
  }
});

test('every kind of fault is drawn', () => {
  const drawn = new Set<string | undefined>();
  for (let seed = 1; seed <= 100; seed++) {
    for (const { fault } of drawPlan(seed).lives) drawn.add(fault?.kind);
  }
  expect([...drawn].sort()).toEqual([...FAULT_KINDS].sort());
});

test("a part's chance depends on the seed and its name alone", () => {
  const draws = (prng: Prng) => [prng.next(), prng.below(1000), prng.next()];
  const alone = draws(new Prng(9).fork('disk'));
  const root = new Prng(9);
  root.next();
  root.fork('network').next();
  expect(draws(root.fork('disk'))).toEqual(alone);
  expect(draws(new Prng(10).fork('disk'))).not.toEqual(alone);
  expect(draws(new Prng(9).fork('disc'))).not.toEqual(alone);
});

test('requests and faults that are taken out of a plan are not made, and the others are', async () => {
  const plan = drawPlan(4);
  const [life] = plan.lives;
  const kept = plan.requests.slice(10, 20);
  const report = await runPlan({
    ...plan,
    requests: kept,
    lives: life === undefined ? [] : [{ ...life, away: null, fault: { kind: 'kill' } }],
  });
  expect(report.misfortunes).toEqual(['kill']);
  // Sessions are made and closed by txns, too; a request makes one at most.
  expect(report.txns).toBeLessThan(kept.length + 10 * plan.world.clients);
});

test.each([
  ['{"format":"zebu-sim/0"}', 'its format is "zebu-sim/0"'],
  ['{"format":"zebu-sim/1","engine":"zab","members":3}', 'it is for engine zab with 3 members'],
  [
    '{"format":"zebu-sim/1","engine":"member","members":1,"lives":[{"fault":{"kind":"rain"}}]}',
    'there is no fault "rain"',
  ],
  ['{', 'JSON'],
])('a plan that cannot be meant is refused: %s', (text, message) => {
  expect(() => parsePlan(text)).toThrow(message);
});
