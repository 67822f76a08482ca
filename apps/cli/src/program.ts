// Whether a command can be run, before anything is taken or held for it.

import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError } from './command-error.ts';

/** As a shell looks for it: in the directories of PATH, unless it has a slash. Throws with a shell's exit codes. */
export function checkProgram(name: string, path: string | undefined): void {
  const places = name.includes('/')
    ? [name]
    : (path ?? '').split(':').map((directory) => join(directory === '' ? '.' : directory, name));
  const files = places.filter(isFile);
  if (files.some(mayRun)) return;
  const [file] = files;
  if (file !== undefined) {
    throw new CommandError('not-runnable', `Cannot run ${name}: ${file} may not be executed`, {
      hint: `chmod +x ${file} lets it`,
    });
  }
  throw new CommandError('no-such-command', `Cannot run ${name}: there is no such command`);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function mayRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
