// A million watches: of 1,000 watchers on 1,000 paths each, then of 10,000 on one path; restarts of
// all clients. Run: node --expose-gc --conditions=@zebu/source bench/million-watches.ts

import { Buffer } from 'node:buffer';
import { EventType } from '@zebu/protocol';
import { PathTable, WatchMode, WatchTable } from '../src/index.ts';
import { cpuUs, measure, print, rssMb } from './support.ts';

const WATCHERS = 1000;
const PATHS = 1000;
const CROWD = 10_000;

const paths = new PathTable();
const watches = new WatchTable(paths);
const ids: number[] = [];
for (let i = 0; i < WATCHERS * PATHS; i++) {
  const bytes = Buffer.from(`/app/${i % WATCHERS}/item-${Math.floor(i / WATCHERS)}`);
  ids.push(paths.intern(bytes, 0, bytes.length));
}

const before = rssMb();
const addAll = (name: string): void =>
  measure(name, ids.length, (i) => watches.add(ids[i] as number, i % WATCHERS, WatchMode.data));
addAll('add a data watch');
print('memory', `${(rssMb() - before).toFixed(0)} MB more RSS for ${watches.size} watches`);

let told = 0;
const tell = (): void => {
  told++;
};
measure('trigger, one watcher, used up', ids.length / 2, (i) => {
  watches.trigger(ids[i] as number, EventType.nodeDataChanged, tell);
});
measure('trigger, nobody watches', ids.length / 2, (i) => {
  watches.trigger(ids[i] as number, EventType.nodeDataChanged, tell);
});
addAll('add again');

let longest = 0;
let slices = 0;
const begin = cpuUs();
for (let watcher = 0; watcher < WATCHERS; watcher++) {
  for (let done = false; !done; slices++) {
    const start = cpuUs();
    done = watches.removeWatcher(watcher, 500);
    longest = Math.max(longest, (cpuUs() - start) / 1000);
  }
}
const perWatch = ((cpuUs() - begin) * 1000) / ids.length;
print(
  'end of all watchers, 500 a slice',
  `${perWatch.toFixed(0)} ns a watch, ${slices} slices, longest ${longest.toFixed(2)} ms`,
);

const one = ids[0] as number;
for (const [name, mode] of [
  ['data', WatchMode.data],
  ['persistent', WatchMode.persistent],
] as const) {
  const rounds = 100;
  const start = cpuUs();
  told = 0;
  for (let round = 0; round < rounds; round++) {
    if (round === 0 || mode === WatchMode.data) {
      for (let watcher = 0; watcher < CROWD; watcher++) watches.add(one, watcher, mode);
    }
    watches.trigger(one, EventType.nodeDataChanged, tell);
  }
  print(
    `one change to 10,000 ${name} watchers`,
    `${(((cpuUs() - start) * 1000) / told).toFixed(0)} ns a watcher`,
  );
}
