// Says when the registry has a newer patch of the Node that comes with the install. It never fails: neither
// a release of somebody else's nor a machine without a network is a fault of the tree that CI tests.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { newerOfLine } from './own-node.mjs';

const TIMEOUT_MS = 30_000;

const root = new URL('../../package.json', import.meta.url);
const { optionalDependencies } = JSON.parse(readFileSync(root, 'utf8'));
const shipped = Object.entries(optionalDependencies).filter(([name]) => name.startsWith('node-'));
const [, [, current]] = shipped;
const available = shipped.map(([name]) => versionsOf(name));
if (available.includes(undefined)) {
  console.log(
    `Node ${current} is shipped; whether there is a newer one the registry does not say now`,
  );
} else {
  const newer = newerOfLine(current, available);
  console.log(
    newer === undefined
      ? `Node ${current} is shipped, the newest of its line on the registry`
      : `NODE ${newer} IS ON THE REGISTRY, and ${current} is shipped: change optionalDependencies in package.json and nodeVersion in pnpm-workspace.yaml, then \`npm run pnpm -- install\``,
  );
}

function versionsOf(name) {
  const parameters = ['view', name, 'versions', '--json', '--fetch-retries=0'];
  const { status, stdout } = spawnSync('npm', parameters, {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
  });
  if (status !== 0) return undefined;
  try {
    const versions = JSON.parse(stdout);
    return Array.isArray(versions) ? versions : [versions];
  } catch {
    return undefined;
  }
}
