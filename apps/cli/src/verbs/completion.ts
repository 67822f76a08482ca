// What the shells call at Tab, and the scripts that make them do so.

import { connect } from '@zebu/client';
import { usage } from '../command-error.ts';
import { candidates } from '../complete.ts';
import { contextFilePath, findContext, readContexts } from '../contexts.ts';
import { parseWords } from '../parse-words.ts';
import { scanLine } from '../split-line.ts';
import { chooseTarget, TARGET_OPTIONS, type Target } from '../target.ts';
import type { Run } from '../verb.ts';

/** Names of znodes come within this time, or not at all: nobody waits for a server at Tab. */
const SERVER_MS = 200;

const SCRIPTS: Readonly<Record<string, string>> = {
  // A name of a znode may hold what the shell would run, as $(...): so each is quoted.
  // Bash splits words at ":" and "=" too, so the line goes to zebu whole, and what bash takes for the word comes back.
  bash: `_zebu() {
  local line cur=\${COMP_WORDS[COMP_CWORD]} typed=\${COMP_LINE:0:COMP_POINT} prefix
  typed=\${typed##* }
  prefix=\${typed%"$cur"}
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in /*) compopt -o nospace ;; esac
    printf -v line %q "$line"
    COMPREPLY+=("\${line#"$prefix"}")
  done < <(zebu complete --line "\${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
complete -F _zebu zebu
`,
  zsh: `#compdef zebu
_zebu() {
  local -a found paths others
  found=("\${(@f)$(zebu complete --line "$LBUFFER" 2>/dev/null)}")
  paths=(\${(M)found:#/*})
  others=(\${found:#/*})
  (( \${#paths} )) && compadd -S '' -- $paths
  (( \${#others} )) && compadd -- \${others:#}
}
compdef _zebu zebu
`,
  fish: `complete -c zebu -f -a '(zebu complete --line (commandline -cp) 2>/dev/null)'
`,
};

export const completion: Run = async ({ words, out }) => {
  const [shell] = words.operands as [string];
  const script = SCRIPTS[shell];
  if (script === undefined)
    throw usage(`There is no completion for ${shell}`, 'for bash, zsh and fish');
  out.line(script.trimEnd());
  return undefined;
};

/** Says nothing and ends with 0 where it does not know: what it said would be in the line that is typed. */
export const complete: Run = async ({ words, out }) => {
  const line = words.value('--line') ?? '';
  const { words: scanned, endsInSpace } = scanLine(line);
  const all = scanned.map(({ text }) => text);
  const last = endsInSpace ? '' : (all.pop() ?? '');
  // The first word is the command itself.
  const before = all.slice(1);
  const source = {
    children: (path: string) => childrenAt(before, path),
    contexts: () => Object.keys(readContexts(contextFilePath(process.env)).contexts),
  };
  try {
    out.lines(await candidates(before, last, source, false));
  } catch {
    // See above.
  }
  return undefined;
};

async function childrenAt(words: readonly string[], path: string): Promise<readonly string[]> {
  const target = targetIn(words);
  const { list, tls, auth } = target;
  const zk = await connect({
    servers: list.servers,
    auth,
    establishTimeoutMs: SERVER_MS,
    ...(tls === undefined ? {} : { tls }),
  });
  try {
    const view = list.chroot === '' ? zk : zk.chroot(list.chroot);
    return (await view.children(path, { timeoutMs: SERVER_MS })).names;
  } finally {
    await zk.close({ timeoutMs: SERVER_MS });
  }
}

/** Of what is typed so far, only the options that say which cluster. */
function targetIn(words: readonly string[]): Target {
  const known: string[] = [];
  for (const [index, word] of words.entries()) {
    const spec = TARGET_OPTIONS.find(({ names }) =>
      names.includes(word.split('=', 1)[0] as string),
    );
    if (spec === undefined) continue;
    known.push(word);
    const value = words[index + 1];
    if (spec.value !== undefined && !word.includes('=') && value !== undefined) known.push(value);
  }
  const { env } = process;
  return chooseTarget(parseWords(known, TARGET_OPTIONS), env, (name) =>
    findContext(readContexts(contextFilePath(env)), name),
  );
}
