// @zebu/recipes/lock: locks. See README.md.

export type { Contender } from './core/contest.ts';
export type { Held } from './core/held.ts';
export type { RecipeOptions } from './core/options.ts';
export type { Lock } from './lock/lock.ts';
export { multiLock } from './lock/multi-lock.ts';
export { type Mutex, mutex, type RunOptions } from './lock/mutex.ts';
export { revoke } from './lock/revoke.ts';
export { type RwLock, rwLock, type WriteHeld, type WriteLock } from './lock/rw-lock.ts';
export {
  type PermitSource,
  type Semaphore,
  type SemaphoreOptions,
  semaphore,
} from './lock/semaphore.ts';
export { type Lease, type LeaseOptions, tryLease } from './lock/try-lease.ts';
