// Runs scenarios of many seeds, for as long as you like:
//
//   node --conditions=@zebu/source packages/sim/src/fuzz.ts --seeds 1000 --from 1
//   node --conditions=@zebu/source packages/sim/src/fuzz.ts --seed 4711
//
// Prints seed and transcript of what fails, and goes on; exit code 1 if anything did.

import { parseArgs } from 'node:util';
import { runScenario, type ScenarioReport } from './scenario.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
  },
});

const from = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const misfortunes = new Map<string, number>();
const sum = { steps: 0, starts: 0, txns: 0, lostTxns: 0 };
let failures = 0;

for (let seed = from; seed < from + count; seed++) {
  try {
    add(await runScenario(seed));
  } catch (error) {
    failures++;
    console.error(`${(error as Error).message}\n${((error as Error).cause as Error)?.stack}\n`);
  }
}
console.log(
  `${count} seeds from ${from}: ${failures} failed; ${sum.steps} steps, ${sum.starts} starts, ` +
    `${sum.txns} txns kept, ${sum.lostTxns} lost before they were acknowledged`,
);
for (const [name, times] of [...misfortunes].sort()) console.log(`  ${times} x ${name}`);
process.exitCode = failures === 0 ? 0 : 1;

function add(report: ScenarioReport): void {
  sum.steps += report.steps;
  sum.starts += report.starts;
  sum.txns += report.txns;
  sum.lostTxns += report.lostTxns;
  for (const name of report.misfortunes) misfortunes.set(name, (misfortunes.get(name) ?? 0) + 1);
}
