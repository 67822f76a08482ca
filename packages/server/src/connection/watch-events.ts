// From a change of the tree to the events that clients get, while the txn is applied: an event is in
// a connection's output before the reply to that txn and before any read that sees the new state.
//
//   created      NodeCreated(path), then NodeChildrenChanged(parent)
//   deleted      NodeDeleted(path), then NodeChildrenChanged(parent)
//   dataChanged  NodeDataChanged(path)
//
// Who may not read the znode gets nothing, and a one-shot watch is consumed all the same
// (CVE-2024-23944). What a client missed while it was away it is told without that check, and with
// zxid -1, as Apache does (sendTo).

import type { DataTree, PathId, TreeListener, WatchTable } from '@zebu/data-tree';
import { OPEN_ACL_ID } from '@zebu/data-tree';
import { EventType, Perms } from '@zebu/protocol';
import type { ServerMetrics } from '../metrics/metrics.ts';
import type { NamespaceTraffic } from '../metrics/namespace-traffic.ts';
import type { Summary } from '../metrics/summary.ts';
import { WatchEvent } from './watch-event.ts';

/** A connection that may watch. */
export interface Watcher {
  /** Whether the client has one of the permission bits on a znode with this ACL. */
  isAllowed(aclId: number, perms: number): boolean;
  sendEvent(event: WatchEvent): void;
}

export class WatchEvents implements TreeListener {
  private readonly tree: DataTree;
  private readonly watches: WatchTable;
  private readonly connections: { bySlot(slot: number): Watcher | undefined };
  private readonly metrics: ServerMetrics;
  private readonly traffic: NamespaceTraffic;
  private readonly event: WatchEvent;
  private readonly deliver: (watcher: number) => void;
  private isFramed: boolean;
  private type: number;
  private path: PathId;
  private aclId: number;
  /** Zxid of the txn being applied. */
  zxid: number;

  constructor(options: {
    tree: DataTree;
    watches: WatchTable;
    connections: { bySlot(slot: number): Watcher | undefined };
    metrics: ServerMetrics;
    traffic: NamespaceTraffic;
  }) {
    this.tree = options.tree;
    this.watches = options.watches;
    this.connections = options.connections;
    this.metrics = options.metrics;
    this.traffic = options.traffic;
    this.event = new WatchEvent();
    this.deliver = (watcher) => this.send(watcher);
    this.isFramed = false;
    this.type = 0;
    this.path = 0;
    this.aclId = OPEN_ACL_ID;
    this.zxid = 0;
  }

  created(id: PathId, parent: PathId): void {
    const { metrics, tree } = this;
    this.traffic.wrote(id, tree.dataLength(id));
    this.trigger(EventType.nodeCreated, id, tree.aclId(id), metrics.createdWatches);
    this.trigger(
      EventType.nodeChildrenChanged,
      parent,
      tree.aclId(parent),
      metrics.childrenWatches,
    );
  }

  deleted(id: PathId, parent: PathId, aclId: number): void {
    const { metrics, tree } = this;
    this.traffic.wrote(id, 0);
    this.trigger(EventType.nodeDeleted, id, aclId, metrics.deletedWatches);
    this.trigger(
      EventType.nodeChildrenChanged,
      parent,
      tree.aclId(parent),
      metrics.childrenWatches,
    );
  }

  dataChanged(id: PathId): void {
    const { metrics, tree } = this;
    this.traffic.wrote(id, tree.dataLength(id));
    this.trigger(EventType.nodeDataChanged, id, tree.aclId(id), metrics.changedWatches);
  }

  /** An event for one connection about what it missed while it was away; carries zxid -1. */
  sendTo(connection: Watcher, type: number, path: string): void {
    this.event.begin(type, -1).string(path);
    this.event.end();
    connection.sendEvent(this.event);
  }

  private trigger(type: number, path: PathId, aclId: number, told: Summary): void {
    this.type = type;
    this.path = path;
    this.aclId = aclId;
    this.isFramed = false;
    const count = this.watches.trigger(path, type, this.deliver);
    if (count > 0) told.add(count);
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
