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
import type { ClientConnection } from '../connection/client-connection.ts';

export function setWatches(connection: ClientConnection, request: ByteReader): number {
  return setAll(connection, request, false);
}

export function setWatches2(connection: ClientConnection, request: ByteReader): number {
  return setAll(connection, request, true);
}

function setAll(connection: ClientConnection, request: ByteReader, five: boolean): number {
  const { tree } = connection.node;
  const wanted = readSetWatchesRequest(request, five);
  const since = wanted.relativeZxid;
  for (const path of listed(wanted.data)) {
    const id = tree.findString(path);
    if (id === 0) catchUp(connection, EventType.nodeDeleted, path);
    else if (tree.mzxid(id) > since) catchUp(connection, EventType.nodeDataChanged, path);
    else watch(connection, path, WatchMode.data);
  }
  for (const path of listed(wanted.exist)) {
    if (tree.findString(path) !== 0) catchUp(connection, EventType.nodeCreated, path);
    else watch(connection, path, WatchMode.data);
  }
  for (const path of listed(wanted.child)) {
    const id = tree.findString(path);
    if (id === 0) catchUp(connection, EventType.nodeDeleted, path);
    else if (tree.pzxid(id) > since) catchUp(connection, EventType.nodeChildrenChanged, path);
    else watch(connection, path, WatchMode.child);
  }
  if (!five) return 0;
  for (const path of listed(wanted.persistent)) watch(connection, path, WatchMode.persistent);
  for (const path of listed(wanted.persistentRecursive)) {
    watch(connection, path, WatchMode.recursive);
  }
  return 0;
}

function listed(paths: readonly string[] | null | undefined): readonly string[] {
  if (paths == null) throw new MarshallingError('Null list of watches');
  return paths;
}

function catchUp(connection: ClientConnection, type: number, path: string): void {
  connection.node.events.sendTo(connection, type, path);
}

function watch(connection: ClientConnection, path: string, mode: number): void {
  const { tree, watches } = connection.node;
  const bytes = Buffer.from(path, 'utf8');
  const id = tree.paths.intern(bytes, 0, bytes.length);
  watches.add(id, connection.slot, mode);
  tree.paths.release(id);
}
