// Every file directly in src/ is an entry point of the package, in the workspace and as it is published.

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const directory = join(import.meta.dirname, '..');
const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
const names = globSync('src/*.ts', { cwd: directory })
  .map((file) => file.slice('src/'.length, -'.ts'.length))
  .sort();

test('package.json exports each entry point', () => {
  const built = (name: string) => ({
    types: `./dist/${name}.d.ts`,
    default: `./dist/${name}.js`,
  });
  expect(manifest.exports).toEqual({
    ...Object.fromEntries(
      names.map((name) => [`./${name}`, { '@zebu/source': `./src/${name}.ts`, ...built(name) }]),
    ),
    './package.json': './package.json',
  });
  expect(manifest.publishConfig.exports).toEqual({
    ...Object.fromEntries(names.map((name) => [`./${name}`, built(name)])),
    './package.json': './package.json',
  });
});

test('the README names each entry point', () => {
  const readme = readFileSync(join(directory, 'README.md'), 'utf8');
  expect(names.filter((name) => !readme.includes(`\`@zebu/recipes/${name}\``))).toEqual([]);
});

test('the cookbook has a row in its table of guarantees for each recipe, and the heading that it leads to', async () => {
  const cookbook = join(directory, '..', '..', 'docs', 'cookbook');
  const table = readFileSync(join(cookbook, 'guarantees.md'), 'utf8');
  // No recipes of their own: what `partition` ranks by, and codecs.
  const parts = ['rank', 'curatorJson', 'bytes', 'json', 'text'];
  const recipes: string[] = [];
  for (const name of names) {
    const entry = await import(join(directory, 'src', `${name}.ts`));
    // Classes, which are errors, have capital letters.
    recipes.push(...Object.keys(entry).filter((key) => /^[a-z]/.test(key)));
  }
  const links = [...table.matchAll(/^\| \[`(\w+)`\]\(([\w-]+\.md)(?:#([\w-]+))?\)/gm)];
  const inTable = new Set([...links.map(([, recipe]) => recipe), ...parts]);
  expect(recipes.filter((recipe) => !inTable.has(recipe))).toEqual([]);
  const broken = links.filter(([, , file = '', anchor]) => {
    const page = readFileSync(join(cookbook, file), 'utf8');
    const anchors = [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));
    return anchor !== undefined && !anchors.includes(anchor);
  });
  expect(broken.map(([row]) => row)).toEqual([]);
});

/** As GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}
