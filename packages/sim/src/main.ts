// The command `npm run sim`: many seeds, or one plan again. Exit codes: 0 no run failed, 1 one did, 2 not
// understood or not built, 130 stopped.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ENGINES, type Engine, engineOf, type RunFailure } from './engines.ts';
import { Pool } from './pool.ts';
import { formatFailure, formatPlants, RunTotals } from './run-report.ts';
import { StatusLine } from './status-line.ts';

const USAGE = `Usage: npm run sim -- [options]

Runs the production server in virtual time, on a simulated disk and network, through faults that are drawn
from a seed, and checks after every event that it keeps its promises. One seed is one run, to the last bit.

  --seeds N         how many seeds to run (default 100)
  --from N          the first of them (default 1)
  --seed N          this one only
  --plan FILE       run a plan that a failure left, or an edited one
  --members N       members that vote: 1, 3 or 5 (default 1; the zab engine draws them from the seed)
  --engine NAME     what is simulated (default: member for one, ensemble for more):
${Object.entries(ENGINES)
  .map(([name, { summary }]) => `                      ${name.padEnd(12)}${summary}`)
  .join('\n')}
  --plants NAMES    plant these defects, one after the other, and say in how many of the seeds each is found; "all",
                    or names with commas between them
  --complete        fail, too, if something that should happen in some run happened in none
  --workers N       threads (default: one for each core)
  --max-failures N  stop after so many (default 10)
  --no-shrink       do not look for a smaller plan that fails alike
  --help            this text

What a run of the member engine does: a server with a random configuration serves 2 to 5 clients that make 60 to 260 requests
between them, while up to 7 faults happen one after the other: power cuts (at a chosen write, too), kills,
stalls, clock jumps, resets, cut networks, slow readers, a full disk, failing writes, syncs and renames. Then
everything is healed: all clients must be served, and nothing that was acknowledged may be missing.

When a run fails: its plan (configuration, requests, faults) goes to packages/sim/reports, made as small as
it can be while it still fails alike, and its last events are printed. A plan is JSON; faults and requests
can be taken out by hand, since nothing else depends on them.

Exit codes: 0 no run failed, 1 one did (with --plants: a plant was not found), 2 not understood or not built,
130 stopped.
`;

/** Plans of failures go here. */
const OUT = join(import.meta.dirname, '..', 'reports');
/** Failures of different kinds that are made smaller and shown whole. */
const SHOWN_FAILURES = 3;

interface Settings {
  readonly engineName: string;
  readonly engine: Engine;
  readonly members: number | undefined;
  readonly from: number;
  readonly seeds: number;
  readonly plan: string | undefined;
  /** Defects to plant; empty: none. */
  readonly plants: readonly string[];
  readonly isComplete: boolean;
  readonly workers: number;
  readonly maxFailures: number;
  readonly shrinks: boolean;
}

process.exitCode = await main();

async function main(): Promise<number> {
  let settings: Settings | undefined;
  try {
    settings = readSettings();
  } catch (error) {
    process.stderr.write(`sim: ${(error as Error).message}\nTry 'npm run sim -- --help'\n`);
    return 2;
  }
  if (settings === undefined) {
    process.stdout.write(USAGE);
    return 0;
  }
  const pool = new Pool(settings.engineName, settings.workers);
  const status = new StatusLine();
  const totals = new RunTotals();
  const startMs = performance.now();
  const seconds = (): number => (performance.now() - startMs) / 1000;
  process.once('SIGINT', () => {
    status.clear();
    process.stdout.write(`Stopped. ${totals.format([], seconds())}`);
    process.exit(130);
  });
  try {
    if (settings.plants.length > 0) return await runPlants(settings, pool, status);
    await run(settings, pool, totals, status);
    const took = seconds();
    status.clear();
    await explain(settings, pool, totals.failures, status);
    // In a few runs it means nothing that something never happened.
    const isMany = settings.isComplete || (settings.plan === undefined && settings.seeds >= 100);
    process.stdout.write(totals.format(isMany ? settings.engine.expected : [], took));
  } finally {
    await pool.close();
  }
  if (totals.failures.length > 0) return 1;
  return settings.isComplete && totals.missing(settings.engine.expected).length > 0 ? 1 : 0;
}

async function runPlants(settings: Settings, pool: Pool, status: StatusLine): Promise<number> {
  const { from, seeds, members } = settings;
  const found = new Map<string, RunTotals>();
  for (const [index, plant] of settings.plants.entries()) {
    const totals = new RunTotals();
    found.set(plant, totals);
    let next = from;
    await pool.runSeeds(
      () => (next < from + seeds ? next++ : undefined),
      members,
      (outcome) => {
        totals.add(outcome);
        const text = `plant ${index + 1} of ${settings.plants.length}, ${plant}: found in ${totals.failures.length} of ${totals.runs} seeds`;
        status.show(text, totals.runs, seeds);
      },
      plant,
    );
  }
  status.clear();
  process.stdout.write(formatPlants(found, { from, count: seeds }));
  return [...found.values()].some(({ failures }) => failures.length === 0) ? 1 : 0;
}

/** Undefined when help is asked for. Throws an Error for the user. */
function readSettings(): Settings | undefined {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '100' },
      from: { type: 'string', default: '1' },
      seed: { type: 'string' },
      plants: { type: 'string' },
      complete: { type: 'boolean', default: false },
      plan: { type: 'string' },
      members: { type: 'string' },
      engine: { type: 'string' },
      workers: { type: 'string', default: String(availableParallelism()) },
      'max-failures': { type: 'string', default: '10' },
      'no-shrink': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const plan = values.plan === undefined ? undefined : readPlanFile(values.plan);
  const members =
    values.members === undefined ? undefined : wholeNumber('--members', values.members);
  const engineName = plan === undefined ? chooseEngine(values.engine, members) : engineOf(plan);
  const engine = ENGINES[engineName] as Engine;
  const seeds = values.seed === undefined ? wholeNumber('--seeds', values.seeds) : 1;
  return {
    engineName,
    engine,
    members,
    from:
      values.seed === undefined
        ? wholeNumber('--from', values.from, 0)
        : wholeNumber('--seed', values.seed, 0),
    seeds,
    plan,
    plants: values.plants === undefined ? [] : choosePlants(engineName, values.plants),
    isComplete: values.complete,
    workers: plan === undefined ? Math.min(seeds, wholeNumber('--workers', values.workers)) : 1,
    maxFailures: wholeNumber('--max-failures', values['max-failures']),
    shrinks: !values['no-shrink'],
  };
}

/** The engine that was named; without a name, the one for so many members. Throws an Error for the user. */
function chooseEngine(name: string | undefined, members: number | undefined): string {
  if (name === undefined) {
    const chosen = Object.keys(ENGINES).find((one) =>
      ENGINES[one]?.members?.includes(members ?? 1),
    );
    if (chosen === undefined) {
      const known = Object.values(ENGINES).flatMap((engine) => engine.members ?? []);
      throw new Error(`No engine runs ${members} members: they run ${known.join(', ')}`);
    }
    return chosen;
  }
  const engine = ENGINES[name];
  if (engine === undefined) {
    const names = Object.keys(ENGINES).join(', ');
    throw new Error(`There is no engine ${name}: it is one of ${names}`);
  }
  if (members === undefined || engine.members?.includes(members)) return name;
  throw new Error(
    engine.members === undefined
      ? `The ${name} engine draws the number of its members from the seed: no --members`
      : `The ${name} engine runs ${engine.members.join(' or ')} members, not ${members}`,
  );
}

/** Throws an Error for the user. */
function choosePlants(engineName: string, names: string): readonly string[] {
  const { plants } = ENGINES[engineName] as Engine;
  if (plants.length === 0) throw new Error(`The ${engineName} engine has no plants of its own`);
  if (names === 'all') return plants;
  const chosen = names.split(',');
  const unknown = chosen.find((name) => !plants.includes(name));
  if (unknown === undefined) return chosen;
  throw new Error(
    `There is no plant ${unknown}: the ${engineName} engine has ${plants.join(', ')}`,
  );
}

/** npm runs scripts in the root of the repository; the path is relative to the user's directory. */
function readPlanFile(path: string): string {
  const text = readFileSync(resolve(process.env.INIT_CWD ?? '.', path), 'utf8');
  try {
    ENGINES[engineOf(text)]?.checkPlan(text);
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`);
  }
  return text;
}

function wholeNumber(name: string, text: string, least = 1): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least || text.trim() === '') {
    throw new Error(`${name} must be a whole number from ${least} on, not ${text}`);
  }
  return value;
}

async function run(settings: Settings, pool: Pool, totals: RunTotals, status: StatusLine) {
  if (settings.plan !== undefined) {
    totals.add(await pool.runPlan(settings.plan));
    return;
  }
  const { from, seeds, maxFailures, members } = settings;
  let next = from;
  const progress = (): void => {
    const failed = totals.failures.length === 0 ? '' : `, ${totals.failures.length} failed`;
    status.show(`${totals.runs} of ${seeds} seeds${failed}`, totals.runs, seeds);
  };
  progress();
  await pool.runSeeds(
    () => (next < from + seeds && totals.failures.length < maxFailures ? next++ : undefined),
    members,
    (outcome) => {
      totals.add(outcome);
      const { failure } = outcome;
      if (failure !== undefined) status.print(`seed ${failure.seed} failed: ${failure.message}`);
      progress();
    },
  );
}

/** Writes the plans of failures, and shows the first of each kind, made smaller. */
async function explain(
  settings: Settings,
  pool: Pool,
  failures: readonly RunFailure[],
  status: StatusLine,
): Promise<void> {
  const kinds = new Map<string, RunFailure>();
  for (const failure of failures) if (!kinds.has(failure.kind)) kinds.set(failure.kind, failure);
  for (const failure of [...kinds.values()].slice(0, SHOWN_FAILURES)) {
    let smaller = failure;
    if (settings.shrinks) {
      smaller = await pool.shrink(failure, ({ runs, faults, requests }) =>
        status.show(
          `seed ${failure.seed}: made smaller to ${faults} faults and ${requests} requests in ${runs} runs`,
        ),
      );
      status.clear();
    }
    mkdirSync(OUT, { recursive: true });
    const file = join(OUT, `seed-${failure.seed}.json`);
    writeFileSync(file, smaller.plan);
    process.stdout.write(`${formatFailure(smaller, relative(process.cwd(), file))}\n`);
  }
}
