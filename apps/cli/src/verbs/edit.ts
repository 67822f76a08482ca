// Opens the data of a znode in $VISUAL or $EDITOR, and sets it if it was changed there and by nobody else.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ZkError } from '@zebu/client';
import { CommandError, usage } from '../command-error.ts';
import type { Run } from '../verb.ts';

export const edit: Run = async ({ words, out, zk, note }) => {
  const [path] = words.operands as [string];
  const editor = process.env.VISUAL || process.env.EDITOR;
  if (!editor) throw usage('There is no editor', 'EDITOR=vi zebu edit PATH names one');
  const { data, stat } = await zk.get(path);
  // A directory of its own, for its owner alone: data may be secret.
  const folder = mkdtempSync(join(tmpdir(), 'zebu-edit-'));
  // For the editor to know its kind; names of files may be less long.
  const name = path.slice(path.lastIndexOf('/') + 1).slice(-60) || 'root';
  const file = join(folder, name);
  let keeps = false;
  try {
    writeFileSync(file, data, { mode: 0o600 });
    await runEditor(editor, file);
    const edited = readFileSync(file);
    if (edited.equals(data)) {
      note(`${path} is left as it was`);
      return undefined;
    }
    try {
      const now = await zk.set(path, edited, { version: stat.version });
      if (out.isJson) out.value({ path, stat: now });
      else note(`${path} is set: version ${now.version}`);
    } catch (error) {
      // What was typed must not be lost with the attempt.
      keeps = true;
      if (ZkError.is(error, 'BAD_VERSION')) {
        throw new CommandError('wrong-version', `${path} was changed by somebody else meanwhile`, {
          path,
          hint: `your text is in ${file}`,
          cause: error,
        });
      }
      note(`Your text is in ${file}`);
      throw error;
    }
    return undefined;
  } finally {
    if (!keeps) rmSync(folder, { recursive: true, force: true });
  }
};

/** By the shell: EDITOR may hold options. */
function runEditor(editor: string, file: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', `${editor} "$1"`, 'sh', file], { stdio: 'inherit' });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (code === 0) resolve();
      else {
        reject(
          new CommandError(
            'failed',
            `${editor} ended with ${signal ?? `code ${code}`}; nothing was set`,
          ),
        );
      }
    });
  });
}
