// Compares two subtrees: of one cluster, of two, or with the file of an export. Both are read once, side by side, in the
// order that they share, so neither has to fit into memory. What one side could not read is not compared, and is said.

import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { type Acl, ZkError } from '@zebu/client';
import { CommandError, usage } from '../command-error.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { type Entry, isLeftOut, type LeftOut, openExport, pathOf } from '../export-file.ts';
import { isRemote, openLocation } from '../location.ts';
import { Progress } from '../progress.ts';
import { Refusals } from '../refusals.ts';
import { subtree } from '../subtree.ts';
import type { Call, Run } from '../verb.ts';
import { comparePaths, isAtOrAbove } from '../walk.ts';

export const diff: Run = async (call) => {
  const { words, out, note } = call;
  const [from, to] = words.operands as [string, string];
  const comparesAcl = !words.has('--no-acl');
  const hasEphemerals = words.has('--ephemerals');
  if (from === '-' && to === '-') throw usage('One of the two may be the standard input');
  await using left = await openSide(call, from, comparesAcl);
  await using right = await openSide(call, to, comparesAcl);
  const progress = new Progress('diff', undefined);
  const refusals = new Refusals(note, progress);
  let compared = 0;
  let differences = 0;
  const tell = (sign: '-' | '+' | '~', path: string, fields: string[], sizes: string): void => {
    differences += 1;
    if (out.isJson) {
      const side = sign === '-' ? 'left only' : sign === '+' ? 'right only' : 'changed';
      out.value({ path, difference: side, ...(fields.length === 0 ? {} : { fields }) });
      return;
    }
    const style = sign === '-' ? 'removed' : sign === '+' ? 'added' : 'changed';
    const what = fields.length === 0 ? '' : `  ${fields.join(', ')}${sizes}`;
    out.line(out.style(style, `${sign} ${out.name(path)}${what}`));
  };
  const tellUnread = ({ leftOut, why }: LeftOut, isLeft: boolean): void => {
    refusals.add(leftOut, `${why} (${isLeft ? from : to})`);
    if (out.isJson) {
      out.value({ path: leftOut, difference: 'unreadable', side: isLeft ? 'left' : 'right' });
    } else out.line(out.style('changed', `? ${out.name(leftOut)}`));
  };
  try {
    let one = await nextOf(left.entries, hasEphemerals).catch(hintAtFile(from));
    let other = await nextOf(right.entries, hasEphemerals).catch(hintAtFile(to));
    while (one !== undefined || other !== undefined) {
      const order =
        one === undefined ? 1 : other === undefined ? -1 : comparePaths(pathOf(one), pathOf(other));
      const first = (order <= 0 ? one : other) as Entry | LeftOut;
      if (isLeftOut(first) || (order === 0 && isLeftOut(other as Entry | LeftOut))) {
        if (one !== undefined && order <= 0 && isLeftOut(one)) tellUnread(one, true);
        if (other !== undefined && order >= 0 && isLeftOut(other)) tellUnread(other, false);
        const path = pathOf(first);
        // The other side may have it, and more below it.
        while (one !== undefined && isAtOrAbove(path, pathOf(one))) {
          one = await nextOf(left.entries, hasEphemerals);
        }
        while (other !== undefined && isAtOrAbove(path, pathOf(other))) {
          other = await nextOf(right.entries, hasEphemerals);
        }
        continue;
      }
      compared += 1;
      progress.add(1, first.data.length);
      if (order === 0) compare(first, other as Entry, comparesAcl, tell);
      else tell(order < 0 ? '-' : '+', first.path, [], '');
      if (order <= 0) one = await nextOf(left.entries, hasEphemerals);
      if (order >= 0) other = await nextOf(right.entries, hasEphemerals);
      if (differences % 1000 === 999) await out.flush();
    }
  } finally {
    progress.end();
  }
  await out.flush();
  note(
    `${differences === 0 ? 'no' : differences} ${differences === 1 ? 'difference' : 'differences'} in ${compared} znodes`,
  );
  for (const { isCutOff, name } of [left, right]) {
    if (!isCutOff) continue;
    throw new CommandError('failed', `${name} has no last line: the export was cut off`, {
      hint: 'only what it holds was compared; export --resume completes it',
    });
  }
  refusals.throwIfAny('could not be read: not compared, nor what is below');
  return differences === 0 ? undefined : EXIT_CODES.different;
};

function compare(
  one: Entry,
  other: Entry,
  comparesAcl: boolean,
  tell: (sign: '~', path: string, fields: string[], sizes: string) => void,
): void {
  const fields: string[] = [];
  const isSameData = one.data.equals(other.data);
  if (!isSameData) fields.push('data');
  if (comparesAcl && aclKey(one.acl) !== aclKey(other.acl)) fields.push('acl');
  if ((one.owner === undefined) !== (other.owner === undefined)) fields.push('owner');
  if (fields.length === 0) return;
  const sizes = isSameData ? '' : ` (${one.data.length} B, ${other.data.length} B)`;
  tell('~', one.path, fields, sizes);
}

function aclKey(acl: readonly Acl[]): string {
  return JSON.stringify(acl.map(({ scheme, id, perms }) => [scheme, id, perms]));
}

async function nextOf(
  entries: AsyncIterator<Entry | LeftOut>,
  hasEphemerals: boolean,
): Promise<Entry | LeftOut | undefined> {
  for (;;) {
    const { value, done } = await entries.next();
    if (done === true) return undefined;
    if (isLeftOut(value) || hasEphemerals || value.owner === undefined) return value;
  }
}

/** Who writes `/tmp/x` may mean a file. */
function hintAtFile(text: string): (error: unknown) => never {
  return (error) => {
    if (!ZkError.is(error, 'NO_NODE') || !existsSync(text)) throw error;
    throw usage(`There is no znode ${text}, but a file`, `file:${text} names the file`);
  };
}

interface Side extends AsyncDisposable {
  readonly name: string;
  /** Of a file that was read: its last line is missing. */
  readonly isCutOff: boolean;
  readonly entries: AsyncIterator<Entry | LeftOut>;
}

/** `/path` and `@...` are trees, everything else is a file; a file with an absolute path is `file:/tmp/x`. */
async function openSide(call: Call, text: string, keepsAcl: boolean): Promise<Side> {
  if (isRemote(text) || (isAbsolute(text) && !text.startsWith('file:'))) {
    const location = await openLocation(call, text);
    const { zk, path } = location;
    const entries = subtree(zk, path, { signal: call.signal, keepsAcl });
    return {
      name: text,
      isCutOff: false,
      entries,
      [Symbol.asyncDispose]: () => location[Symbol.asyncDispose]() as Promise<void>,
    };
  }
  const file = await openExport(text.replace(/^file:/, ''));
  return {
    name: text,
    get isCutOff() {
      return file.znodes === undefined;
    },
    entries: file.entries()[Symbol.asyncIterator](),
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose]() as Promise<void>,
  };
}
