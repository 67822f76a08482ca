import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LogOutput } from '../src/log-output.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** A reader that takes `room` bytes before it stands still. */
class Reader {
  taken = '';
  writes = 0;
  sleptMs = 0;
  room: number;
  failure: string | undefined;
  /** What happens while the output sleeps. */
  meanwhile: () => void = () => {};
  readonly output: LogOutput;

  constructor(room = Number.POSITIVE_INFINITY) {
    this.room = room;
    this.output = new LogOutput({
      write: (bytes) => this.write(bytes),
      sleep: (ms) => {
        this.sleptMs += ms;
        this.meanwhile();
      },
      onLost: (lines) => this.output.write(`lost ${lines}\n`),
    });
  }

  private write(bytes: Uint8Array): number {
    this.writes++;
    const code = this.failure ?? (this.room === 0 ? 'EAGAIN' : undefined);
    if (code !== undefined) throw Object.assign(new Error(code), { code });
    const count = Math.min(this.room, bytes.length);
    this.room -= count;
    this.taken += Buffer.from(bytes.subarray(0, count)).toString('latin1');
    return count;
  }
}

test('the lines of a turn leave with one write, in the order of the calls', () => {
  const reader = new Reader();
  reader.output.write('a\n');
  reader.output.write('b\n');
  expect(reader.writes).toBe(0);
  vi.runAllTimers();
  expect([reader.taken, reader.writes]).toEqual(['a\nb\n', 1]);
});

test('a flush writes what the turn has said so far, and waits for nobody who reads', () => {
  const reader = new Reader();
  reader.output.write('Stopping\n');
  reader.output.write('Stopped\n');
  reader.output.flush();
  expect([reader.taken, reader.sleptMs]).toEqual(['Stopping\nStopped\n', 0]);
  vi.runAllTimers();
  expect(reader.taken).toBe('Stopping\nStopped\n');
});

test('a reader that stops anywhere in the lines gets the rest later, once and in order', () => {
  for (let room = 0; room <= 10; room++) {
    const reader = new Reader(room);
    reader.output.write('first\n');
    vi.advanceTimersByTime(1);
    reader.output.write('last\n');
    vi.advanceTimersByTime(1000);
    expect(reader.taken).toBe('first\nlast\n'.slice(0, room));
    reader.room = Number.POSITIVE_INFINITY;
    vi.advanceTimersByTime(100);
    expect(reader.taken).toBe('first\nlast\n');
  }
});

test('a flush waits a second for a reader that stands still, no longer', () => {
  const reader = new Reader(2);
  reader.output.write('Stopped\n');
  reader.output.flush();
  expect([reader.taken, reader.sleptMs]).toEqual(['St', 1000]);
});

test('a flush goes on as soon as the reader does', () => {
  const reader = new Reader(2);
  reader.meanwhile = () => {
    if (reader.sleptMs === 50) reader.room = 100;
  };
  reader.output.write('Stopped\n');
  reader.output.flush();
  expect([reader.taken, reader.sleptMs]).toEqual(['Stopped\n', 50]);
});

test('what a reader leaves unread is bounded, and the loss is told when it reads again', () => {
  const reader = new Reader(0);
  const line = `${'x'.repeat(1023)}\n`;
  for (let i = 0; i < 1500; i++) reader.output.write(line);
  vi.advanceTimersByTime(500);
  for (let i = 0; i < 1500; i++) reader.output.write(line);
  reader.room = Number.POSITIVE_INFINITY;
  vi.advanceTimersByTime(100);
  expect(reader.taken).toBe(`${line.repeat(1025)}lost 1975\n`);
  reader.output.write('as ever\n');
  vi.runAllTimers();
  expect(reader.taken.endsWith('lost 1975\nas ever\n')).toBe(true);
});

test('a reader that went away costs its lines only, and another one gets what comes after', () => {
  const reader = new Reader();
  reader.failure = 'EPIPE';
  reader.output.write('nobody\n');
  reader.output.flush();
  expect(reader.sleptMs).toBe(0);
  reader.failure = undefined;
  reader.output.write('somebody\n');
  vi.runAllTimers();
  expect(reader.taken).toBe('somebody\n');
});

/** A file whose disk writes `atOnce` bytes each time it is let. */
class SlowFile {
  taken = '';
  sleptMs = 0;
  failure: Error | null = null;
  atOnce = Number.POSITIVE_INFINITY;
  private pending: (() => void) | undefined;
  readonly output = new LogOutput({
    write: (bytes) => this.take(bytes),
    writeLater: (bytes, done) => {
      expect(this.pending).toBeUndefined();
      this.pending = () => done(this.failure, this.failure === null ? this.take(bytes) : 0);
    },
    sleep: (ms) => {
      this.sleptMs += ms;
    },
    onLost: (lines) => this.output.write(`lost ${lines}\n`),
  });

  get isAsked(): boolean {
    return this.pending !== undefined;
  }

  /** The disk does what it was asked for. */
  go(): void {
    const pending = this.pending;
    this.pending = undefined;
    pending?.();
  }

  private take(bytes: Uint8Array): number {
    const count = Math.min(this.atOnce, bytes.length);
    this.taken += Buffer.from(bytes.subarray(0, count)).toString('latin1');
    return count;
  }
}

test('a file is written by a thread, one write after the other, in the order of the calls', () => {
  const file = new SlowFile();
  file.atOnce = 3;
  file.output.write('first\n');
  vi.runAllTimers();
  file.output.write('second\n');
  vi.runAllTimers();
  file.output.write('third\n');
  vi.runAllTimers();
  expect(file.taken).toBe('');
  while (file.isAsked) file.go();
  expect(file.taken).toBe('first\nsecond\nthird\n');
  expect(file.sleptMs).toBe(0);
});

test('it is settled once the last line is written', async () => {
  const file = new SlowFile();
  let isSettled = false;
  file.output.write('a\n');
  vi.runAllTimers();
  file.output.write('b\n');
  const settled = file.output.settled().then(() => {
    isSettled = true;
  });
  file.go();
  await Promise.resolve();
  expect([file.taken, isSettled]).toEqual(['a\n', false]);
  file.go();
  await settled;
  file.output.flush();
  expect([file.taken, file.sleptMs]).toEqual(['a\nb\n', 0]);
  await file.output.settled();
});

test('a flush gives the thread its time, then writes what is left, nothing twice', () => {
  const file = new SlowFile();
  file.output.write('a\n');
  vi.runAllTimers();
  file.output.write('b\n');
  file.output.flush();
  expect(file.sleptMs).toBe(100);
  expect(file.taken).toBe('b\n');
  file.go();
  expect(file.isAsked).toBe(false);
});

test('lines that a full disk does not take are lost and told of later; the next one is whole', () => {
  const file = new SlowFile();
  file.atOnce = 3;
  file.output.write('first\n');
  vi.runAllTimers();
  file.go();
  expect(file.taken).toBe('fir');
  file.failure = new Error('ENOSPC');
  file.go();
  file.output.write('second\n');
  vi.runAllTimers();
  file.go();
  expect([file.taken, file.isAsked]).toEqual(['fir', false]);
  file.failure = null;
  file.atOnce = Number.POSITIVE_INFINITY;
  file.output.write('third\n');
  vi.runAllTimers();
  while (file.isAsked) {
    file.go();
    vi.runAllTimers();
  }
  expect(file.taken).toBe('fir\nthird\nlost 2\n');
});
