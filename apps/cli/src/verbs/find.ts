// Finds znodes by name, size, owner and age. All conditions must hold.

import { usage } from '../command-error.ts';
import { ownerOf } from '../owner.ts';
import { parseAge, parseCount, parseSize } from '../quantities.ts';
import { Refusals, refusalText } from '../refusals.ts';
import type { Run } from '../verb.ts';
import { statReader, type WalkedZnode, walk } from '../walk.ts';

type Condition = (znode: WalkedZnode<undefined>) => boolean;

export const find: Run = async ({ words, out, zk, signal, note }) => {
  const [root = '/'] = words.operands;
  const conditions: Condition[] = [];
  const add = (option: string, condition: (value: string) => Condition): void => {
    const value = words.value(option);
    if (value !== undefined) conditions.push(condition(value));
  };
  const now = Date.now();
  add('--name', (glob) => {
    const pattern = globPattern(glob);
    return ({ path }) => pattern.test(path.slice(path.lastIndexOf('/') + 1));
  });
  add('--larger', (text) => {
    const bytes = parseSize(text, '--larger');
    return ({ stat }) => stat.dataLength > bytes;
  });
  add('--smaller', (text) => {
    const bytes = parseSize(text, '--smaller');
    return ({ stat }) => stat.dataLength < bytes;
  });
  add('--older', (text) => {
    const ms = parseAge(text, '--older');
    return ({ stat }) => now - stat.mtime > ms;
  });
  add('--newer', (text) => {
    const ms = parseAge(text, '--newer');
    return ({ stat }) => now - stat.mtime < ms;
  });
  add('--owner', ownerCondition);
  if (words.has('--empty')) {
    conditions.push(({ stat }) => stat.dataLength === 0 && stat.numChildren === 0);
  }
  const depth = words.value('--depth');
  const maxDepth = depth === undefined ? undefined : parseCount(depth, '--depth');
  const refusals = new Refusals(note);
  const refused = (path: string, error: unknown): void => refusals.add(path, refusalText(error));
  let looked = 0;
  for await (const znode of walk(zk, root, { read: statReader(zk), maxDepth, refused, signal })) {
    looked += 1;
    if (conditions.every((holds) => holds(znode))) {
      if (out.isJson) out.value({ path: znode.path, owner: ownerOf(znode.stat), stat: znode.stat });
      else out.line(out.name(znode.path));
    }
    if (looked % 1000 === 0) await out.flush();
  }
  refusals.throwIfAny('could not be read: what is below was not looked at');
  return undefined;
};

/** The id of a session, any of them, or none. */
function ownerCondition(text: string): Condition {
  if (text === 'none') return ({ stat }) => ownerOf(stat) === undefined;
  if (text === 'any') return ({ stat }) => ownerOf(stat) !== undefined;
  if (!/^(?:0x)?[0-9a-f]+$/i.test(text)) {
    throw usage(`--owner is "${text}"`, 'it is a session (0x1000...), any, or none');
  }
  const session = `0x${text.toLowerCase().replace(/^0x0*|^0+/, '')}`;
  return ({ stat }) => ownerOf(stat) === session;
}

/** `*` any characters, `?` one of them; the rest stands for itself. */
function globPattern(glob: string): RegExp {
  const source = [...glob]
    .map((character) =>
      character === '*'
        ? '.*'
        : character === '?'
          ? '.'
          : character.replace(/[\\^$.|+()[\]{}]/, '\\$&'),
    )
    .join('');
  return new RegExp(`^${source}$`, 'su');
}
