// The types of @zebu/client as a program sees them that has it from a package: declarations alone, no sources.

import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { conformanceRoot, repositoryRoot } from '../../src/tools.ts';

const folder = mkdtempSync(join(tmpdir(), 'zebu-types-'));
afterAll(() => rmSync(folder, { recursive: true }));

const tsc = join(repositoryRoot, 'node_modules', '.bin', 'tsc');

/** What is packed of a package: its declarations, and package.json as it is published. */
beforeAll(() => {
  for (const name of ['protocol', 'transport', 'client']) {
    const source = join(repositoryRoot, 'packages', name);
    const target = join(folder, 'node_modules', '@zebu', name);
    mkdirSync(target, { recursive: true });
    execFileSync(tsc, [
      ...['-p', join(source, 'tsconfig.build.json')],
      ...['--outDir', join(target, 'dist'), '--declarationMap', 'false'],
    ]);
    const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));
    writeFileSync(
      join(target, 'package.json'),
      JSON.stringify({ ...manifest, ...manifest.publishConfig, dependencies: undefined }),
    );
  }
  cpSync(join(conformanceRoot, 'foreign', 'types', 'program.ts'), join(folder, 'program.ts'));
  cpSync(join(conformanceRoot, 'foreign', 'types', 'buffers.ts'), join(folder, 'buffers.ts'));
}, 120_000);

/** What the compiler says to a program with these options over the strictest. */
function compile(file: string, options: Record<string, unknown>): string {
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      files: [file],
      compilerOptions: {
        target: 'es2023',
        module: 'nodenext',
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        noPropertyAccessFromIndexSignature: true,
        verbatimModuleSyntax: true,
        noEmit: true,
        ...options,
      },
    }),
  );
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', private: true }));
  try {
    execFileSync(tsc, ['-p', folder], { encoding: 'utf8', stdio: 'pipe' });
    return '';
  } catch (error) {
    return String((error as { stdout?: unknown }).stdout);
  }
}

describe('the types of the packed client', () => {
  test('hold with @types/node, their declarations checked as well', () => {
    mkdirSync(join(folder, 'node_modules', '@types'), { recursive: true });
    const nodeTypes = join(folder, 'node_modules', '@types', 'node');
    const installed = join(conformanceRoot, 'node_modules', '@types', 'node');
    symlinkSync(installed, nodeTypes);
    try {
      const options = { types: ['node'], lib: ['es2023', 'esnext.disposable'] };
      expect(compile('program.ts', options)).toBe('');
      expect(compile('buffers.ts', options)).toBe('');
    } finally {
      rmSync(nodeTypes);
    }
  }, 120_000);

  test('hold without @types/node, but for those of Node: Buffers are untyped then', () => {
    const options = {
      types: [],
      lib: ['es2023', 'esnext.disposable', 'dom'],
      skipLibCheck: true,
    };
    expect(compile('program.ts', options)).toBe('');
    expect(compile('buffers.ts', options)).toMatch(/Unused '@ts-expect-error' directive/);
  }, 120_000);
});
