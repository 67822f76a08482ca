// The lines that were typed, from session to session: $ZEBU_HISTORY, else $XDG_STATE_HOME/zebu/history, else
// ~/.local/state/zebu/history. Only its owner may read it, and no credential is ever in it. That it cannot be
// read or written is no failure: the session goes on without.

import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

const MOST_LINES = 1000;

export function historyPath(env: NodeJS.ProcessEnv): string {
  if (env.ZEBU_HISTORY) return env.ZEBU_HISTORY;
  const base = env.XDG_STATE_HOME || join(env.HOME || homedir(), '.local', 'state');
  return join(base, 'zebu', 'history');
}

/** True for a line that shows credentials, however addauth is quoted, and also where it is mistyped. */
export function holdsSecret(line: string): boolean {
  return /addauth|\bdigest\s+\S*:/i.test(line.replaceAll(/["'\\]/g, ''));
}

/** Oldest first. */
export function readHistory(path: string): string[] {
  let lines: string[];
  try {
    lines = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !holdsSecret(line));
  } catch {
    return [];
  }
  if (lines.length <= MOST_LINES) return lines;
  const kept = lines.slice(-MOST_LINES);
  quietly(() => {
    const aside = `${path}.${process.pid}`;
    writeFileSync(aside, `${kept.join('\n')}\n`, { mode: 0o600 });
    renameSync(aside, path);
  });
  return kept;
}

export function addToHistory(path: string, line: string): void {
  if (holdsSecret(line)) return;
  quietly(() => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    appendFileSync(path, `${line}\n`, { mode: 0o600 });
  });
}

function quietly(write: () => void): void {
  try {
    write();
  } catch {
    // A full or read-only disk: see above.
  }
}
