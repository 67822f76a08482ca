// Mutants of zab are judged by its own tests and by the engine that runs whole ensembles of cores
// (packages/sim/test/zab-engine.test.ts): most of what an election or a synchronization must not do shows only
// there. The engine lives outside the copy that Stryker makes, so `@zebu/zab` is pointed at the copy.

import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Stryker runs vitest in its copy of the package. */
const COPY = process.cwd();
const CONDITIONS = ['@zebu/source', 'node'];

export default defineConfig({
  root: COPY,
  resolve: { alias: { '@zebu/zab': join(COPY, 'src', 'index.ts') } },
  ssr: {
    resolve: {
      conditions: ['@zebu/source', 'module', 'node', 'development|production'],
      externalConditions: CONDITIONS,
    },
  },
  test: {
    name: 'zab',
    dir: ROOT,
    include: [`${relative(ROOT, COPY)}/test/**/*.test.ts`, 'packages/sim/test/zab-engine.test.ts'],
    exclude: ['**/node_modules/**'],
    isolate: false,
    testTimeout: 120_000,
  },
});
