/** Something that cannot be, unless the program is wrong: nothing after it can be trusted. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/**
 * Throws InvariantError unless the condition holds. It stays on in production, where an exception that nobody
 * catches stops the process. `what` says the rule, as "durable zxid is beyond the appended one".
 */
export function assertInvariant(condition: boolean, what: string): asserts condition {
  if (!condition) throw new InvariantError(`Broken invariant: ${what}`);
}
