// The Network of real sockets.

import type { Network } from './connection.ts';
import { dial } from './dialer.ts';
import { FanOutThread, SharedFanOut } from './fan-out.ts';
import { streamInternals } from './handle-connection.ts';
import { Leaving } from './leaving.ts';
import { Lingering } from './lingering.ts';
import { listen } from './listener.ts';
import { READ_BYTES } from './socket-connection.ts';

/**
 * TCP and TLS on Node's own sockets. Keeps nothing running by itself.
 * `publicApiOnly` does without handle-connection.ts, as happens by itself where Node's internals
 * are not as that file needs them.
 */
export function nodeNetwork(options: { publicApiOnly?: boolean } = {}): Network {
  // One read buffer for all: libuv allocates, reads and calls back in one go, and a handler may
  // keep nothing of it.
  const shared = {
    readBuffer: Buffer.allocUnsafeSlow(READ_BYTES),
    leaving: new Leaving(),
    lingering: new Lingering(),
    internals: options.publicApiOnly === true ? undefined : streamInternals(),
  };
  const network: Network = {
    listen: (options, accept) => listen(options, accept, shared),
    dial: (options, handler) => dial(options, handler, shared),
  };
  if (shared.internals === undefined) return network;
  const thread = new FanOutThread();
  return { ...network, fanOut: (bytes) => new SharedFanOut(bytes, thread) };
}
