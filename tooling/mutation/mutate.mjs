// `pnpm mutate PACKAGE`: plants small bugs in a package, one at a time, and runs its tests against each.
//
// StrykerJS makes the mutants and runs them with vitest, in a copy of the package under reports/. A
// mutant that no test notices "survives": either a test is missing, or the mutant changes nothing that
// can be observed. docs/MUTATION.md has the scores and explains each survivor.
//
// A run is incremental: what reports/stryker-incremental.json knows about unchanged code and unchanged
// tests is not run again. The priority of the process is lowered, since a run takes minutes to an hour.

import { existsSync } from 'node:fs';
import { availableParallelism, getPriority, setPriority } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Stryker } from '@stryker-mutator/core';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const RUNNER = fileURLToPath(import.meta.resolve('@stryker-mutator/vitest-runner'));

const PRIORITY = 10;

/** The lowest score in percent that is not a failure, for a package without a figure of its own. */
const LEAST_SCORE = 85;

/**
 * What is mutated. Doors hold nothing but exports, and a compliance suite is itself a test: its mutants
 * would say nothing about the package.
 */
const PACKAGES = {
  session: {},
  'data-tree': {},
  protocol: {},
  storage: {},
  // The core of the ensemble carries the most: it has a higher bar, and an engine that runs many of it.
  zab: { least: 95, config: 'zab.vitest.config.mjs' },
  client: {
    // The files that touch no socket and no timer.
    files: [
      'src/connect-string.ts',
      'src/errors.ts',
      'src/host-list.ts',
      'src/multi.ts',
      'src/pending-queue.ts',
      'src/request.ts',
      'src/session.ts',
      'src/stat.ts',
      'src/states.ts',
      'src/watch-registry.ts',
      'src/wire.ts',
    ],
    // Real sockets and real time: 25 s for each mutant of a line that every request runs.
    leftOut: ['test/proxied.test.ts'],
  },
};
const NEVER = ['src/index.ts', 'src/internal.ts', 'src/compliance.ts'];

const USAGE = `Usage: pnpm mutate PACKAGE [options]

Plants small bugs in a package, one at a time, and runs its tests against each.

  PACKAGE             ${Object.keys(PACKAGES).join(', ')}
  --file FILE[,...]   only these files of it, such as src/zxid.ts; FILE:10-20 for a range of lines
  --force             run everything again, also what an earlier run knows
  --concurrency N     test processes at a time (default: half the cores)
  --help              this text

Reports go to packages/PACKAGE/reports: mutation.html to read, mutation.json for programs.
Exit codes: 0 the score is reached, 1 it is not or a run failed, 2 not understood.
`;

process.exitCode = await main();

async function main() {
  let options;
  try {
    options = readArguments();
  } catch (error) {
    process.stderr.write(`mutate: ${error.message}\n\n${USAGE}`);
    return 2;
  }
  if (options === undefined) {
    process.stdout.write(USAGE);
    return 0;
  }
  setPriority(Math.max(getPriority(), PRIORITY));
  // Each property runs this often for each mutant, and with other inputs than for the mutant before:
  // enough to find what it can find, a fifth of the time. A score is therefore a lower bound.
  process.env.ZEBU_FC_RUNS ??= '20';
  // No module of ours keeps state between test files: one worker for all of them saves a third of the time.
  process.env.ZEBU_TEST_ISOLATE = '0';
  if (options.leftOut !== undefined) process.env.ZEBU_TEST_LEFT_OUT = options.leftOut.join();
  process.chdir(options.directory);
  const results = await new Stryker(strykerOptions(options)).runMutationTest();
  return report(results, options);
}

/** Undefined when help is asked for. Throws when the arguments make no sense. */
function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      file: { type: 'string' },
      force: { type: 'boolean', default: false },
      concurrency: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const [name, ...rest] = positionals;
  if (name === undefined || rest.length > 0) throw new Error('name one package');
  const settings = PACKAGES[name];
  if (settings === undefined) throw new Error(`no mutation testing is set up for ${name}`);
  const directory = join(ROOT, 'packages', name);
  if (!existsSync(join(directory, 'package.json'))) {
    throw new Error(`${relative(ROOT, directory)} does not exist yet`);
  }
  const concurrency = Number(values.concurrency ?? Math.max(1, availableParallelism() >> 1));
  if (!Number.isSafeInteger(concurrency) || concurrency < 1) {
    throw new Error(`--concurrency must be a whole number from 1 on, not ${values.concurrency}`);
  }
  const chosen = values.file?.split(',');
  for (const file of chosen ?? []) {
    if (!existsSync(join(directory, file.replace(/:\d+-\d+$/, '')))) {
      throw new Error(`${relative(ROOT, join(directory, file))} does not exist`);
    }
  }
  const exists = (file) => existsSync(join(directory, file));
  const whole = settings.files?.filter(exists) ?? ['src/**/*.ts'];
  const left = NEVER.filter(exists).map((file) => `!${file}`);
  return {
    name,
    directory,
    concurrency,
    isForced: values.force,
    isWhole: chosen === undefined,
    files: chosen ?? [...whole, ...left],
    least: settings.least ?? LEAST_SCORE,
    config: settings.config,
    leftOut: settings.leftOut,
  };
}

function strykerOptions({ files, concurrency, isForced, config }) {
  const vitest =
    config === undefined ? {} : { configFile: join(import.meta.dirname, config), dir: ROOT };
  return {
    testRunner: 'vitest',
    plugins: [RUNNER],
    // Stryker asks vitest for the tests that import a file; it would miss those through a door.
    vitest: { related: false, ...vitest },
    mutate: files,
    coverageAnalysis: 'perTest',
    concurrency,
    // A busy machine must not make a slow test look like one that hangs.
    timeoutMS: 4000,
    timeoutFactor: 3,
    incremental: true,
    incrementalFile: 'reports/stryker-incremental.json',
    force: isForced,
    tempDirName: 'reports/.stryker',
    reporters: [
      'clear-text',
      'html',
      'json',
      process.stderr.isTTY ? 'progress' : 'progress-append-only',
    ],
    clearTextReporter: { logTests: false, reportTests: false, allowColor: process.stdout.isTTY },
    htmlReporter: { fileName: 'reports/mutation.html' },
    jsonReporter: { fileName: 'reports/mutation.json' },
    // TypeScript 7 has no API by which Stryker could rewrite tsconfig.json for its copy: there is
    // nothing to rewrite, so it is pointed at a file that does not exist.
    tsconfigFile: 'reports/no-tsconfig.json',
    thresholds: { high: 95, low: LEAST_SCORE, break: null },
  };
}

/** Sums up in one line and returns the exit code. Part of a package is not judged. */
function report(results, { name, isWhole, least }) {
  const count = (status) => results.filter((mutant) => mutant.status === status).length;
  const killed = count('Killed') + count('Timeout');
  const survived = count('Survived') + count('NoCoverage');
  const score = killed + survived === 0 ? 0 : (100 * killed) / (killed + survived);
  process.stdout.write(
    `${name}: ${killed} of ${killed + survived} mutants killed, ${score.toFixed(1)} %` +
      (isWhole ? `; at least ${least} % are wanted\n` : '\n'),
  );
  return isWhole && score < least ? 1 : 0;
}
