// Where the servers are, in all the ways in which a user may say it.

import { parseConnectString } from './connect-string.ts';
import type { ClientEnvironment } from './environment.ts';
import { ZkError } from './errors.ts';
import { type HostProvider, srvProvider } from './host-provider.ts';
import type { HostSource } from './targets.ts';

/**
 * "host:port,host:port/chroot" (ports default to 2181), "tls://…" (port 2281), "srv://name/chroot" for the SRV
 * records of a name; several of the first kind; or what is to be asked.
 */
export type Servers = string | readonly string[] | HostProvider;

/** Throws ZkError BAD_ARGUMENTS that names what is wrong. */
export function serversFrom(
  given: Servers,
  environment: ClientEnvironment,
): { source: HostSource; chroot: string; isTls: boolean } {
  if (isProvider(given)) return { source: given, chroot: '', isTls: false };
  const text = typeof given === 'string' ? given : given.join(',');
  const { hosts, srv, chroot, isTls } = parseConnectString(text);
  if (srv === undefined) return { source: hosts, chroot, isTls };
  if (environment.resolveSrv === undefined) {
    const detail = 'this environment resolves no SRV records';
    throw new ZkError('BAD_ARGUMENTS', { op: 'connect', outcome: 'not-sent', detail });
  }
  return { source: srvProvider(srv, environment.resolveSrv), chroot, isTls };
}

export function isProvider(given: unknown): given is HostProvider {
  return (
    typeof given === 'object' &&
    given !== null &&
    typeof (given as { resolve?: unknown }).resolve === 'function'
  );
}
