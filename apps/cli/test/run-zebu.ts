// Runs the built command as a process of its own, and reads what it says. Its sources would take six times as long
// to start, and there are many starts.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '..', 'dist', 'main.js');

export const ZEBU_COMMAND = [process.execPath, MAIN];

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly bytes: Buffer;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: Uint8Array | string;
  readonly cwd?: string;
}

/** The environment of somebody who has never used zebu: an empty home, no settings. */
export function strangersEnv(home: string): NodeJS.ProcessEnv {
  const { PATH } = process.env;
  return { PATH, HOME: home, TZ: 'UTC', LANG: 'C.UTF-8', TERM: 'xterm' };
}

export class ZebuRunner implements Disposable {
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;

  constructor(servers?: string) {
    this.home = mkdtempSync(join(tmpdir(), 'zebu-cli-'));
    this.env = {
      ...strangersEnv(this.home),
      ...(servers === undefined ? {} : { ZEBU_SERVERS: servers }),
    };
  }

  start(words: readonly string[], options: RunOptions = {}) {
    const [node, ...args] = ZEBU_COMMAND as [string, ...string[]];
    return spawn(node, [...args, ...words], {
      env: { ...this.env, ...options.env },
      cwd: options.cwd ?? this.home,
      stdio: 'pipe',
    });
  }

  run(words: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const child = this.start(words, options);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    // A command that does not read its input closes it.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => {
        const bytes = Buffer.concat(out);
        const stderr = Buffer.concat(err).toString();
        resolve({ code, bytes, stdout: bytes.toString(), stderr });
      });
    });
  }

  /** Several commands, one after the other: their answers and exit codes as text, as on a terminal. */
  async transcript(lines: readonly (readonly string[])[]): Promise<string> {
    const parts: string[] = [];
    for (const words of lines) {
      const { stdout, stderr, code } = await this.run(words);
      const answer = stdout + stderr;
      parts.push(
        `$ zebu ${words.join(' ')}\n${answer}${answer.endsWith('\n') || answer === '' ? '' : '\n'}`,
      );
      if (code !== 0) parts.push(`exit code ${code}\n`);
    }
    return parts.join('');
  }

  [Symbol.dispose](): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}
