// A network that can be cut between hosts: for ensembles in one process. A cut ends the connections between two
// hosts, and refuses new ones until it heals.

import {
  type Connection,
  type DialHandler,
  type DialOptions,
  type Network,
  TransportError,
} from '@zebu/transport';

export class SplitNetwork {
  private readonly network: Network;
  /** Pairs of hosts, both ways. */
  private readonly cuts: Set<string>;
  private readonly dialled: Set<{ readonly pair: string; readonly connection: Connection }>;

  constructor(network: Network) {
    this.network = network;
    this.cuts = new Set();
    this.dialled = new Set();
  }

  /** The network as it is seen from one host. */
  at(host: string): Network {
    return {
      listen: (options, accept) => this.network.listen(options, accept),
      dial: (options, handler) => this.dial(host, options, handler),
    };
  }

  cut(a: string, b: string): void {
    this.cuts.add(pairOf(a, b));
    this.cuts.add(pairOf(b, a));
    for (const one of this.dialled) {
      if (this.cuts.has(one.pair)) one.connection.destroy();
    }
  }

  heal(): void {
    this.cuts.clear();
  }

  private dial(from: string, options: DialOptions, handler: DialHandler): Connection {
    const pair = pairOf(from, options.host);
    const connection = this.network.dial(options, {
      connected: () => handler.connected(),
      data: (bytes, start, end) => handler.data(bytes, start, end),
      drained: () => handler.drained(),
      ...(handler.ended === undefined ? {} : { ended: () => handler.ended?.() ?? false }),
      closed: (reason) => {
        this.dialled.delete(one);
        handler.closed(reason);
      },
    });
    const one = { pair, connection };
    this.dialled.add(one);
    if (this.cuts.has(pair)) {
      const { host, port } = options;
      connection.destroy(new TransportError('CONNECT_FAILED', { address: host, port }));
    }
    return connection;
  }
}

function pairOf(a: string, b: string): string {
  return `${a} ${b}`;
}
