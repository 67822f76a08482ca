// One command of a shell's command line: connect, run, wait for the watches that it left, close.

import { CliSession } from './cli-session.ts';
import { usage } from './command-error.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { explain } from './explain.ts';
import { failureText, failureValue } from './failure-text.ts';
import { eventLine } from './format.ts';
import { type Output, toJson } from './output.ts';
import type { ParsedWords } from './parse-words.ts';
import { runCommand } from './run-command.ts';
import { NOWHERE } from './target.ts';
import { targetFrom } from './target-from.ts';
import type { Verb } from './verb.ts';

export async function runOneShot(verb: Verb, words: ParsedWords, out: Output): Promise<number> {
  const stopping = new AbortController();
  const interrupted = (): void => {
    // The second Ctrl-C does not wait for anything.
    if (stopping.signal.aborted) {
      if (verb.group === 'hold' && session.client !== undefined) {
        const seconds = Math.ceil(session.client.session.timeoutMs / 1000);
        note(
          `Left at once: what was held, or waited for, stays until the session ends, in ${seconds} s at most`,
        );
      }
      process.exit(EXIT_CODES.interrupted);
    }
    stopping.abort();
  };
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  process.on('SIGHUP', interrupted);
  const note = (text: string): void => {
    process.stderr.write(`${text}\n`);
  };
  const session = new CliSession(verb.isLocal === true ? NOWHERE : targetFrom(words), {
    event: (event) => {
      if (out.isJson) out.value({ event });
      else out.lines(['WATCHER::', eventLine(event)].map((line) => out.name(line)));
      void out.flush();
    },
    note,
  });
  try {
    if (verb.elsewhere !== undefined) {
      throw usage(`${verb.name} is for the interactive session`, verb.elsewhere);
    }
    for (const warning of session.target.warnings) note(warning);
    if (verb.isOffline !== true) {
      // What watches, or waits for its turn, goes on in the next session; of all else a script wants to know soon.
      const onExpire = verb.group === 'watch' || verb.group === 'hold' ? 'renew' : 'close';
      await session.connect(session.target, stopping.signal, onExpire);
    }
    const code = await runCommand(verb, words, out, {
      session,
      isInteractive: false,
      saysYes: false,
      signal: stopping.signal,
      note,
      ask: (question) => askOnTerminal(question, stopping.signal, interrupted),
    });
    if (session.hasWatches) await orAborted(session.watchesOver(), stopping.signal);
    await out.flush();
    return stopping.signal.aborted ? EXIT_CODES.interrupted : code;
  } catch (error) {
    await out.flush();
    const failure = await explain(error, session.client);
    if (stopping.signal.aborted) return EXIT_CODES.interrupted;
    note(out.isJson ? toJson(failureValue(failure)) : failureText(failure));
    return failure.exitCode;
  } finally {
    await session.close();
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    process.off('SIGHUP', interrupted);
  }
}

async function orAborted(done: Promise<void>, signal: AbortSignal): Promise<void> {
  await Promise.race([
    done,
    new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
  ]);
}

/**
 * The question goes to the other output: the answer of the command may be in a pipe. Ctrl-C, which is no signal while
 * readline has the terminal, and Ctrl-D answer nothing. Undefined where nobody could see the question or answer it.
 */
async function askOnTerminal(
  question: string,
  signal: AbortSignal,
  interrupted: () => void,
): Promise<string | undefined> {
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) return undefined;
  const { createInterface } = await import('node:readline');
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  return new Promise((resolve) => {
    const closed = (): void => {
      process.stderr.write('\n');
      resolve('');
    };
    reader.once('close', closed);
    reader.on('SIGINT', interrupted);
    reader.question(question, (line) => {
      reader.off('close', closed);
      reader.close();
      resolve(line);
    });
    if (signal.aborted) reader.close();
    else signal.addEventListener('abort', () => reader.close(), { once: true });
  });
}
