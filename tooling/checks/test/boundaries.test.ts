// The arrows between packages, kept by reading the sources. TypeScript and pnpm refuse most
// trespasses already; these tests catch what they let through.

import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { describe, expect, test } from 'vitest';
import { importSpecifiers, stripCommentsAndStrings } from '../src/source-text.ts';
import { ROOT, readWorkspace, type WorkspacePackage } from '../src/workspace.ts';

const BELOW_SERVER = ['data-tree', 'session', 'zab', 'storage', 'transport', 'protocol'];

/** Who may depend on whom: docs/ARCHITECTURE.md. */
const ARROWS: Record<string, string[]> = {
  '@zebu/protocol': [],
  '@zebu/data-tree': ['protocol'],
  '@zebu/session': ['protocol'],
  '@zebu/zab': ['protocol'],
  '@zebu/storage': ['protocol'],
  '@zebu/transport': ['protocol'],
  '@zebu/server': BELOW_SERVER,
  '@zebu/client': ['transport', 'protocol'],
  '@zebu/recipes': ['client'],
  '@zebu/sim': ['server', 'client', 'recipes', ...BELOW_SERVER],
  '@zebu/conformance': ['client', 'recipes', 'server', 'zab', 'protocol', 'transport'],
  'zebu-server': ['server'],
  zebu: ['client', 'recipes'],
  'zebu-bench': ['client', 'server', 'protocol', 'transport'],
};

/** Packages that take time, randomness and everything else of the outside as arguments. */
const PURE = ['@zebu/data-tree', '@zebu/session', '@zebu/zab'];

/** Packages that take nothing from the registry either. */
const WITHOUT_DEPENDENCIES = ['@zebu/protocol', ...PURE];

/** Buffer is bytes, not the outside: data-tree copies with it (docs/decisions/009). */
const IMPURE =
  /\b(?:Date\s*[.(]|performance\b|Math\s*\.\s*random|process\s*\.|setTimeout\b|setInterval\b|setImmediate\b|queueMicrotask\b|crypto\b|globalThis\b|async\b|await\b|Promise\b)/;

const packages = readWorkspace();

describe.each(packages)('$name', (one) => {
  test('depends only on the packages below it', () => {
    const allowed = (ARROWS[one.name] ?? []).map((name) => `@zebu/${name}`);
    const sisters = one.dependencies.filter((name) => name.startsWith('@zebu/'));
    expect(sisters.filter((name) => !allowed.includes(name))).toEqual([]);
  });

  test('imports other packages by their doors only', () => {
    const trespasses = sourcesOf(one).flatMap((file) =>
      importSpecifiers(readFileSync(file, 'utf8'))
        .filter((specifier) => isTrespass(one, file, specifier))
        .map((specifier) => `${relative(ROOT, file)}: ${specifier}`),
    );
    expect(trespasses).toEqual([]);
  });

  test('exports each door that it has a source for', () => {
    for (const door of ['internal', 'compliance']) {
      const hasSource = existsSync(join(one.directory, 'src', `${door}.ts`));
      expect({ door, exported: one.doors.includes(`./${door}`) }).toEqual({
        door,
        exported: hasSource,
      });
    }
  });
});

describe.each(packages.filter((one) => PURE.includes(one.name)))('$name, being pure', (one) => {
  test('asks nobody for time, randomness or timers', () => {
    const impurities = globSync('src/**/*.ts', { cwd: one.directory }).flatMap((file) =>
      stripCommentsAndStrings(readFileSync(join(one.directory, file), 'utf8'))
        .split('\n')
        .filter((line) => IMPURE.test(line))
        .map((line) => `${file}: ${line.trim()}`),
    );
    expect(impurities).toEqual([]);
  });

  test('imports nothing of Node but Buffer', () => {
    const imports = globSync('src/**/*.ts', { cwd: one.directory }).flatMap((file) =>
      importSpecifiers(readFileSync(join(one.directory, file), 'utf8')),
    );
    expect(
      imports.filter((specifier) => specifier.startsWith('node:') && specifier !== 'node:buffer'),
    ).toEqual([]);
  });
});

test.each(WITHOUT_DEPENDENCIES)('%s takes nothing from the registry', (name) => {
  const one = packages.find((candidate) => candidate.name === name);
  expect(one?.dependencies.filter((dependency) => !dependency.startsWith('@zebu/'))).toEqual([]);
});

function sourcesOf(one: WorkspacePackage): string[] {
  return globSync('{src,test,bench,scripts}/**/*.ts', { cwd: one.directory }).map((file) =>
    join(one.directory, file),
  );
}

function isTrespass(one: WorkspacePackage, file: string, specifier: string): boolean {
  if (specifier.startsWith('.')) {
    const target = resolve(dirname(file), specifier);
    // The scripts in bench/ are no package; they and the benchmark app are one piece of work.
    if (one.name === 'zebu-bench' && target.startsWith(join(ROOT, 'bench') + sep)) return false;
    return !target.startsWith(one.directory + sep);
  }
  return /^(?:@zebu\/[^/]+|zebu-[^/]+)\/(?:src|dist|test)(?:\/|$)/.test(specifier);
}
