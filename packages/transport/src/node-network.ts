// The Network of real sockets.

import type { FanOut, Network } from './connection.ts';
import { dial } from './dialer.ts';
import { FanOutThread, SharedFanOut } from './fan-out.ts';
import { Leaving } from './leaving.ts';
import { Lingering } from './lingering.ts';
import { listen } from './listener.ts';
import { READ_BYTES } from './socket-connection.ts';
import {
  probeStreamInternals,
  type StreamInternals,
  TRIED_NODE_MAJORS,
} from './stream-internals.ts';

export interface NodeNetworkOptions {
  /** True: nothing but what Node documents, and one thread. Default false. */
  readonly publicApiOnly?: boolean;
  /** False: one event to thousands of clients is written by this thread alone. Default: with two cores or more. */
  readonly fanOutThread?: boolean;
  /** Told, once each, what an operator should know. Default: a warning of the process. */
  readonly warn?: (message: string, details: { readonly [name: string]: string }) => void;
  /** Tries Node's stream handles, before the first plain listener. Rejects with the reason not to use them. */
  readonly probe?: () => Promise<StreamInternals>;
  /** Default: the version of the process. */
  readonly nodeVersion?: string;
}

/**
 * TCP and TLS on Node's own sockets. Keeps nothing running by itself.
 *
 * Accepted plain connections use Node's stream handles (handle-connection.ts), once a probe has seen that they
 * behave as expected; else, or with `publicApiOnly`, all connections are net.Sockets.
 */
export function nodeNetwork(options: NodeNetworkOptions = {}): Network {
  const shared = {
    // One read buffer for all: libuv allocates, reads and calls back in one go, and a handler may
    // keep nothing of it.
    readBuffer: Buffer.allocUnsafeSlow(READ_BYTES),
    leaving: new Leaving(),
    lingering: new Lingering(),
  };
  const { warn = warnOfProcess } = options;
  const thread = new FanOutThread({
    ...(options.fanOutThread === false ? { enabled: false } : {}),
    warn: (reason) =>
      warn('One thread writes all events from now on: the second is gone', { reason }),
  });
  let probed: Promise<StreamInternals | undefined> | undefined;
  let internals: StreamInternals | undefined;
  const streams = async (): Promise<StreamInternals | undefined> => {
    if (options.publicApiOnly === true) return undefined;
    probed ??= probe(options);
    internals = await probed;
    return internals;
  };
  const fanOut = (bytes: Buffer): FanOut => new SharedFanOut(bytes, thread);
  return {
    async listen(listenOptions, accept) {
      const found = listenOptions.tls === undefined ? await streams() : undefined;
      return listen(listenOptions, accept, shared, found);
    },
    dial: (dialOptions, handler) => dial(dialOptions, handler, shared),
    get fanOut() {
      return internals === undefined ? undefined : fanOut;
    },
  };
}

async function probe(options: NodeNetworkOptions): Promise<StreamInternals | undefined> {
  const { warn = warnOfProcess, nodeVersion = process.versions.node } = options;
  let internals: StreamInternals;
  try {
    internals = await (options.probe ?? probeStreamInternals)();
  } catch (error) {
    warn("Node's stream handles are not as expected: using its public sockets, which are slower", {
      node: nodeVersion,
      reason: (error as Error).message,
    });
    return undefined;
  }
  if (!TRIED_NODE_MAJORS.includes(Number.parseInt(nodeVersion, 10))) {
    warn('This version of Node was not tried. Its stream handles passed the probe and are used', {
      node: nodeVersion,
      tried: TRIED_NODE_MAJORS.join(', '),
      otherwise: 'ZEBU_TRANSPORT=sockets',
    });
  }
  return internals;
}

function warnOfProcess(message: string, details: { readonly [name: string]: string }): void {
  process.emitWarning(message, { type: 'ZebuWarning', detail: JSON.stringify(details) });
}
