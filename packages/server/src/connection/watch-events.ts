// From a change of the tree to the events that clients get, while the txn is applied: an event is in
// a connection's output before the reply to that txn and before any read that sees the new state.
//
//   created      NodeCreated(path), then NodeChildrenChanged(parent)
//   deleted      NodeDeleted(path), then NodeChildrenChanged(parent)
//   dataChanged  NodeDataChanged(path)
//
// Notification: ReplyHeader(xid -1, zxid of the txn, err 0), int type, int state 3, ustring path.
// Who may not read the znode gets nothing, and a one-shot watch is consumed all the same
// (CVE-2024-23944). What a client missed while it was away it is told without that check, and with
// zxid -1, as Apache does (sendTo).

import type { DataTree, PathId, TreeListener, WatchTable } from '@zebu/data-tree';
import { OPEN_ACL_ID } from '@zebu/data-tree';
import { ByteWriter, EventType, KeeperState, Perms, Xid } from '@zebu/protocol';
import type { ClientConnection } from './client-connection.ts';
import type { ConnectionTable } from './connection-table.ts';

/** One event, framed once however many watch. */
export class WatchEvent {
  private readonly frame: ByteWriter;
  private kept: Buffer | undefined;

  constructor() {
    this.frame = new ByteWriter(256);
    this.kept = undefined;
  }

  /** Valid until the next event is framed. */
  get bytes(): Buffer {
    return this.frame.bytes;
  }

  get length(): number {
    return this.frame.offset;
  }

  /** A copy that stays; the same one for all who ask. */
  keep(): Buffer {
    this.kept ??= Buffer.from(this.bytes.subarray(0, this.length));
    return this.kept;
  }

  /** Begins the next one: its path is to be written. */
  begin(type: number, zxid: number): ByteWriter {
    const { frame } = this;
    this.kept = undefined;
    frame.reset();
    frame.int32(0);
    frame.int32(Xid.notification);
    frame.int64(zxid);
    frame.int32(0);
    frame.int32(type);
    frame.int32(KeeperState.syncConnected);
    return frame;
  }

  end(): void {
    this.frame.patchInt32(0, this.length - 4);
  }
}

export class WatchEvents implements TreeListener {
  private readonly tree: DataTree;
  private readonly watches: WatchTable;
  private readonly connections: ConnectionTable;
  private readonly event: WatchEvent;
  private readonly deliver: (watcher: number) => void;
  private isFramed: boolean;
  private type: number;
  private path: PathId;
  private aclId: number;
  /** Zxid of the txn being applied. */
  zxid: number;

  constructor(tree: DataTree, watches: WatchTable, connections: ConnectionTable) {
    this.tree = tree;
    this.watches = watches;
    this.connections = connections;
    this.event = new WatchEvent();
    this.deliver = (watcher) => this.send(watcher);
    this.isFramed = false;
    this.type = 0;
    this.path = 0;
    this.aclId = OPEN_ACL_ID;
    this.zxid = 0;
  }

  created(id: PathId, parent: PathId): void {
    this.trigger(EventType.nodeCreated, id, this.tree.aclId(id));
    this.trigger(EventType.nodeChildrenChanged, parent, this.tree.aclId(parent));
  }

  deleted(id: PathId, parent: PathId, aclId: number): void {
    this.trigger(EventType.nodeDeleted, id, aclId);
    this.trigger(EventType.nodeChildrenChanged, parent, this.tree.aclId(parent));
  }

  dataChanged(id: PathId): void {
    this.trigger(EventType.nodeDataChanged, id, this.tree.aclId(id));
  }

  /** An event for one connection about what it missed while it was away; carries zxid -1. */
  sendTo(connection: ClientConnection, type: number, path: string): void {
    this.event.begin(type, -1).string(path);
    this.event.end();
    connection.sendEvent(this.event);
  }

  private trigger(type: number, path: PathId, aclId: number): void {
    this.type = type;
    this.path = path;
    this.aclId = aclId;
    this.isFramed = false;
    this.watches.trigger(path, type, this.deliver);
  }

  private send(watcher: number): void {
    const connection = this.connections.bySlot(watcher);
    if (connection === undefined || !connection.isAllowed(this.aclId, Perms.READ)) return;
    if (!this.isFramed) {
      this.writeFrame();
      this.isFramed = true;
    }
    connection.sendEvent(this.event);
  }

  private writeFrame(): void {
    const { paths } = this.tree;
    const frame = this.event.begin(this.type, this.zxid);
    const length = paths.byteLength(this.path);
    frame.int32(length);
    frame.ensure(length);
    paths.copyPath(this.path, frame.bytes, frame.offset);
    frame.offset += length;
    this.event.end();
  }
}
