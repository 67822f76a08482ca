// The second thread of a fan-out: writes to one place after the other, as long as they are free.

import { workerData } from 'node:worker_threads';
import {
  CLOSED,
  Control,
  DONE,
  type FanOutMemory,
  TAKEN,
  writeToDescriptor,
} from './fan-out-memory.ts';

const { control, slots, bytes, idleMs } = workerData as FanOutMemory;

let run = 0;
while (Atomics.wait(control, Control.run, run, idleMs) !== 'timed-out') {
  run = Atomics.load(control, Control.run);
  writeToPlaces(control[Control.length] as number);
  Atomics.store(control, Control.finished, run);
}

function writeToPlaces(length: number): void {
  let place = 0;
  for (;;) {
    const places = Atomics.load(control, Control.places);
    for (const end = places & ~CLOSED; place < end; place++) {
      const fd = Atomics.load(slots, place);
      if (fd < 0 || Atomics.compareExchange(slots, place, fd, TAKEN) !== fd) continue;
      Atomics.store(slots, place, DONE - writeToDescriptor(fd, bytes, length));
      Atomics.notify(slots, place);
    }
    if ((places & CLOSED) !== 0) return;
    Atomics.wait(control, Control.places, places);
  }
}
