// What a command is: its place in the table, and what it is given when it runs.

import type { Client } from '@zebu/client';
import type { CliSession } from './cli-session.ts';
import type { Output } from './output.ts';
import type { OptionSpec, ParsedWords } from './parse-words.ts';

export interface Example {
  readonly line: string;
  readonly text: string;
}

export type Group = 'read' | 'write' | 'watch' | 'rights' | 'copy' | 'hold' | 'cluster' | 'session';

/** A command. Everything that help, manual and completion say of it is here. */
export interface Verb {
  readonly name: string;
  readonly group: Group;
  readonly synopsis: string;
  /** One line, in lower case, without a full stop. */
  readonly summary: string;
  /** Paragraphs of the manual. */
  readonly details?: readonly string[];
  readonly options?: readonly OptionSpec[];
  /** The fewest and the most operands; Infinity for no bound. */
  readonly operands: readonly [number, number];
  /** What follows `--` is a command to run; of all others it is operands that may look like options. */
  readonly takesCommand?: boolean;
  readonly examples?: readonly Example[];
  /** Changes or removes what is there: asks first where the context is protected. */
  readonly isDestructive?: boolean;
  /** Only makes sense in the interactive session, or only on a shell's command line. */
  readonly only?: 'session' | 'shell';
  /** Of a command of the interactive session: what does the same in a shell, where it is refused. */
  readonly elsewhere?: string;
  /** Runs without a connection, or makes its own. */
  readonly isOffline?: boolean;
  /** Has nothing to do with any cluster: not even which one it would be is looked up. */
  readonly isLocal?: boolean;
  /** For programs: not in help and manual. */
  readonly isHidden?: boolean;
  /** Operands that are paths of znodes, for completion: their positions, or 'all'. */
  readonly paths?: 'all' | readonly number[];
  /** Missing for those that the interactive session does itself. */
  readonly load?: () => Promise<Run>;
}

/** Runs a command; resolves with its exit code if that is not 0. */
export type Run = (call: Call) => Promise<number | undefined>;

export interface Call {
  readonly verb: Verb;
  readonly words: ParsedWords;
  readonly out: Output;
  readonly session: CliSession;
  /** The tree as the user sees it, below the chroot. Throws a CommandError when there is no connection. */
  readonly zk: Client;
  /** The whole tree, whatever the chroot. */
  readonly whole: Client;
  readonly isInteractive: boolean;
  /** Aborts at Ctrl-C. */
  readonly signal: AbortSignal;
  /** A line beside the answer: a warning, a note. Not part of what a pipe gets. */
  note(text: string): void;
  /** Asks on the terminal; undefined where there is none. */
  ask(question: string): Promise<string | undefined>;
}
