import {
  ByteReader,
  ByteWriter,
  beginFrame,
  type ConnectRequest,
  type ConnectResponse,
  endFrame,
  readConnectRequest,
  writeConnectResponse,
} from '@zebu/protocol';
import type { Connection, DialHandler, DialOptions, TlsOptions } from '@zebu/transport';
import { expect, test } from 'vitest';
import { Wire, type WireOptions } from '../src/wire.ts';
import { replyFrame } from './world.ts';

const HANDSHAKE: ConnectRequest = {
  protocolVersion: 0,
  lastZxidSeen: 5n,
  timeoutMs: 4000,
  sessionId: 7n,
  password: Buffer.alloc(16, 3),
  readOnly: false,
};
const GRANTED: ConnectResponse = {
  protocolVersion: 0,
  timeoutMs: 4000,
  sessionId: 7n,
  password: Buffer.alloc(16, 9),
  readOnly: false,
};
const MIB = 1024 * 1024;

/** A wire on a connection that only notes what is asked of it, and an owner that does the same. */
function wired(options: { tls?: TlsOptions; maxReplyBytes?: number } = {}) {
  const heard: unknown[][] = [];
  const written: Buffer[] = [];
  const gathered: (() => void)[] = [];
  const state = { now: 10, queued: 0, takes: true };
  const timers = new Map<number, { callback: () => void; ms: number }>();
  let timerNumber = 0;
  const dialed: { options: DialOptions; handler: DialHandler }[] = [];
  const note =
    (name: string) =>
    (...args: unknown[]): void => {
      heard.push([name, ...args]);
    };
  const connection = {
    get queuedBytes() {
      return state.queued;
    },
    write(bytes: Buffer, start: number, end: number) {
      written.push(Buffer.from(bytes.subarray(start, end)));
      return state.takes;
    },
    end: note('end'),
    destroy: note('destroy'),
  } as unknown as Connection;
  const wire = new Wire({
    environment: {
      network: {
        listen: () => Promise.reject(new Error('Nobody listens')),
        dial(dialOptions: DialOptions, handler: DialHandler) {
          dialed.push({ options: dialOptions, handler });
          return connection;
        },
      } as unknown as WireOptions['environment']['network'],
      now: () => state.now,
      setTimer(callback, ms) {
        timers.set(++timerNumber, { callback, ms });
        return timerNumber;
      },
      clearTimer: (timer) => timers.delete(timer as number),
      random: () => 0,
      gather: (callback) => gathered.push(callback),
    },
    host: { host: 'zk', port: 2181 },
    tls: options.tls,
    attemptTimeoutMs: 1500,
    maxReplyBytes: options.maxReplyBytes ?? MIB,
    number: 3,
    handshake: HANDSHAKE,
    owner: {
      established: (_, response) => heard.push(['established', response]),
      received: (_, xid, zxid, errno, reader) =>
        heard.push(['received', xid, zxid, errno, reader.remaining]),
      flushed: () => heard.push(['flushed']),
      relieved: () => heard.push(['relieved']),
      closed: (_, reason) => heard.push(['closed', reason]),
    },
  });
  const feed = (bytes: Buffer): void => wire.data(bytes, 0, bytes.length);
  const gather = (): void => {
    for (const callback of gathered.splice(0)) callback();
  };
  const establish = (): void => {
    wire.connected();
    feed(granted());
    heard.length = 0;
    written.length = 0;
  };
  return { wire, heard, written, gathered, gather, state, timers, dialed, feed, establish };
}

function granted(): Buffer {
  const writer = new ByteWriter();
  const mark = beginFrame(writer);
  writeConnectResponse(writer, GRANTED);
  endFrame(writer, mark);
  return Buffer.from(writer.view());
}

const PING = Buffer.from([0, 0, 0, 8, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 11]);

test.each([
  [undefined, { host: 'zk', port: 2181 }],
  [{ ca: 'x' }, { host: 'zk', port: 2181, tls: { ca: 'x' } }],
])('with the TLS options %j the server is dialed with %j', (tls, expected) => {
  const { wire, dialed, written } = wired(tls === undefined ? {} : { tls });
  expect(dialed).toEqual([{ options: expected, handler: wire }]);
  expect(wire).toMatchObject({ number: 3, host: { host: 'zk', port: 2181 } });
  expect(wire).toMatchObject({ isEstablished: false, isDismissed: false });
  expect(wire).toMatchObject({ lastAnswerAt: 0, lastSentAt: 0 });
  expect(written).toEqual([]);
});

test('the handshake goes out as soon as there is a connection', () => {
  const { wire, written, heard, state } = wired();
  state.now = 12;
  wire.connected();
  expect(written).toHaveLength(1);
  const [frame] = written as [Buffer];
  expect(frame.readInt32BE(0)).toBe(frame.length - 4);
  expect(readConnectRequest(new ByteReader(frame.subarray(4)))).toEqual(HANDSHAKE);
  expect(heard).toEqual([['flushed']]);
  expect(wire).toMatchObject({ lastAnswerAt: 12, lastSentAt: 12, queuedBytes: 0 });
});

test('the answer to it establishes the wire, keeps a password of its own, and ends the time limit', () => {
  const { wire, heard, timers, feed, state } = wired();
  wire.connected();
  expect([...timers.values()].map(({ ms }) => ms)).toEqual([1500]);
  const bytes = granted();
  state.now = 21;
  feed(bytes);
  bytes.fill(0);
  expect(heard[1]).toEqual(['established', GRANTED]);
  expect(wire.isEstablished).toBe(true);
  expect(wire.lastAnswerAt).toBe(21);
  expect(timers.size).toBe(0);
});

test('without an answer in time the connection is destroyed, and the reason says how long it took', () => {
  const { wire, heard, timers } = wired();
  wire.connected();
  heard.length = 0;
  for (const { callback } of timers.values()) callback();
  const reason = new Error('No answer within 1500 ms');
  expect(heard).toEqual([['destroy', reason]]);
  wire.closed();
  expect(heard[1]).toEqual(['closed', reason]);
  expect(timers.size).toBe(0);
});

test('replies are handed over one by one, with what their headers say', () => {
  const { wire, heard, feed, establish, state } = wired();
  establish();
  state.now = 33;
  const one = replyFrame(7, 0x500000003, -101);
  feed(Buffer.concat([one, replyFrame(8, 9, 0, (writer) => writer.int64(1))]));
  expect(heard).toEqual([
    ['received', 7, 0x500000003, -101, 0],
    ['received', 8, 9, 0, 8],
  ]);
  expect(wire.lastAnswerAt).toBe(33);
  expect(wire.lastSentAt).toBe(10);
});

test('the answer to the handshake is one before its owner hears of it', () => {
  const { wire, feed, state, heard } = wired();
  wire.connected();
  state.now = 21;
  const push = heard.push.bind(heard);
  const seen: number[] = [];
  heard.push = (...items) => {
    seen.push(wire.lastAnswerAt);
    return push(...items);
  };
  feed(granted());
  expect(seen).toEqual([21]);
});

const EVENT = replyFrame(-1, 9, 0);
const REPLY = replyFrame(7, 9, 0);

test.each([
  ['a reply', [REPLY], 33],
  ['an event', [EVENT], 10],
  ['events', [EVENT, EVENT], 10],
  ['an event and a reply', [EVENT, REPLY], 33],
  ['a piece of a reply', [REPLY.subarray(0, 9)], 33],
  ['an event and a piece of a reply', [EVENT, REPLY.subarray(0, 9)], 10],
])('%s: whether the server has answered, it says', (_, frames, lastAnswerAt) => {
  const { wire, feed, establish, state } = wired();
  establish();
  // What was read before does not count.
  feed(Buffer.concat([REPLY, EVENT]));
  state.now = 33;
  feed(Buffer.concat(frames));
  expect(wire.lastAnswerAt).toBe(lastAnswerAt);
});

test('nothing is handed over after the wire was given up, or was closed', () => {
  for (const stop of [
    (wire: Wire) => wire.destroy(new Error('enough')),
    (wire: Wire) => wire.closed(),
  ]) {
    const { wire, heard, feed, establish } = wired();
    establish();
    stop(wire);
    heard.length = 0;
    feed(replyFrame(7, 9, 0));
    expect(heard).toEqual([]);
  }
});

test('bytes that make no sense end the connection', () => {
  const { wire, heard, feed, establish } = wired({ maxReplyBytes: 100 });
  establish();
  feed(Buffer.from([0, 0, 0, 101]));
  expect(heard).toEqual([['destroy', expect.any(Error)]]);
  wire.closed(new Error('reset'));
  // Not the reset that came of it.
  expect(heard[1]).toEqual(['closed', (heard[0] as unknown[])[1]]);
});

test('the first reason of several is the one that is told, and a close may have none', () => {
  const first = wired();
  const why = new Error('first');
  first.wire.destroy(why);
  first.wire.destroy(new Error('second'));
  first.wire.closed(new Error('third'));
  expect(first.heard.at(-1)).toEqual(['closed', why]);
  const other = wired();
  other.wire.closed();
  expect(other.heard).toEqual([['closed', undefined]]);
  const third = wired();
  third.wire.closed(why);
  expect(third.heard).toEqual([['closed', why]]);
  expect(third.timers.size).toBe(0);
});

test('a length in a reply that no reply can have is refused by the reader', () => {
  const { feed, heard, wire } = wired({ maxReplyBytes: 40 });
  wire.connected();
  const frame = Buffer.alloc(4 + 24);
  frame.writeInt32BE(24, 0);
  // Of the password: more than a reply may have, less than the reader takes by default.
  frame.writeInt32BE(41, 4 + 16);
  feed(frame);
  expect(heard.at(-1)).toEqual([
    'destroy',
    expect.objectContaining({ message: 'Unreasonable length 41, limit 40' }),
  ]);
});

test('all that is written in a turn goes out in one piece, and is asked for once', () => {
  const { wire, gathered, gather, written, heard, establish, state } = wired();
  establish();
  wire.ping();
  wire.ping();
  expect(gathered).toHaveLength(1);
  expect(written).toEqual([]);
  expect(wire.queuedBytes).toBe(24);
  state.now = 44;
  gather();
  expect(written).toEqual([Buffer.concat([PING, PING])]);
  expect(heard).toEqual([['flushed']]);
  expect(wire).toMatchObject({ lastSentAt: 44, queuedBytes: 0 });
  wire.ping();
  gather();
  expect(written).toHaveLength(2);
});

test('with nothing to send nothing is sent', () => {
  const { wire, gather, written, heard, establish, state } = wired();
  establish();
  state.now = 44;
  wire.flushSoon();
  gather();
  expect(written).toEqual([]);
  expect(heard).toEqual([]);
  expect(wire.lastSentAt).toBe(10);
});

test.each([
  ['of less', 4096, true, true],
  ['of exactly 256 KiB', 256 * 1024, true, true],
  ['of more', 256 * 1024 + 1, true, false],
  ['that the connection owns now', 4096, false, false],
])('a buffer %s is kept: %i bytes, taken %s: %s', (_, bytes, takes, isKept) => {
  const { wire, gather, establish, state, written } = wired();
  establish();
  const out = new ByteWriter(bytes);
  out.int32(1);
  wire.out = out;
  state.takes = takes;
  wire.flushSoon();
  gather();
  expect(written).toEqual([Buffer.from([0, 0, 0, 1])]);
  expect(wire.out === out).toBe(isKept);
  expect(wire.out.offset).toBe(0);
  expect(wire.out.bytes.length).toBe(isKept ? bytes : 4096);
});

test('while more than a megabyte waits for the kernel, nothing is handed over', () => {
  const { wire, gather, written, heard, establish, state } = wired();
  establish();
  state.queued = MIB + 1;
  wire.ping();
  gather();
  expect(written).toEqual([]);
  expect(wire.queuedBytes).toBe(MIB + 1 + PING.length);
  state.queued = MIB;
  wire.drained();
  expect(heard).toEqual([['relieved']]);
  gather();
  expect(written).toEqual([PING]);
});

test('an end flushes first, and the owner of a closed wire hears of no relief', () => {
  const { wire, written, heard, establish, gather } = wired();
  establish();
  wire.ping();
  wire.end();
  expect(written).toEqual([PING]);
  expect(heard).toEqual([['flushed'], ['end']]);
  wire.closed();
  heard.length = 0;
  wire.ping();
  wire.drained();
  gather();
  expect(written).toEqual([PING]);
  expect(heard).toEqual([]);
});
