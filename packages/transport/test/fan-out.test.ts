// One message to many connections by two threads: as if each had been written to at once.

import { afterEach, describe, expect, test } from 'vitest';
import { FanOutThread, SharedFanOut } from '../src/fan-out.ts';
import { WORK_STEPS, type WorkStep } from '../src/fan-out-work.ts';
import { type Connection, type FanOut, type Listener, nodeNetwork } from '../src/index.ts';
import { socketHarness } from './harness.ts';

/** More than what makes a second thread worth while. */
const MANY = 400;
const MESSAGE = Buffer.from('<the same for all>');

const network = nodeNetwork();
const harness = socketHarness(network);
const listeners: Listener[] = [];

afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.close();
});

class Client {
  readonly connection: Connection;
  text = '';
  isConnected = false;
  isClosed = false;

  constructor(port: number) {
    this.connection = network.dial(
      { host: '127.0.0.1', port },
      {
        connected: () => {
          this.isConnected = true;
        },
        data: (bytes, start, end) => {
          this.text += bytes.toString('latin1', start, end);
        },
        drained() {},
        closed: () => {
          this.isClosed = true;
        },
      },
    );
  }
}

class Server {
  readonly accepted: Connection[] = [];
  /** By the port that they dialled from. */
  readonly clients = new Map<number, Client>();
  private port = 0;

  static async start(): Promise<Server> {
    const server = new Server();
    const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
      server.accepted.push(connection);
      return { data() {}, drained() {}, closed() {} };
    });
    listeners.push(listener);
    server.port = listener.port;
    return server;
  }

  async connect(count: number): Promise<Connection[]> {
    const before = this.accepted.length;
    const dialled = Array.from({ length: count }, () => new Client(this.port));
    await harness.until(
      () =>
        this.accepted.length === before + count && dialled.every(({ isConnected }) => isConnected),
    );
    for (const client of dialled) this.clients.set(client.connection.localPort, client);
    return this.accepted.slice(before);
  }

  clientOf(connection: Connection): Client {
    return this.clients.get(connection.remotePort) as Client;
  }

  /** What their clients have received: one text, if all received the same. */
  textsOf(connections: readonly Connection[]): string[] {
    return [...new Set(connections.map((connection) => this.clientOf(connection).text))];
  }

  async allGet(connections: readonly Connection[], text: string): Promise<void> {
    const length = connections.length * text.length;
    const received = () =>
      connections.reduce((sum, connection) => sum + this.clientOf(connection).text.length, 0);
    await harness.until(() => received() >= length);
    expect(this.textsOf(connections)).toEqual([text]);
  }
}

function fanOut(connections: readonly Connection[], bytes = MESSAGE): FanOut {
  const started = network.fanOut?.(bytes);
  if (started === undefined) throw new Error('This Node has no fan-out');
  return to(connections, started);
}

function to(connections: readonly Connection[], started: FanOut): FanOut {
  for (const connection of connections) started.add(connection);
  return started;
}

function finish(started: FanOut): void {
  while (started.step());
}

test('reaches everybody once', async () => {
  const server = await Server.start();
  const all = await server.connect(MANY);
  for (let round = 1; round <= 5; round++) {
    finish(fanOut(all));
    await server.allGet(all, String(MESSAGE).repeat(round));
  }
});

test('many in a row, of all lengths, keep their order', async () => {
  const server = await Server.start();
  const all = await server.connect(MANY);
  let expected = '';
  for (let round = 0; round < 200; round++) {
    const message = `${round} `.repeat(1 + (round % 50));
    expected += message;
    finish(fanOut(all, Buffer.from(message)));
    if (round % 20 === 0) await harness.settle();
  }
  await server.allGet(all, expected);
}, 20_000);

test('goes on by the second thread while this one takes no step', async () => {
  const server = await Server.start();
  // So many are told of when there is a multiple of 32; the rest with the first step.
  const all = await server.connect(MANY - (MANY % 32));
  // On one core, too, the two threads take turns.
  const started = to(all, new SharedFanOut(MESSAGE, new FanOutThread({ enabled: true })));
  await server.allGet(all, String(MESSAGE));
  // Nobody is told twice.
  finish(started);
  await harness.settle();
  expect(server.textsOf(all)).toEqual([String(MESSAGE)]);
});

test('few are written to by this thread alone, in steps', async () => {
  const server = await Server.start();
  const all = await server.connect(100);
  const started = fanOut(all);
  await harness.settle();
  expect(server.textsOf(all)).toEqual(['']);
  expect(started.step()).toBe(true);
  finish(started);
  await server.allGet(all, String(MESSAGE));
});

describe('before what is written or done meanwhile', () => {
  test('writes', async () => {
    const server = await Server.start();
    const all = await server.connect(MANY);
    for (let round = 0; round < 10; round++) {
      const started = fanOut(all);
      for (const connection of all) connection.write(Buffer.from('|'), 0, 1);
      finish(started);
    }
    await server.allGet(all, `${MESSAGE}|`.repeat(10));
  });

  test('a second one', async () => {
    const server = await Server.start();
    const all = await server.connect(MANY);
    const first = fanOut(all, Buffer.from('first '));
    const second = fanOut([...all].reverse(), Buffer.from('second '));
    finish(second);
    finish(first);
    await server.allGet(all, 'first second ');
  });

  test('an orderly end', async () => {
    const server = await Server.start();
    const all = await server.connect(MANY);
    const started = fanOut(all);
    for (const connection of all) connection.end();
    await harness.until(() => all.every((connection) => server.clientOf(connection).isClosed));
    expect(server.textsOf(all)).toEqual([String(MESSAGE)]);
    finish(started);
  });

  test("the peer's end", async () => {
    const server = await Server.start();
    const all = await server.connect(MANY);
    const started = fanOut(all);
    for (const connection of all) server.clientOf(connection).connection.end();
    await harness.until(() => all.every((connection) => server.clientOf(connection).isClosed));
    finish(started);
  });
});

test('writes to no connection that took the descriptor of one that was closed', async () => {
  const server = await Server.start();
  let all = await server.connect(MANY);
  for (let round = 1; round <= 10; round++) {
    const started = fanOut(all);
    // From the front, where the second thread is at work.
    const gone = all.splice(0, 100);
    for (const connection of gone) connection.destroy();
    const newcomers = await server.connect(100);
    finish(started);
    await harness.until(() => gone.every((connection) => server.clientOf(connection).isClosed));
    await harness.settle();
    expect(server.textsOf(newcomers)).toEqual(['']);
    all = [...newcomers, ...all];
  }
});

test('comes whole, and after what waits, to clients that do not read', async () => {
  const server = await Server.start();
  const all = await server.connect(MANY);
  const slow = all.filter((_, place) => place % 40 === 0);
  for (const connection of slow) server.clientOf(connection).connection.pause();
  const much = Buffer.alloc(64 * 1024, 'x');
  for (const connection of slow) {
    for (let free = true; free; ) free = connection.write(Buffer.from(much), 0, much.length);
  }
  const before = slow.map(({ queuedBytes }) => queuedBytes);
  expect(Math.min(...before)).toBeGreaterThan(0);
  finish(fanOut(all, Buffer.from(`${'y'.repeat(60_000)}z`)));
  for (const connection of slow) server.clientOf(connection).connection.resume();
  await harness.until(() =>
    all.every((connection) => server.clientOf(connection).text.endsWith('z')),
  );
  for (const connection of all) {
    expect(server.clientOf(connection).text).toMatch(/^x*y{60000}z$/);
  }
}, 20_000);

test('a connection that the second thread fills up gets the rest in order', async () => {
  const server = await Server.start();
  const all = await server.connect(MANY);
  const slow = all.slice(0, 4);
  for (const connection of slow) {
    const client = server.clientOf(connection).connection;
    client.pause();
    while (connection.write(Buffer.alloc(64 * 1024, 'x'), 0, 64 * 1024));
    // There is room again, for some messages.
    client.resume();
    await harness.until(() => connection.queuedBytes === 0);
    client.pause();
  }
  const message = Buffer.from(`${'y'.repeat(59_998)}z.`);
  let rounds = 0;
  while (slow.some(({ queuedBytes }) => queuedBytes === 0)) {
    const started = fanOut(all, message);
    await harness.settle();
    finish(started);
    rounds++;
  }
  for (const connection of slow) server.clientOf(connection).connection.resume();
  const expected = String(message).repeat(rounds);
  await server.allGet(all.slice(4), expected);
  for (const connection of slow) {
    const rest = () => {
      const { text } = server.clientOf(connection);
      // To look into a long text that still grows takes longer each time.
      if (text.length < expected.length) return '';
      const start = text.indexOf('y');
      return start < 0 ? '' : text.slice(start);
    };
    await harness.until(() => rest().length >= expected.length);
    expect(rest() === expected).toBe(true);
  }
}, 240_000);

test('a second thread that cannot start costs time, nothing else', async () => {
  const server = await Server.start();
  const all = await server.connect(MANY);
  const warnings: string[] = [];
  const thread = new FanOutThread({
    enabled: true,
    file: new URL('./no-such-thread.js', import.meta.url),
    warn: (reason) => warnings.push(reason),
  });
  for (let round = 1; round <= 3; round++) {
    finish(to(all, new SharedFanOut(MESSAGE, thread)));
    await server.allGet(all, String(MESSAGE).repeat(round));
  }
  await harness.until(() => warnings.length > 0);
  expect(warnings).toEqual([expect.stringContaining('no-such-thread.js')]);
});

test('a second thread that the operator does not want never starts', async () => {
  const server = await Server.start();
  const all = await server.connect(MANY);
  const started = to(all, new SharedFanOut(MESSAGE, new FanOutThread({ enabled: false })));
  await harness.settle();
  expect(server.textsOf(all)).toEqual(['']);
  expect(process.getActiveResourcesInfo()).not.toContain('MessagePort');
  finish(started);
  await server.allGet(all, String(MESSAGE));
});

test('a second thread that ended for want of work is followed by another', async () => {
  const server = await Server.start();
  const all = await server.connect(MANY);
  const thread = new FanOutThread({ enabled: true, idleMs: 1 });
  for (let round = 1; round <= 5; round++) {
    finish(to(all, new SharedFanOut(MESSAGE, thread)));
    await server.allGet(all, String(MESSAGE).repeat(round));
    await harness.settle();
  }
});

/** The steps between which nobody knows what was written to one connection. */
const IN_A_WRITE: readonly WorkStep[] = ['place taken', 'bytes written'];

describe.each(['exit', 'throw', 'stand still'])('a second thread that fails (%s)', (how) => {
  test.each(WORK_STEPS)('at "%s" costs at most the connection it was writing to', async (step) => {
    const server = await Server.start();
    const all = await server.connect(MANY - (MANY % 32));
    const warnings: string[] = [];
    const { file, reached } = failingThread(step, how);
    const thread = new FanOutThread({
      enabled: true,
      file,
      waitLimitMs: 30,
      warn: (reason) => warnings.push(reason),
    });
    const started = to(all, new SharedFanOut(MESSAGE, thread));
    // The last two come only after this thread has said that no more will be added.
    const isLast = step === 'all places done' || step === 'finished';
    if (isLast) started.step();
    await reached;
    const closed: (Error | undefined)[] = [];
    for (const connection of all) {
      connection.handler = { data() {}, drained() {}, closed: (reason) => closed.push(reason) };
    }
    finish(started);
    const lost = IN_A_WRITE.includes(step) ? 1 : 0;
    await harness.until(() => closed.length === lost);
    const texts = () => all.map((connection) => server.clientOf(connection).text);
    await harness.until(() => texts().filter((text) => text !== '').length >= all.length - lost);
    expect(closed).toEqual(lost === 0 ? [] : [expect.objectContaining({ code: 'IO_FAILED' })]);

    // From now on without it, and to whoever took the descriptor of the lost one.
    const newcomers = await server.connect(lost);
    const left = all.filter((connection) => !server.clientOf(connection).isClosed);
    expect(left.length).toBe(all.length - lost);
    for (let round = 2; round <= 4; round++) {
      finish(to([...left, ...newcomers], new SharedFanOut(MESSAGE, thread)));
      await server.allGet(left, String(MESSAGE).repeat(round));
    }
    expect(server.textsOf(newcomers)).toEqual(lost === 0 ? [] : [String(MESSAGE).repeat(3)]);
    const [gone] = all.filter((connection) => server.clientOf(connection).isClosed);
    if (gone !== undefined) expect(['', String(MESSAGE)]).toContain(server.clientOf(gone).text);
    if (how !== 'stand still' || lost > 0) {
      await harness.until(() => warnings.length > 0);
      expect(warnings).toHaveLength(1);
    }
  });
});

let channels = 0;

/** The code of a thread that fails at a step, and when it has reached that. One at a time. */
function failingThread(step: WorkStep, how: string): { file: URL; reached: Promise<void> } {
  const name = `fan-out-test-${process.pid}-${channels++}`;
  // A worker starts with a copy of this.
  process.env.ZEBU_TEST_FAILURE = JSON.stringify({ step, how, channel: name });
  const file = new URL('./fixtures/failing-thread.ts', import.meta.url);
  const reached = new Promise<void>((resolve) => {
    const channel = new BroadcastChannel(name);
    channel.onmessage = () => {
      channel.close();
      resolve();
    };
  });
  return { file, reached };
}
