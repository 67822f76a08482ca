// When frames are taken: reasons to stop come and go, each by itself.

import type { Connection } from '@zebu/transport';
import { describe, expect, test } from 'vitest';
import { defaultServerConfig } from '../src/config/server-config.ts';
import { ConnectionInput, Stop } from '../src/connection/connection-input.ts';
import { Throttle } from '../src/turns/throttle.ts';
import { Turns } from '../src/turns/turns.ts';
import { ManualTime } from './support/manual-time.ts';

/** An input whose frames are letters; `onFrame` is called with each, while it is being taken. */
function make(onFrame: (letter: string, input: ConnectionInput) => void = () => {}) {
  const time = new ManualTime();
  const turns = new Turns(time, time);
  const throttle = new Throttle({
    config: defaultServerConfig({}),
    random: () => 0,
    nowMs: () => turns.nowMs,
  });
  const transport = {
    isPaused: false,
    pause() {
      this.isPaused = true;
    },
    resume() {
      this.isPaused = false;
    },
  };
  let taken = '';
  const failures: Error[] = [];
  const input = new ConnectionInput(
    {
      frame(bytes, start, end) {
        const letter = bytes.toString('latin1', start, end);
        taken += letter;
        onFrame(letter, input);
      },
      failed: (error) => failures.push(error),
    },
    transport as unknown as Connection,
    turns,
    100,
  );
  const send = (letters: string): void => {
    const bytes = Buffer.concat([...letters].map(frameOf));
    input.take(bytes, 0, bytes.length);
  };
  return { time, turns, throttle, transport, input, failures, send, taken: () => taken };
}

function frameOf(letter: string): Buffer {
  return Buffer.concat([Buffer.from([0, 0, 0, 1]), Buffer.from(letter, 'latin1')]);
}

/** Those that are lifted some time. */
const REASONS = Object.entries(Stop).filter(([name]) => name !== 'shutdown' && name !== 'closed');
const PAIRS = REASONS.flatMap(([one, a]) =>
  REASONS.filter(([other]) => other !== one).map(([other, b]) => [one, other, a, b] as const),
);

describe('a reason to stop', () => {
  test.each(REASONS)('%s leaves the rest of the burst for when it is gone', (_, reason) => {
    const { input, transport, send, taken } = make((letter) => {
      if (letter === 'b') input.stop(reason);
    });
    send('abcd');
    // Who has nothing more to say needs no pause.
    expect([taken(), transport.isPaused]).toEqual(['ab', false]);
    send('ef');
    expect([taken(), transport.isPaused]).toEqual(['ab', true]);
    input.goOn(reason);
    expect([taken(), transport.isPaused]).toEqual(['abcdef', false]);
    send('g');
    expect(taken()).toBe('abcdefg');
  });

  test.each(PAIRS)('%s is not gone when %s is', (_one, _other, one, other) => {
    const { input, transport, send, taken } = make();
    input.stop(one);
    input.stop(other);
    send('a');
    input.goOn(other);
    input.goOn(other);
    input.resume();
    expect([taken(), transport.isPaused]).toEqual(['', true]);
    input.goOn(one);
    expect([taken(), transport.isPaused]).toEqual(['a', false]);
  });

  test('that was lifted waits for resume()', () => {
    const { input, send, taken } = make();
    input.stop(Stop.parked);
    send('a');
    expect([input.lift(Stop.parked), input.lift(Stop.parked)]).toEqual([true, false]);
    expect(taken()).toBe('');
    input.resume();
    expect(taken()).toBe('a');
  });

  test('may come back with the first frame that is taken again', () => {
    const { input, transport, send, taken } = make(() => input.stop(Stop.throttle));
    send('abc');
    input.goOn(Stop.throttle);
    expect(taken()).toBe('ab');
    input.goOn(Stop.throttle);
    expect([taken(), transport.isPaused]).toEqual(['abc', false]);
  });
});

test('a closed input takes nothing more, and leaves the transport reading', () => {
  const { input, transport, send, taken } = make((letter) => {
    if (letter === 'a') input.close();
    input.stop(Stop.unreadReplies);
  });
  send('abc');
  expect([taken(), transport.isPaused]).toEqual(['a', false]);
  input.goOn(Stop.unreadReplies);
  expect(taken()).toBe('a');
});

describe('a turn', () => {
  test('that is used up stops once, and its bytes come in the next', () => {
    const { input, time, turns, send, taken } = make();
    turns.join();
    time.nowMs += 7;
    turns.readClock();
    send('a');
    send('b');
    input.goOn(Stop.unreadReplies);
    expect([taken(), turns.cutShort]).toEqual(['', 1]);
    time.run();
    expect([taken(), input.stops]).toEqual(['ab', 0]);
  });

  test('ends a burst that takes long, after the frame at which that shows', () => {
    const { input, time, send, taken } = make((letter) => {
      time.nowMs += 4;
      if (letter === 'c') input.lookAtTheClock();
    });
    send('abcd');
    expect([taken(), input.stops]).toEqual(['abc', Stop.turn]);
    time.run();
    expect(taken()).toBe('abcd');
  });
});

describe('the throttle', () => {
  test('lets go of its own reason only, and tells how long frames have waited for it', () => {
    const waits: [string, number][] = [];
    const { input, time, turns, throttle, send } = make((letter) => {
      waits.push([letter, input.waitedMs]);
      if (letter === 'a') input.waitForThrottle(throttle);
    });
    send('abc');
    time.nowMs += 50;
    turns.readClock();
    input.stop(Stop.unreadReplies);
    throttle.release();
    time.nowMs += 10;
    turns.readClock();
    expect(waits).toEqual([['a', 0]]);
    input.goOn(Stop.unreadReplies);
    time.run();
    send('d');
    expect(waits.slice(1)).toEqual([
      ['b', 50],
      ['c', 50],
      ['d', 0],
    ]);
  });
});

test('bytes that make no frames, and whatever frame() throws, are told to the owner', () => {
  const { input, failures, send } = make(() => {
    throw new Error('of the frame');
  });
  send('a');
  input.take(Buffer.from('ffffffff', 'hex'), 0, 4);
  expect(failures.map(({ message }) => message)).toEqual([
    'of the frame',
    expect.stringContaining('negative length'),
  ]);
});
