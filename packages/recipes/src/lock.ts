// @zebu/recipes/lock: locks. See README.md.

export type { Contender } from './core/contest.ts';
export type { Held } from './core/held.ts';
export type { RecipeOptions } from './core/options.ts';
export type { Lock } from './lock/lock.ts';
export { mutex } from './lock/mutex.ts';
