// @zebu/recipes/cache: parts of the tree, kept up to date in memory. See README.md.

export {
  type ChildrenReading,
  type WatchChildrenOptions,
  watchChildren,
} from './cache/children.ts';
export {
  type CachedZnode,
  CacheFullError,
  type CacheItem,
  type TreeCache,
  type TreeCacheOptions,
  treeCache,
} from './cache/tree-cache.ts';
