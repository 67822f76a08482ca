// lock and elect: the recipes for shell scripts. A command runs while the lock is held, or while this candidate leads.

import { constants } from 'node:os';
import { ZkError } from '@zebu/client';
import { election } from '@zebu/recipes/election';
import { type Held, mutex } from '@zebu/recipes/lock';
import { CommandError, usage } from '../command-error.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { runWhileHeld } from '../held-command.ts';
import { checkProgram } from '../program.ts';
import { parseCount } from '../quantities.ts';
import type { Call, Run } from '../verb.ts';

const DEFAULT_GRACE_MS = 5000;
/** Giving up takes a round trip: what takes longer than this is told. */
const SILENT_MS = 1000;

export const lock: Run = async (call) => {
  const { words, session, signal } = call;
  const [path] = words.operands as [string];
  const settings = settingsOf(call);
  // Not stoppable(): what is held must be given up after Ctrl-C too.
  const one = mutex(session.zk, path, { onSuspend: settings.onSuspend });
  const wait = words.value('--wait');
  const timeoutMs = wait === undefined ? undefined : parseCount(wait, '--wait');
  let held: Held | undefined;
  try {
    held =
      timeoutMs === 0
        ? await one.tryAcquire({ signal })
        : await one.acquire({ signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  } catch (error) {
    if (!ZkError.is(error, 'TIMEOUT')) throw error;
  }
  if (held === undefined) {
    const [holder] = await one.contenders().catch(() => []);
    throw new CommandError('refused', `${path} is not ours within ${timeoutMs} ms`, {
      path,
      hint: holder === undefined ? undefined : `it is held by ${holder.identity}`,
    });
  }
  try {
    return await whileHeld(call, held, settings);
  } finally {
    await release(call, held);
  }
};

export const elect: Run = async (call) => {
  const { words, session, signal } = call;
  const [path] = words.operands as [string];
  const settings = settingsOf(call);
  const candidate = election(session.zk, path, { onSuspend: settings.onSuspend });
  const again = words.has('--again');
  let code: number | undefined;
  for await (const term of candidate.terms({ signal })) {
    code = await whileHeld(call, term, settings);
    if (code === EXIT_CODES['hold-lost'] && again && !signal.aborted) continue;
    break;
  }
  return code ?? EXIT_CODES.interrupted;
};

interface Settings {
  readonly command: readonly string[];
  readonly onSuspend: 'strict' | 'lease';
  readonly graceMs: number;
  readonly stopSignal: NodeJS.Signals;
}

function settingsOf({ words, verb }: Call): Settings {
  const command = words.afterDashes ?? [];
  if (words.afterDashes !== undefined && command.length === 0) {
    throw usage(`Nothing follows --: ${verb.name} ${verb.synopsis}`);
  }
  if (command[0] !== undefined) checkProgram(command[0], process.env.PATH);
  const grace = words.value('--grace');
  const name = (words.value('--signal') ?? 'TERM').toUpperCase().replace(/^(?!SIG)/, 'SIG');
  if (!(name in constants.signals))
    throw usage(`--signal is "${words.value('--signal')}"`, 'as TERM, INT, HUP');
  return {
    command,
    onSuspend: words.has('--lease') ? 'lease' : 'strict',
    graceMs: grace === undefined ? DEFAULT_GRACE_MS : parseCount(grace, '--grace'),
    stopSignal: name as NodeJS.Signals,
  };
}

/** Runs the command; without one, says what is held and waits for Ctrl-C. */
async function whileHeld(
  { out, signal, note }: Call,
  held: Held,
  { command, graceMs, stopSignal }: Settings,
): Promise<number> {
  if (command.length === 0) {
    if (out.isJson) out.value({ path: held.path, token: held.token });
    else out.line(`Held: ${held.path}, token ${held.token}`);
    await out.flush();
    await new Promise<void>((resolve) => {
      for (const one of [signal, held.signal]) {
        if (one.aborted) resolve();
        else one.addEventListener('abort', () => resolve(), { once: true });
      }
    });
    if (!held.signal.aborted) return 0;
    note(`Lost: ${reason(held)}`);
    return EXIT_CODES['hold-lost'];
  }
  const { exitCode, isLost } = await runWhileHeld({
    command,
    env: { ZEBU_HELD_PATH: held.path, ZEBU_HELD_TOKEN: String(held.token) },
    signal: held.signal,
    session: held.session,
    stop: signal,
    stopSignal,
    graceMs,
  });
  if (!isLost) return exitCode;
  note(`Lost, and the command was stopped: ${reason(held)}`);
  return EXIT_CODES['hold-lost'];
}

function reason({ signal }: Held): string {
  return signal.reason instanceof Error ? signal.reason.message : String(signal.reason);
}

/** A hold that was lost need not wait for a server; one that is not is given up before we leave. */
async function release({ note }: Call, held: Held): Promise<void> {
  const releasing = held.release().catch(() => {});
  if (held.signal.aborted) return;
  const { session, path } = held;
  const waiting = setTimeout(() => {
    const seconds = Math.max(1, Math.ceil((session.safeUntil - performance.now()) / 1000));
    note(
      `No server answers: ${path} is given up when one does, or ends with the session in ${seconds} s`,
    );
  }, SILENT_MS);
  await releasing.finally(() => clearTimeout(waiting));
}
