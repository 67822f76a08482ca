// @zebu/zab: one member's part in the protocol of an ensemble, as a pure state machine.

export {
  DEFAULT_LIMITS,
  type HistoryTrust,
  ticksFor,
  type ZabConfig,
  type ZabLimits,
  type ZabStart,
} from './config.ts';
export * from './messages.ts';
export * from './output.ts';
export { type SyncFacts, SyncMode, type SyncPlan, type SyncRow } from './sync-plan.ts';
export type { ZabCore } from './zab.ts';
