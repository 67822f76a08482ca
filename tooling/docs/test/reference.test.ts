import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const here = join(import.meta.dirname, '..');

/** Each file below the folder, by its path. */
function textsOf(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return new Map(
    names
      .filter((name) => name.endsWith('.md'))
      .sort()
      .map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  );
}

const PACKAGES = [
  { name: 'client', options: 'typedoc.json' },
  { name: 'recipes', options: 'typedoc.recipes.json' },
];

test.each(PACKAGES)(
  'docs/reference/$name is what the docstrings say now: if not, npm run pnpm -- run docs',
  ({ name, options }) => {
    const out = mkdtempSync(join(tmpdir(), 'zebu-reference-'));
    try {
      const typedoc = join(here, 'node_modules', '.bin', 'typedoc');
      execFileSync(typedoc, ['--options', options, '--out', out], { cwd: here, stdio: 'pipe' });
      expect(textsOf(out)).toEqual(textsOf(join(here, '..', '..', 'docs', 'reference', name)));
    } finally {
      rmSync(out, { recursive: true });
    }
  },
  120_000,
);

test('every entry point of @zebu/recipes has a page in the reference', () => {
  const recipes = join(here, '..', '..', 'packages', 'recipes');
  const manifest = JSON.parse(readFileSync(join(recipes, 'package.json'), 'utf8'));
  const sources = Object.values<string | Record<string, string>>(manifest.exports)
    .map((entry) => (typeof entry === 'string' ? undefined : entry['@zebu/source']))
    .filter((source) => source !== undefined)
    .sort();
  const { entryPoints } = JSON.parse(readFileSync(join(here, 'typedoc.recipes.json'), 'utf8'));
  expect(entryPoints).toEqual(sources.map((source) => join('../../packages/recipes', source)));
});
