// What servers say to each other on their election ports (quorum.md sections 2 and 3.1).
//
// Whoever opens a connection sends first, once:
//
//   long protocolVersion   -65536: one address; -65535: several, joined by '|'
//   long sid               2^63-1: an observer without an id of its own
//   int  length            1 .. 2048
//   bytes addresses        UTF-8, "host:port", IPv6 in brackets
//
// Servers before 3.5 send their sid, which is not negative, in place of the version, and nothing after it.
//
// Then both send frames (int length, 1 .. 524,288; payload), each a notification:
//
//   int  state             0 LOOKING, 1 FOLLOWING, 2 LEADING, 3 OBSERVING
//   long leader            sid that the sender votes for; -2^63: none (an observer's)
//   long zxid              of that vote
//   long electionEpoch     the sender's round
//   long peerEpoch         currentEpoch of that vote       (the 28-byte form ends before it)
//   int  version           2                               (the 40-byte form ends after it, and has none in truth)
//   int  length
//   bytes config           UTF-8 (quorum-config.ts)
//
// Bytes that break this give a MarshallingError, never anything else.

import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { MarshallingError } from './errors.ts';
import {
  formatHostAndPort,
  type HostAndPort,
  isWildcardAddress,
  javaSplit,
  parseHostAndPort,
} from './host-and-port.ts';
import { epochOf, type Zxid } from './zxid.ts';

export const PREAMBLE_V1 = -65536;
/** Only from and to servers with multiAddress.enabled. */
export const PREAMBLE_V2 = -65535;
/** Longest list of addresses in a preamble, in bytes (QuorumCnxManager.maxBuffer). */
export const MAX_PREAMBLE_ADDRESS_BYTES = 2048;
const PREAMBLE_HEAD_BYTES = 20;
/** Longest preamble: read no more than this before one is whole. */
export const MAX_PREAMBLE_BYTES: number = PREAMBLE_HEAD_BYTES + MAX_PREAMBLE_ADDRESS_BYTES;
/** Longest payload of a frame on the election port (QuorumCnxManager.PACKETMAXSIZE). */
export const MAX_ELECTION_FRAME_BYTES: number = 512 * 1024;

export interface ElectionPreamble {
  /** 0 for servers before 3.5, which announce no address. */
  readonly version: typeof PREAMBLE_V1 | typeof PREAMBLE_V2 | 0;
  /** Undefined for an observer without an id of its own. */
  readonly sid: number | undefined;
  /** Where the sender listens for elections, without wildcard addresses; perhaps none. */
  readonly addresses: readonly HostAndPort[];
}

/** Bytes of the whole preamble that begins at bytes[start]; more than there are means: wait for that many. */
export function preambleLength(bytes: Buffer, start: number, end: number): number {
  const available = end - start;
  if (available < 8) return 8;
  const reader = new ByteReader(bytes, start, end);
  const version = reader.int64();
  if (version >= 0) return 8;
  checkVersion(version);
  if (available < PREAMBLE_HEAD_BYTES) return PREAMBLE_HEAD_BYTES;
  reader.skip(8);
  return PREAMBLE_HEAD_BYTES + addressBytes(reader);
}

/** Decodes a whole preamble. */
export function readPreamble(bytes: Buffer, start: number, end: number): ElectionPreamble {
  const reader = new ByteReader(bytes, start, end);
  const version = reader.int64();
  if (version >= 0) {
    reader.offset = start;
    return { version: 0, sid: readSid(reader), addresses: [] };
  }
  checkVersion(version);
  const sid = readSid(reader);
  const length = addressBytes(reader);
  const at = reader.offset;
  reader.skip(length);
  const addresses: HostAndPort[] = [];
  for (const part of javaSplit(bytes.toString('utf8', at, at + length), '|')) {
    const address = parseHostAndPort(part);
    if (!isWildcardAddress(address.host)) addresses.push(address);
  }
  return { version: version as typeof PREAMBLE_V1 | typeof PREAMBLE_V2, sid, addresses };
}

/** With one address and V1 as every release since 3.5 sends it. */
export function writePreamble(
  writer: ByteWriter,
  preamble: {
    readonly version: typeof PREAMBLE_V1 | typeof PREAMBLE_V2;
    readonly sid: number;
    readonly addresses: readonly HostAndPort[];
  },
): void {
  const text = Buffer.from(preamble.addresses.map(formatHostAndPort).join('|'), 'utf8');
  if (text.length < 1 || text.length > MAX_PREAMBLE_ADDRESS_BYTES) {
    throw new RangeError(
      `A preamble holds 1..${MAX_PREAMBLE_ADDRESS_BYTES} bytes of addresses, not ${text.length}`,
    );
  }
  writer.int64(preamble.version);
  writer.int64(preamble.sid);
  writer.buffer(text);
}

export const ElectionState = { LOOKING: 0, FOLLOWING: 1, LEADING: 2, OBSERVING: 3 } as const;
export type ElectionState = (typeof ElectionState)[keyof typeof ElectionState];

/** Leader, zxid and peerEpoch of a vote for nobody. */
export const NO_VOTE: number = -(2 ** 63);
export const NOTIFICATION_VERSION = 2;
const NOTIFICATION_HEAD_BYTES = 44;

/** The longs are whole numbers within -2^53..2^53, or NO_VOTE. */
export interface ElectionNotification {
  readonly state: ElectionState;
  readonly leader: number;
  readonly zxid: Zxid;
  readonly electionEpoch: number;
  readonly peerEpoch: number;
  /** 0 for the forms of 28 and of 40 bytes. */
  readonly version: number;
  /** Undefined below version 2. */
  readonly configText: string | undefined;
}

/** Decodes the payload of one frame. The form is told by the length alone, as Apache does. */
export function readNotification(bytes: Buffer, start: number, end: number): ElectionNotification {
  const length = end - start;
  const reader = new ByteReader(bytes, start, end);
  const state = reader.int32();
  if (state < ElectionState.LOOKING || state > ElectionState.OBSERVING) {
    throw new MarshallingError(`Notification with the unknown state ${state}`);
  }
  const leader = readVoteLong(reader, 'Leader');
  const zxid = readVoteLong(reader, 'Zxid');
  const electionEpoch = readVoteLong(reader, 'Election epoch');
  const peerEpoch = length === 28 ? epochOf(zxid) : readVoteLong(reader, 'Peer epoch');
  const version = length === 28 || length === 40 ? 0 : reader.int32();
  let configText: string | undefined;
  if (version >= NOTIFICATION_VERSION) {
    const configBytes = reader.int32();
    if (configBytes < 0 || configBytes > reader.remaining) {
      throw new MarshallingError(
        `Notification with a config of ${configBytes} bytes, but ${reader.remaining} left`,
      );
    }
    configText = bytes.toString('utf8', reader.offset, reader.offset + configBytes);
  }
  return {
    state: state as ElectionState,
    leader,
    zxid,
    electionEpoch,
    peerEpoch,
    version,
    configText,
  };
}

/** Encodes a payload of version 2; the bytes are the caller's. Throws RangeError where no frame could hold it. */
export function encodeNotification(
  notification: Omit<ElectionNotification, 'version' | 'configText'> & {
    readonly configText: string;
  },
): Buffer {
  const config = Buffer.from(notification.configText, 'utf8');
  const length = NOTIFICATION_HEAD_BYTES + config.length;
  if (length > MAX_ELECTION_FRAME_BYTES) {
    throw new RangeError(
      `A notification of ${length} bytes is over the limit of ${MAX_ELECTION_FRAME_BYTES}`,
    );
  }
  const writer = new ByteWriter(length);
  writer.int32(notification.state);
  writer.int64(notification.leader);
  writer.int64(notification.zxid);
  writer.int64(notification.electionEpoch);
  writer.int64(notification.peerEpoch);
  writer.int32(NOTIFICATION_VERSION);
  writer.buffer(config);
  return writer.view();
}

function checkVersion(version: number): void {
  if (version !== PREAMBLE_V1 && version !== PREAMBLE_V2) {
    throw new MarshallingError(`Unknown protocol version ${version} on the election port`);
  }
}

function readSid(reader: ByteReader): number | undefined {
  const sid = reader.int64();
  if (sid === ANONYMOUS_SID) {
    reader.offset -= 8;
    if (reader.bigint64() === ANONYMOUS_OBSERVER) return undefined;
  }
  if (!Number.isSafeInteger(sid) || sid < 0) {
    throw new MarshallingError(`Sid ${sid} is outside 0..2^53`);
  }
  return sid;
}

function addressBytes(reader: ByteReader): number {
  const length = reader.int32();
  if (length < 1 || length > MAX_PREAMBLE_ADDRESS_BYTES) {
    throw new MarshallingError(
      `Preamble with ${length} bytes of addresses, not 1..${MAX_PREAMBLE_ADDRESS_BYTES}`,
    );
  }
  return length;
}

function readVoteLong(reader: ByteReader, what: string): number {
  const value = reader.int64();
  if (Number.isSafeInteger(value)) return value;
  if (value === NO_VOTE) {
    reader.offset -= 8;
    if (reader.bigint64() === NO_VOTE_LONG) return value;
  }
  throw new MarshallingError(`${what} ${value} is outside -2^53..2^53`);
}

/** QuorumPeer.OBSERVER_ID. */
const ANONYMOUS_OBSERVER = 2n ** 63n - 1n;
/** The same, rounded to a number. */
const ANONYMOUS_SID: number = 2 ** 63;
const NO_VOTE_LONG = -(2n ** 63n);
