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
//
// A second thread that dies or stands still on a TAKEN place leaves one connection of which nobody knows what
// was written. That one is closed, but not before the thread has ended: its descriptor would become
// somebody else's. This thread then writes alone for good.

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Connection, FanOut } from './connection.ts';
import { CLOSED, Control, DONE, type FanOutMemory, OURS, TAKEN } from './fan-out-memory.ts';

/** Waking the second thread up for fewer does not pay. */
const MIN_SHARED = 256;
/** Longer messages spend their time on being copied. */
const MAX_SHARED_BYTES = 64 * 1024;
/** Recipients after these are written to by this thread. Four bytes each, taken from the system when used. */
const MAX_PLACES = 1 << 20;
/** So many are written to by this thread in one step, and shown to the second thread together. */
const STEP = 32;
/** A second thread that nobody needs ends, and gives its memory back. */
const IDLE_MS = 60_000;
/**
 * A write to a socket takes some 10 us. The second thread may lose its core in the middle of one, on a busy machine
 * for many times that. Waiting holds the loop.
 */
const WAIT_LIMIT_MS = 1000;
/** A thread that was told to end may finish one more write. */
const ENDING_LIMIT_MS = 20;

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

export interface FanOutThreadOptions {
  /** False: there is no second thread. Default: with two cores or more. */
  readonly enabled?: boolean;
  /** Told, once, why there is no second thread any more. */
  readonly warn?: (reason: string) => void;
  /** The code of the second thread. */
  readonly file?: URL;
  /** It ends when it was idle for so long. */
  readonly idleMs?: number;
  /** So long it may take over one write before it counts as dead. */
  readonly waitLimitMs?: number;
}

/** The second thread of one network. */
export class FanOutThread {
  private readonly options: Required<FanOutThreadOptions>;
  private worker: Worker | undefined;
  private memory: FanOutMemory | undefined;
  private isUnavailable: boolean;
  private runs: number;
  /** Whose places are in the memory. */
  private last: SharedFanOut | undefined;
  /** Called when the worker has ended. */
  private readonly waiting: (() => void)[];

  constructor(options: FanOutThreadOptions = {}) {
    this.options = {
      enabled: availableParallelism() >= 2,
      warn: () => {},
      file: THREAD,
      idleMs: IDLE_MS,
      waitLimitMs: WAIT_LIMIT_MS,
      ...options,
    };
    this.worker = undefined;
    this.memory = undefined;
    this.isUnavailable = !this.options.enabled;
    this.runs = 0;
    this.last = undefined;
    this.waiting = [];
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

  /**
   * Waits until the second thread has left this place. False: it does not, within the limit, and is ended. What
   * it has written there is not known, and it may still write until it has ended.
   */
  awaitPlace(slots: Int32Array, place: number): boolean {
    const limitMs = this.isUnavailable ? ENDING_LIMIT_MS : this.options.waitLimitMs;
    const untilMs = performance.now() + limitMs;
    // The second thread is in the middle of a write, or lost its core there: sleeping makes room for it.
    while (Atomics.load(slots, place) === TAKEN) {
      if (this.worker === undefined || performance.now() > untilMs) {
        this.giveUp(`it stood still for ${limitMs} ms over one write`);
        return false;
      }
      Atomics.wait(slots, place, TAKEN, 10);
    }
    return true;
  }

  /** Calls back when the second thread writes no more: later, also when it has ended already. */
  whenEnded(callback: () => void): void {
    if (this.worker === undefined) setImmediate(callback);
    else this.waiting.push(callback);
  }

  /** From now on there is one thread. */
  private giveUp(reason: string): void {
    if (this.isUnavailable) return;
    this.isUnavailable = true;
    this.memory = undefined;
    void this.worker?.terminate();
    this.options.warn(reason);
  }

  private start(): FanOutMemory | undefined {
    if (this.isUnavailable) return undefined;
    let memory: FanOutMemory;
    try {
      memory = {
        control: new Int32Array(new SharedArrayBuffer(4 * Control.words)),
        slots: new Int32Array(new SharedArrayBuffer(4 * MAX_PLACES)),
        bytes: new Uint8Array(new SharedArrayBuffer(MAX_SHARED_BYTES)),
        idleMs: this.options.idleMs,
      };
      const thread = new Worker(this.options.file, {
        name: 'zebu-fan-out',
        workerData: memory,
        execArgv: [],
        resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16 },
      });
      thread.unref();
      thread.once('error', (error: Error) => this.giveUp(error.message));
      thread.once('exit', (code) => {
        this.worker = undefined;
        this.memory = undefined;
        // With 0 it was idle.
        if (code !== 0) this.giveUp(`it ended with code ${code}`);
        for (const callback of this.waiting.splice(0)) callback();
      });
      this.worker = thread;
    } catch (error) {
      // Node's permission model without --allow-worker, or no memory for a thread.
      this.giveUp((error as Error).message);
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

  /**
   * How many bytes the second thread has written there; from now on it writes no more. UNKNOWN if it died or
   * stands still in the middle of that: the connection is of no use any more, see whenThreadEnded().
   */
  takeBack(place: number): number {
    const slots = this.memory?.slots;
    if (slots === undefined || place >= slots.length) return 0;
    const state = Atomics.load(slots, place);
    if (state >= 0 && Atomics.compareExchange(slots, place, state, OURS) === state) return 0;
    if (!this.thread.awaitPlace(slots, place)) return UNKNOWN;
    const final = Atomics.load(slots, place);
    return final === OURS ? 0 : DONE - final;
  }

  /** Calls back when the second thread can write to no descriptor any more. */
  whenThreadEnded(callback: () => void): void {
    this.thread.whenEnded(callback);
  }
}

/** Nobody knows how much was written. */
export const UNKNOWN = -1;

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
