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

test('docs/reference is what the docstrings say now: if not, npm run pnpm -- run docs', () => {
  const out = mkdtempSync(join(tmpdir(), 'zebu-reference-'));
  try {
    execFileSync(join(here, 'node_modules', '.bin', 'typedoc'), ['--out', out], {
      cwd: here,
      stdio: 'pipe',
    });
    expect(textsOf(out)).toEqual(textsOf(join(here, '..', '..', 'docs', 'reference', 'client')));
  } finally {
    rmSync(out, { recursive: true });
  }
}, 120_000);
