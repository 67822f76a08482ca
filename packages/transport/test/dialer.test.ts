// What a dialed connection may ask of node:net: only what its documentation says.

import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { nodeNetwork } from '../src/index.ts';
import { socketHarness } from './harness.ts';

type OnRead = (length: number, buffer: Uint8Array) => boolean;

const { connect } = net;
afterEach(() => {
  net.connect = connect;
  syncBuiltinESMExports();
});

/** node:net with a connect() that calls the callback of `onread` on this object: which one is documented nowhere. */
function callOnReadOn(owner: object | undefined): { calls: number; error: unknown } {
  const seen: { calls: number; error: unknown } = { calls: 0, error: undefined };
  const changed = (options: net.TcpNetConnectOpts & { onread: net.OnReadOpts }): net.Socket => {
    const callback = options.onread.callback as OnRead;
    const onread: net.OnReadOpts = {
      ...options.onread,
      callback: (length, buffer) => {
        seen.calls += 1;
        try {
          return callback.call(owner, length, buffer);
        } catch (error) {
          // Thrown on, it would end the process, as it did on Bun.
          seen.error = error;
          return false;
        }
      },
    };
    return connect({ ...options, onread });
  };
  net.connect = changed as typeof net.connect;
  syncBuiltinESMExports();
  return seen;
}

test.each([
  ['undefined', undefined],
  ['an object of the runtime', {}],
])('bytes are received when onread is called on %s', async (_, owner) => {
  const seen = callOnReadOn(owner);
  const network = nodeNetwork();
  const { until } = socketHarness(network);
  const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (connection) => ({
    data(bytes, start, end) {
      connection.write(Buffer.from(bytes.subarray(start, end)), 0, end - start);
    },
    drained() {},
    closed() {},
  }));
  let text = '';
  let isClosed = false;
  const dialed = network.dial(
    { host: '127.0.0.1', port: listener.port },
    {
      connected: () => dialed.write(Buffer.from('echo'), 0, 4),
      data: (bytes, start, end) => {
        text += bytes.toString('latin1', start, end);
      },
      drained() {},
      closed: () => {
        isClosed = true;
      },
    },
  );
  await until(() => text.length >= 4 || isClosed || seen.error !== undefined);
  expect(seen.error).toBeUndefined();
  expect(text).toBe('echo');
  expect(seen.calls).toBeGreaterThan(0);
  dialed.destroy();
  await until(() => isClosed);
  await listener.close();
});
