// @zebu/recipes/barrier: to go on together. See README.md.

export { type Barrier, barrier } from './barrier/barrier.ts';
export { type DoubleBarrier, doubleBarrier, type Party } from './barrier/double-barrier.ts';
