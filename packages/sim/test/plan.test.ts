import { describe, expect, test } from 'vitest';
import { ENGINES } from '../src/engines.ts';
import { drawEnsemblePlan, formatEnsemblePlan } from '../src/ensemble/plan.ts';
import { drawPlan, FAULT_KINDS, formatPlan, parsePlan } from '../src/plan.ts';
import { Prng } from '../src/prng.ts';
import { runPlan } from '../src/scenario.ts';
import { drawPlan as drawZabPlan, formatZabPlan } from '../src/zab-engine/plan.ts';

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

describe.each([
  ['zab', ENGINES.zab, formatZabPlan(drawZabPlan(5))],
  ['ensemble', ENGINES.ensemble, formatEnsemblePlan(drawEnsemblePlan(5))],
])('a plan of the %s engine', (name, engine, text) => {
  const check = (changed: string) => () => engine?.checkPlan(changed);

  test('is taken as it was written', () => {
    expect(check(text)).not.toThrow();
  });

  test('of another version is refused by its version', () => {
    const older = text.replace('"zebu-sim/2"', '"zebu-sim/1"');
    expect(check(older)).toThrow(
      `it is of version 1 of the plans of the ${name} engine, which reads version 2: ` +
        'run it with the simulator of the commit that wrote it, or seed 5 anew',
    );
  });

  test('of another engine, or of none, is refused', () => {
    const other = text.replace(`"engine": "${name}"`, '"engine": "member"');
    expect(check(other)).toThrow('it is a plan of format zebu-sim/2 for engine member');
    expect(check('{}')).toThrow('it is a plan of format undefined for engine undefined');
  });

  test('that lacks a field is refused by the name of the field', () => {
    const { faults: _, ...rest } = JSON.parse(text);
    expect(check(JSON.stringify(rest))).toThrow('its faults is missing, not a list');
    const changed = JSON.stringify({ ...JSON.parse(text), observers: 'none' });
    expect(check(changed)).toThrow('its observers is a string, not a number');
  });
});
