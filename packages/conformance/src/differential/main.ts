// The differential test from the command line:
//
//   node src/differential/main.ts --seeds 20 --requests 5000            Apache 3.9.5 against zebu
//   node src/differential/main.ts --subject apache                      Apache against itself
//   node src/differential/main.ts --subject embedded                    zebu in this process
//   node src/differential/main.ts --seed 7                              one seed again
//   node src/differential/main.ts --script failing.json                 a saved script again
//   node src/differential/main.ts --record                              Apache's answers to cases.ts again
//   node src/differential/main.ts --known                               where zebu is meant to differ
//   node src/differential/main.ts --reference host:port --against host:port
//                                  servers that run already: both fresh, configured as profile.ts says
//
//   --without setWatches,multi      leaves these opcodes out, to look past a known difference
//
// A difference is shrunk to few steps, printed and saved. Exit code 1 when there was one.

import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startApache } from '../apache.ts';
import { CASE_PROFILE, CASES } from './cases.ts';
import { KNOWN_DIFFERENCES } from './differences.ts';
import { withPair } from './pair.ts';
import { type Profile, profileOf, serverOptions } from './profile.ts';
import { reportDifference } from './report.ts';
import { type Outcome, runScript, runSeed, transcribe } from './run.ts';
import type { Script } from './script.ts';
import { shrink } from './shrink.ts';
import { OP } from './wire.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    'first-seed': { type: 'string', default: '1' },
    seed: { type: 'string' },
    requests: { type: 'string', default: '5000' },
    reference: { type: 'string' },
    against: { type: 'string' },
    subject: { type: 'string', default: 'zebu' },
    script: { type: 'string' },
    record: { type: 'boolean', default: false },
    known: { type: 'boolean', default: false },
    without: { type: 'string', default: '' },
    'no-shrink': { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
    save: { type: 'string', default: '/tmp' },
  },
});

const SUBJECTS = {
  reference: values.reference ?? 'apache',
  subject: values.against ?? values.subject,
};

// By exit() and not by the signal, so that the servers are ended too.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

process.exitCode = await main();

async function main(): Promise<number> {
  if (values.known) return listKnown();
  if (values.record) return await record();
  if (values.script !== undefined) {
    const saved = JSON.parse(readFileSync(values.script, 'utf8')) as {
      profile: Profile;
      script: Script;
    };
    return judge(
      await withPair(saved.profile, SUBJECTS, (pair) => runScript(pair, saved.script)),
      saved.profile,
      values.script,
    );
  }
  const first = Number(values.seed ?? values['first-seed']);
  const count = values.seed === undefined ? Number(values.seeds) : 1;
  const without = new Set(
    values.without.split(',').map((name) => OP[name as keyof typeof OP] ?? Number.NaN),
  );
  const totals = new Map<string, number>();
  let requests = 0;
  let failures = 0;
  for (let seed = first; seed < first + count; seed++) {
    const profile = profileOf(seed);
    const started = performance.now();
    const outcome = await withPair(profile, SUBJECTS, (pair) =>
      runSeed(pair, seed, Number(values.requests), without),
    );
    requests += outcome.requests;
    for (const [key, value] of outcome.replies) totals.set(key, (totals.get(key) ?? 0) + value);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(
      `seed ${seed}: ${outcome.requests} requests in ${outcome.script.length} steps, ${seconds} s, ` +
        (outcome.difference === undefined
          ? 'no difference'
          : `DIFFERENT at ${outcome.difference.where} ${outcome.difference.index}`),
    );
    for (const note of outcome.notes) console.log(`  note: ${note}`);
    if (outcome.difference === undefined) continue;
    failures++;
    await judge(outcome, profile, `seed ${seed}`);
    if (!values['keep-going']) break;
  }
  console.log(`${requests} requests in all, ${failures} seeds with a difference`);
  const table = [...totals].sort(([a], [b]) => (a < b ? -1 : 1));
  console.log(`replies: ${table.map(([key, value]) => `${key} ${value}`).join(', ')}`);
  return failures === 0 ? 0 : 1;
}

async function judge(outcome: Outcome, profile: Profile, from: string): Promise<number> {
  if (outcome.difference === undefined) {
    console.log(`${from}: no difference`);
    return 0;
  }
  console.log(reportDifference(outcome));
  const smallest = values['no-shrink']
    ? outcome
    : await shrink(outcome, {
        run: (script) => withPair(profile, SUBJECTS, (pair) => runScript(pair, script)),
        log: console.log,
      });
  const file = `${values.save}/zebu-difference-${from.replaceAll(/\W+/g, '-')}.json`;
  writeFileSync(
    file,
    JSON.stringify(
      { profile, script: smallest.script, reference: smallest.transcript },
      undefined,
      2,
    ),
  );
  if (smallest !== outcome)
    console.log(
      `Shrunk to ${smallest.script.length} steps:\n${reportDifference(smallest, { all: true })}`,
    );
  console.log(`Replay with --script ${file}`);
  return 1;
}

function listKnown(): number {
  for (const { what, apache, ours, decision, handling } of KNOWN_DIFFERENCES) {
    console.log(`${what}\n  Apache:   ${apache}\n  zebu:     ${ours}`);
    console.log(`  decision: ${decision}\n  here:     ${handling}\n`);
  }
  return 0;
}

/** Asks Apache for the answers to `CASES`. */
async function record(): Promise<number> {
  const answers: Record<string, string[][]> = {};
  for (const { name, script, profile } of CASES) {
    await using apache = await startApache(serverOptions({ ...CASE_PROFILE, ...profile }));
    answers[name] = await transcribe({ name: 'apache', host: '127.0.0.1', ...apache }, script);
  }
  const file = new URL('../../test/differential/recorded.json', import.meta.url);
  writeFileSync(file, `${JSON.stringify(answers, undefined, 2)}\n`);
  console.log(`Recorded ${CASES.length} cases; pnpm fix formats the file`);
  return 0;
}
