// The lines that were typed, from session to session: $ZEBU_HISTORY, else $XDG_STATE_HOME/zebu/history, else
// ~/.local/state/zebu/history. Only its owner may read it, and no credential is ever in it. That it cannot be
// read or written is no failure: the session goes on without.

import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { findCommand } from './command-table.ts';
import { changesBetween } from './nearest.ts';
import { scanLine } from './split-line.ts';
import type { Verb } from './verb.ts';

const MOST_LINES = 1000;

export function historyPath(env: NodeJS.ProcessEnv): string {
  if (env.ZEBU_HISTORY) return env.ZEBU_HISTORY;
  const base = env.XDG_STATE_HOME || join(env.HOME || homedir(), '.local', 'state');
  return join(base, 'zebu', 'history');
}

/** Of credentials, where the word before them is no command. */
const SCHEME = /^(?:auth|digest|ensemble|ip|kerberos|sasl|super|world|x509)$/i;
/** In an ACL: `auth` takes no id, but examples are about that give it a user and a password. */
const AUTH_ENTRY = /(?:^|,)auth:[^:,]/i;
/** A digest entry has the hash of user and password, 20 bytes in base64: what else stands there is a password. */
const DIGEST_ENTRY = /(?:^|[,\s])digest:[^:,]*:([^:,]*)/gi;
const DIGEST_HASH = /^[A-Za-z0-9+/]{27}=$/;
/** A server, for connect: what stands after its last colon is a port, and a chroot. */
const SERVER = /^[^,]*:\d+(?:\/.*)?$/;
const MOST_SLIPS = 3;

/**
 * True for a line that shows credentials of any scheme, however it is quoted. Also where addauth is mistyped: of a line
 * that begins with no command, what looks like credentials counts as such, for a line too few does no harm.
 */
export function holdsSecret(line: string): boolean {
  const words = scanLine(line).words.map(({ text }) => text);
  const [first = ''] = words;
  const plain = words.join(' ');
  if (/addauth|\bdigest\s+\S*:/i.test(plain)) return true;
  const verb = findCommand(first);
  if (verb !== undefined) {
    return (
      words.some((word) => AUTH_ENTRY.test(word) || showsPassword(word)) || isAstray(verb, words)
    );
  }
  return (
    plain.includes(':') ||
    words.some((word) => SCHEME.test(word)) ||
    /^add|auth/i.test(first) ||
    (words.length > 1 && changesBetween(first.toLowerCase(), 'addauth') <= MOST_SLIPS)
  );
}

function showsPassword(text: string): boolean {
  return [...text.matchAll(DIGEST_ENTRY)].some(([, hash = '']) => !DIGEST_HASH.test(hash));
}

/** `sync alice:secret`: where a path, a server or nothing belongs, something that looks like credentials. */
function isAstray({ name, operands: [, most], paths }: Verb, words: readonly string[]): boolean {
  const operands = words.slice(1).filter((word) => !word.startsWith('-'));
  return operands.some((word, index) => {
    if (!word.includes(':') || word.startsWith('/') || word.startsWith('@')) return false;
    if (name === 'connect') return !word.split(',').every((one) => SERVER.test(one));
    return index >= most || paths === 'all' || paths?.includes(index) === true;
  });
}

/** For the eye: a line that holds a secret is shown as its command alone. */
export function withoutSecret(line: string): string {
  if (!holdsSecret(line)) return line;
  const name = line.trim().split(/\s+/, 1)[0] as string;
  return findCommand(name) === undefined ? '***' : `${name} ***`;
}

/** Oldest first. */
export function readHistory(path: string): string[] {
  let lines: string[];
  try {
    lines = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    return [];
  }
  // Older versions of zebu took fewer lines for secrets: those go from the file too.
  const kept = lines.filter((line) => !holdsSecret(line)).slice(-MOST_LINES);
  if (kept.length === lines.length) return kept;
  quietly(() => {
    const aside = `${path}.${process.pid}`;
    writeFileSync(aside, kept.map((line) => `${line}\n`).join(''), { mode: 0o600 });
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
