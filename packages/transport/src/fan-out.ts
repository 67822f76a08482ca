// The same bytes to thousands of connections, written by two threads: this one from the front, a second one
// from the back, until they meet.
//
// A write to a socket is 8 us of the kernel's time, whatever JavaScript does: one change that ten thousand
// clients watch keeps one thread busy for a tenth of a second. File descriptors are the process's, so
// a worker can write(2) to them; the rest of a connection stays with this thread.
//
// Each connection's place in `slots` says who writes to it, and both threads take it by compare-and-exchange:
//
//   fd >= 0 ──► OURS                  this thread has taken it (back), and writes by itself
//      │
//      └──────► TAKEN ──► DONE - n    the second thread has written n bytes
//
// A connection takes its place back before anything else happens to it, so nothing overtakes the bytes, and
// no descriptor is written to after it was closed.

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Connection, FanOut } from './connection.ts';
import { Control, DONE, type FanOutMemory, OURS, TAKEN } from './fan-out-memory.ts';

/** Waking the second thread up for fewer does not pay. */
const MIN_SHARED = 256;
/** Longer messages spend their time on being copied. */
const MAX_SHARED_BYTES = 64 * 1024;
/** Written to by this thread in one step. */
const STEP = 32;
const MIN_PLACES = 16_384;
/** A second thread that nobody needs ends, and gives its memory back. */
const IDLE_MS = 60_000;

const THREAD = new URL(
  import.meta.url.endsWith('.ts') ? './fan-out-thread.ts' : './fan-out-thread.js',
  import.meta.url,
);

/** A connection that can share its file descriptor. */
export interface Recipient extends Connection {
  /** Takes part from now on: the file descriptor, or a negative number if only this thread may write. */
  joinFanOut(fanOut: SharedFanOut, place: number): number;
  /** If it still takes part in this one, writes what nobody has written yet. True if it wrote. */
  leaveFanOut(fanOut: SharedFanOut): boolean;
}

/** The second thread of one network, and the fan-out that it is at work for. */
export class FanOutThread {
  private memory: FanOutMemory | undefined;
  private isUnavailable: boolean;
  private runs: number;
  /** Whose places are in the memory. */
  private last: SharedFanOut | undefined;
  private readonly file: URL;
  private readonly idleMs: number;

  /** `file`: the code of the second thread, which ends when it was idle for so long. */
  constructor({ file = THREAD, idleMs = IDLE_MS } = {}) {
    this.file = file;
    this.idleMs = idleMs;
    this.memory = undefined;
    this.isUnavailable = availableParallelism() < 2;
    this.runs = 0;
    this.last = undefined;
  }

  /** Connections that cannot share are written to at once. */
  fanOut(bytes: Buffer, connections: readonly Connection[]): FanOut {
    const recipients: Recipient[] = [];
    for (const connection of connections) {
      if (isRecipient(connection)) recipients.push(connection);
      else connection.write(bytes, 0, bytes.length);
    }
    const memory =
      recipients.length >= MIN_SHARED && bytes.length <= MAX_SHARED_BYTES
        ? this.idleMemory(recipients.length)
        : undefined;
    const fanOut = new SharedFanOut(bytes, recipients, memory?.slots);
    if (memory !== undefined) {
      memory.bytes.set(bytes);
      memory.control[Control.length] = bytes.length;
      memory.control[Control.count] = recipients.length;
      this.runs++;
      this.last = fanOut;
      Atomics.store(memory.control, Control.run, this.runs);
      Atomics.notify(memory.control, Control.run);
    }
    return fanOut;
  }

  /** Undefined while an earlier one needs it, or where there can be no second thread. */
  private idleMemory(places: number): FanOutMemory | undefined {
    const { memory } = this;
    if (memory === undefined) return this.start(places);
    // Neither thread may still look at the places of the last one.
    const isFinished = Atomics.load(memory.control, Control.finished) === this.runs;
    if (!isFinished || this.last?.isOver === false) return undefined;
    if (memory.slots.length >= places) return memory;
    // It ends by itself when it finds no more use; a larger one takes over.
    return this.start(places);
  }

  private start(places: number): FanOutMemory | undefined {
    if (this.isUnavailable) return undefined;
    const memory: FanOutMemory = {
      control: new Int32Array(new SharedArrayBuffer(4 * Control.words)),
      slots: new Int32Array(new SharedArrayBuffer(4 * Math.max(2 * places, MIN_PLACES))),
      bytes: new Uint8Array(new SharedArrayBuffer(MAX_SHARED_BYTES)),
      idleMs: this.idleMs,
    };
    const forget = (): void => {
      if (this.memory === memory) this.memory = undefined;
    };
    try {
      const thread = new Worker(this.file, {
        name: 'zebu-fan-out',
        workerData: memory,
        execArgv: [],
        resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16 },
      });
      thread.unref();
      thread.once('exit', forget);
      thread.once('error', () => {
        this.isUnavailable = true;
      });
    } catch {
      // Node's permission model without --allow-worker, or no memory for a thread.
      this.isUnavailable = true;
      return undefined;
    }
    this.runs = 0;
    this.last = undefined;
    this.memory = memory;
    return memory;
  }
}

/** For networks without sockets: all in no time. */
export function fanOutAtOnce(bytes: Buffer, connections: readonly Connection[]): FanOut {
  for (const connection of connections) connection.write(bytes, 0, bytes.length);
  return { step: () => false };
}

function isRecipient(connection: Connection): connection is Recipient {
  return 'joinFanOut' in connection;
}

/** One message on its way. */
export class SharedFanOut implements FanOut {
  readonly bytes: Buffer;
  private readonly recipients: readonly Recipient[];
  /** Undefined: this thread writes to all. */
  private readonly slots: Int32Array | undefined;
  private next: number;

  constructor(bytes: Buffer, recipients: readonly Recipient[], slots: Int32Array | undefined) {
    this.bytes = bytes;
    this.recipients = recipients;
    this.slots = slots;
    this.next = 0;
    for (let place = 0; place < recipients.length; place++) {
      const fd = (recipients[place] as Recipient).joinFanOut(this, place);
      if (slots !== undefined) slots[place] = fd < 0 ? OURS : fd;
    }
  }

  /** Nobody takes part any more. */
  get isOver(): boolean {
    return this.next === this.recipients.length;
  }

  step(): boolean {
    const { recipients } = this;
    for (let written = 0; written < STEP && this.next < recipients.length; ) {
      const recipient = recipients[this.next++] as Recipient;
      if (recipient.leaveFanOut(this)) written++;
    }
    return !this.isOver;
  }

  /** How many bytes the second thread has written there; from now on it writes no more. */
  takeBack(place: number): number {
    const { slots } = this;
    if (slots === undefined) return 0;
    let state = Atomics.load(slots, place);
    if (state >= 0) {
      const found = Atomics.compareExchange(slots, place, state, OURS);
      if (found === state) return 0;
      state = found;
    }
    while (state === TAKEN) {
      // It is in the middle of a write, or has lost its core there: this thread makes room for it.
      Atomics.wait(slots, place, TAKEN, 10);
      state = Atomics.load(slots, place);
    }
    return state === OURS ? 0 : DONE - state;
  }
}
