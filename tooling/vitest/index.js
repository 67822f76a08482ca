import { defineConfig } from 'vitest/config';

/**
 * The vitest options of every package. Sister packages are read from source through the
 * `@zebu/source` condition, so tests need no build. `tooling/scripts/run.mjs` sums reports/vitest.json.
 */
export const project = (name, test = {}) =>
  defineConfig({
    ssr: {
      resolve: {
        conditions: ['@zebu/source', 'module', 'node', 'development|production'],
        externalConditions: ['@zebu/source', 'node'],
      },
    },
    test: {
      name,
      include: ['test/**/*.test.ts'],
      // Mutation testing does without the files that take long for each mutant.
      exclude: ['**/node_modules/**', ...(process.env.ZEBU_TEST_LEFT_OUT?.split(',') ?? [])],
      passWithNoTests: true,
      // No test depends on time: this only ends one that hangs, on however busy a machine.
      testTimeout: 120_000,
      hookTimeout: 120_000,
      // Mutation testing runs the same files thousands of times in one worker (tooling/mutation).
      isolate: process.env.ZEBU_TEST_ISOLATE !== '0',
      maxWorkers: Number(process.env.ZEBU_TEST_WORKERS ?? 2),
      reporters: ['default', 'json'],
      outputFile: { json: 'reports/vitest.json' },
      ...test,
    },
  });
