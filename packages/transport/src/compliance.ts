// What every Network must do, as cases that a test runner of any kind can run: the node network,
// its in-memory twin and the simulator's pass the same list.
//
//   for (const { name, run } of networkCases) test(name, () => run(harness()));

import assert from 'node:assert/strict';
import type {
  Connection,
  ConnectionHandler,
  DialHandler,
  Listener,
  Network,
} from './connection.ts';
import { TransportError } from './errors.ts';

export { peerLinkCases } from './peer-link-compliance.ts';

export interface NetworkHarness {
  readonly network: Network;
  /** Where listeners listen and dialers dial. */
  readonly host: string;
  /** Lets the network run until the condition holds; rejects when it does not come to hold. */
  until(condition: () => boolean): Promise<void>;
  /** Lets everything happen that can happen without further input. */
  settle(): Promise<void>;
}

export interface NetworkCase {
  readonly name: string;
  readonly run: (harness: NetworkHarness) => Promise<void>;
}

export const networkCases: readonly NetworkCase[] = [
  {
    name: 'bytes arrive whole and in order, both ways',
    run: (harness) =>
      withPair(harness, async ({ dialled, accepted }) => {
        for (const text of ['one ', 'two ', 'three']) dialled.send(text);
        accepted.send('four');
        await harness.until(() => accepted.text === 'one two three' && dialled.text === 'four');
      }),
  },
  {
    name: 'both ends know their addresses',
    run: (harness) =>
      withPair(harness, async ({ dialled, accepted, listener }) => {
        assert.equal(dialled.connection.remotePort, listener.port);
        assert.equal(accepted.connection.localPort, listener.port);
        assert.equal(accepted.connection.remotePort, dialled.connection.localPort);
        assert.equal(accepted.connection.remoteAddress, '127.0.0.1');
        assert.equal(accepted.connection.secure, dialled.connection.secure);
      }),
  },
  {
    name: "a buffer is the writer's again when it was taken, or drained",
    run: (harness) =>
      withPair(harness, async ({ dialled, accepted }) => {
        const bytes = Buffer.from('-first-');
        if (!dialled.connection.write(bytes, 1, 6)) await harness.until(() => dialled.drains === 1);
        assert.equal(dialled.connection.queuedBytes, 0);
        bytes.fill('x');
        await harness.until(() => accepted.received >= 5);
        assert.equal(accepted.text, 'first');
      }),
  },
  {
    name: 'writes before the connection is up arrive after it',
    run: async (harness) => {
      const accepted = new Recorder();
      const listener = await listen(harness, () => accepted);
      const dialled = new Recorder();
      dialled.connection = dial(harness, listener, dialled);
      dialled.send('early');
      await harness.until(() => accepted.text === 'early');
      await close(harness, listener);
      await harness.until(() => dialled.closes === 1);
    },
  },
  {
    name: 'a reader that stops fills the writer, and drains it when it goes on',
    run: (harness) =>
      withPair(harness, async ({ dialled, accepted }) => {
        accepted.connection.pause();
        const chunk = 262_144;
        let written = 0;
        for (; written < 512 && dialled.connection.queuedBytes === 0; written++) {
          dialled.connection.write(Buffer.alloc(chunk, written), 0, chunk);
          await harness.settle();
        }
        assert.ok(dialled.connection.queuedBytes > 0, 'the writer never met a full window');
        assert.equal(dialled.connection.write(Buffer.from('last'), 0, 4), false);
        const drains = dialled.drains;
        await harness.settle();
        assert.equal(accepted.received, 0);
        assert.equal(dialled.drains, drains);
        accepted.connection.resume();
        await harness.until(() => accepted.received === written * chunk + 4);
        await harness.until(() => dialled.drains === drains + 1);
        assert.equal(dialled.connection.queuedBytes, 0);
        const expected = Buffer.concat([
          ...Array.from({ length: written }, (_, i) => Buffer.alloc(chunk, i)),
          Buffer.from('last'),
        ]);
        assert.ok(accepted.bytes.equals(expected), 'bytes lost or changed on the way');
      }),
  },
  {
    name: 'a writer that reuses its buffer whenever it may sends every byte right',
    run: (harness) =>
      withPair(harness, async ({ dialled, accepted }) => {
        const size = 100_000;
        const count = 200;
        let buffer = Buffer.alloc(size);
        for (let i = 0; i < count; i++) {
          buffer.fill(i);
          if (!dialled.connection.write(buffer, 0, size)) buffer = Buffer.alloc(size);
          // Now and then the reader gets ahead, so that taken and queued writes alternate.
          if (i % 20 === 0) await harness.settle();
        }
        await harness.until(() => accepted.received === count * size);
        const { bytes } = accepted;
        for (let i = 0; i < count; i++) {
          const part = bytes.subarray(i * size, (i + 1) * size);
          assert.ok(part.equals(Buffer.alloc(size, i)), `write ${i} was overwritten`);
        }
      }),
  },
  {
    name: 'end flushes what is queued, and both ends close without a reason',
    run: (harness) =>
      withPair(harness, async ({ dialled, accepted }) => {
        const size = 8 * 1024 * 1024;
        accepted.connection.write(Buffer.alloc(size, 7), 0, size);
        accepted.connection.end();
        assert.equal(accepted.connection.write(Buffer.from('late'), 0, 4), true);
        await harness.until(() => dialled.closes === 1 && accepted.closes === 1);
        assert.equal(dialled.received, size);
        assert.deepEqual([dialled.reason, accepted.reason], [undefined, undefined]);
      }),
  },
  {
    name: 'a reply before end is not lost to requests that nobody reads any more',
    run: (harness) =>
      withPair(harness, async ({ dialled, accepted }) => {
        dialled.connection.write(Buffer.alloc(100_000), 0, 100_000);
        await harness.until(() => accepted.received > 0);
        accepted.send('goodbye');
        accepted.connection.end();
        const received = accepted.received;
        await harness.until(() => dialled.closes === 1 && accepted.closes === 1);
        assert.equal(dialled.text, 'goodbye');
        assert.equal(accepted.received, received);
      }),
  },
  {
    name: 'end from within data answers and closes',
    run: (harness) =>
      withPair(harness, async ({ dialled, accepted }) => {
        accepted.onData = () => {
          accepted.send('imok');
          accepted.connection.end();
        };
        dialled.send('ruok');
        await harness.until(() => dialled.closes === 1 && accepted.closes === 1);
        assert.equal(dialled.text, 'imok');
      }),
  },
  {
    name: 'destroy closes both ends, each told once, the reason only where it was given',
    run: (harness) =>
      withPair(harness, async ({ dialled, accepted }) => {
        const reason = new Error('enough');
        dialled.connection.destroy(reason);
        assert.equal(dialled.closes, 0, 'closed() came from within destroy()');
        dialled.connection.destroy(new Error('again'));
        await harness.until(() => dialled.closes === 1 && accepted.closes === 1);
        await harness.settle();
        assert.equal(dialled.reason, reason);
        assert.deepEqual([dialled.closes, accepted.closes], [1, 1]);
      }),
  },
  {
    name: 'after destroy nothing is handed over, and writes are dropped',
    run: (harness) =>
      withPair(harness, async ({ dialled, accepted }) => {
        accepted.onData = () => accepted.connection.destroy();
        dialled.send('one');
        await harness.until(() => accepted.closes === 1);
        assert.equal(accepted.connection.write(Buffer.from('x'), 0, 1), true);
        assert.equal(accepted.connection.queuedBytes, 0);
        accepted.connection.end();
        accepted.connection.pause();
        accepted.connection.resume();
        await harness.until(() => dialled.closes === 1);
        await harness.settle();
        assert.deepEqual([accepted.text, accepted.closes, dialled.received], ['one', 1, 0]);
      }),
  },
  {
    name: 'pause holds data back, resume hands it over',
    run: (harness) =>
      withPair(harness, async ({ dialled, accepted }) => {
        accepted.onData = () => accepted.connection.pause();
        dialled.send('a');
        await harness.until(() => accepted.text === 'a');
        dialled.send('b');
        await harness.settle();
        assert.equal(accepted.text, 'a');
        accepted.connection.resume();
        await harness.until(() => accepted.text === 'ab');
      }),
  },
  {
    name: 'pause within data is obeyed, also when the read filled the buffer',
    run: (harness) =>
      withPair(harness, async ({ dialled, accepted }) => {
        for (const [from, to] of [
          [dialled, accepted],
          [accepted, dialled],
        ] as const) {
          let calls = 0;
          to.onData = () => {
            calls++;
            to.connection.pause();
          };
          const size = 1024 * 1024;
          from.connection.write(Buffer.alloc(size, 3), 0, size);
          for (let expected = 1; to.received < size; expected++) {
            await harness.until(() => calls >= expected);
            await harness.settle();
            assert.equal(calls, expected, 'data() came while the connection was paused');
            to.connection.resume();
          }
        }
      }),
  },
  {
    name: 'drained comes once for all that was queued, with nothing queued, to either end',
    run: (harness) =>
      withPair(harness, async ({ dialled, accepted }) => {
        for (const [from, to] of [
          [dialled, accepted],
          [accepted, dialled],
        ] as const) {
          to.connection.pause();
          const size = 262_144;
          let written = 0;
          // Until several writes wait after the one that met the full window.
          for (; from.connection.queuedBytes <= 3 * size && written < 512; written++) {
            from.connection.write(Buffer.alloc(size), 0, size);
            await harness.settle();
          }
          assert.ok(from.connection.queuedBytes > 3 * size, 'the writer never met a full window');
          const { drains } = from;
          to.connection.resume();
          await harness.until(() => to.received === written * size);
          await harness.until(() => from.drains > drains);
          await harness.settle();
          assert.equal(from.drains, drains + 1);
        }
        assert.deepEqual(
          new Set([...dialled.queuedAtDrains, ...accepted.queuedAtDrains]),
          new Set([0]),
        );
      }),
  },
  {
    name: 'drained waits for what was written while earlier writes were leaving',
    run: (harness) =>
      withPair(harness, async ({ dialled, accepted }) => {
        for (const [from, to] of [
          [dialled, accepted],
          [accepted, dialled],
        ] as const) {
          to.connection.pause();
          const size = 262_144;
          let written = 0;
          const write = () => {
            from.connection.write(Buffer.alloc(size), 0, size);
            written++;
          };
          while (from.connection.queuedBytes === 0 && written < 512) {
            write();
            await harness.settle();
          }
          // Each read makes room, and one more write follows those that are leaving.
          let more = 100;
          to.onData = () => {
            if (more-- > 0) write();
          };
          to.connection.resume();
          await harness.until(() => to.received === written * size && more <= 0);
          await harness.until(() => from.connection.queuedBytes === 0);
          await harness.settle();
          to.onData = undefined;
          assert.ok(from.drains > 0);
          assert.deepEqual(new Set(from.queuedAtDrains), new Set([0]));
        }
      }),
  },
  {
    name: 'a handler can be replaced',
    run: (harness) =>
      withPair(harness, async ({ dialled, accepted }) => {
        dialled.send('a');
        await harness.until(() => accepted.text === 'a');
        const second = new Recorder();
        accepted.connection.handler = second;
        dialled.send('b');
        await harness.until(() => second.text === 'b');
        accepted.connection.destroy();
        await harness.until(() => second.closes === 1 && dialled.closes === 1);
        assert.equal(accepted.closes, 0);
      }),
  },
  {
    name: 'a sender of much does not keep others from being heard',
    run: (harness) =>
      withPair(harness, async ({ dialled, accepted, listener, also }) => {
        const size = 32 * 1024 * 1024;
        dialled.connection.write(Buffer.alloc(size), 0, size);
        await harness.until(() => accepted.received > 0);
        const other = await also(listener);
        other.dialled.send('me too');
        await harness.until(() => other.accepted.text === 'me too');
        assert.ok(accepted.received < size, 'heard only after all of the big sender');
        await harness.until(() => accepted.received === size);
      }),
  },
  {
    name: 'a listener on a taken port says which',
    run: (harness) =>
      withPair(harness, async ({ listener }) => {
        const { host, network } = harness;
        await assert.rejects(
          network.listen({ host, port: listener.port }, () => new Recorder()),
          (error) =>
            error instanceof TransportError &&
            error.code === 'ADDRESS_IN_USE' &&
            error.message.includes(`${host}:${listener.port}`),
        );
      }),
  },
  {
    name: 'stopAccepting refuses new connections and keeps the old',
    run: (harness) =>
      withPair(harness, async ({ dialled, accepted, listener }) => {
        listener.stopAccepting();
        listener.stopAccepting();
        const refused = new Recorder();
        refused.connection = dial(harness, listener, refused);
        await harness.until(() => refused.closes === 1);
        assert.equal((refused.reason as TransportError).code, 'CONNECT_FAILED');
        assert.equal(refused.connects, 0);
        dialled.send('still here');
        await harness.until(() => accepted.text === 'still here');
      }),
  },
  {
    name: 'close takes the accepted connections along, and frees the port',
    run: (harness) =>
      withPair(harness, async ({ dialled, accepted, listener }) => {
        await Promise.all([close(harness, listener), close(harness, listener)]);
        await harness.until(() => accepted.closes === 1 && dialled.closes === 1);
        const { host, network } = harness;
        const again = await network.listen({ host, port: listener.port }, () => new Recorder());
        assert.equal(again.port, listener.port);
        await close(harness, again);
      }),
  },
  {
    name: 'an attempt that is destroyed closes without connecting',
    run: (harness) =>
      withPair(harness, async ({ listener }) => {
        const attempt = new Recorder();
        attempt.connection = dial(harness, listener, attempt);
        attempt.connection.destroy();
        await harness.until(() => attempt.closes === 1);
        assert.deepEqual([attempt.connects, attempt.reason], [0, undefined]);
      }),
  },
  {
    name: 'an acceptor may refuse at once',
    run: async (harness) => {
      const accepted = new Recorder();
      const listener = await listen(harness, (connection) => {
        connection.destroy();
        return accepted;
      });
      const dialled = new Recorder();
      dialled.connection = dial(harness, listener, dialled);
      await harness.until(() => accepted.closes === 1 && dialled.closes === 1);
      assert.equal(dialled.received, 0);
      await close(harness, listener);
    },
  },
  {
    name: 'a fan-out, where there is one, reaches all, and first of all',
    run: (harness) =>
      withPair(harness, async ({ dialled, accepted, listener, also }) => {
        const { network } = harness;
        if (network.fanOut === undefined) return;
        const other = await also(listener);
        const ended = await also(listener);
        ended.accepted.connection.destroy();
        const fanOut = network.fanOut(Buffer.from('all '));
        for (const pair of [other, ended, { accepted }]) fanOut.add(pair.accepted.connection);
        accepted.send('one');
        while (fanOut.step());
        await harness.until(() => dialled.text === 'all one' && other.dialled.text === 'all ');
        await harness.until(() => ended.dialled.closes === 1);
        assert.equal(ended.dialled.received, 0);
        other.dialled.connection.destroy();
      }),
  },
];

/** A handler that remembers what it was told. */
class Recorder implements DialHandler {
  connection: Connection;
  onData: (() => void) | undefined;
  connects: number;
  received: number;
  drains: number;
  readonly queuedAtDrains: number[];
  closes: number;
  reason: Error | undefined;
  private readonly chunks: Buffer[];

  constructor() {
    this.connection = undefined as unknown as Connection;
    this.onData = undefined;
    this.connects = 0;
    this.received = 0;
    this.drains = 0;
    this.queuedAtDrains = [];
    this.closes = 0;
    this.reason = undefined;
    this.chunks = [];
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get text(): string {
    return this.bytes.toString();
  }

  send(text: string): void {
    const bytes = Buffer.from(text);
    this.connection.write(bytes, 0, bytes.length);
  }

  connected(): void {
    this.connects++;
  }

  data(bytes: Buffer, start: number, end: number): void {
    this.chunks.push(Buffer.from(bytes.subarray(start, end)));
    this.received += end - start;
    this.onData?.();
  }

  drained(): void {
    this.drains++;
    this.queuedAtDrains.push(this.connection.queuedBytes);
  }

  closed(reason?: Error): void {
    this.closes++;
    this.reason = reason;
  }
}

interface Pair {
  readonly dialled: Recorder;
  readonly accepted: Recorder;
  readonly listener: Listener;
  /** One more connection to the same listener. */
  readonly also: (listener: Listener) => Promise<{ dialled: Recorder; accepted: Recorder }>;
}

async function withPair(
  harness: NetworkHarness,
  run: (pair: Pair) => Promise<void>,
): Promise<void> {
  const waiting: Recorder[] = [];
  const listener = await listen(harness, (connection) => {
    const accepted = new Recorder();
    accepted.connection = connection;
    waiting.push(accepted);
    return accepted;
  });
  const also: Pair['also'] = async () => {
    const dialled = new Recorder();
    dialled.connection = dial(harness, listener, dialled);
    await harness.until(() => dialled.connects === 1 && waiting.length === 1);
    return { dialled, accepted: waiting.pop() as Recorder };
  };
  const pair = await also(listener);
  await run({ ...pair, listener, also });
  pair.dialled.connection.destroy();
  await close(harness, listener);
}

function listen(
  harness: NetworkHarness,
  accept: (connection: Connection) => ConnectionHandler,
): Promise<Listener> {
  return harness.network.listen({ host: harness.host, port: 0 }, accept);
}

async function close(harness: NetworkHarness, listener: Listener): Promise<void> {
  let isClosed = false;
  void listener.close().then(() => {
    isClosed = true;
  });
  await harness.until(() => isClosed);
}

function dial(harness: NetworkHarness, listener: Listener, handler: DialHandler): Connection {
  return harness.network.dial({ host: harness.host, port: listener.port }, handler);
}
