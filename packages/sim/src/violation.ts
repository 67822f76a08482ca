// What a checker reports: which promise was broken, and how.

export class Violation extends Error {
  override readonly name = 'Violation';
  /** Name of the checker, or of the part of the simulation that could not go on. */
  readonly checker: string;

  constructor(checker: string, message: string) {
    super(`${checker}: ${message}`);
    this.checker = checker;
  }
}

/** Fails with a Violation unless the condition holds. */
export function demand(
  condition: boolean,
  checker: string,
  message: () => string,
): asserts condition {
  if (!condition) throw new Violation(checker, message());
}
