// A failure as the user reads it: what happened, what to do about it, and the kind that decides the exit code.

import { EXIT_CODES, type FailureKind } from './exit-codes.ts';

export class CommandError extends Error {
  readonly kind: FailureKind;
  /** What to do about it; printed on a line of its own. */
  readonly hint: string | undefined;
  readonly path: string | undefined;
  /** The code of ZooKeeper's client, such as NO_NODE, where there is one. */
  readonly code: string | undefined;

  constructor(
    kind: FailureKind,
    message: string,
    more: {
      hint?: string | undefined;
      path?: string | undefined;
      code?: string | undefined;
      cause?: unknown;
    } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'CommandError';
    this.kind = kind;
    this.hint = more.hint;
    this.path = more.path;
    this.code = more.code;
  }

  get exitCode(): number {
    return EXIT_CODES[this.kind];
  }
}

/** The user's mistake in the command line. */
export function usage(message: string, hint?: string): CommandError {
  return new CommandError('usage', message, { hint });
}
