// A client whose calls Ctrl-C takes back: each is made with the command's signal, so that a write which still waits for a
// connection is not carried out later, when nobody expects it any more.

import type { Client } from '@zebu/client';

/** Where each call takes its options. Not watch(): its signal would end the stream with the command. */
const OPTIONS_AT: { readonly [call: string]: number } = {
  create: 2,
  get: 1,
  exists: 1,
  children: 1,
  set: 2,
  delete: 1,
  update: 2,
  getAcl: 1,
  setAcl: 2,
  multi: 1,
  bulk: 1,
  multiRead: 1,
  sync: 1,
  descendantsCount: 1,
  ephemerals: 1,
  whoAmI: 0,
  config: 0,
  reconfig: 1,
};

export function stoppable(client: Client, signal: AbortSignal): Client {
  return new Proxy(client, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const at = typeof name === 'string' ? OPTIONS_AT[name] : undefined;
      return (...args: unknown[]): unknown => {
        if (at !== undefined) args[at] = { signal, ...(args[at] as object | undefined) };
        return Reflect.apply(value, target, args);
      };
    },
  });
}
