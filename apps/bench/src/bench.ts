// One run of zebu-bench, from settings to report.

import type { Target } from './ask-all.ts';
import { thenCleanUp } from './clean-up.ts';
import type { Settings } from './command-line.ts';
import { DataSet, type OnProgress } from './data-set.ts';
import { deleteTree } from './delete-tree.ts';
import { describeMachine } from './machine.ts';
import { pidListeningOn, processCommand } from './process-stats.ts';
import { createScratch } from './raw-connection.ts';
import { type Report, type ServerUnderTest, warningsFor } from './report.ts';
import { type Row, runRounds } from './rounds.ts';
import type { MeasuredTarget } from './scenario.ts';
import { formatAddress, serverVersion } from './server-info.ts';
import { chooseScenarios } from './suite.ts';

/** Measures, and leaves the servers as they were found. */
export async function measure(
  settings: Settings,
  { command, onProgress }: { command: string; onProgress: OnProgress },
): Promise<Report> {
  const startedAt = new Date().toISOString();
  const targets = measuredTargets(settings);
  const servers = await Promise.all(targets.map(describeServer));
  const rows: Row[] = [];
  const ballast = fillSet(settings);
  const work = async (): Promise<void> => {
    for (const target of targets) await ballast?.create(target, onProgress);
    for (const scenario of chooseScenarios(settings)) {
      rows.push(await runRounds(scenario, targets, { rounds: settings.rounds, onProgress }));
    }
  };
  await thenCleanUp(work, targets, async (target) => {
    await ballast?.delete(target, onProgress);
    await deleteTree(target, settings.path, onProgress);
  });
  return {
    format: 'zebu-bench/1',
    command,
    startedAt,
    machine: describeMachine(),
    servers,
    rounds: settings.rounds,
    rows,
    warnings: warningsFor(rows, servers),
  };
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

/** The processes behind loopback addresses; none unless every one of them is found. */
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
