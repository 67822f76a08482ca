// One run of zebu-bench, from settings to report.

import type { Target } from './ask-all.ts';
import { thenCleanUp } from './clean-up.ts';
import type { Settings } from './command-line.ts';
import { DataSet, type OnProgress } from './data-set.ts';
import { deleteTree } from './delete-tree.ts';
import { describeMachine } from './machine.ts';
import { pidListeningOn, processCommand } from './process-stats.ts';
import { trustInRatios } from './ratio-trust.ts';
import { createScratch } from './raw-connection.ts';
import { type Report, type ServerUnderTest, warningsFor } from './report.ts';
import { InterruptedRow, type Row, runRounds } from './rounds.ts';
import type { MeasuredTarget } from './scenario.ts';
import { formatAddress, serverVersion } from './server-info.ts';
import { chooseScenarios } from './suite.ts';

export interface MeasureOptions {
  readonly command: string;
  readonly onProgress: OnProgress;
  /** Called after each row with everything that is known by then. */
  readonly onRow?: (report: Report) => void;
}

/**
 * Measures, and leaves the servers as they were found. When a server is lost in the middle, what was
 * measured until then is returned, with the reason as `failure`; throws when that is nothing.
 */
export async function measure(
  settings: Settings,
  { command, onProgress, onRow }: MeasureOptions,
): Promise<Report> {
  const startedAt = new Date().toISOString();
  const targets = measuredTargets(settings);
  const servers = await Promise.all(targets.map(describeServer));
  const rows: Row[] = [];
  const ballast = fillSet(settings);
  const reportSoFar = (failure?: Error): Report => ({
    format: 'zebu-bench/1',
    command,
    startedAt,
    machine: describeMachine(),
    servers,
    rounds: settings.rounds,
    rows: [...rows],
    warnings: warningsFor(rows, servers),
    notes: trustInRatios(rows),
    ...(failure === undefined ? {} : { failure: failure.message }),
  });
  const work = async (): Promise<void> => {
    for (const target of targets) await ballast?.create(target, onProgress);
    for (const scenario of chooseScenarios(settings)) {
      rows.push(await runRounds(scenario, targets, { rounds: settings.rounds, onProgress }));
      onRow?.(reportSoFar());
    }
  };
  try {
    await thenCleanUp(work, targets, async (target) => {
      await ballast?.delete(target, onProgress);
      await deleteTree(target, settings.path, onProgress);
    });
  } catch (error) {
    if (error instanceof InterruptedRow) rows.push(error.row);
    if (rows.length === 0) throw error;
    return reportSoFar(error as Error);
  }
  return reportSoFar();
}

/** Creates the znodes that `fill` names; returns how long that took. */
export async function fill(settings: Settings, onProgress: OnProgress): Promise<number> {
  const start = performance.now();
  const { path, keys, size } = settings;
  const set = new DataSet({ base: `${path}/keys`, keys, size });
  for (const target of measuredTargets(settings)) await set.create(target, onProgress);
  return (performance.now() - start) / 1000;
}

export async function clean(settings: Settings, onProgress: OnProgress): Promise<void> {
  for (const target of measuredTargets(settings)) {
    await deleteTree(target, settings.path, onProgress);
  }
}

function fillSet({ path, fill: keys, fillSize: size }: Settings): DataSet | undefined {
  return keys === 0 ? undefined : new DataSet({ base: `${path}/fill`, keys, size });
}

function measuredTargets({ servers }: Settings): MeasuredTarget[] {
  const scratch = createScratch();
  return servers.map(({ addresses, pids, label }) => ({
    addresses,
    label,
    scratch,
    pids: pids ?? localPids(addresses),
  }));
}

/** The processes that listen on these loopback addresses; none unless every one is found. */
function localPids(addresses: Target['addresses']): number[] {
  const pids = addresses.map(({ host, port }) =>
    /^(127\.|localhost$|::1$)/.test(host) ? pidListeningOn(port) : undefined,
  );
  return pids.includes(undefined) ? [] : [...new Set(pids as number[])];
}

async function describeServer(target: MeasuredTarget): Promise<ServerUnderTest> {
  const versions = await Promise.all(target.addresses.map(serverVersion));
  const known = [...new Set(versions.filter((version) => version !== undefined))];
  return {
    label: target.label,
    addresses: target.addresses.map(formatAddress).join(','),
    version: known.length === 0 ? undefined : known.join(', '),
    pids: target.pids,
    commands: target.pids.map(processCommand).filter((command) => command !== undefined),
  };
}
