// Runs one command of the table, of a shell's command line or of the interactive session: checks its words, and asks
// where the context is protected (`confirm`; which commands are destructive stands in the table).

import type { CliSession } from './cli-session.ts';
import { CommandError, usage } from './command-error.ts';
import type { Output } from './output.ts';
import type { ParsedWords } from './parse-words.ts';
import { stoppable } from './stoppable.ts';
import type { Call, Verb } from './verb.ts';

export interface CommandWorld {
  readonly session: CliSession;
  readonly isInteractive: boolean;
  /** The session was begun with --yes. */
  readonly saysYes: boolean;
  readonly signal: AbortSignal;
  note(text: string): void;
  ask(question: string): Promise<string | undefined>;
}

/** Throws what the command throws. */
export async function runCommand(
  verb: Verb,
  words: ParsedWords,
  out: Output,
  world: CommandWorld,
): Promise<number> {
  checkOperands(verb, words);
  if (verb.isDestructive === true) await confirm(verb, words, world);
  if (verb.load === undefined) {
    throw usage(`${verb.name} is for the interactive session`, 'zebu without a command begins one');
  }
  const run = await verb.load();
  const call: Call = {
    verb,
    words,
    out,
    session: world.session,
    get zk() {
      return stoppable(world.session.zk, world.signal);
    },
    get whole() {
      return stoppable(world.session.whole, world.signal);
    },
    isInteractive: world.isInteractive,
    signal: world.signal,
    note: (text) => world.note(text),
    ask: (question) => world.ask(question),
  };
  const code = (await run(call)) ?? 0;
  await out.flush();
  return code;
}

function checkOperands(
  { name, synopsis, operands: [fewest, most] }: Verb,
  words: ParsedWords,
): void {
  const count = words.operands.length;
  const given = `${count} ${count === 1 ? 'argument' : 'arguments'}`;
  if (count < fewest) throw usage(`Too few arguments: ${`${name} ${synopsis}`.trimEnd()}`);
  if (count > most) {
    throw usage(
      `Too many arguments (${given}): ${`${name} ${synopsis}`.trimEnd()}`,
      'an argument with spaces needs quotes',
    );
  }
}

async function confirm(verb: Verb, words: ParsedWords, world: CommandWorld): Promise<void> {
  const { target } = world.session;
  if (!target.isProtected || world.saysYes || words.has('--yes')) return;
  const what = [verb.name, ...words.operands.slice(0, 1)].join(' ');
  const answer = await world.ask(`${what} on ${target.source}, which is protected. Go on? [y/N] `);
  if (answer !== undefined && /^y(?:es)?$/i.test(answer.trim())) return;
  throw new CommandError('not-allowed', `${what}: ${target.source} is protected`, {
    hint:
      answer === undefined
        ? 'there is no terminal to ask on: --yes goes on without asking'
        : 'nothing was done',
  });
}
