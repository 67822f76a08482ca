// What the second thread of a fan-out does: writes to one place after the other, as long as they are free.

import {
  CLOSED,
  Control,
  DONE,
  type FanOutMemory,
  TAKEN,
  writeToDescriptor,
} from './fan-out-memory.ts';

/** The points between which the thread may be interrupted, in their order. */
export const WORK_STEPS = [
  'woken',
  'place seen',
  'place taken',
  'bytes written',
  'place done',
  'waiting for places',
  'all places done',
  'finished',
] as const;
export type WorkStep = (typeof WORK_STEPS)[number];

/** Returns after `idleMs` without work. `reached` is for tests, which end the thread at a step. */
export function workOnFanOuts(memory: FanOutMemory, reached: (step: WorkStep) => void = () => {}) {
  const { control, idleMs } = memory;
  let run = 0;
  while (Atomics.wait(control, Control.run, run, idleMs) !== 'timed-out') {
    run = Atomics.load(control, Control.run);
    reached('woken');
    writeToPlaces(memory, reached);
    reached('all places done');
    Atomics.store(control, Control.finished, run);
    reached('finished');
  }
}

function writeToPlaces(
  { control, slots, bytes }: FanOutMemory,
  reached: (step: WorkStep) => void,
): void {
  const length = control[Control.length] as number;
  let place = 0;
  for (;;) {
    const places = Atomics.load(control, Control.places);
    for (const end = places & ~CLOSED; place < end; place++) {
      const fd = Atomics.load(slots, place);
      if (fd < 0) continue;
      reached('place seen');
      if (Atomics.compareExchange(slots, place, fd, TAKEN) !== fd) continue;
      reached('place taken');
      const written = writeToDescriptor(fd, bytes, length);
      reached('bytes written');
      Atomics.store(slots, place, DONE - written);
      Atomics.notify(slots, place);
      reached('place done');
    }
    if ((places & CLOSED) !== 0) return;
    reached('waiting for places');
    Atomics.wait(control, Control.places, places);
  }
}
