/** Why a configuration cannot be used: one sentence that names key, value, place and what is allowed. */

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

/** The command exits with 2 on it. The fields are those of the message, for whoever shows them otherwise. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly key: string | undefined;
  readonly value: string | undefined;
  readonly source: SettingSource | undefined;
  readonly allowed: string | undefined;

  constructor(
    message: string,
    facts: {
      key?: string;
      value?: string;
      source?: SettingSource | undefined;
      allowed?: string;
    } = {},
  ) {
    super(message);
    this.key = facts.key;
    this.value = facts.value;
    this.source = facts.source;
    this.allowed = facts.allowed;
  }
}
