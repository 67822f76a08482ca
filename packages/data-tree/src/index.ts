// The door of @zebu/data-tree: export from here what other packages may import.

export { AclCache, type AclId, OPEN_ACL_ID, skipAclVector } from './acl-cache.ts';
export { CONFIG_ID, QUOTA_ID, ZOOKEEPER_ID } from './base-znodes.ts';
export type { ChildrenWalk } from './children-walk.ts';
export type { Containers } from './containers.ts';
export { DataTree, type DataTreeOptions, type TreeListener } from './data-tree.ts';
export type { Ephemerals } from './ephemerals.ts';
export {
  CONTAINER_OWNER_HIGH,
  CONTAINER_OWNER_LOW,
  kindOfOwner,
  MAX_TTL_MS,
  ttlOwnerHigh,
} from './owner-kind.ts';
export { lastSlash, type PathId, PathTable, ROOT_ID } from './path-table.ts';
export { PendingChanges, ZnodeView } from './pending-changes.ts';
export { type Quotas, QuotaVerdict } from './quota.ts';
export { QuotaText } from './quota-text.ts';
export { RESTORE_FIELD_LIMIT, type SnapshotWalk, type TreeRestore } from './tree-snapshot.ts';
export { WatchMode, WatchTable } from './watch-table.ts';
export { ZnodeKind } from './znode-store.ts';
