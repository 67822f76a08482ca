// Addresses as Apache writes them in preambles and config texts: ConfigUtils.getHostAndPort, NetUtils.formatInetAddr.

import { MarshallingError } from './errors.ts';

export interface HostAndPort {
  /** A name or a literal, without brackets. */
  readonly host: string;
  readonly port: number;
}

/**
 * Splits "host:port" or "[v6]:port". Throws MarshallingError for anything else, as ConfigUtils.getHostAndPort and its
 * callers in QuorumCnxManager do; unlike theirs, an impossible port is one of these errors, too.
 */
export function parseHostAndPort(text: string): HostAndPort {
  const parts = splitHostAndPorts(text);
  const [host, portText] = parts;
  if (parts.length !== 2 || host === undefined || host === '' || portText === undefined) {
    throw new MarshallingError(`Badly formed address "${shortened(text)}"`);
  }
  return { host, port: parsePort(portText) };
}

/** The parts between colons, the first of which may be in brackets. Throws MarshallingError. */
export function splitHostAndPorts(text: string): string[] {
  if (!text.startsWith('[')) return javaSplit(text, ':');
  const close = text.indexOf(']');
  if (close < 0) throw new MarshallingError(`"${shortened(text)}" has no "]"`);
  if (close + 2 === text.length) {
    throw new MarshallingError(`"${shortened(text)}" has no port after its colon`);
  }
  if (close + 2 > text.length) return [text.slice(1, close)];
  return [text.slice(1, close), ...javaSplit(text.slice(close + 2), ':')];
}

/** 0 .. 65535, as Integer.parseInt and InetSocketAddress take it. Throws MarshallingError. */
export function parsePort(text: string): number {
  const port = /^[+-]?\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port >= 0 && port <= 65_535)) {
    throw new MarshallingError(`Bad port number "${shortened(text)}"`);
  }
  return port + 0;
}

/** "host:port", IPv6 literals in brackets. */
export function formatHostAndPort({ host, port }: HostAndPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether nobody can be reached there: 0.0.0.0, ::, and other spellings of all zeros. */
export function isWildcardAddress(host: string): boolean {
  return /^0+(\.0+){0,3}$/.test(host) || (host.includes(':') && /^[0:]+$/.test(host));
}

/** String.split of Java: empty parts at the end are dropped, all of them where the text has nothing else. */
export function javaSplit(text: string, separator: string): string[] {
  const parts = text.split(separator);
  if (parts.length === 1) return parts;
  while (parts.at(-1) === '') parts.pop();
  return parts;
}

/** For messages: a peer may send kilobytes. */
export function shortened(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}...` : text;
}
