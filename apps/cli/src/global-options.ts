// Options that every command takes. On the command line they may stand before the command too.

import type { OptionSpec } from './parse-words.ts';
import { TARGET_OPTIONS } from './target.ts';

/** Also in the interactive session. */
export const COMMON_OPTIONS: readonly OptionSpec[] = [
  { names: ['--json'], text: 'answers as JSON, one value on a line; errors too' },
  { names: ['--yes'], text: 'do not ask before a destructive command on a protected context' },
  { names: ['--help', '-?'], text: 'print all about the command' },
];

export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  ...TARGET_OPTIONS,
  ...COMMON_OPTIONS,
  { names: ['--no-color'], text: 'no colour; so does NO_COLOR, and a pipe' },
];

/** Before the command only: zkCli's own, and --version. */
export const LEADING_OPTIONS: readonly OptionSpec[] = [
  ...GLOBAL_OPTIONS,
  { names: ['-r'], text: "zkCli's name of --read-only" },
  { names: ['-waitforconnection'], text: 'zkCli knows it; always so here' },
  {
    names: ['-client-configuration'],
    value: 'FILE',
    text: 'zkCli takes it for TLS and SASL; here --tls-ca and its sisters',
  },
  { names: ['--version'], text: 'print the version' },
];
