// Which paths and options a call takes.

import { validatePath } from '@zebu/protocol';
import { type Call, checkOptions } from './check-options.ts';
import { ZkError } from './errors.ts';

/** Why this is no path. The name of a sequential znode may be empty: its number is still to come. */
export function pathProblem(path: string, isSequential: boolean): string | undefined {
  if (typeof path !== 'string') return `a path is a string, not ${typeof path}`;
  return validatePath(isSequential ? `${path}1` : path);
}

/** Why this call cannot be made: a TypeError for its options, BAD_ARGUMENTS for its path. */
export function refuse(
  op: Call,
  path: string,
  options: unknown,
  isSequential: boolean,
): Error | undefined {
  try {
    checkOptions(op, options);
  } catch (error) {
    return error as TypeError;
  }
  const problem = pathProblem(path, isSequential);
  return problem === undefined ? undefined : badPath(op, path, problem);
}

export function badPath(op: string, path: string, detail: string): ZkError {
  return new ZkError('BAD_ARGUMENTS', { op, path, outcome: 'not-sent', detail });
}

/** "/a/b/c" has "/a" and "/a/b". */
export function ancestorsOf(path: string): string[] {
  const ancestors: string[] = [];
  for (let at = path.indexOf('/', 1); at > 0; at = path.indexOf('/', at + 1)) {
    ancestors.push(path.slice(0, at));
  }
  return ancestors;
}
