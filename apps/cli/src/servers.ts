// What stands in a list of servers: the servers, the chroot, each host and port. What makes no sense is left to the
// client, which says why.

const DEFAULT_PORT = 2181;
const DEFAULT_TLS_PORT = 2281;

export interface ServerList {
  /** Without the chroot, with the scheme: for connect(). */
  readonly servers: string;
  /** '' for none. */
  readonly chroot: string;
  readonly isTls: boolean;
  readonly hosts: readonly HostPort[];
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
  /** As it was written. */
  readonly text: string;
}

export function readServerList(text: string, forceTls = false): ServerList {
  const [, scheme = '', rest = ''] = /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/)?(.*)$/s.exec(text) ?? [];
  const isTls = scheme === 'tls' || (scheme === '' && forceTls);
  const entries = rest
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  const slash = entries.map((entry) => entry.indexOf('/'));
  const chroots = new Set(
    entries
      .filter((_, index) => (slash[index] as number) >= 0)
      .map((entry) => entry.slice(entry.indexOf('/'))),
  );
  const withChroot = slash.filter((at) => at >= 0).length;
  const isPlain =
    withChroot === 0 ||
    (chroots.size === 1 &&
      (withChroot === entries.length || (withChroot === 1 && (slash.at(-1) as number) >= 0)));
  const prefix = scheme === '' ? (isTls ? 'tls://' : '') : `${scheme}://`;
  const bare = isPlain ? entries.map((entry) => entry.split('/', 1)[0] as string) : entries;
  const [chroot = ''] = isPlain ? chroots : [];
  return {
    servers: prefix + bare.join(','),
    chroot: chroot === '/' ? '' : chroot,
    isTls,
    hosts: bare.map((entry) => readHost(entry, isTls ? DEFAULT_TLS_PORT : DEFAULT_PORT)),
  };
}

function readHost(text: string, defaultPort: number): HostPort {
  const bracketed = /^\[([^\]]*)\](?::(\d+))?$/.exec(text);
  if (bracketed !== null) {
    const [, host = '', port] = bracketed;
    return { host, port: Number(port ?? defaultPort), text };
  }
  const colon = text.lastIndexOf(':');
  if (colon < 0 || text.indexOf(':') !== colon) return { host: text, port: defaultPort, text };
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)), text };
}
