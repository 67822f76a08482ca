// A command that runs only while something is held. It runs in a process group of its own, and all that it starts
// carries a mark in its environment: what left the group is found by that (Linux), so that nothing of it goes on.
//
// When the hold is lost, the group gets a signal, and SIGKILL once the grace is over or the session could end on the
// server, whichever comes first: Session.safeUntil is when the server keeps the session if it heard nothing more. Nobody
// else is granted the lock before. A watchdog, a shell that reads a pipe of ours, kills the group and what carries the
// mark if this process dies.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type Session, ZkError } from '@zebu/client';
import { CommandError } from './command-error.ts';

export interface HeldCommandOptions {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The hold. */
  readonly signal: AbortSignal;
  readonly session: Session;
  /** The user's: Ctrl-C. */
  readonly stop: AbortSignal;
  readonly stopSignal: NodeJS.Signals;
  readonly graceMs: number;
}

export interface Ended {
  /** As a shell says it: 128 and the number of the signal for one that was killed. */
  readonly exitCode: number;
  readonly isLost: boolean;
}

const MARK = 'ZEBU_HOLD';
/** If we die before it is told to go, it ends. */
const WAIT_AND_BECOME = 'read -r go <&3 || exit 1; exec 3<&-; exec "$@"';
/** Of the session's timeout, before the session could end: for the kill itself, on a busy machine. */
const MARGIN = 0.05;
const LOOK_MS = 20;
/** A process that was killed and is not gone by then waits for a disk. */
const GONE_MS = 2000;

/** Resolves when neither the command nor anything that it started runs. */
export async function runWhileHeld(options: HeldCommandOptions): Promise<Ended> {
  const { command, env, signal, stop, stopSignal, graceMs, session } = options;
  const mark = randomUUID();
  const watchdog = startWatchdog(mark);
  // A shell becomes the command once the watchdog knows of it: there is no moment in which it runs unwatched.
  const child = spawn('/bin/sh', ['-c', WAIT_AND_BECOME, 'sh', ...command], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    detached: true,
    // Beside the marks of a lock around this one, which must find the command too.
    env: { ...process.env, ...env, [MARK]: [process.env[MARK], mark].filter(Boolean).join(' ') },
  });
  const exited = new Promise<number>((resolve, reject) => {
    child.on('error', (error) => {
      const text = `Cannot run ${command[0]}: ${error.message}`;
      reject(new CommandError('failed', text, { cause: error }));
    });
    child.on('exit', (code, by) =>
      resolve(code ?? 128 + (constants.signals[by as NodeJS.Signals] ?? 0)),
    );
  });
  exited.catch(() => {});
  const { pid } = child;
  if (pid === undefined) {
    watchdog.stdin?.end('none\n');
    return { exitCode: await exited, isLost: false };
  }
  watchdog.stdin?.write(`${pid}\n`, () => {
    const go = child.stdio[3] as Writable;
    go.on('error', () => {});
    go.end('go\n');
  });
  const family = new Family(pid, mark);
  try {
    const over = Promise.race([aborted(signal), aborted(stop)]);
    const first = await Promise.race([exited.then(() => 'exited'), over.then(() => 'stopped')]);
    const isLost = signal.aborted;
    // What the command left behind ends as well, before the lock is given up.
    const graceEnds = performance.now() + graceMs;
    // Once the session is over or the znode deleted, others are let in: there is no grace then.
    const latest = (): number =>
      session.signal.aborted || isDeleted(signal.reason)
        ? 0
        : session.safeUntil - session.timeoutMs * MARGIN;
    if (first === 'stopped' || family.isAlive()) {
      await family.end(stopSignal, () => Math.min(graceEnds, latest()));
    }
    return { exitCode: await exited, isLost: isLost || signal.aborted };
  } finally {
    watchdog.stdin?.end('done\n');
  }
}

/** Why the hold was lost: somebody has deleted its znode. */
function isDeleted(reason: unknown): boolean {
  return ZkError.is(reason) && ZkError.is(reason.cause, 'NO_NODE');
}

/** The command and its descendants. */
class Family {
  private readonly group: number;
  private readonly mark: string;

  constructor(group: number, mark: string) {
    this.group = group;
    this.mark = mark;
  }

  isAlive(): boolean {
    return this.isGroupAlive() || this.marked().length > 0;
  }

  /** The signal, then SIGKILL at the deadline, then until all are gone. */
  async end(signal: NodeJS.Signals, deadline: () => number): Promise<void> {
    this.send(signal);
    while (this.isAlive() && performance.now() < deadline()) await delay(LOOK_MS);
    const end = performance.now() + GONE_MS;
    while (this.isAlive() && performance.now() < end) {
      // Again and again: one may have been about to fork.
      this.send('SIGKILL');
      await delay(LOOK_MS);
    }
  }

  private send(signal: NodeJS.Signals): void {
    kill(-this.group, signal);
    for (const pid of this.marked()) kill(pid, signal);
  }

  private isGroupAlive(): boolean {
    try {
      process.kill(-this.group, 0);
      return true;
    } catch {
      return false;
    }
  }

  /** By their environment, which a process keeps through setsid and double forks. Empty where there is no /proc. */
  private marked(): number[] {
    let names: string[];
    try {
      names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    } catch {
      return [];
    }
    return names
      .filter((name) => {
        try {
          return readFileSync(`/proc/${name}/environ`, 'latin1').includes(this.mark);
        } catch {
          // It has ended, or is somebody else's.
          return false;
        }
      })
      .map(Number)
      .filter((pid) => pid !== process.pid);
  }
}

/**
 * Kills when our end of its pipe closes without a word, which is when this process has died: the group that it was told
 * of, and what left it, by the mark. Several times: one may be about to fork.
 */
const WATCHDOG = `read -r group
[ "$group" != none ] || exit
read -r word
[ "$word" = done ] && exit
for turn in 1 2 3; do
  kill -s KILL -- "-$group"
  for process in /proc/[0-9]*; do
    grep -qs -e "$1" "$process/environ" && kill -s KILL "\${process#/proc/}"
  done
done`;

function startWatchdog(mark: string): ChildProcess {
  const watchdog = spawn('/bin/sh', ['-c', WATCHDOG, 'sh', mark], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watchdog.on('error', () => {});
  watchdog.stdin?.on('error', () => {});
  watchdog.unref();
  return watchdog;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener('abort', () => resolve(), { once: true }),
  );
}
