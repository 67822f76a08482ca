// The config text of an ensemble: what /zookeeper/config holds, and what notifications and NEWLEADER carry.
//
//   server.<sid>=<host>:<quorum port>:<election port>[|...]:participant|observer[;<client host>:<client port>]
//   group.<gid>=<sid>:<sid>      weight.<sid>=<weight>       hierarchical quorums only
//   version=<hex zxid of the reconfig that made it, 0 if none>
//
// Printed byte for byte as QuorumMaj.toString and QuorumHierarchical.toString of 3.8 and 3.9 do, and parsed as
// QuorumPeerConfig.parseDynamicConfig does. Apache's receiver of notifications dies for good of a text that raises
// anything but the exceptions it expects (a port over 65,535 is enough), so nothing is printed that these parsers
// would not take: no empty list of members, none of the `;;secure` addresses that later versions know.

import { MarshallingError } from './errors.ts';
import {
  formatHostAndPort,
  type HostAndPort,
  javaSplit,
  parsePort,
  shortened,
  splitHostAndPorts,
} from './host-and-port.ts';
import { PropertySyntaxError, parseJavaProperties } from './java-properties.ts';
import type { Zxid } from './zxid.ts';

export interface MemberAddress {
  /** A name or a literal, without brackets. */
  readonly host: string;
  readonly quorumPort: number;
  readonly electionPort: number;
}

export interface QuorumMember {
  readonly sid: number;
  /** One, or several with multiAddress.enabled. */
  readonly addresses: readonly MemberAddress[];
  readonly role: 'participant' | 'observer';
  /** Undefined where the text does not say it: the member's own file does. */
  readonly clientAddress: HostAndPort | undefined;
}

export interface QuorumGroups {
  /** Participants by group, in the order of the text. */
  readonly groups: readonly { readonly gid: number; readonly sids: readonly number[] }[];
  /** Of each participant. */
  readonly weights: ReadonlyMap<number, number>;
}

export interface QuorumConfig {
  /** Zxid of the reconfig that made it; 0 for a list that comes from files. */
  readonly version: Zxid;
  /** In the order of the text, each sid once. */
  readonly members: readonly QuorumMember[];
  /** Undefined for majorities. */
  readonly hierarchy: QuorumGroups | undefined;
}

/** A text that is no config of an ensemble. */
export class QuorumConfigError extends Error {
  override readonly name = 'QuorumConfigError';
  /** The line of the text that is wrong; undefined where none is. */
  readonly line: number | undefined;

  constructor(message: string, line?: number) {
    super(line === undefined ? message : `${message} (line ${line})`);
    this.line = line;
  }
}

/** Throws RangeError for a config that Apache's parser would not take: it must not be sent to anybody. */
export function printQuorumConfig(config: QuorumConfig): string {
  const { members, hierarchy, version } = config;
  if (!members.some((member) => member.role === 'participant')) {
    throw new RangeError(`A config of ${members.length} members has no participant`);
  }
  const bySid = new Map(members.map((member) => [member.sid, member]));
  const lines = inHashMapOrder([...bySid.keys()]).map(
    (sid) => `server.${sid}=${printMember(bySid.get(sid) as QuorumMember)}`,
  );
  if (hierarchy !== undefined) lines.push(...hierarchyLines(hierarchy));
  if (!Number.isSafeInteger(version) || version < 0) throw new RangeError(`Version ${version}`);
  lines.push(`version=${version.toString(16)}`);
  return lines.join('\n');
}

/** What follows `server.<sid>=`. Throws RangeError as printQuorumConfig does. */
export function printMember(member: QuorumMember): string {
  const { sid, addresses, clientAddress, role } = member;
  if (!Number.isSafeInteger(sid) || sid < 0) throw new RangeError(`Sid ${sid}`);
  if (addresses.length === 0) throw new RangeError(`Server ${sid} has no address`);
  const hosts = addresses.map((address) => {
    const { quorumPort, electionPort } = address;
    for (const port of [quorumPort, electionPort]) checkPort(sid, port);
    if (quorumPort === electionPort) {
      throw new RangeError(`Server ${sid} has the port ${quorumPort} for quorum and election`);
    }
    const host = printableHost(sid, address.host);
    return { host, text: `${formatHostAndPort({ host, port: quorumPort })}:${electionPort}` };
  });
  hosts.sort((a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : 0));
  const client =
    clientAddress === undefined
      ? ''
      : `;${formatHostAndPort({ host: printableHost(sid, clientAddress.host), port: checkPort(sid, clientAddress.port) })}`;
  return `${hosts.map(({ text }) => text).join('|')}:${role}${client}`;
}

/** Throws QuorumConfigError, and nothing else, for whatever text. */
export function parseQuorumConfig(text: string): QuorumConfig {
  const members = new Map<number, QuorumMember>();
  const groups = new Map<number, readonly number[]>();
  const weights = new Map<number, number>();
  let version = 0;
  let isHierarchical = false;
  for (const { key, value, line } of lastEntries(text)) {
    try {
      if (key.startsWith('server.')) {
        const sid = parseLong(key.slice('server.'.length), 'sid');
        members.set(sid, parseMember(sid, value));
      } else if (key.startsWith('group')) {
        isHierarchical = true;
        const sids = javaSplit(value, ':').map((sid) => parseLong(sid, 'sid'));
        groups.set(parseLong(key.slice(key.indexOf('.') + 1), 'group'), sids);
      } else if (key.startsWith('weight')) {
        isHierarchical = true;
        const sid = parseLong(key.slice(key.indexOf('.') + 1), 'sid');
        weights.set(sid, parseLong(value, 'weight'));
      } else if (key === 'version') {
        version = parseVersion(value);
      } else {
        throw new MarshallingError(`Unrecognised parameter "${shortened(key)}"`);
      }
    } catch (error) {
      if (error instanceof MarshallingError) throw new QuorumConfigError(error.message, line);
      throw error;
    }
  }
  const participants = [...members.values()].filter(({ role }) => role === 'participant');
  if (participants.length === 0) {
    throw new QuorumConfigError(`A config of ${members.size} members has no participant`);
  }
  const hierarchy = isHierarchical ? checkedHierarchy(participants, groups, weights) : undefined;
  return { version, members: [...members.values()], hierarchy };
}

/** What stands after `server.<sid>=`. Throws MarshallingError. */
export function parseMember(sid: number, text: string): QuorumMember {
  const parts = javaSplit(text, ';');
  const [serverPart, clientPart] = parts;
  if (serverPart === undefined || parts.length > 2) throw wrongFormat(text);
  let role: QuorumMember['role'] | undefined;
  const addresses: MemberAddress[] = [];
  for (const one of javaSplit(serverPart, '|')) {
    const [host, quorumPort, electionPort, roleText, ...rest] = splitHostAndPorts(one);
    if (host === undefined || quorumPort === undefined || electionPort === undefined) {
      throw wrongFormat(text);
    }
    if (rest.length > 0) throw wrongFormat(text);
    const address = {
      host: checkedHost(host),
      quorumPort: parsePort(quorumPort),
      electionPort: parsePort(electionPort),
    };
    if (address.quorumPort === address.electionPort) {
      throw new MarshallingError(
        `Server ${sid} has the port ${address.quorumPort} for quorum and election`,
      );
    }
    if (!isKnownAddress(sid, addresses, address)) addresses.push(address);
    if (roleText !== undefined) {
      const itsRole = parseRole(roleText);
      role ??= itsRole;
      if (role !== itsRole) {
        throw new MarshallingError(
          `Server ${sid} is ${role} at one address and ${itsRole} at another`,
        );
      }
    }
  }
  if (addresses.length === 0) throw wrongFormat(text);
  return {
    sid,
    addresses,
    role: role ?? 'participant',
    clientAddress: clientPart === undefined ? undefined : parseClient(text, clientPart),
  };
}

/**
 * Whether two configs count as the same, as QuorumMaj.equals does: the same version, or the same members with the same
 * roles and addresses. Names are compared, not what they resolve to.
 */
export function isSameQuorumConfig(a: QuorumConfig, b: QuorumConfig): boolean {
  if (a.version === b.version) return true;
  if (a.members.length !== b.members.length) return false;
  const printed = new Map(a.members.map((member) => [member.sid, printMember(member)]));
  return (
    b.members.every((member) => printed.get(member.sid) === printMember(member)) &&
    hierarchyLines(a.hierarchy).join() === hierarchyLines(b.hierarchy).join()
  );
}

/**
 * The keys as a java.util.HashMap<Long, ...> of these keys gives them: by bucket. Exact for up to 7 in one bucket; sids
 * of one bucket (1 and 17 among up to 12 members) come in the order given, in Apache in the order of another map.
 */
export function inHashMapOrder(keys: readonly number[]): number[] {
  let buckets = 16;
  while (keys.length > 0.75 * buckets) buckets *= 2;
  const bucketOf = (key: number) => {
    const hash = (key ^ Math.floor(key / 2 ** 32)) | 0;
    return (hash ^ (hash >>> 16)) & (buckets - 1);
  };
  return [...keys].sort((a, b) => bucketOf(a) - bucketOf(b));
}

function hierarchyLines(hierarchy: QuorumGroups | undefined): string[] {
  if (hierarchy === undefined) return [];
  const { groups, weights } = hierarchy;
  const groupOf = new Map(
    groups.flatMap(({ gid, sids }) => sids.map((sid) => [sid, gid] as const)),
  );
  const sidsOf = new Map<number, number[]>();
  for (const sid of inHashMapOrder([...groupOf.keys()])) {
    const gid = groupOf.get(sid) as number;
    sidsOf.set(gid, [...(sidsOf.get(gid) ?? []), sid]);
  }
  return [
    ...inHashMapOrder([...sidsOf.keys()]).map(
      (gid) => `group.${gid}=${sidsOf.get(gid)?.join(':')}`,
    ),
    ...inHashMapOrder([...weights.keys()]).map((sid) => `weight.${sid}=${weights.get(sid)}`),
  ];
}

/** Every participant is in exactly one group; its weight is 1 where the text does not say it. */
function checkedHierarchy(
  participants: readonly QuorumMember[],
  groups: ReadonlyMap<number, readonly number[]>,
  given: ReadonlyMap<number, number>,
): QuorumGroups {
  const grouped = new Set<number>();
  for (const sid of [...groups.values()].flat()) {
    if (grouped.has(sid)) throw new QuorumConfigError(`Server ${sid} is in several groups`);
    grouped.add(sid);
  }
  const weights = new Map(given);
  for (const { sid } of participants) {
    if (!grouped.has(sid)) throw new QuorumConfigError(`Server ${sid} is in no group`);
    if (!weights.has(sid)) weights.set(sid, 1);
  }
  return { groups: [...groups].map(([gid, sids]) => ({ gid, sids })), weights };
}

function lastEntries(text: string) {
  try {
    const last = new Map(parseJavaProperties(text).map((entry) => [entry.key, entry]));
    return [...last.values()];
  } catch (error) {
    if (error instanceof PropertySyntaxError)
      throw new QuorumConfigError(error.message, error.line);
    throw error;
  }
}

/** An address may be said twice. One host with two pairs of ports is refused: Apache mixes up which belongs to which. */
function isKnownAddress(
  sid: number,
  known: readonly MemberAddress[],
  { host, quorumPort, electionPort }: MemberAddress,
): boolean {
  const same = known.find((one) => comparableHost(one.host) === comparableHost(host));
  if (same === undefined) return false;
  if (same.quorumPort === quorumPort && same.electionPort === electionPort) return true;
  throw new MarshallingError(`Server ${sid} has the host "${shortened(host)}" with several ports`);
}

function comparableHost(host: string): string {
  return (fullLiteral(host) ?? host).toLowerCase();
}

function parseClient(text: string, client: string): HostAndPort {
  const parts = splitHostAndPorts(client);
  const [first, second] = parts;
  if (first === undefined || parts.length > 2) throw wrongFormat(text);
  return second === undefined
    ? { host: '0.0.0.0', port: parsePort(first) }
    : { host: checkedHost(first), port: parsePort(second) };
}

function parseRole(text: string): QuorumMember['role'] {
  const role = text.trim().toLowerCase();
  if (role === 'observer' || role === 'participant') return role;
  throw new MarshallingError(`Unrecognised peertype "${shortened(text)}"`);
}

/** As Long.parseLong, but not below zero and not past what a number holds. */
function parseLong(text: string, what: string): number {
  const value = /^\+?\d{1,19}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new MarshallingError(`"${shortened(text)}" is not a ${what}`);
}

function parseVersion(text: string): number {
  const value = /^\+?[0-9a-fA-F]{1,16}$/.test(text) ? Number.parseInt(text, 16) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new MarshallingError(`"${shortened(text)}" is not a version`);
}

function checkPort(sid: number, port: number): number {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new RangeError(`Server ${sid} has the port ${port}, which is not within 0..65535`);
}

/** As InetSocketAddress.getHostString gives it: a literal in its full form, a name as it was written. */
function printableHost(sid: number, host: string): string {
  if (PRINTABLE_HOST.test(host)) return fullLiteral(host) ?? host;
  throw new RangeError(`Server ${sid} has the host "${host}", which no config text can hold`);
}

/** What a config text can hold without escapes, and any resolver could know. */
const PRINTABLE_HOST = /^[\p{L}\p{N}._:%-]+$/u;

function checkedHost(host: string): string {
  if (PRINTABLE_HOST.test(host)) return host;
  throw new MarshallingError(`"${shortened(host)}" is no host name`);
}

/** An address as InetAddress.getHostAddress prints it; undefined for a name. */
function fullLiteral(host: string): string | undefined {
  return host.includes(':') ? fullIpv6(host) : fullIpv4(host);
}

/** "127.0.0.1" for "127.1": the last of fewer than four numbers fills the rest. All are decimal, as in Java 17. */
function fullIpv4(host: string): string | undefined {
  if (!/^\d+(?:\.\d+){0,3}$/.test(host) || host.length > 15) return undefined;
  const numbers = host.split('.').map(Number);
  const last = numbers.pop() as number;
  if (numbers.some((number) => number > 255) || last >= 256 ** (4 - numbers.length))
    return undefined;
  const rest = [24, 16, 8, 0]
    .slice(numbers.length)
    .map((bits) => Math.floor(last / 2 ** bits) % 256);
  return [...numbers, ...rest].join('.');
}

/** "0:0:0:0:0:0:0:1" for "::1", as Inet6Address.getHostAddress prints it; undefined for what is no IPv6 literal. */
function fullIpv6(host: string): string | undefined {
  const [literal = '', zone] = host.split('%');
  const halves = literal.split('::');
  if (halves.length > 2) return undefined;
  const [head = [], tail] = halves.map((half) => (half === '' ? [] : groupsOf(half)));
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  const known = head.length + (tail?.length ?? 0);
  if (tail === undefined ? known !== 8 : known > 7) return undefined;
  const groups = [...head, ...new Array<number>(8 - known).fill(0), ...(tail ?? [])];
  if (groups.some((group) => !(group >= 0 && group <= 0xffff))) return undefined;
  // Java makes an IPv4 address of a mapped one.
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    const [high = 0, low = 0] = groups.slice(6);
    return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
  }
  const text = groups.map((group) => group.toString(16)).join(':');
  return zone === undefined ? text : `${text}%${zone}`;
}

/** The 16-bit groups of a part of an IPv6 literal, whose last may be an IPv4 address; NaN for what is none. */
function groupsOf(text: string): number[] {
  return text.split(':').flatMap((group, index, all) => {
    const quad = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(group)?.slice(1).map(Number);
    if (quad !== undefined && index === all.length - 1) {
      const [a = 0, b = 0, c = 0, d = 0] = quad;
      return Math.max(a, b, c, d) > 255 ? [Number.NaN] : [a * 256 + b, c * 256 + d];
    }
    return [/^[0-9a-fA-F]{1,4}$/.test(group) ? Number.parseInt(group, 16) : Number.NaN];
  });
}

function wrongFormat(text: string): MarshallingError {
  return new MarshallingError(
    `"${shortened(text)}" does not have the form host:port:port[:type][;[host:]port]`,
  );
}
