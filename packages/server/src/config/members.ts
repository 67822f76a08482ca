/**
 * The server.N lines. A single line is a server on its own, with the client address that the line may hold;
 * several are an ensemble, and this server is the member that its file myid names.
 */

import type { QuorumMember } from '@zebu/protocol';
import { ConfigError, describeSource } from './config-error.ts';
import { Problems } from './problems.ts';
import type { Given } from './sources.ts';

/** One server.N line. */
export interface Member {
  readonly given: Given;
  readonly member: QuorumMember;
  readonly client: ClientAddress | undefined;
}

/** Where a member serves clients; no address means all of them. */
export interface ClientAddress {
  readonly address: string | undefined;
  readonly port: number;
  readonly given: Given;
}

const FORM =
  'host:port:port[:participant or observer], more addresses after |, and [;[address:]clientPort]';

/** All members, checked one by one. Throws ConfigError. */
export function readMembers(lines: readonly Given[]): Member[] {
  const problems = new Problems();
  const members = lines
    .map((line) => problems.attempt(() => parseMember(line)))
    .filter((member) => member !== undefined);
  for (const [index, one] of members.entries()) {
    const earlier = members.slice(0, index).find(({ member }) => member.sid === one.member.sid);
    if (earlier !== undefined) problems.add(sameMember(one.given, earlier.given));
  }
  problems.throwIfAny();
  return members;
}

/** Whether the lines are those of an ensemble: more than one member votes (QuorumPeerConfig.isDistributed). */
export function isEnsemble(members: readonly Member[]): boolean {
  const voters = members.filter(({ member }) => member.role === 'participant');
  if (members.length > voters.length && voters.length <= 1) {
    throw refusal(members, 'Observers without a quorum are no ensemble');
  }
  return voters.length > 1;
}

/**
 * The client address in this server's line; undefined when there is none. `ownSid` is asked for where there are
 * several. Throws ConfigError.
 */
export function clientAddressOfMembers(
  lines: readonly Given[],
  ownSid: () => number,
): ClientAddress | undefined {
  const members = readMembers(lines);
  if (!isEnsemble(members)) return members[0]?.client;
  const sid = ownSid();
  return members.find(({ member }) => member.sid === sid)?.client;
}

function refusal(members: readonly Member[], reason: string): ConfigError {
  const [first] = members as [Member, ...Member[]];
  const { key, text, source } = first.given;
  const keys = members.map(({ given }) => given.key).join(', ');
  return new ConfigError(`${keys} (${describeSource(source)}): ${reason}`, {
    key,
    value: text,
    source,
    allowed: 'at least two members that vote, or one line',
  });
}

// QuorumPeer.QuorumServer: server_config or server_config;client_config, since 3.10 with a second ;.
function parseMember(given: Given): Member {
  const [addresses = '', client, secure, ...more] = given.text
    .split(';')
    .map((part) => part.trim());
  const isMember = /^(\[[^\]]+\]|[^:[\]|]+):\d+:\d+(\|(\[[^\]]+\]|[^:[\]|]+):\d+:\d+)*(:\w+)?$/;
  const role = /:([a-z]+)$/i.exec(addresses)?.[1]?.toLowerCase() ?? 'participant';
  const isRole = role === 'participant' || role === 'observer';
  const sid = Number(given.key.slice('server.'.length));
  if (!isMember.test(addresses) || !isRole || more.length > 0 || !Number.isSafeInteger(sid)) {
    throw notAMember(given);
  }
  for (const part of [client, secure]) {
    if (part !== undefined && part !== '' && parseClientAddress(part, given) === undefined) {
      throw notAMember(given);
    }
  }
  const clientAddress =
    client === undefined || client === '' ? undefined : parseClientAddress(client, given);
  const hosts = addresses.replace(/:[a-z]+$/i, '').split('|');
  return {
    given,
    member: {
      sid,
      addresses: hosts.map((one) => parseAddress(one, given)),
      role,
      clientAddress:
        clientAddress === undefined
          ? undefined
          : { host: clientAddress.address ?? '0.0.0.0', port: clientAddress.port },
    },
    client: clientAddress,
  };
}

function parseAddress(text: string, given: Given): QuorumMember['addresses'][number] {
  const match = /^(.*):(\d+):(\d+)$/.exec(text.trim());
  const [quorumPort, electionPort] = [Number(match?.[2]), Number(match?.[3])];
  if (match === null || quorumPort > 65535 || electionPort > 65535) throw notAMember(given);
  return { host: withoutBrackets(match[1] as string), quorumPort, electionPort };
}

function parseClientAddress(text: string, given: Given): ClientAddress | undefined {
  const match = /^(?:(\[[^\]]+\]|[^:[\]]*):)?(\d+)$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[2]);
  if (port > 65535) return undefined;
  const address = match[1] === undefined || match[1] === '' ? undefined : withoutBrackets(match[1]);
  return { address: isAnyAddress(address) ? undefined : address, port, given };
}

function notAMember(given: Given): ConfigError {
  const { key, text, source } = given;
  return new ConfigError(
    `${key}: ${JSON.stringify(text)} (${describeSource(source)}) is not allowed: ${FORM}`,
    { key, value: text, source, allowed: FORM },
  );
}

/** Two lines for one member: which of them is meant, or which number is mistyped, nobody but the writer knows. */
export function sameMember(given: Given, earlier: Given): ConfigError {
  const { key, text, source } = given;
  return new ConfigError(
    `${key}=${text} (${describeSource(source)}): the same member is ${earlier.key}=${earlier.text} (${describeSource(earlier.source)}); give each member one line and a number of its own`,
    { key, value: text, source },
  );
}

/** An address as sockets take it: `[::1]` is `::1`. */
export function withoutBrackets(address: string): string {
  return address.replace(/^\[(.*)\]$/, '$1');
}

/** Whether binding to it means binding to all addresses. */
export function isAnyAddress(address: string | undefined): boolean {
  return address === undefined || /^(0\.0\.0\.0|::|0(:0){7})$/.test(address);
}
