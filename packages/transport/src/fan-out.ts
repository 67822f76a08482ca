// The same bytes to thousands of connections, written by two threads: a second one from the front, this one
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
import { CLOSED, Control, DONE, type FanOutMemory, OURS, TAKEN } from './fan-out-memory.ts';

/** Waking the second thread up for fewer does not pay. */
const MIN_SHARED = 256;
/** Longer messages spend their time on being copied. */
const MAX_SHARED_BYTES = 64 * 1024;
/** Whoever comes behind these is written to by this thread. Four bytes each, taken from the system when used. */
const MAX_PLACES = 1 << 20;
/** So many are written to by this thread in one step, and shown to the second thread together. */
const STEP = 32;
/** A second thread that nobody needs ends, and gives its memory back. */
const IDLE_MS = 60_000;

const THREAD = new URL(
  import.meta.url.endsWith('.ts') ? './fan-out-thread.ts' : './fan-out-thread.js',
  import.meta.url,
);

/** A connection that can share its file descriptor. */
export interface Recipient extends Connection {
  /** Takes part from now on. False: it is ending or closed. */
  joinFanOut(fanOut: SharedFanOut, place: number): boolean;
  /** Its file descriptor; a negative number if it takes no part in this one, or only this thread may write. */
  descriptorFor(fanOut: SharedFanOut): number;
  /** If it still takes part in this one, writes what nobody has written yet. True if it wrote. */
  leaveFanOut(fanOut: SharedFanOut): boolean;
}

/** The second thread of one network. */
export class FanOutThread {
  private readonly file: URL;
  private readonly idleMs: number;
  private memory: FanOutMemory | undefined;
  private isUnavailable: boolean;
  private runs: number;
  /** Whose places are in the memory. */
  private last: SharedFanOut | undefined;

  /** `file`: the code of the second thread, which ends when it was idle for so long. */
  constructor({ file = THREAD, idleMs = IDLE_MS } = {}) {
    this.file = file;
    this.idleMs = idleMs;
    this.memory = undefined;
    this.isUnavailable = availableParallelism() < 2;
    this.runs = 0;
    this.last = undefined;
  }

  /** Sets the second thread to work for this one. Undefined while it works for another, or where there is none. */
  workFor(fanOut: SharedFanOut): FanOutMemory | undefined {
    if (fanOut.bytes.length > MAX_SHARED_BYTES) return undefined;
    this.memory ??= this.start();
    const { memory } = this;
    // This thread may still need what the places of the last one say, the second may still go through them.
    if (memory === undefined || this.last?.isOver === false) return undefined;
    if (Atomics.load(memory.control, Control.finished) !== this.runs) return undefined;
    this.last = fanOut;
    this.runs++;
    memory.bytes.set(fanOut.bytes);
    memory.control[Control.length] = fanOut.bytes.length;
    Atomics.store(memory.control, Control.places, 0);
    Atomics.store(memory.control, Control.run, this.runs);
    Atomics.notify(memory.control, Control.run);
    return memory;
  }

  private start(): FanOutMemory | undefined {
    if (this.isUnavailable) return undefined;
    let memory: FanOutMemory;
    try {
      memory = {
        control: new Int32Array(new SharedArrayBuffer(4 * Control.words)),
        slots: new Int32Array(new SharedArrayBuffer(4 * MAX_PLACES)),
        bytes: new Uint8Array(new SharedArrayBuffer(MAX_SHARED_BYTES)),
        idleMs: this.idleMs,
      };
      const thread = new Worker(this.file, {
        name: 'zebu-fan-out',
        workerData: memory,
        execArgv: [],
        resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16 },
      });
      thread.unref();
      thread.once('exit', () => {
        this.memory = undefined;
      });
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
    return memory;
  }
}

/** One message on its way. */
export class SharedFanOut implements FanOut {
  readonly bytes: Buffer;
  private readonly thread: FanOutThread;
  private readonly recipients: Recipient[];
  /** Undefined: this thread writes to all. */
  private memory: FanOutMemory | undefined;
  /** This thread has been to all places from here on. */
  private end: number;
  private isComplete: boolean;

  constructor(bytes: Buffer, thread: FanOutThread) {
    this.bytes = bytes;
    this.thread = thread;
    this.recipients = [];
    this.memory = undefined;
    this.end = 0;
    this.isComplete = false;
  }

  add(connection: Connection): void {
    const { bytes, memory, recipients } = this;
    if (!isRecipient(connection)) {
      connection.write(bytes, 0, bytes.length);
      return;
    }
    const place = recipients.length;
    if (!connection.joinFanOut(this, place)) return;
    recipients.push(connection);
    if (memory !== undefined) {
      this.fillIn(memory, place);
      if (recipients.length % STEP === 0) this.publish(memory, 0);
    } else if (recipients.length === MIN_SHARED) {
      this.share();
    }
  }

  /** Passes all that the second thread has written to, and writes to some itself. */
  step(): boolean {
    if (!this.isComplete) this.complete();
    for (let written = 0; written < STEP && this.end > 0; ) {
      const recipient = this.recipients[--this.end] as Recipient;
      if (recipient.leaveFanOut(this)) written++;
    }
    return this.end > 0;
  }

  /** Nobody takes part any more. */
  get isOver(): boolean {
    return this.isComplete && this.end === 0;
  }

  /** All are added. */
  private complete(): void {
    // The second thread may have become free since.
    if (this.memory === undefined && this.recipients.length >= MIN_SHARED) this.share();
    if (this.memory !== undefined) this.publish(this.memory, CLOSED);
    this.isComplete = true;
    this.end = this.recipients.length;
  }

  private share(): void {
    const memory = this.thread.workFor(this);
    if (memory === undefined) return;
    this.memory = memory;
    for (let place = 0; place < this.recipients.length; place++) this.fillIn(memory, place);
    this.publish(memory, 0);
  }

  private fillIn({ slots }: FanOutMemory, place: number): void {
    const fd = (this.recipients[place] as Recipient).descriptorFor(this);
    slots[place] = fd < 0 ? OURS : fd;
  }

  private publish({ control, slots }: FanOutMemory, flag: number): void {
    const places = Math.min(this.recipients.length, slots.length);
    Atomics.store(control, Control.places, places | flag);
    Atomics.notify(control, Control.places);
  }

  /** How many bytes the second thread has written there; from now on it writes no more. */
  takeBack(place: number): number {
    const slots = this.memory?.slots;
    if (slots === undefined || place >= slots.length) return 0;
    let state = Atomics.load(slots, place);
    if (state >= 0) {
      const found = Atomics.compareExchange(slots, place, state, OURS);
      if (found === state) return 0;
      state = found;
    }
    while (state === TAKEN) {
      // The second thread is in the middle of a write, or lost its core there: sleeping makes room for it. It does
      // nothing else between TAKEN and DONE, and ends only when it is idle.
      Atomics.wait(slots, place, TAKEN, 10);
      state = Atomics.load(slots, place);
    }
    return state === OURS ? 0 : DONE - state;
  }
}

/** For networks without sockets: written to as they are added. */
export class FanOutAtOnce implements FanOut {
  private readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  add(connection: Connection): void {
    connection.write(this.bytes, 0, this.bytes.length);
  }

  step(): boolean {
    return false;
  }
}

function isRecipient(connection: Connection): connection is Recipient {
  return 'joinFanOut' in connection;
}
