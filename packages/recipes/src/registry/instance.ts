// An instance of a service, in the JSON of Curator's x-discovery, so that both find each other's.
//
//   {"name":"api","id":"a1","address":"10.0.0.1","port":8080,"sslPort":null,"payload":{...},
//    "registrationTimeUTC":1700000000000,"serviceType":"DYNAMIC","uriSpec":null,"enabled":true}
//
// Source: JsonInstanceSerializer and ServiceInstance (Curator 5.9).

import type { Codec } from '../typed/codec.ts';
import { json } from '../typed/codec.ts';

export interface Instance {
  /** Unique in the service: the znode's name. */
  readonly id: string;
  readonly host: string;
  readonly port: number;
  /** The port speaks TLS: Curator's `sslPort`. Default false. */
  readonly tls?: boolean | undefined;
  /** Anything that JSON can hold: Curator's `payload`. Its Java readers need a member "@class" in objects. */
  readonly meta?: unknown;
  /** False: registered, but not to be used now. Default true. */
  readonly enabled?: boolean | undefined;
}

/** `now` is the time of registration, as Date.now(). */
export function curatorJson(service: string, now: () => number = Date.now): Codec<Instance> {
  const any = json();
  return {
    encode: ({ id, host, port, tls = false, meta = null, enabled = true }) =>
      any.encode({
        name: service,
        id,
        address: host,
        port: tls ? null : port,
        sslPort: tls ? port : null,
        payload: meta,
        registrationTimeUTC: now(),
        serviceType: 'DYNAMIC',
        uriSpec: null,
        enabled,
      }),
    decode: (bytes) => instanceFrom(any.decode(bytes)),
  };
}

function instanceFrom(parsed: unknown): Instance {
  const found = (parsed ?? {}) as Record<string, unknown>;
  const { id, address, port, sslPort, payload, enabled } = found;
  if (typeof id !== 'string' || typeof address !== 'string') {
    throw new TypeError('An instance needs an id and an address');
  }
  const tls = typeof port !== 'number';
  const used = tls ? sslPort : port;
  if (typeof used !== 'number') throw new TypeError(`Instance ${id} has no port`);
  return {
    id,
    host: address,
    port: used,
    ...(tls ? { tls } : {}),
    ...(payload === null || payload === undefined ? {} : { meta: payload }),
    ...(enabled === false ? { enabled } : {}),
  };
}
