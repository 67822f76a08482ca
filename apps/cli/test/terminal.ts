// A real terminal for a command: tmux holds the pty and the screen, types keys into it, resizes it, and prints what a
// person would see.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const LIMIT_MS = 60_000;
let count = 0;

/** Undefined where tmux is; else why there is no terminal. */
export const whyNoTerminal =
  spawnSync('tmux', ['-V']).status === 0 ? undefined : 'tmux is not installed';

if (whyNoTerminal !== undefined) console.log(`left out: tests on a terminal (${whyNoTerminal})`);

export class Terminal implements Disposable {
  private readonly socket: string;
  private readonly directory: string;
  /** Of the exit code: tmux 3.3 forgets it when the pane ends before the process is waited for. */
  private readonly exitFile: string;

  constructor(
    command: readonly string[],
    options: { env: NodeJS.ProcessEnv; columns?: number; rows?: number; cwd?: string },
  ) {
    this.socket = `zebu-${process.pid}-${count++}`;
    this.directory = mkdtempSync(join(tmpdir(), 'zebu-terminal-'));
    this.exitFile = join(this.directory, 'exit');
    const { env, columns = 80, rows = 24, cwd = '/tmp' } = options;
    const settings = Object.entries({ ...env, TERM: 'screen' })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}=${value}`);
    const line = ['env', '-i', ...settings, ...command].map(quote).join(' ');
    // A shell that lives through what is meant for the command, and says how that ended.
    const shell = `trap : INT QUIT; ${line}; echo $? > ${quote(this.exitFile)}`;
    this.tmux(
      ...['-f', '/dev/null', 'new-session', '-d', '-x', String(columns), '-y', String(rows)],
      ...['-c', cwd, `exec sh -c ${quote(shell)}`, ';', 'set-option', '-g', 'remain-on-exit', 'on'],
      ...[';', 'set-option', '-g', 'status', 'off'],
      ...[';', 'set-option', '-g', 'remain-on-exit-format', ''],
    );
  }

  /** Text as it is typed; see tmux for the names of keys. */
  type(text: string): void {
    this.tmux('send-keys', '-l', text);
  }

  key(...names: string[]): void {
    this.tmux('send-keys', ...names);
  }

  enter(line: string): void {
    this.type(line);
    this.key('Enter');
  }

  resize(columns: number, rows: number): void {
    this.tmux('set-option', '-g', 'window-size', 'manual');
    this.tmux('resize-window', '-x', String(columns), '-y', String(rows));
  }

  /** The visible text, without blanks at the ends of lines and blank lines at the end. */
  screen(): string {
    return trimmed(this.tmux('capture-pane', '-p'));
  }

  /** With the escape sequences of colours. */
  colouredScreen(): string {
    return trimmed(this.tmux('capture-pane', '-p', '-e'));
  }

  /** The command has ended, and all that it wrote is on the screen. */
  get hasEnded(): boolean {
    const isDead = this.tmux('display-message', '-p', '#{pane_dead}').trim() === '1';
    return isDead && this.exitText !== '';
  }

  get exitCode(): number {
    return Number(this.exitText);
  }

  private get exitText(): string {
    try {
      return readFileSync(this.exitFile, 'utf8').trim();
    } catch {
      return '';
    }
  }

  /** Waits until the screen is as wanted, and returns it. */
  async until(wanted: RegExp | ((screen: string) => boolean)): Promise<string> {
    const fits = wanted instanceof RegExp ? (text: string) => wanted.test(text) : wanted;
    const end = performance.now() + LIMIT_MS;
    for (;;) {
      const screen = this.screen();
      if (fits(screen)) return screen;
      if (performance.now() > end) {
        throw new Error(`The terminal does not show ${wanted} within ${LIMIT_MS} ms:\n${screen}`);
      }
      await delay(20);
    }
  }

  /** Presses a key, and again if nothing came of it, until the screen is as wanted. */
  async press(name: string, wanted: RegExp): Promise<string> {
    const end = performance.now() + LIMIT_MS;
    while (performance.now() < end) {
      this.key(name);
      for (let i = 0; i < 20; i++) {
        if (wanted.test(this.screen())) return this.screen();
        await delay(20);
      }
    }
    throw new Error(`${name} does not bring ${wanted}:\n${this.screen()}`);
  }

  async ended(): Promise<string> {
    await this.until(() => this.hasEnded);
    return this.screen();
  }

  [Symbol.dispose](): void {
    spawnSync('tmux', ['-L', this.socket, 'kill-server']);
    rmSync(this.directory, { recursive: true, force: true });
  }

  private tmux(...args: string[]): string {
    return execFileSync('tmux', ['-L', this.socket, ...args], { encoding: 'utf8' });
  }
}

function trimmed(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
    .trimEnd();
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
