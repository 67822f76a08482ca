// A package's README is read on npm and in node_modules, far from the repository: a relative link there leads nowhere,
// unless its target is packed too. npm rewrites relative links only where package.json names the repository and
// the package's directory in it; then the target has to be in the repository.

import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { relativeLinks } from '../src/readme-links.ts';
import { ROOT, readWorkspace } from '../src/workspace.ts';

const readmes = readWorkspace()
  .filter(({ isPublic, directory }) => isPublic && existsSync(join(directory, 'README.md')))
  .map(({ name, directory }) => ({ name, directory }));

test('links are found, in the text and in references, and not in code', () => {
  const text = [
    '[a](../a.md) [`b`](b.md#part "title") ![c](<c d.png>) [d](https://e) [f](#g) [h](mailto:i)',
    '[j]: ../k.md',
    '<a href="l.html">',
    '`[m](n.md)`',
    '```ts',
    '[o](p.md)',
    '```',
  ].join('\n');
  expect(relativeLinks(text)).toEqual(['../a.md', 'b.md', 'c d.png', '../k.md', 'l.html']);
});

test.each(readmes)(
  'the README of $name has no link that leads nowhere from npm',
  ({ directory }) => {
    const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
    const packed: string[] = [...(manifest.files ?? []), 'package.json', 'README.md', 'LICENSE'];
    const isRewritten = manifest.repository?.directory === relative(ROOT, directory);
    const leadsNowhere = relativeLinks(readFileSync(join(directory, 'README.md'), 'utf8')).filter(
      (link) => {
        const path = relative(directory, join(directory, link));
        if (!existsSync(join(directory, path))) return true;
        const isPacked = packed.some((entry) => path === entry || path.startsWith(`${entry}/`));
        return !isPacked && !isRewritten;
      },
    );
    expect(leadsNowhere).toEqual([]);
  },
);
