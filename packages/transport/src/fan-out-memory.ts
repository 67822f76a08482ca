// What the two threads of a fan-out share (fan-out.ts says how they use it).

import { writeSync } from 'node:fs';

export interface FanOutMemory {
  /** Words numbered by Control. */
  readonly control: Int32Array;
  /** One place for each recipient: a file descriptor, OURS, TAKEN, or DONE - bytes written. */
  readonly slots: Int32Array;
  /** The message. */
  readonly bytes: Uint8Array;
  /** Without work for so long, the second thread ends. */
  readonly idleMs: number;
}

export const Control = {
  /** Number of the fan-out at hand. Written last, and waited for. */
  run: 0,
  /** Number of the last one that the second thread will not look at again. */
  finished: 1,
  /** Places that are filled in, with CLOSED once no more will be. Waited for, too. */
  places: 2,
  /** Bytes of the message. */
  length: 3,
  words: 4,
} as const;

/** Added to the number of places. */
export const CLOSED = 1 << 30;

/** The second thread is writing there. */
export const TAKEN = -1;
/** Only the first thread writes there. */
export const OURS = -2;
/** The second thread has written DONE - state bytes there; 0 too when the kernel refused them. */
export const DONE = -3;

/** How many bytes the kernel took at once; 0 too if the socket is full or broken, which its handle finds out. */
export function writeToDescriptor(fd: number, bytes: Uint8Array, length: number): number {
  try {
    return writeSync(fd, bytes, 0, length);
  } catch {
    return 0;
  }
}
