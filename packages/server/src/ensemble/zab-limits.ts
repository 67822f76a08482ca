// The limits of zoo.cfg, which count in ticks of tickTime or in ms, as the core's, which count in its own ticks.

import { DEFAULT_LIMITS, ticksFor, type ZabLimits } from '@zebu/zab';
import type { EnsembleConfig } from '../config/ensemble-config.ts';

export function zabLimits(
  ensemble: EnsembleConfig,
  tickTimeMs: number,
  coreTickMs: number,
): ZabLimits {
  const ticks = (ms: number): number => ticksFor(ms, coreTickMs);
  const connectTicks = ensemble.connectLimitTicks || ensemble.initLimitTicks;
  return {
    ...DEFAULT_LIMITS,
    init: ticks(ensemble.initLimitTicks * tickTimeMs),
    sync: ticks(ensemble.syncLimitTicks * tickTimeMs),
    connect: ticks(connectTicks * tickTimeMs),
    quorumCheck: ticks(tickTimeMs),
    ping: ticks(tickTimeMs / 2),
    finalizeWait: ticks(200),
    minNotification: ticks(ensemble.minNotificationMs),
    maxNotification: ticks(ensemble.maxNotificationMs),
    epochWait: ensemble.maxTimeToWaitForEpochMs < 0 ? -1 : ticks(ensemble.maxTimeToWaitForEpochMs),
    observerDelay:
      ensemble.observerElectionDelayMs <= 0 ? 0 : ticks(ensemble.observerElectionDelayMs),
    snapSyncs: ensemble.maxConcurrentSnapSyncs,
    diffSyncs: ensemble.maxConcurrentDiffSyncs,
  };
}
