// The second thread of a fan-out: writes from the last place towards the first, as long as places are free.

import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { Control, DONE, type FanOutMemory, TAKEN } from './fan-out-memory.ts';

const { control, slots, bytes, idleMs } = workerData as FanOutMemory;

let run = 0;
while (Atomics.wait(control, Control.run, run, idleMs) !== 'timed-out') {
  run = Atomics.load(control, Control.run);
  const length = control[Control.length] as number;
  for (let place = (control[Control.count] as number) - 1; place >= 0; place--) {
    const fd = Atomics.load(slots, place);
    if (fd < 0 || Atomics.compareExchange(slots, place, fd, TAKEN) !== fd) continue;
    Atomics.store(slots, place, DONE - written(fd, length));
    Atomics.notify(slots, place);
  }
  Atomics.store(control, Control.finished, run);
}

/** 0 too if the socket is full or broken: the first thread tries again, and finds out. */
function written(fd: number, length: number): number {
  try {
    return writeSync(fd, bytes, 0, length);
  } catch {
    return 0;
  }
}
