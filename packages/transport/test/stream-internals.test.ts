// The probe finds each way in which a runtime's stream handles could differ from Node's, and the network then
// serves through the public API.

import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { HandleConnection } from '../src/handle-connection.ts';
import { type Connection, type Listener, nodeNetwork } from '../src/index.ts';
import {
  findStreamInternals,
  probeStreamInternals,
  type StreamInternals,
  type TcpHandle,
  TRIED_NODE_MAJORS,
} from '../src/stream-internals.ts';
import { socketHarness } from './harness.ts';

const listeners: Listener[] = [];
afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.close();
});

const real = findStreamInternals();

/** Another behaviour of a handle, and what the probe says of it. */
const behaviours: Record<string, [(handle: TcpHandle) => void, RegExp]> = {
  'no readStart()': [(handle) => hide(handle, 'readStart'), /^a handle has no readStart\(\)$/],
  'no close()': [(handle) => hide(handle, 'close'), /^a handle has no close\(\)$/],
  'no descriptor': [(handle) => hide(handle, 'fd'), /^a handle has no fd$/],
  'another peer': [
    (handle) => {
      handle.getpeername = (out) => {
        out.address = '127.0.0.1';
        out.port = 1;
        return 0;
      };
    },
    /^getpeername\(\) says 127\.0\.0\.1:1, it is 127\.0\.0\.1:\d+$/,
  ],
  'an onread that nobody calls, as on Deno': [
    (handle) => {
      const { set } = onreadOf(handle);
      Object.defineProperty(handle, 'onread', { set: () => set.call(handle, () => {}) });
    },
    /^onread is not called \(within 500 ms\)$/,
  ],
  'an onread that is called on something else': [
    (handle) => {
      const { set } = onreadOf(handle);
      Object.defineProperty(handle, 'onread', {
        set: (callback: () => void) => set.call(handle, () => callback.call({})),
      });
    },
    /^onread is not called on its handle$/,
  ],
  'a buffer of its own for reads': [
    (handle) => {
      const use = handle.useUserBuffer;
      handle.useUserBuffer = () => use.call(handle, Buffer.alloc(65_536));
    },
    /^a read does not use the given buffer$/,
  ],
  'a readStop() that does nothing': [
    (handle) => {
      handle.readStop = () => 0;
    },
    /^readStop\(\) does not stop reading$/,
  ],
  'a write that is dropped': [
    (handle) => {
      handle.writeBuffer = () => {
        real.streamBaseState[real.kLastWriteWasAsync] = 0;
        return 0;
      };
    },
    /^a write does not arrive/,
  ],
  'a write that does not say who owns the bytes': [
    (handle) => {
      const write = handle.writeBuffer;
      handle.writeBuffer = (request, bytes) => {
        const result = write.call(handle, request, bytes);
        real.streamBaseState[real.kLastWriteWasAsync] = 7;
        return result;
      };
    },
    /^writeBuffer\(\) does not say that the kernel took the bytes at once$/,
  ],
  'a write that completes a second time': [
    (handle) => {
      const write = handle.writeBuffer;
      handle.writeBuffer = (request, bytes) => {
        const result = write.call(handle, request, bytes);
        if (bytes.length < 64) setImmediate(() => request.oncomplete?.(0));
        return result;
      };
    },
    /^a write that the kernel took at once completes a second time$/,
  ],
  'a queued write that never completes': [
    (handle) => {
      const write = handle.writeBuffer;
      handle.writeBuffer = (request, bytes) => {
        if (bytes.length > 64) request.oncomplete = null;
        return write.call(handle, request, bytes);
      };
    },
    /^a queued write does not complete/,
  ],
  'a shutdown() that fails': [
    (handle) => {
      handle.shutdown = () => -1;
    },
    /^shutdown\(\) fails$/,
  ],
  'a shutdown() that shuts nothing down': [
    (handle) => {
      handle.shutdown = () => 0;
    },
    /^shutdown\(\) does not complete/,
  ],
  'a close() that does not call back': [
    (handle) => {
      const { close } = handle;
      handle.close = () => close.call(handle, () => {});
    },
    /^close\(\) does not call back/,
  ],
  'a method that throws': [
    (handle) => {
      handle.setNoDelay = () => {
        throw new Error('not here');
      };
    },
    /^not here$/,
  ],
};

for (const [name, [alter, reason]] of Object.entries(behaviours)) {
  test(`the probe finds ${name}`, async () => {
    await expect(probeStreamInternals({ alter, limitMs: 500 })).rejects.toThrow(reason);
  });
}

const missing: Record<string, [Partial<StreamInternals>, RegExp]> = {
  'another number for the length of a read': [
    { kReadBytesOrError: real.kReadBytesOrError + 1 },
    /^a read of 5 bytes says /,
  ],
  'state that is not the one of the streams': [
    { streamBaseState: new Int32Array(real.streamBaseState.length) },
    /^a read of 5 bytes says 0$/,
  ],
};

for (const [name, [other, reason]] of Object.entries(missing)) {
  test(`the probe finds ${name}`, async () => {
    const find = () => ({ ...real, ...other });
    await expect(probeStreamInternals({ find, limitMs: 500 })).rejects.toThrow(reason);
  });
}

test('the probe passes on this Node, and leaves no socket behind', async () => {
  const sockets = () =>
    process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length;
  const { settle } = socketHarness(nodeNetwork());
  await settle();
  const before = sockets();
  const internals = await probeStreamInternals();
  expect(internals.WriteWrap).toBe(real.WriteWrap);
  await settle();
  expect(sockets()).toBe(before);
});

test('where the probe fails connections are net.Sockets, and a warning comes once', async () => {
  const warnings: [string, unknown][] = [];
  const network = nodeNetwork({
    warn: (message, details) => warnings.push([message, details]),
    probe: () => probeStreamInternals({ alter: (handle) => hide(handle, 'useUserBuffer') }),
    nodeVersion: '99.1.0',
  });
  const [first, second] = [await acceptOn(network), await acceptOn(network)];
  for (const connection of [first, second]) {
    expect(connection).not.toBeInstanceOf(HandleConnection);
  }
  expect(network.fanOut).toBeUndefined();
  expect(warnings).toEqual([
    [
      "Node's stream handles are not as expected: using its public sockets, which are slower",
      { node: '99.1.0', reason: 'a handle has no useUserBuffer()' },
    ],
  ]);
});

test('a major version that was not tried is warned of once, and used when the probe passes', async () => {
  const warnings: string[] = [];
  const network = nodeNetwork({
    warn: (message, { node, tried }) => warnings.push(`${message} ${node} ${tried}`),
    nodeVersion: '99.1.0',
  });
  expect(await acceptOn(network)).toBeInstanceOf(HandleConnection);
  expect(await acceptOn(network)).toBeInstanceOf(HandleConnection);
  expect(network.fanOut).toBeTypeOf('function');
  expect(warnings).toEqual([
    'This version of Node was not tried. Its stream handles passed the probe and are used' +
      ` 99.1.0 ${TRIED_NODE_MAJORS.join(', ')}`,
  ]);
});

test('one file knows of what Node does not document', () => {
  const folder = new URL('../src/', import.meta.url);
  const users = readdirSync(folder).filter((file) => {
    const code = readFileSync(new URL(file, folder), 'utf8').replaceAll(/^\s*(\/\/|\*).*$/gm, '');
    return /\._handle\b|\b_handle\b|\.binding\(|['"]stream_wrap['"]/.test(code);
  });
  expect(users).toEqual(['stream-internals.ts']);
});

test('the operator who wants public sockets gets them, without a probe and a warning', async () => {
  const network = nodeNetwork({
    publicApiOnly: true,
    warn: (message) => expect.unreachable(message),
    probe: () => expect.unreachable('there is nothing to probe'),
  });
  expect(await acceptOn(network)).not.toBeInstanceOf(HandleConnection);
  expect(network.fanOut).toBeUndefined();
});

/** The accepted end of one connection. */
async function acceptOn(network: ReturnType<typeof nodeNetwork>): Promise<Connection> {
  const accepted: Connection[] = [];
  const nobody = { data() {}, drained() {}, closed() {} };
  const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
    accepted.push(connection);
    return nobody;
  });
  listeners.push(listener);
  network.dial({ host: '127.0.0.1', port: listener.port }, { ...nobody, connected() {} });
  await socketHarness(network).until(() => accepted.length === 1);
  return accepted[0] as Connection;
}

function hide(handle: TcpHandle, name: keyof TcpHandle): void {
  Object.defineProperty(handle, name, { value: undefined });
}

/** Node keeps `onread` as an accessor on a prototype. */
function onreadOf(handle: TcpHandle): { set: (value: unknown) => void } {
  for (
    let object: object | null = handle;
    object !== null;
    object = Object.getPrototypeOf(object)
  ) {
    const found = Object.getOwnPropertyDescriptor(object, 'onread');
    if (found?.set !== undefined) return { set: found.set };
  }
  throw new Error('onread is no accessor');
}
