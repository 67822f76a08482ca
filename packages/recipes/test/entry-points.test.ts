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
