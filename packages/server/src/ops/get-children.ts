// getChildren:  ustring path, boolean watch -> vector<ustring> children
// getChildren2: the same request            -> vector<ustring> children, Stat stat
// READ on the znode. The order of children is unspecified.

import { type ChildrenWalk, type DataTree, type PathId, WatchMode } from '@zebu/data-tree';
import { type ByteReader, type ByteWriter, putInt32, STAT_BYTES } from '@zebu/protocol';
import type { Slices } from '../connection/long-reply.ts';
import type { OpenRead } from '../metrics/namespace-traffic.ts';
import type { ReadContext } from './read-context.ts';
import { appendStat, checkRead, readZnode, wasEmptyPath, watchEmptyPath } from './read-znode.ts';

/** Children from which on they are listed over several turns. */
const WIDE = 10_000;
const NO_BYTES = Buffer.alloc(0);

export function getChildren(context: ReadContext, request: ByteReader, reply: ByteWriter): number {
  return answer(context, request, reply, false);
}

export function getChildren2(context: ReadContext, request: ByteReader, reply: ByteWriter): number {
  return answer(context, request, reply, true);
}

function answer(
  context: ReadContext,
  request: ByteReader,
  reply: ByteWriter,
  withStat: boolean,
): number {
  const { tree, watches, traffic } = context;
  const start = request.offset;
  const id = readZnode(tree, request);
  const isEmpty = wasEmptyPath(request, start);
  const watch = request.bool();
  const error = checkRead(context, id);
  if (error !== 0) return error;
  if (watch && isEmpty) watchEmptyPath(context, WatchMode.child);
  else if (watch) watches.add(id, context.slot, WatchMode.child);
  if (tree.numChildren(id) > WIDE && context.output.mayReplyInSlices) {
    const walk = tree.startChildrenWalk(id);
    reply.int32(walk.count);
    const counted = new CountedChildren(walk, traffic.openRead(id));
    context.output.replyInSlices(counted, withStat ? statOf(tree, id) : NO_BYTES);
    return 0;
  }
  writeChildren(context, id, reply);
  if (withStat) appendStat(tree, id, reply);
  return 0;
}

/** A getChildren in a multiRead: no watch, and all in one turn. */
export function readChildren(context: ReadContext, id: PathId, reply: ByteWriter): number {
  const error = checkRead(context, id);
  if (error === 0) writeChildren(context, id, reply);
  return error;
}

function statOf(tree: DataTree, id: PathId): Buffer {
  const stat = Buffer.allocUnsafeSlow(STAT_BYTES);
  tree.copyStat(id, stat, 0);
  return stat;
}

function writeChildren({ tree, traffic }: ReadContext, id: PathId, reply: ByteWriter): void {
  const { paths } = tree;
  let nameBytes = 0;
  reply.int32(tree.numChildren(id));
  for (let child = tree.firstChild(id); child !== 0; child = tree.nextSibling(child)) {
    const length = paths.nameLength(child);
    reply.ensure(4 + length);
    const at = putInt32(reply.bytes, reply.offset, length);
    paths.copyName(child, reply.bytes, at);
    reply.offset = at + length;
    nameBytes += length;
  }
  traffic.read(id, nameBytes);
}

/** The names over several turns; counted as one read when the last is written. */
class CountedChildren implements Slices {
  private readonly walk: ChildrenWalk;
  private readonly read: OpenRead;
  private listBytes = 0;

  constructor(walk: ChildrenWalk, read: OpenRead) {
    this.walk = walk;
    this.read = read;
  }

  fill(writer: ByteWriter, maxBytes: number): boolean {
    const before = writer.offset;
    const isWhole = this.walk.fill(writer, maxBytes);
    this.listBytes += writer.offset - before;
    if (isWhole) this.read.end(this.listBytes - 4 * this.walk.count);
    return isWhole;
  }

  close(): void {
    this.walk.close();
  }
}
