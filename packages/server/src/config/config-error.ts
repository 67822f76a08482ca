/** The error of a configuration that cannot be used: its sentence names key, value, place and what is allowed. */

/** Where a value was written. */
export type SettingSource =
  | { readonly kind: 'default' }
  | { readonly kind: 'file'; readonly path: string; readonly line: number }
  | { readonly kind: 'jvmflags'; readonly variable: string; readonly property: string }
  | { readonly kind: 'environment'; readonly variable: string }
  | { readonly kind: 'argument'; readonly position: number }
  | { readonly kind: 'flag'; readonly flag: string };

/** A place as the user wrote it: `zoo.cfg:3`, `flag --tick-time`, `variable ZEBU_TICK_TIME`. */
export function describeSource(source: SettingSource): string {
  switch (source.kind) {
    case 'default':
      return 'default';
    case 'file':
      return `${source.path}:${source.line}`;
    case 'jvmflags':
      return `-D${source.property} in ${source.variable}`;
    case 'environment':
      return `variable ${source.variable}`;
    case 'argument':
      return `argument ${source.position}`;
    case 'flag':
      return `flag ${source.flag}`;
  }
}

/**
 * The command exits with 2 on it. The fields repeat the parts of the message for programs. When several settings
 * are wrong, the message has a line for each, the fields are those of the first, and `problems` has them all.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly key: string | undefined;
  readonly value: string | undefined;
  readonly source: SettingSource | undefined;
  readonly allowed: string | undefined;
  /** What else was noticed: a misspelt key is often the reason why another one is missing. */
  readonly warnings: readonly string[];
  private readonly gathered: readonly ConfigError[] | undefined;

  constructor(
    message: string,
    facts: {
      key?: string | undefined;
      value?: string | undefined;
      source?: SettingSource | undefined;
      allowed?: string | undefined;
    } = {},
    gathered?: readonly ConfigError[],
    warnings: readonly string[] = [],
  ) {
    super(message);
    this.key = facts.key;
    this.value = facts.value;
    this.source = facts.source;
    this.allowed = facts.allowed;
    this.warnings = warnings;
    this.gathered = gathered;
  }

  /** Everything that is wrong, each by itself: this error alone, or those that it stands for. */
  get problems(): readonly ConfigError[] {
    return this.gathered ?? [this];
  }
}
