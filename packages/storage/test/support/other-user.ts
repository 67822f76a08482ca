// Runs a script as a user who may not do everything: root, as which tests may run, may.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Root of nothing. */
export const NOBODY = 65_534;

const isRoot = process.getuid?.() === 0;

/** Where the user of the tests is root, and cannot become another one, there is nothing to test. */
export function canRunAsOther(): boolean {
  if (process.platform === 'win32') return false;
  if (!isRoot) return true;
  try {
    return runAsOther('return 1') === 1;
  } catch {
    return false;
  }
}

/**
 * The value of `body`, the inside of an async function that sees this package as `storage` and `node:fs` as `fs`,
 * run by a user other than root.
 */
export function runAsOther(body: string): unknown {
  const source = pathToFileURL(join(import.meta.dirname, '..', '..', 'src', 'index.ts')).href;
  const script = `
    const storage = await import(${JSON.stringify(source)});
    const fs = await import('node:fs');
    const value = await (async () => { ${body} })();
    process.stdout.write(JSON.stringify(value ?? null));
    process.exit(0);`;
  const args = ['--conditions=@zebu/source', '--input-type=module', '-e', script];
  const output = execFileSync(process.execPath, args, {
    cwd: '/',
    encoding: 'utf8',
    ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
  });
  return JSON.parse(output);
}
