// getChildren:  ustring path, boolean watch -> vector<ustring> children
// getChildren2: the same request            -> vector<ustring> children, Stat stat
// READ on the znode. The order of children is unspecified.

import { type DataTree, type PathId, WatchMode } from '@zebu/data-tree';
import {
  type ByteReader,
  type ByteWriter,
  ErrorCode,
  Perms,
  putInt32,
  STAT_BYTES,
} from '@zebu/protocol';
import type { ClientConnection } from '../client-connection.ts';
import { readZnode } from './request-path.ts';

/** Children from which on they are listed over several turns. */
const WIDE = 10_000;
const NO_BYTES = Buffer.alloc(0);

export function getChildren(
  connection: ClientConnection,
  request: ByteReader,
  reply: ByteWriter,
): number {
  const { tree } = connection.node;
  const id = readZnode(tree, request);
  const watch = request.bool();
  return isWide(connection, id)
    ? readWideChildren(connection, id, watch, reply, NO_BYTES)
    : readChildren(connection, id, watch, reply);
}

export function getChildren2(
  connection: ClientConnection,
  request: ByteReader,
  reply: ByteWriter,
): number {
  const { tree } = connection.node;
  const id = readZnode(tree, request);
  const watch = request.bool();
  if (isWide(connection, id)) {
    const stat = Buffer.allocUnsafeSlow(STAT_BYTES);
    tree.copyStat(id, stat, 0);
    return readWideChildren(connection, id, watch, reply, stat);
  }
  const error = readChildren(connection, id, watch, reply);
  if (error !== 0) return error;
  reply.ensure(STAT_BYTES);
  tree.copyStat(id, reply.bytes, reply.offset);
  reply.offset += STAT_BYTES;
  return 0;
}

function isWide(connection: ClientConnection, id: PathId): boolean {
  return id !== 0 && connection.node.tree.numChildren(id) > WIDE && connection.mayReplyInSlices;
}

/** Too many for one turn of the loop: the names are written over several. */
function readWideChildren(
  connection: ClientConnection,
  id: PathId,
  watch: boolean,
  reply: ByteWriter,
  end: Buffer,
): number {
  const { tree, watches } = connection.node;
  if (!connection.isAllowed(tree.aclId(id), Perms.READ)) return ErrorCode.NOAUTH;
  if (watch) watches.add(id, connection.slot, WatchMode.child);
  const walk = tree.startChildrenWalk(id);
  reply.int32(walk.count);
  connection.replyInSlices(walk, end);
  return 0;
}

/** The part that both share with multiRead. */
export function readChildren(
  connection: ClientConnection,
  id: PathId,
  watch: boolean,
  reply: ByteWriter,
): number {
  const { tree, watches } = connection.node;
  if (id === 0) return ErrorCode.NONODE;
  if (!connection.isAllowed(tree.aclId(id), Perms.READ)) return ErrorCode.NOAUTH;
  if (watch) watches.add(id, connection.slot, WatchMode.child);
  writeChildren(tree, id, reply);
  return 0;
}

function writeChildren(tree: DataTree, id: PathId, reply: ByteWriter): void {
  const { paths } = tree;
  reply.int32(tree.numChildren(id));
  for (let child = tree.firstChild(id); child !== 0; child = tree.nextSibling(child)) {
    const length = paths.nameLength(child);
    reply.ensure(4 + length);
    const at = putInt32(reply.bytes, reply.offset, length);
    paths.copyName(child, reply.bytes, at);
    reply.offset = at + length;
  }
}
