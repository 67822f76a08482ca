// Brings a database back from disk: the newest snapshot that verifies, then the log after it, in slices, so that
// the loop goes on turning. At a start, and again whenever a member's history was cut.

import { type DataDirectory, type RecoveryResult, recover } from '@zebu/storage';
import { maxEntryBytes, type ServerConfig } from '../config/server-config.ts';
import { Database } from '../database.ts';
import type { Environment } from '../environment.ts';
import type { ServerMetrics } from '../metrics/metrics.ts';

/** How often a long recovery says how far it is. */
const PROGRESS_MS = 1000;
/** A recovery lets the event loop turn after this long. */
const SLICE_MS = 10;

export function newDatabase(config: ServerConfig, environment: Environment): Database {
  return new Database(config, Math.floor(environment.random() * 0x1_0000_0000) | 0);
}

/** Drains a generator of work in slices; `done` is called in a later turn, with its result or what it threw. */
export function runInSlices<P, R>(
  environment: Environment,
  steps: Generator<P, R, void>,
  onStep: (progress: P, nowMs: number) => void,
  done: (error: Error | undefined, result: R | undefined) => void,
): void {
  const { clock, scheduler } = environment;
  const slice = (): void => {
    const beganMs = clock.monotonicMs();
    for (;;) {
      let step: IteratorResult<P, R>;
      try {
        step = steps.next();
      } catch (error) {
        done(error as Error, undefined);
        return;
      }
      if (step.done === true) {
        done(undefined, step.value);
        return;
      }
      const nowMs = clock.monotonicMs();
      onStep(step.value, nowMs);
      if (nowMs - beganMs >= SLICE_MS) break;
    }
    scheduler.afterTurn(slice);
  };
  scheduler.afterTurn(slice);
}

export interface RecoverDatabaseOptions {
  readonly environment: Environment;
  readonly config: ServerConfig;
  readonly directory: DataDirectory;
  readonly metrics: ServerMetrics;
}

export function recoverDatabase(
  { environment, config, directory, metrics }: RecoverDatabaseOptions,
  done: (error: Error | undefined, result: RecoveryResult<Database> | undefined) => void,
): void {
  const { disk, logger, clock } = environment;
  const startedMs = clock.monotonicMs();
  let saidMs = startedMs;
  /** When the last step that loaded a snapshot ended. */
  let snapshotMs = startedMs;
  const steps = recover({
    disk,
    directory,
    createTarget: () => newDatabase(config, environment),
    trustEmptySnapshot: config.snapshotTrustEmpty,
    autocreateDatabase: config.dbAutocreate,
    maxEntryBytes: maxEntryBytes(config),
  });
  runInSlices(
    environment,
    steps,
    ({ stage, file, bytesRead, totalBytes, entries }, nowMs) => {
      if (stage === 'snapshot') snapshotMs = nowMs;
      if (nowMs - saidMs < PROGRESS_MS) return;
      saidMs = nowMs;
      const percent = totalBytes === 0 ? 100 : Math.floor((100 * bytesRead) / totalBytes);
      logger.info('Loading', { stage, file, percent, entries });
    },
    (error, result) => {
      if (result !== undefined) {
        const nowMs = clock.monotonicMs();
        metrics.databaseLoadTime.add(Math.trunc(nowMs - startedMs));
        metrics.startupSnapshotLoadTime.add(Math.trunc(snapshotMs - startedMs));
        metrics.startupTxnsLoadTime.add(Math.trunc(nowMs - snapshotMs));
        metrics.startupTxnsLoaded.add(result.entries);
        settle(result, environment);
      }
      done(error, result);
    },
  );
}

function settle(result: RecoveryResult<Database>, { logger }: Environment): void {
  for (const warning of result.warnings) logger.warn(warning);
  const { tree } = result.target;
  if (result.zxid > tree.lastProcessedZxid) tree.lastProcessedZxid = result.zxid;
  if (tree.digestMismatches > 0) {
    logger.warn('Txns whose digest does not match the tree they led to', {
      count: tree.digestMismatches,
    });
  }
}
