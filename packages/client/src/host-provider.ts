// Where the servers are: a list, a name in the DNS, or whatever a user's program asks.

import { ZkError } from './errors.ts';

/** One server. */
export interface Host {
  readonly host: string;
  readonly port: number;
  /** Whether to speak TLS to it. Default: as the client does. */
  readonly tls?: boolean | undefined;
}

/**
 * Tells where the servers are: asked before the first connection, and again each time all that it named last
 * were tried, or a connection is lost.
 */
export interface HostProvider {
  /** In any order: the client shuffles. Rejects, or names none: the client goes on with those of last time. */
  resolve(signal: AbortSignal): Promise<readonly Host[]>;
}

/** As node:dns has it. */
export type ResolveSrv = (
  name: string,
) => Promise<readonly { readonly name: string; readonly port: number }[]>;

/**
 * The servers of a DNS name's SRV records. Priority and weight are not regarded: any server of an ensemble
 * serves as well as any other, and the load should spread.
 */
export function srvProvider(name: string, resolveSrv: ResolveSrv): HostProvider {
  return {
    async resolve() {
      const records = await resolveSrv(name);
      return records.map((record) => ({ host: record.name, port: record.port }));
    },
  };
}

/** Throws what is wrong with the servers that a provider named. */
export function checkHosts(hosts: unknown): asserts hosts is readonly Host[] {
  if (!Array.isArray(hosts) || hosts.length === 0) {
    throw new ZkError('BAD_ARGUMENTS', {
      op: 'connect',
      outcome: 'not-sent',
      detail: 'the HostProvider named no server',
    });
  }
  for (const one of hosts) {
    const { host, port, tls } = (one ?? {}) as { [name in keyof Host]?: unknown };
    const isPort = Number.isInteger(port) && (port as number) >= 1 && (port as number) <= 65_535;
    const isTls = tls === undefined || typeof tls === 'boolean';
    if (typeof host === 'string' && host !== '' && isPort && isTls) continue;
    throw new ZkError('BAD_ARGUMENTS', {
      op: 'connect',
      outcome: 'not-sent',
      detail: `the HostProvider named ${JSON.stringify(one)}, which is no { host, port, tls? }`,
    });
  }
}
