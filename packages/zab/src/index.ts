// @zebu/zab: one member's part in the protocol of an ensemble, as a pure state machine.

export {
  DEFAULT_LIMITS,
  type HistoryTrust,
  PLANTS,
  type Plant,
  ticksFor,
  type ZabConfig,
  type ZabLimits,
  type ZabStart,
} from './config.ts';
export type { CoreMessage, CoreZxidMessage, Notification } from './messages.ts';
export * from './output.ts';
export {
  planSync,
  type SyncFacts,
  SyncMode,
  type SyncPlan,
  type SyncQuestion,
  type SyncRow,
} from './sync-plan.ts';
export { Zab } from './zab.ts';
