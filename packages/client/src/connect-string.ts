// Reads what says where the servers are: "zk1:2181,zk2:2182,[::1]:2183/app", "tls://zk1:2281", and
// "srv://_zookeeper._tcp.example.com/app" for the SRV records of a name.
//
// Apache's client takes all that follows the first slash for the chroot. Here one chroot may also stand after
// each server, as people write it; two that differ, or a text that could mean two things, are refused.

import { isIPv4, isIPv6 } from 'node:net';
import { validatePath } from '@zebu/protocol';
import { ZkError } from './errors.ts';
import type { Host } from './host-provider.ts';

export interface ConnectString {
  readonly hosts: readonly Host[];
  /** The name whose SRV records are the servers, in place of `hosts`. */
  readonly srv: string | undefined;
  /** '' for none, else a path such as "/app". */
  readonly chroot: string;
  readonly isTls: boolean;
}

const DEFAULT_PORT = 2181;
const DEFAULT_TLS_PORT = 2281;

/** Throws ZkError BAD_ARGUMENTS that names what is wrong. */
export function parseConnectString(text: string): ConnectString {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text)?.[1];
  if (scheme !== undefined && scheme !== 'tls' && scheme !== 'tcp' && scheme !== 'srv') {
    throw bad(text, `scheme ${scheme} is none of tcp, tls, srv`);
  }
  const isTls = scheme === 'tls';
  const rest = scheme === undefined ? text : text.slice(scheme.length + 3);
  const { list, chroot } = splitChroot(rest, text);
  const reason = chroot === '' ? undefined : validatePath(chroot);
  if (reason !== undefined) throw bad(text, `chroot ${chroot}: ${reason}`);
  if (scheme === 'srv') return { hosts: [], srv: parseSrv(list, text), chroot, isTls };
  const hosts = list.map((entry) =>
    parseHost(entry, isTls ? DEFAULT_TLS_PORT : DEFAULT_PORT, text),
  );
  if (hosts.length === 0) throw bad(text, 'it names no server');
  return { hosts, srv: undefined, chroot, isTls };
}

/** The servers, and the one chroot: at the end, or the same after each server. */
function splitChroot(rest: string, text: string): { list: string[]; chroot: string } {
  const entries = rest
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  const list = entries.map((entry) => entry.split('/', 1)[0] as string);
  const chroots = entries.map((entry) => entry.slice(entry.indexOf('/')));
  const withChroot = entries.filter((entry) => entry.includes('/')).length;
  const last = chroots.at(-1) ?? '';
  const isEvery = withChroot === entries.length;
  if (withChroot === 0) return { list, chroot: '' };
  if (isEvery && new Set(chroots).size > 1) {
    throw bad(text, `the servers have different chroots: ${[...new Set(chroots)].join(' and ')}`);
  }
  if (!isEvery && !(withChroot === 1 && entries.at(-1)?.includes('/'))) {
    throw bad(
      text,
      'a chroot stands once, at the end, or after each server; one with a comma is for client.chroot()',
    );
  }
  return { list, chroot: last === '/' ? '' : last };
}

function parseHost(entry: string, defaultPort: number, text: string): Host {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(entry);
  if (bracketed !== null) {
    const [, address = '', port] = bracketed;
    // A zone such as %eth0 is part of the address.
    if (!isIPv6(address)) throw bad(text, `"${address}" is no IPv6 address`);
    return { host: address, port: portOf(port, defaultPort, entry, text) };
  }
  const colon = entry.lastIndexOf(':');
  if (entry.indexOf(':') !== colon) return bareIpv6(entry, colon, defaultPort, text);
  const host = colon < 0 ? entry : entry.slice(0, colon);
  const port = portOf(colon < 0 ? undefined : entry.slice(colon + 1), defaultPort, entry, text);
  if (!HOST_NAME.test(host)) throw bad(text, `"${host}" is no host name (in "${entry}")`);
  if (/^[\d.]+$/.test(host) && !isIPv4(host)) throw bad(text, `"${host}" is no IPv4 address`);
  return { host, port };
}

/** The records have the ports; a second name would have to be merged with the first. */
function parseSrv(list: readonly string[], text: string): string {
  const [name, ...others] = list;
  if (name === undefined || others.length > 0) throw bad(text, 'srv:// takes one name');
  if (!HOST_NAME.test(name))
    throw bad(text, `"${name}" is no name of SRV records, which have no port`);
  return name;
}

/** Letters of any script: the resolver knows what to do with them. */
const HOST_NAME = /^[\p{L}\p{N}._-]+$/u;

// Apache's client takes what follows the last colon for the port. "::1:2181" is an address by itself, too.
function bareIpv6(entry: string, colon: number, defaultPort: number, text: string): Host {
  const address = entry.slice(0, colon);
  const port = entry.slice(colon + 1);
  if (isIPv6(address) && /^\d+$/.test(port)) {
    const hint = `write [${address}]:${port}, or [${entry}]:${defaultPort} if all of it is the address`;
    throw bad(text, `"${entry}" could end in a port: ${hint}`);
  }
  if (!isIPv6(entry)) throw bad(text, `"${entry}" is not host:port`);
  return { host: entry, port: defaultPort };
}

function portOf(
  written: string | undefined,
  defaultPort: number,
  entry: string,
  text: string,
): number {
  if (written === undefined) return defaultPort;
  const port = /^\d{1,5}$/.test(written) ? Number(written) : 0;
  if (port < 1 || port > 65_535) {
    throw bad(text, `"${entry}" is not host:port: "${written}" is no port, allowed are 1..65535`);
  }
  return port;
}

function bad(text: string, detail: string): ZkError {
  return new ZkError('BAD_ARGUMENTS', {
    outcome: 'not-sent',
    op: 'connect',
    detail: `"${text}": ${detail}`,
  });
}
