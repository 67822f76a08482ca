// Reads what says where the servers are: "zk1:2181,zk2:2182,[::1]:2183/app", "tls://zk1:2281".

import { validatePath } from '@zebu/protocol';
import { ZkError } from './errors.ts';

export interface Host {
  readonly host: string;
  readonly port: number;
}

export interface ConnectString {
  readonly hosts: readonly Host[];
  /** '' for none, else a path such as "/app". */
  readonly chroot: string;
  readonly isTls: boolean;
}

const DEFAULT_PORT = 2181;
const DEFAULT_TLS_PORT = 2281;

/** Throws ZkError BAD_ARGUMENTS that names what is wrong. */
export function parseConnectString(text: string): ConnectString {
  const scheme = /^([a-z+]+):\/\//.exec(text)?.[1];
  if (scheme !== undefined && scheme !== 'tls' && scheme !== 'tcp') {
    throw bad(text, `scheme ${scheme} is neither tcp nor tls`);
  }
  const isTls = scheme === 'tls';
  const rest = scheme === undefined ? text : text.slice(scheme.length + 3);
  const slash = rest.indexOf('/');
  const list = slash < 0 ? rest : rest.slice(0, slash);
  const chroot = slash < 0 || slash === rest.length - 1 ? '' : rest.slice(slash);
  const reason = chroot === '' ? undefined : validatePath(chroot);
  if (reason !== undefined) throw bad(text, reason);
  const hosts = list
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .map((entry) => parseHost(entry, isTls ? DEFAULT_TLS_PORT : DEFAULT_PORT, text));
  if (hosts.length === 0) throw bad(text, 'it names no server');
  return { hosts, chroot, isTls };
}

function parseHost(entry: string, defaultPort: number, text: string): Host {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(entry);
  // An IPv6 address without brackets can have no port.
  if (match === null && /^[0-9a-fA-F:.]+$/.test(entry)) return { host: entry, port: defaultPort };
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (host === undefined || port < 1 || port > 65_535)
    throw bad(text, `"${entry}" is not host:port`);
  return { host, port };
}

function bad(text: string, detail: string): ZkError {
  return new ZkError('BAD_ARGUMENTS', {
    outcome: 'not-sent',
    op: 'connect',
    detail: `"${text}": ${detail}`,
  });
}
