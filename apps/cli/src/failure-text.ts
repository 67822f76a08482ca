// A failure as it is printed.

import type { CommandError } from './command-error.ts';

/** One line: what happened; what to do. */
export function failureText({ message, hint }: CommandError): string {
  return hint === undefined ? message : `${message}; ${hint}`;
}

export function failureValue(failure: CommandError): unknown {
  const { kind, code, path, message, hint, exitCode } = failure;
  return { error: { kind, exitCode, code, path, message, hint } };
}
