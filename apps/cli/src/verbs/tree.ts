// Draws a subtree: names, sizes, owners, how many below.

import { ownerOf } from '../owner.ts';
import { parseCount, sizeText } from '../quantities.ts';
import { Refusals, refusalText } from '../refusals.ts';
import type { Run } from '../verb.ts';
import { statReader, walk } from '../walk.ts';

export const tree: Run = async ({ words, out, zk, signal, note: noteBeside }) => {
  const [root = '/'] = words.operands;
  const depth = words.value('--depth');
  const maxDepth = depth === undefined ? undefined : parseCount(depth, '--depth');
  const refusals = new Refusals(noteBeside);
  const refused = (path: string, error: unknown): void => refusals.add(path, refusalText(error));
  let count = 0;
  let bytes = 0;
  // For each depth above: whether more follows there, so that its line goes on.
  const open: boolean[] = [];
  for await (const znode of walk(zk, root, { read: statReader(zk), maxDepth, refused, signal })) {
    const { path, stat, isLast } = znode;
    count += 1;
    bytes += stat.dataLength;
    const owner = ownerOf(stat);
    if (out.isJson) {
      out.value({
        path,
        depth: znode.depth,
        bytes: stat.dataLength,
        children: stat.numChildren,
        owner,
      });
    } else {
      open[znode.depth] = !isLast;
      const lines = open.slice(1, znode.depth).map((goesOn) => (goesOn ? '│   ' : '    '));
      const branch = znode.depth === 0 ? '' : isLast ? '└── ' : '├── ';
      const name = znode.depth === 0 ? path : path.slice(path.lastIndexOf('/') + 1);
      const isCut = znode.depth === maxDepth && stat.numChildren > 0;
      const notes = [
        stat.dataLength > 0 ? sizeText(stat.dataLength) : '',
        owner === undefined ? '' : `ephemeral ${owner}`,
        isCut ? `${stat.numChildren} below` : '',
      ].filter((note) => note !== '');
      const note = notes.length === 0 ? '' : `  ${out.style('dim', notes.join(', '))}`;
      out.line(`${lines.join('')}${branch}${out.name(name)}${note}`);
    }
    if (count % 1000 === 0) await out.flush();
  }
  if (!out.isJson) out.line(`\n${count} ${count === 1 ? 'znode' : 'znodes'}, ${sizeText(bytes)}`);
  refusals.throwIfAny('could not be read: what is below is missing here');
  return undefined;
};
