/**
 * Writes the lines of the log to standard output, in the order of the calls. It never waits for the reader,
 * except when the process ends, and then at most FLUSH_LIMIT_MS.
 *
 * The lines of one turn of the event loop leave together, with a write that does not block: a pipe or a
 * socket is told not to, and for a file, whose disk may stand still, a thread does it. (Loggers from npm can
 * do one or the other: what pino hands to a thread overtakes, or is overtaken by, what is flushed at the
 * end; what it writes itself stops the server when a reader stands still.)
 */

import { fstatSync, write, writeSync } from 'node:fs';

/** How much is held for a slow reader, a character counted as a byte. Lines beyond it are lost (docs/LIMITS.md). */
const HELD_LIMIT_BYTES = 1024 * 1024;
/** How long after a refused write the next one is tried. */
const RETRY_MS = 100;
/** How long the end of the process waits for the reader, in all and at a time. */
const FLUSH_LIMIT_MS = 1000;
const FLUSH_RETRY_MS = 10;
/** How long a process that must end at once waits for a thread's write, which it cannot watch. */
const THREAD_LIMIT_MS = 100;

export interface LogOutputOptions {
  /** Writes the bytes or the first of them, and returns how many. Throws EAGAIN rather than wait. */
  readonly write: (bytes: Uint8Array) => number;
  /** Writes by a thread, without EAGAIN. Given where `write` would block. */
  readonly writeLater?: (
    bytes: Uint8Array,
    done: (error: Error | null, written: number) => void,
  ) => void;
  /** Blocks. */
  readonly sleep: (ms: number) => void;
  /** Called when the reader goes on, with the number of lines that were lost. */
  readonly onLost: (lines: number) => void;
}

/** A log's output to standard output. */
export function standardOutput(onLost: (lines: number) => void): LogOutput {
  // Reading process.stdout makes Node set a pipe or a socket there to non-blocking. A terminal stays
  // blocking: Ctrl-S stops the server that writes to it.
  const { fd } = process.stdout;
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  return new LogOutput({
    write: (bytes) => writeSync(fd, bytes),
    ...(fstatSync(fd).isFile() ? { writeLater: (bytes, done) => write(fd, bytes, done) } : {}),
    sleep: (ms) => Atomics.wait(sleeper, 0, 0, ms),
    onLost,
  });
}

const NOTHING = new Uint8Array(0);
const LINE_FEED = 0x0a;

export class LogOutput {
  private readonly options: LogOutputOptions;
  private lines: string[] = [];
  /** Of `lines`. */
  private heldBytes = 0;
  /** What is left of the lines that are being written. */
  private rest: Uint8Array = NOTHING;
  private lost = 0;
  private isScheduled = false;
  /** Whether a thread writes `rest`. */
  private isWriting = false;
  private whenSettled: (() => void)[] = [];
  /** Whether the last byte written was a line feed. */
  private endsLine = true;
  /** Lines that the file refused; reported when a write succeeds again. */
  private notTaken = 0;

  constructor(options: LogOutputOptions) {
    this.options = options;
  }

  /** Takes whole lines, each with its line feed. */
  write(line: string): void {
    if (this.heldBytes + this.rest.length > HELD_LIMIT_BYTES) {
      this.lost++;
      return;
    }
    this.lines.push(line);
    this.heldBytes += line.length;
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(this.writeTurn);
  }

  /** Resolves when a thread has nothing left to write. `flush` must still be called. */
  settled(): Promise<void> {
    if (this.options.writeLater === undefined) return Promise.resolve();
    const isSettled = new Promise<void>((resolve) => this.whenSettled.push(resolve));
    this.startWriting();
    return isSettled;
  }

  /** Writes out what is held: to be called before the process exits. Waits, but not for long. */
  flush(): void {
    if (this.isWriting) {
      this.options.sleep(THREAD_LIMIT_MS);
      this.isWriting = false;
      this.rest = NOTHING;
    }
    for (let ms = 0; !this.writeOut() && ms < FLUSH_LIMIT_MS; ms += FLUSH_RETRY_MS) {
      this.options.sleep(FLUSH_RETRY_MS);
    }
  }

  private readonly writeTurn = (): void => {
    if (this.options.writeLater !== undefined) {
      this.isScheduled = false;
      this.startWriting();
      return;
    }
    this.isScheduled = !this.writeOut();
    if (this.isScheduled) setTimeout(this.writeTurn, RETRY_MS).unref();
  };

  /** One write of a thread after the other. */
  private startWriting(): void {
    if (this.isWriting) return;
    if (!this.takeLines()) {
      for (const resolve of this.whenSettled.splice(0)) resolve();
      return;
    }
    this.isWriting = true;
    const bytes = this.rest;
    this.options.writeLater?.(bytes, (error, written) => {
      // A flush has given up waiting for this write.
      if (this.rest !== bytes) return;
      this.isWriting = false;
      if (error === null) {
        this.rest = bytes.subarray(written);
        this.endsLine = bytes[written - 1] === LINE_FEED;
        this.lost += this.notTaken;
        this.notTaken = 0;
      } else {
        // The disk is full, for instance: lines are lost, and the server goes on.
        this.rest = NOTHING;
        this.notTaken += bytes
          .subarray(1)
          .reduce((lines, byte) => lines + (byte === LINE_FEED ? 1 : 0), 0);
      }
      this.startWriting();
    });
  }

  /** Whether nothing is left. */
  private writeOut(): boolean {
    while (this.takeLines()) {
      try {
        this.rest = this.rest.subarray(this.options.write(this.rest));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false;
        // The reader is gone; the server goes on, and a named pipe may get another reader.
        this.rest = NOTHING;
      }
    }
    return true;
  }

  /** Moves the lines into `rest`. Returns whether there is something to write. */
  private takeLines(): boolean {
    if (this.rest.length > 0) return true;
    if (this.lines.length === 0 && this.lost > 0) {
      const lost = this.lost;
      this.lost = 0;
      this.options.onLost(lost);
    }
    const text = this.lines.join('');
    // The line before may have been cut off.
    this.rest = Buffer.from(text === '' || this.endsLine ? text : `\n${text}`);
    this.lines = [];
    this.heldBytes = 0;
    return this.rest.length > 0;
  }
}
