/**
 * Gathers what is wrong with a configuration while it is read, so that all of it is reported at once. A problem that
 * only follows from another one must not be added: a step that needs a wrong value throws instead.
 */

import { ConfigError } from './config-error.ts';

export class Problems {
  /** By message: several steps may meet the same wrong value. */
  private readonly errors = new Map<string, ConfigError>();

  get isEmpty(): boolean {
    return this.errors.size === 0;
  }

  add(error: ConfigError): void {
    for (const one of error.problems) this.errors.set(one.message, one);
  }

  /** Runs a step of the reading. What it throws as ConfigError is added, and undefined returned. */
  attempt<T>(step: () => T): T | undefined {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.add(error);
      return undefined;
    }
  }

  /** Throws one ConfigError for all that was added, if anything was; the warnings go along. */
  throwIfAny(warnings: readonly string[] = []): void {
    const errors = [...this.errors.values()];
    const [first] = errors;
    if (first === undefined) return;
    const message = errors.map((error) => error.message).join('\n');
    throw new ConfigError(message, first, errors.length === 1 ? undefined : errors, warnings);
  }
}
