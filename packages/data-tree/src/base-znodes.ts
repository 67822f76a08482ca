// The znodes that every tree has before any txn, beside the root (disk.md section 4).
//
// A tree interns their paths first, so that their ids are always these.

import type { PathId } from './path-table.ts';

export const ZOOKEEPER_ID: PathId = 2;
export const QUOTA_ID: PathId = 3;
export const CONFIG_ID: PathId = 4;
