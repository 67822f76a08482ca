// Which Node runs what: the one that comes with the install, or the one on PATH. On Node 20's own modules.

import { spawnSync } from 'node:child_process';

/** What the bootstrap itself needs. */
const FOR_SCRIPTS = '20.12';
/** What zebu needs. */
const FOR_ZEBU = '22.18';

/** Whether a Node comes with the install that can run on this system: Linux with glibc, x64 or arm64. */
export function comesWithInstall({ platform, arch, isGlibc }) {
  return platform === 'linux' && isGlibc && (arch === 'x64' || arch === 'arm64');
}

/** This system, as comesWithInstall() takes it. Without glibc (Alpine) Node's report names none. */
export function thisSystem() {
  // It would look up the names of all peers.
  if (process.report !== undefined) process.report.excludeNetwork = true;
  const { header } = process.report?.getReport() ?? {};
  const isGlibc = header?.glibcVersionRuntime !== undefined;
  return { platform: process.platform, arch: process.arch, isGlibc };
}

/** Why the Node on PATH will not do, before anything is installed; undefined when it does. */
export function problemOfNode(version, system) {
  const isShipped = comesWithInstall(system);
  const needed = isShipped ? FOR_SCRIPTS : FOR_ZEBU;
  if (isAtLeast(version, needed)) return undefined;
  const why = isShipped
    ? 'to install with'
    : `on this system, for which no Node comes with the install (${system.platform} ${system.arch}${system.platform === 'linux' && !system.isGlibc ? ' without glibc' : ''})`;
  return `needs Node.js ${needed} or newer ${why}, and the one on PATH is ${version}`;
}

/** Whether a program can be started here: a Node for glibc is installed on Alpine too, and cannot. */
export function canRun(node) {
  return spawnSync(node, ['--version'], { stdio: 'ignore' }).status === 0;
}

/**
 * The newest version of the same major that is newer and that every package has; undefined when there is
 * none. `available` has one list of versions for each package.
 */
export function newerOfLine(current, available) {
  const [major] = current.split('.');
  const [first = [], ...rest] = available;
  const everywhere = first.filter((version) => rest.every((list) => list.includes(version)));
  return everywhere
    .filter((version) => /^\d+\.\d+\.\d+$/.test(version) && version.startsWith(`${major}.`))
    .filter((version) => version !== current && isAtLeast(version, current))
    .reduce(
      (newest, one) => (newest === undefined || isAtLeast(one, newest) ? one : newest),
      undefined,
    );
}

function isAtLeast(version, needed) {
  const parts = version.replace(/^v/, '').split('.').map(Number);
  for (const [index, least] of needed.split('.').map(Number).entries()) {
    const part = parts[index] ?? 0;
    if (part !== least) return part > least;
  }
  return true;
}
