// Opens the data of a znode in $VISUAL or $EDITOR, and sets it if it was changed there and by nobody else. What was
// typed is never thrown away: unless it is set, the file stays, and a line says where.

import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ZkError } from '@zebu/client';
import { CommandError, usage } from '../command-error.ts';
import { explain } from '../explain.ts';
import type { Run } from '../verb.ts';

export const edit: Run = async ({ words, out, zk, signal, note }) => {
  const [path] = words.operands as [string];
  const editor = process.env.VISUAL || process.env.EDITOR;
  if (!editor) throw usage('There is no editor', 'EDITOR=vi zebu edit PATH names one');
  const { data, stat } = await zk.get(path);
  const draft = new Draft(path, data);
  // A second Ctrl-C or SIGTERM ends this process while the editor runs, or while a server is waited for.
  const tellAtExit = (): void => note(`Nothing was set; the text is in ${draft.file}`);
  process.on('exit', tellAtExit);
  try {
    await runEditor(editor, draft.file);
    const edited = draft.read();
    if (edited.equals(data)) {
      note(`${path} is left as it was`);
      draft.remove();
      return undefined;
    }
    const now = await zk.set(path, edited, { version: stat.version });
    draft.remove();
    if (out.isJson) out.value({ path, stat: now });
    else note(`${path} is set: version ${now.version}`);
    return undefined;
  } catch (error) {
    const kept = draft.keepIfTyped();
    if (kept === undefined) throw error;
    const { kind, message, code, hint } = ZkError.is(error, 'BAD_VERSION')
      ? new CommandError('wrong-version', `${path} was changed by somebody else meanwhile`, {
          code: error.code,
        })
      : await explain(error, zk);
    // An interrupted command tells no failure.
    if (signal.aborted) note(kept);
    const hints = [kept, hint].filter((text) => text !== undefined);
    throw new CommandError(kind, message, { path, code, hint: hints.join('; '), cause: error });
  } finally {
    process.off('exit', tellAtExit);
  }
};

/** The file that is edited, in a directory of its own for its owner alone: data may be secret. */
class Draft {
  readonly file: string;
  private readonly folder: string;
  private readonly data: Buffer;

  constructor(path: string, data: Buffer) {
    this.folder = mkdtempSync(join(tmpdir(), 'zebu-edit-'));
    // For the editor to know its kind; names of files may be less long.
    this.file = join(this.folder, path.slice(path.lastIndexOf('/') + 1).slice(-60) || 'root');
    this.data = data;
    writeFileSync(this.file, data, { mode: 0o600 });
  }

  read(): Buffer {
    try {
      return readFileSync(this.file);
    } catch (error) {
      const { message } = error as Error;
      throw new CommandError('failed', `The editor left no file: ${message}; nothing was set`);
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Removes it if nothing was typed; else says where it is. */
  keepIfTyped(): string | undefined {
    const names = readdirSync(this.folder);
    const others = names.filter((name) => join(this.folder, name) !== this.file);
    // An editor that was killed leaves what was not saved in a file beside it: .name.swp, #name#.
    if (others.length === 0 && (names.length === 0 || this.read().equals(this.data))) {
      this.remove();
      return undefined;
    }
    const beside = others.length === 0 ? '' : ` and, as the editor left it, ${others.join(', ')}`;
    return `your text is in ${this.file}${beside}`;
  }
}

/** By the shell: EDITOR may hold options. */
function runEditor(editor: string, file: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', `${editor} "$1"`, 'sh', file], { stdio: 'inherit' });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (code === 0) {
        resolve();
        return;
      }
      const how = signal ?? signalOf(code as number) ?? `code ${code}`;
      reject(new CommandError('failed', `${editor} ended with ${how}; nothing was set`));
    });
  });
}

/** The shell ends with 128 and the number of the signal that its child was killed by. */
function signalOf(code: number): string | undefined {
  return Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0];
}
