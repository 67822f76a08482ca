// Which scenarios a command line asks for.

import type { Settings } from './command-line.ts';
import { StormScenario } from './connect-storm.ts';
import { LoadScenario, type Scenario } from './scenario.ts';
import { FanOutScenario } from './watch-fan-out.ts';
import { createWorkload } from './workloads.ts';
import { ZkloadScenario } from './zkload.ts';

/** The suite's rows: command, connections and window. Small, usual, busy, many. */
const SUITE: readonly (readonly [string, number, number])[] = [
  ['get', 1, 1],
  ['get', 64, 1],
  ['get', 64, 16],
  ['get', 1000, 1],
  ['exists', 64, 16],
  ['set', 1, 1],
  ['set', 64, 1],
  ['set', 64, 16],
  ['set', 1000, 1],
  ['create', 64, 1],
  ['create', 64, 16],
  ['mixed', 64, 1],
  ['mixed', 64, 16],
  ['children', 64, 1],
  ['multi', 64, 1],
  ['multi', 64, 16],
  ['watch', 1000, 0],
  ['connect', 64, 0],
];

/** One for each row of the report. */
export function chooseScenarios(settings: Settings): Scenario[] {
  const { command, connections, windows } = settings;
  if (command === 'suite') {
    return SUITE.map(([name, count, window]) => scenario(settings, name, count, window));
  }
  if (command === 'watch' || command === 'connect') {
    return connections.map((count) => scenario(settings, command, count, 0));
  }
  return connections.flatMap((count) =>
    windows.map((window) => scenario(settings, command, count, window)),
  );
}

function scenario(settings: Settings, name: string, connections: number, window: number): Scenario {
  if (name === 'watch') return new FanOutScenario({ ...settings, watchers: connections });
  if (name === 'connect') return new StormScenario({ ...settings, connections });
  const load = { ...settings, connections, window };
  return settings.zkload === undefined
    ? new LoadScenario(createWorkload(name, load), load)
    : new ZkloadScenario(settings.zkload, name, load);
}
