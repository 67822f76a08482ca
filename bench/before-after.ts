// zebu of another checkout beside that of this one, each alone, with its defaults and fsync on: what a change gave
// or cost a single server.
//
//   git worktree add --detach /tmp/before COMMIT && (cd /tmp/before && npm run build) && npm run build
//   node --conditions=@zebu/source bench/before-after.ts /tmp/before [--rounds 5] [--seconds 3] [--only write,read]
//     [--bytes 128] [--keys 1000] [--connections 64] [--windows 1,16]
//
// The two take turns, run by run, each round in the other order. Ratios are of neighbours in time: on a busy machine
// look at the ratio's median, and at the CPU.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { significant, wholeNumber } from '../apps/bench/src/columns.ts';
import { describeMachine, machineLine } from '../apps/bench/src/machine.ts';
import { ratioOf, spreadOf } from '../apps/bench/src/statistics.ts';
import { markdownTable, range } from '../apps/bench/src/wide-table.ts';
import { BusyWatch } from './busy-watch.ts';
import { compileDrivers, zkload } from './drivers.ts';
import { startServer } from './servers.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    only: { type: 'string', default: 'read,write' },
    bytes: { type: 'string', default: '128' },
    keys: { type: 'string', default: '1000' },
    connections: { type: 'string', default: '64' },
    windows: { type: 'string', default: '1,16' },
  },
});
const [other] = positionals;
if (other === undefined) throw new Error('Which other checkout? bench/before-after.ts DIRECTORY');

const connections = Number(options.connections);
const shape = { bytes: Number(options.bytes), keys: Number(options.keys), connections };
const SIDES = ['before', 'after'] as const;
type Side = (typeof SIDES)[number];

const dir = mkdtempSync(join(tmpdir(), 'zebu-before-after-'));
// A server that is left behind is stopped by `startServer`'s own exit handler.
process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

const drivers = compileDrivers(dir);
const servers = {
  before: await startServer('zebu', { dataDir: join(dir, 'before'), checkout: resolve(other) }),
  after: await startServer('zebu', { dataDir: join(dir, 'after') }),
};
const busy = new BusyWatch();
const rates: Record<string, Record<Side, number[]>> = {};
const cpu: Record<string, Record<Side, number[]>> = {};
const loop: Record<string, Record<Side, number[]>> = {};
// Round -1 warms up, and counts for nothing.
for (let round = -1; round < Number(options.rounds); round++) {
  for (const mix of options.only.split(',')) {
    for (const window of options.windows.split(',').map(Number)) {
      for (const side of round % 2 === 0 ? SIDES : SIDES.toReversed()) {
        const server = servers[side];
        const load = { ...shape, mix, window, seconds: Number(options.seconds), warmUpSeconds: 0 };
        const loopBefore = loopSeconds(server.pid);
        const figures = await busy.during(server, () => zkload(drivers, server, load));
        const loopUs =
          (1e6 * (loopSeconds(server.pid) - loopBefore)) / (figures.rate * load.seconds);
        if (round < 0) continue;
        const name = `${mix}, ${connections} connections, ${window} in flight`;
        record(rates, name, side, figures.rate);
        record(cpu, name, side, figures.cpuUs);
        record(loop, name, side, loopUs);
      }
    }
  }
}
for (const side of SIDES) await servers[side].stop();
const table = [['what', 'unit', 'before', 'after', 'ratio']];
for (const name of Object.keys(rates)) {
  table.push(tableRow(name, 'requests/s', rates[name], wholeNumber));
  table.push(tableRow('the same: server CPU', 'us/request', cpu[name], significant));
  table.push(
    tableRow("the same: CPU of the event loop's thread", 'us/request', loop[name], significant),
  );
}
console.log(`${machineLine(describeMachine())}; others used ${busy.text()} cores meanwhile.`);
console.log(`Medians of ${options.rounds} rounds (smallest-largest); ratios after over before.\n`);
console.log(markdownTable(table));

/** CPU time of the process's first thread, which runs the event loop. Linux. */
function loopSeconds(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e9;
}

function record(
  values: Record<string, Record<Side, number[]>>,
  name: string,
  side: Side,
  value: number,
): void {
  values[name] ??= { before: [], after: [] };
  values[name][side].push(value);
  process.stderr.write(`${name}, ${side}: ${significant(value)}\n`);
}

function tableRow(
  name: string,
  unit: string,
  sides: Record<Side, number[]> | undefined,
  format: (value: number) => string,
): string[] {
  if (sides === undefined) throw new Error(`Nothing was measured of ${name}`);
  return [
    name,
    unit,
    range(spreadOf(sides.before), format),
    range(spreadOf(sides.after), format),
    range(ratioOf(sides.after, sides.before), (value) => value.toFixed(2)),
  ];
}
