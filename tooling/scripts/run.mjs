// The bootstrap: what `npm start`, `npm test` and the other root scripts run.
//
// It needs only Node 20 and npm. It puts pnpm into .tools/, installs from the lockfile (which
// brings turbo, the compilers and the Node that zebu runs on), then hands over to turbo. Keep it to
// Node 20's own modules: it runs before anything is installed.
//
//   start [args]    install and build quietly, then zebu-server in the foreground
//   zebu [args]     install and build quietly, then the command zebu: `npm run zebu -- ls /`
//   test            install, build, every test
//   build           install and build
//   check           install, then format, lint, types, package checks, unused code
//   ci              test, then check
//   interop         install and build, then the foreign clients against zebu (packages/conformance)
//   simulation      install, then what CI simulates: whole ensembles, and many more of the core's
//   sim [args]      install, then the simulator: `npm run sim -- --seeds 1000`
//   sockets         the server's tests on Node's documented sockets alone (ZEBU_TRANSPORT=sockets)
//   nodes           the transport's and the client's tests on each line of Node that was tried
//   pnpm ...        pnpm in this workspace, e.g. `npm run pnpm -- verify`

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canRun, problemOfNode, thisSystem } from './own-node.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const tools = join(root, '.tools');
const rootPackage = readJson(join(root, 'package.json'));
const pnpmVersion = rootPackage.packageManager.split('@')[1];
const pnpmHome = join(tools, `pnpm-${pnpmVersion}`);
const pnpmBin = join(pnpmHome, 'node_modules', '.bin', 'pnpm');
const turboBin = join(root, 'node_modules', '.bin', 'turbo');

/** Lines of Node beside the shipped one, at their newest on 2026-11-30. See TRIED_NODE_MAJORS of the transport. */
const OTHER_NODES = ['22.23.5', '24.22.3'];

const NODE = join(root, 'node_modules', '.bin', 'node');
const SIMULATOR = ['--conditions=@zebu/source', join('packages', 'sim', 'src', 'main.ts')];

/** What the step of CI runs: a name, then the options. */
const SIMULATIONS = [
  ['500 whole ensembles', '--members', '3', '--seeds', '500'],
  ['50,000 ensembles of cores', '--engine', 'zab', '--seeds', '50000'],
];

// Read first: if it changes later, the process that started this one is gone.
const parent = process.ppid;

const env = {
  ...process.env,
  TURBO_TELEMETRY_DISABLED: '1',
  PATH: [
    join(root, 'node_modules', '.bin'),
    dirname(pnpmBin),
    ...(process.env.PATH ?? '').split(delimiter),
  ].join(delimiter),
};

const [task = 'help', ...args] = process.argv.slice(2);
const tasks = {
  start,
  zebu,
  test,
  build,
  check,
  ci,
  interop,
  sockets,
  nodes,
  simulation,
  sim,
  pnpm,
};
const problem = problemOfNode(process.version, thisSystem());
if (problem !== undefined) fail(problem);
if (tasks[task] === undefined) fail(`usage: run.mjs ${Object.keys(tasks).join('|')}`);
await tasks[task]();

async function start() {
  await install({ quiet: true });
  run(turboBin, ['run', 'build', '--filter=zebu-server', '--output-logs=errors-only'], {
    quiet: true,
  });
  await runInForeground(join(root, 'apps', 'server', 'bin', 'zebu-server'), args);
}

async function zebu() {
  await install({ quiet: true });
  run(turboBin, ['run', 'build', '--filter=zebu', '--output-logs=errors-only'], { quiet: true });
  // npm goes to the root; files are named from where the user is.
  const cwd = process.env.INIT_CWD ?? root;
  await runInForeground(join(root, 'apps', 'cli', 'bin', 'zebu'), args, cwd);
}

async function test() {
  await install();
  const ok = runTests();
  if (!ok) process.exit(1);
}

async function build() {
  await install();
  run(turboBin, ['run', 'build', '--output-logs=errors-only', ...args]);
}

async function check() {
  await install();
  if (!runChecks()) process.exit(1);
}

async function ci() {
  await install();
  const tested = runTests();
  const checked = runChecks();
  if (!tested || !checked) process.exit(1);
}

async function interop() {
  const directory = join(root, 'packages', 'conformance');
  if (readJson(join(directory, 'package.json')).scripts?.interop === undefined) {
    console.log('interop: packages/conformance has no interop script yet');
    console.log('0 passed, 0 failed, 0 skipped');
    return;
  }
  await install();
  run(turboBin, ['run', 'build', '--output-logs=errors-only']);
  const report = join(directory, 'reports', 'interop.json');
  rmSync(report, { force: true });
  const ok = attempt(pnpmBin, ['--filter', '@zebu/conformance', 'run', 'interop', ...args], {
    env: { ...env, ZEBU_INTEROP: '1' },
  });
  printTotals([report]);
  if (!ok) process.exit(1);
}

/** From source: nothing needs to be built. */
async function sim() {
  await install({ quiet: true });
  await runInForeground(NODE, [...SIMULATOR, ...args]);
}

/** On all cores; a failure leaves its plan in packages/sim/reports. */
async function simulation() {
  await install({ quiet: true });
  const failed = [];
  for (const [name, ...options] of SIMULATIONS) {
    console.log(`--- ${name}`);
    if (!attempt(NODE, [...SIMULATOR, ...options, '--complete'], { cwd: root })) failed.push(name);
  }
  if (failed.length > 0) fail(`simulation: ${failed.join(', ')} failed`);
  console.log(`simulation: ${SIMULATIONS.map(([name]) => name).join(', ')}: none failed`);
}

async function sockets() {
  await install();
  env.ZEBU_TRANSPORT = 'sockets';
  const filters = ['@zebu/server', 'zebu-server', '@zebu/conformance'];
  args.unshift(...filters.map((name) => `--filter=${name}`), '--force');
  if (!runTests()) process.exit(1);
}

async function nodes() {
  await install();
  const own = { name: 'the shipped Node', binary: join(root, 'node_modules', '.bin', 'node') };
  const others = OTHER_NODES.map((version) => ({
    name: `Node ${version}`,
    binary: installNode(version),
  }));
  const failed = [];
  for (const packageName of ['transport', 'client']) {
    const directory = join(root, 'packages', packageName);
    const vitest = join(directory, 'node_modules', 'vitest', 'vitest.mjs');
    const report = join(directory, 'reports', 'vitest.json');
    for (const { name, binary } of [...others, own]) {
      console.log(`--- ${packageName} on ${name}`);
      rmSync(report, { force: true });
      const ok = attempt(binary, [vitest, 'run', ...args], { cwd: directory });
      if (printTotals([report]).failed > 0 || !ok) failed.push(`${packageName} on ${name}`);
    }
  }
  if (failed.length > 0) fail(`tests failed: ${failed.join(', ')}`);
}

/** Another Node, from npm, beside pnpm in .tools; the path of its binary. */
function installNode(version) {
  if (process.platform !== 'linux')
    fail('npm has binaries of several lines of Node for Linux only');
  const name = `node-linux-${process.arch}`;
  const home = join(tools, `node-${version}`);
  const binary = join(home, 'node_modules', name, 'bin', 'node');
  if (!existsSync(binary)) installByNpm(home, `${name}@${version}`);
  return binary;
}

async function pnpm() {
  await withLock('tools', installPnpm);
  process.exit(attempt(pnpmBin, args, { cwd: process.cwd() }) ? 0 : 1);
}

/** Builds, runs every package's tests, and closes with one line that sums all of them. */
function runTests() {
  const reports = testReports();
  for (const report of reports) rmSync(report, { force: true });
  const ok = attempt(turboBin, [
    'run',
    'build',
    'test',
    '--continue=dependencies-successful',
    '--output-logs=new-only',
    ...args,
  ]);
  const { failed } = printTotals(reports);
  if (!ok && failed === 0) console.error('zebu: a build or a test run failed, see above');
  return ok && failed === 0;
}

function runChecks() {
  const steps = [
    [join(root, 'node_modules', '.bin', 'biome'), ['ci', '.']],
    [turboBin, ['run', 'typecheck', 'check:pkg', '--continue', '--output-logs=errors-only']],
    [join(root, 'node_modules', '.bin', 'knip'), ['--no-config-hints']],
  ];
  const results = steps.map(([command, parameters]) => attempt(command, parameters));
  return results.every(Boolean);
}

function testReports() {
  return ['packages', 'apps', 'tooling'].flatMap((group) =>
    readdirSync(join(root, group)).map((name) => join(root, group, name, 'reports', 'vitest.json')),
  );
}

/** Prints `N passed, N failed, N skipped`, summed over vitest's JSON reports. */
function printTotals(reports) {
  const totals = { passed: 0, failed: 0, skipped: 0 };
  for (const report of reports.filter((path) => existsSync(path))) {
    for (const file of readJson(report).testResults) {
      // A file that failed before its first test (an import, a hook) counts as one failure.
      const brokeEarly =
        file.status === 'failed' && !file.assertionResults.some((one) => one.status === 'failed');
      if (brokeEarly) totals.failed += 1;
      for (const { status } of file.assertionResults) {
        if (status === 'passed') totals.passed += 1;
        else if (status === 'failed') totals.failed += 1;
        else totals.skipped += 1;
      }
    }
  }
  console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
  return totals;
}

/** Installs from the lockfile, unless nothing that decides the result changed since last time. */
async function install({ quiet = false } = {}) {
  await withLock('install', async () => {
    installPnpm();
    const stamp = join(root, 'node_modules', '.zebu-installed');
    const wanted = installFingerprint();
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
    if (quiet) console.error('zebu: installing and building, the first time takes a while');
    const ok = attempt(pnpmBin, ['install', '--frozen-lockfile', '--reporter=append-only'], {
      quiet,
    });
    if (!ok) {
      fail(
        'install failed. If a package.json changed, bring the lockfile up to date with ' +
          '`npm run pnpm -- install`',
      );
    }
    dropUnusableNode();
    writeFileSync(stamp, wanted);
  });
}

/** What cannot run here must not stand first on PATH: turbo and pnpm would start it. */
function dropUnusableNode() {
  const installed = join(root, 'node_modules', '.bin', 'node');
  if (!existsSync(installed) || canRun(installed)) return;
  rmSync(installed);
  console.error('zebu: the Node of the install cannot run here; the one on PATH is used');
}

function installFingerprint() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`);
  const files = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml'];
  for (const group of ['packages', 'apps', 'tooling']) {
    for (const name of readdirSync(join(root, group)).sort()) {
      files.push(join(group, name, 'package.json'));
    }
  }
  for (const file of files.filter((path) => existsSync(join(root, path)))) {
    hash.update(file).update(readFileSync(join(root, file)));
  }
  return hash.digest('hex');
}

function installPnpm() {
  if (existsSync(pnpmBin)) return;
  installByNpm(pnpmHome, `pnpm@${pnpmVersion}`);
}

/** Installs one package with npm into a folder of its own. */
function installByNpm(home, what) {
  const staging = `${home}.${process.pid}`;
  mkdirSync(staging, { recursive: true });
  // A package.json of its own and cwd, not --prefix: --prefix also moves npm's global config.
  writeFileSync(join(staging, 'package.json'), '{ "private": true }\n');
  const parameters = ['install', '--no-audit', '--no-fund', '--save-exact', what];
  const ok = attempt('npm', parameters, { cwd: staging, env: systemEnv(), quiet: true });
  if (!ok) fail(`could not install ${what} with npm`);
  rmSync(home, { recursive: true, force: true });
  renameSync(staging, home);
}

/**
 * The environment without our own Node on PATH. npm puts node_modules/.bin there, and npm run by the
 * Node in there would look for its global configuration (a proxy, a CA file) in the wrong place.
 */
function systemEnv() {
  const own = join(root, 'node_modules');
  const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => !entry.startsWith(own));
  return { ...process.env, PATH: path.join(delimiter) };
}

/** One install at a time in a work tree that several processes share. */
async function withLock(name, body) {
  mkdirSync(tools, { recursive: true });
  const lock = join(tools, `${name}.lock`);
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (isAbandoned(lock)) rmSync(lock, { recursive: true, force: true });
      else await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  const release = () => rmSync(lock, { recursive: true, force: true });
  process.once('exit', release);
  writeFileSync(join(lock, 'pid'), String(process.pid));
  try {
    await body();
  } finally {
    release();
    process.off('exit', release);
  }
}

function isAbandoned(lock) {
  let pid;
  try {
    pid = Number(readFileSync(join(lock, 'pid'), 'utf8'));
  } catch {
    return false; // Its owner has yet to write its pid, or has just released it.
  }
  if (pid === 0) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

/** Runs a command to its end; true if it succeeded. Quiet: its output is shown only if it failed. */
function attempt(command, parameters, { cwd = root, quiet = false, env: itsEnv = env } = {}) {
  const stdio = quiet ? 'pipe' : 'inherit';
  const result = spawnSync(command, parameters, { cwd, env: itsEnv, stdio, maxBuffer: 1 << 28 });
  if (result.error) console.error(`zebu: ${command}: ${result.error.message}`);
  const ok = result.status === 0;
  if (!ok && quiet) {
    process.stderr.write(result.stdout ?? '');
    process.stderr.write(result.stderr ?? '');
  }
  return ok;
}

function run(command, parameters, options) {
  if (!attempt(command, parameters, options)) process.exit(1);
}

/** Runs a command as our child, passes signals on, and ends with its exit code. */
function runInForeground(command, parameters, cwd = root) {
  if (process.ppid !== parent) fail('stopped while preparing');
  const child = spawn(command, parameters, { cwd, env, stdio: 'inherit' });
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  // On a terminal Ctrl-C and Ctrl-\ reach the server by themselves: the whole foreground group gets it.
  for (const signal of ['SIGINT', 'SIGQUIT']) {
    process.on(signal, () => {
      if (!process.stdin.isTTY) child.kill(signal);
    });
  }
  // `kill <pid of npm>` ends npm and its shell but signals nobody else: notice that our parent
  // changed, and stop the server too.
  const watch = setInterval(() => {
    if (process.ppid !== parent) child.kill('SIGTERM');
  }, 250);
  return new Promise((resolve) => {
    child.on('error', (error) => {
      console.error(`zebu: ${command}: ${error.message}`);
      process.exitCode = 1;
      clearInterval(watch);
      resolve();
    });
    child.on('exit', (code, signal) => {
      clearInterval(watch);
      process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function fail(message) {
  console.error(`zebu: ${message}`);
  process.exit(1);
}
