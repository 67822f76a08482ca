// Words of a command line to options and operands, by the grammar of zkCli (commons-cli's DefaultParser): options may
// stand anywhere, `-sw` is `-s -w`, names may be words after one dash (`-members`), and what starts with a dash and a
// digit is an operand (`set /a -1`). `--` ends the options: what follows are operands, or the command of lock and elect.

import { usage } from './command-error.ts';
import { nearest } from './nearest.ts';

export interface OptionSpec {
  /** All its spellings, each with its dashes; the first is how the code asks for it. */
  readonly names: readonly string[];
  /** What its value is called in the help; without one the option is a switch. */
  readonly value?: string;
  /** May be given more than once. */
  readonly isList?: boolean;
  readonly text: string;
}

export interface ParsedWords {
  has(name: string): boolean;
  value(name: string): string | undefined;
  values(name: string): readonly string[];
  readonly operands: readonly string[];
  /** The command that followed `--`; undefined when there was none, and where no command is expected. */
  readonly afterDashes: readonly string[] | undefined;
}

/** Throws a CommandError that names the word. */
export function parseWords(
  words: readonly string[],
  specs: readonly OptionSpec[],
  options: { readonly stopAtOperand?: boolean; readonly takesCommand?: boolean } = {},
): ParsedWords & { readonly rest: readonly string[] } {
  const byName = new Map(specs.flatMap((spec) => spec.names.map((name) => [name, spec] as const)));
  const found = new Map<string, string[]>();
  const operands: string[] = [];
  let afterDashes: string[] | undefined;
  let at = 0;
  const take = (spec: OptionSpec, written: string, value: string | undefined): void => {
    const key = spec.names[0] as string;
    const values = found.get(key) ?? [];
    if (values.length > 0 && spec.value !== undefined && spec.isList !== true) {
      throw usage(`${written} is given twice`);
    }
    found.set(key, [...values, value ?? '']);
  };
  while (at < words.length) {
    const word = words[at] as string;
    at += 1;
    if (word === '--') {
      if (options.stopAtOperand === true) break;
      if (options.takesCommand === true) afterDashes = words.slice(at);
      else operands.push(...words.slice(at));
      at = words.length;
      break;
    }
    if (!looksLikeOption(word)) {
      if (options.stopAtOperand === true) {
        at -= 1;
        break;
      }
      operands.push(word);
      continue;
    }
    const equals = word.indexOf('=');
    const name = equals > 0 ? word.slice(0, equals) : word;
    const spec = byName.get(name);
    if (spec !== undefined) {
      if (spec.value === undefined) {
        if (equals > 0) throw usage(`${name} takes no value`);
        take(spec, name, undefined);
      } else if (equals > 0) {
        take(spec, name, word.slice(equals + 1));
      } else {
        if (at >= words.length) throw usage(`Missing argument for option: ${name} ${spec.value}`);
        take(spec, name, words[at]);
        at += 1;
      }
      continue;
    }
    for (const single of bundleOf(word, byName)) take(single, word, undefined);
  }
  return {
    has: (name) => found.has(name),
    value: (name) => found.get(name)?.[0],
    values: (name) => found.get(name) ?? [],
    operands,
    afterDashes,
    rest: words.slice(at),
  };
}

function looksLikeOption(word: string): boolean {
  return word.length > 1 && word.startsWith('-') && !/^-\d/.test(word);
}

/** `-sw` as `-s` and `-w`. */
function bundleOf(word: string, byName: ReadonlyMap<string, OptionSpec>): OptionSpec[] {
  const switches = word.startsWith('--')
    ? []
    : [...word.slice(1)].map((letter) => byName.get(`-${letter}`));
  const known = switches.filter((spec) => spec !== undefined && spec.value === undefined);
  if (known.length > 1 && known.length === switches.length) return known as OptionSpec[];
  const name = word.split('=', 1)[0] as string;
  const near = nearest(name, [...byName.keys()]);
  throw usage(
    `Unrecognized option: ${name}`,
    near === undefined ? undefined : `did you mean ${near}?`,
  );
}
