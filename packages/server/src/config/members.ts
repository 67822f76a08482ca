/**
 * The server.N lines. This version runs one server: a single line is that server on its own, with the
 * client address that the line may hold; several are an ensemble, and refused.
 */

import { ConfigError, describeSource } from './config-error.ts';
import { Problems } from './problems.ts';
import type { Given } from './sources.ts';

/** One member of an ensemble, as far as a server on its own needs it. */
interface Member {
  readonly given: Given;
  readonly role: 'participant' | 'observer';
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

/** The client address in the one server.N line; undefined when there is none. Throws ConfigError. */
export function clientAddressOfMembers(lines: readonly Given[]): ClientAddress | undefined {
  const problems = new Problems();
  const members = lines
    .map((line) => problems.attempt(() => parseMember(line)))
    .filter((member) => member !== undefined);
  problems.throwIfAny();
  const participants = members.filter(({ role }) => role === 'participant');
  if (members.length > participants.length && participants.length <= 1) {
    throw refusal(members, 'Observers without a quorum are no ensemble');
  }
  if (participants.length > 1) {
    throw refusal(
      members,
      `${members.length} servers are an ensemble, which comes in a later version: leave one server.N line or none, and this server runs on its own`,
    );
  }
  return participants[0]?.client;
}

function refusal(members: readonly Member[], reason: string): ConfigError {
  const [first] = members as [Member, ...Member[]];
  const { key, text, source } = first.given;
  const keys = members.map(({ given }) => given.key).join(', ');
  return new ConfigError(`${keys} (${describeSource(source)}): ${reason}`, {
    key,
    value: text,
    source,
    allowed: 'one server.N line or none',
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
  if (!isMember.test(addresses) || !isRole || more.length > 0) throw notAMember(given);
  for (const part of [client, secure]) {
    if (part !== undefined && part !== '' && parseClientAddress(part, given) === undefined) {
      throw notAMember(given);
    }
  }
  const clientAddress =
    client === undefined || client === '' ? undefined : parseClientAddress(client, given);
  return { given, role, client: clientAddress };
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

/** An address as sockets take it: `[::1]` is `::1`. */
export function withoutBrackets(address: string): string {
  return address.replace(/^\[(.*)\]$/, '$1');
}

/** Whether binding to it means binding to all addresses. */
export function isAnyAddress(address: string | undefined): boolean {
  return address === undefined || /^(0\.0\.0\.0|::|0(:0){7})$/.test(address);
}
