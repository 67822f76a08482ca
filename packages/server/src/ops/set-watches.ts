// setWatches:  long relativeZxid, vector<ustring> data, exist, child -> nothing
// setWatches2: the same, then vector<ustring> persistent, persistentRecursive
//
// A client that reconnects says what it watched and up to which zxid it has seen everything. What
// changed since is sent at once, as events with zxid -1, before the reply; the rest is watched again.
// No ACL is checked (DataTree.setWatches).

import { WatchMode } from '@zebu/data-tree';
import {
  type ByteReader,
  EventType,
  MarshallingError,
  readSetWatchesRequest,
} from '@zebu/protocol';
import type { ReadContext } from './read-context.ts';
import { watchEmptyPath } from './read-znode.ts';

export function setWatches(context: ReadContext, request: ByteReader): number {
  return setAll(context, request, false);
}

export function setWatches2(context: ReadContext, request: ByteReader): number {
  return setAll(context, request, true);
}

function setAll(context: ReadContext, request: ByteReader, five: boolean): number {
  const { tree } = context;
  const wanted = readSetWatchesRequest(request, five);
  const since = wanted.relativeZxid;
  for (const path of listed(wanted.data)) {
    const id = tree.findString(path);
    if (id === 0) catchUp(context, EventType.nodeDeleted, path);
    else if (tree.mzxid(id) > since) catchUp(context, EventType.nodeDataChanged, path);
    else watch(context, path, WatchMode.data);
  }
  for (const path of listed(wanted.exist)) {
    if (tree.findString(path) !== 0) catchUp(context, EventType.nodeCreated, path);
    else watch(context, path, WatchMode.data);
  }
  for (const path of listed(wanted.child)) {
    const id = tree.findString(path);
    if (id === 0) catchUp(context, EventType.nodeDeleted, path);
    else if (tree.pzxid(id) > since) catchUp(context, EventType.nodeChildrenChanged, path);
    else watch(context, path, WatchMode.child);
  }
  if (!five) return 0;
  for (const path of listed(wanted.persistent)) watch(context, path, WatchMode.persistent);
  for (const path of listed(wanted.persistentRecursive)) {
    watch(context, path, WatchMode.recursive);
  }
  return 0;
}

function listed(paths: readonly string[] | null | undefined): readonly string[] {
  if (paths == null) throw new MarshallingError('Null list of watches');
  return paths;
}

function catchUp(context: ReadContext, type: number, path: string): void {
  context.sendMissedEvent(type, path);
}

function watch(context: ReadContext, path: string, mode: number): void {
  if (path === '') {
    watchEmptyPath(context, mode);
    return;
  }
  const { tree, watches } = context;
  const bytes = Buffer.from(path, 'utf8');
  const id = tree.paths.intern(bytes, 0, bytes.length);
  watches.add(id, context.slot, mode);
  tree.paths.release(id);
}
