import { copyFileSync, existsSync } from 'node:fs';
import { defineConfig } from 'tsup';

// The doors a package may have (see CONTRIBUTING.md). Those that exist are built.
const DOORS = ['src/index.ts', 'src/internal.ts', 'src/compliance.ts'];

/**
 * The tsup options of every package. Types come from tsc (tsconfig.build.json), because TypeScript 7
 * has no compiler API for tsup to call.
 *
 * `splitting` stays on: two doors of one package must share one copy of each class.
 */
export const preset = (overrides = {}) =>
  defineConfig({
    entry: DOORS.filter((door) => existsSync(door)),
    format: ['esm'],
    target: 'node22',
    platform: 'node',
    sourcemap: true,
    clean: ['dist/*.js', 'dist/*.js.map'],
    dts: false,
    treeshake: false,
    splitting: true,
    silent: true,
    // The sources are in the package; the maps point there and need not hold them again.
    esbuildOptions: (options) => {
      options.sourcesContent = false;
    },
    ...overrides,
  });

/** Those of a command: src/main.ts, and beside it what its launcher in bin/ needs. */
export const commandPreset = () =>
  preset({
    entry: ['src/main.ts'],
    onSuccess: async () => {
      copyFileSync(new URL('find-node.sh', import.meta.url), 'dist/find-node.sh');
    },
  });
