// What the packets between a leader and its learners say: one message per type of quorum.md section 5.
//
//   REQUEST             learner    zxid -1     long sessionId, int cxid, int opType, request body to the end;
//                                              authinfo: identities of the client, null for the server's own
//   PROPOSAL, INFORM    leader     of the txn  the entry (txn-records.ts)
//   ACK                 learner    acked       -
//   COMMIT              leader     committed   -
//   PING                leader     proposed    null; the answer repeats the zxid and carries, never null:
//                                              repeated { long sessionId, int timeout ms }
//   REVALIDATE          learner    -1          long sessionId, int timeout ms
//                       leader     -1          long sessionId, boolean valid
//   SYNC                leader     0           -
//   COMMITANDACTIVATE   leader     committed   long designated leader
//   INFORMANDACTIVATE   leader     of the txn  long designated leader, the entry
//   NEWLEADER           leader     (epoch,0)   config text (quorum-config.ts)
//   FOLLOWERINFO,       learner    (acceptedEpoch,0)  long sid, int protocolVersion 0x10000,
//   OBSERVERINFO                               long config version; older learners send less
//   LEADERINFO          leader     (epoch,0)   int protocolVersion 0x10000
//   ACKEPOCH            learner    last zxid   int currentEpoch, or -1: does not count as an ack
//   UPTODATE            leader     -1          -
//   DIFF, TRUNC, SNAP   leader     see quorum.md 6.3   -; SNAP is followed by the snapshot as raw bytes
//
// A message is an object, for discovery, sync, the core and its tests. PROPOSAL, ACK, COMMIT and REQUEST at full
// load are read from the QuorumPacketView by the offsets below, and written in place by peer-packets.ts.

import { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { MarshallingError } from './errors.ts';
import {
  type Identity,
  PacketType,
  packetTypeName,
  putPacketHead,
  type QuorumPacketView,
  writeAuthinfo,
  writeBarePacket,
} from './peer-packets.ts';
import { epochOf, makeZxid, type Zxid } from './zxid.ts';

/** Spoken by every release since 3.4; earlier ones know no LEADERINFO and no ACKEPOCH. */
export const PEER_PROTOCOL_VERSION = 0x10000;

/** Offsets inside the data of a REQUEST. */
export const RequestDataOffset = { sessionId: 0, cxid: 8, opType: 12, body: 16 } as const;

/** One session in the answer to a PING: long sessionId, int timeout ms. */
export const TOUCH_BYTES = 12;

/** Who a learner is. Older learners leave fields out. */
export interface LearnerInfo {
  /** Undefined for a learner that does not say it: the leader makes one up. */
  readonly sid: number | undefined;
  /** 1 for learners that do not say it. */
  readonly protocolVersion: number;
  /** Undefined for learners before reconfig: their config is not checked. */
  readonly configVersion: number | undefined;
}

export interface RequestMessage {
  readonly type: typeof PacketType.REQUEST;
  readonly sessionId: bigint;
  readonly cxid: number;
  readonly opType: number;
  readonly body: Uint8Array;
  /** Null for a request that the learner itself makes. */
  readonly identities: readonly Identity[] | null;
}

export interface TxnMessage {
  readonly type: typeof PacketType.PROPOSAL | typeof PacketType.INFORM;
  readonly zxid: Zxid;
  /** The entry: TxnHeader, body, digest. */
  readonly entry: Uint8Array;
}

/** Messages of which the zxid is all. */
export interface ZxidMessage {
  readonly type:
    | typeof PacketType.ACK
    | typeof PacketType.COMMIT
    | typeof PacketType.SYNC
    | typeof PacketType.UPTODATE
    | typeof PacketType.DIFF
    | typeof PacketType.TRUNC
    | typeof PacketType.SNAP;
  readonly zxid: Zxid;
}

export interface PingMessage {
  readonly type: typeof PacketType.PING;
  readonly zxid: Zxid;
  /** TOUCH_BYTES for each session that was heard of; null in the leader's question. */
  readonly touched: Uint8Array | null;
}

/** A learner's question. */
export interface RevalidateRequest {
  readonly type: typeof PacketType.REVALIDATE;
  readonly sessionId: bigint;
  readonly timeoutMs: number;
}

/** The leader's answer. */
export interface RevalidateResponse {
  readonly type: typeof PacketType.REVALIDATE;
  readonly sessionId: bigint;
  readonly valid: boolean;
}

export interface CommitAndActivateMessage {
  readonly type: typeof PacketType.COMMITANDACTIVATE;
  readonly zxid: Zxid;
  /** Sid of the leader to be, which may be this one. */
  readonly designatedLeader: number;
}

export interface InformAndActivateMessage {
  readonly type: typeof PacketType.INFORMANDACTIVATE;
  readonly zxid: Zxid;
  readonly designatedLeader: number;
  readonly entry: Uint8Array;
}

export interface NewLeaderMessage {
  readonly type: typeof PacketType.NEWLEADER;
  /** (epoch,0). */
  readonly zxid: Zxid;
  /** Null from leaders before reconfig. */
  readonly configText: string | null;
}

export interface LearnerInfoMessage {
  readonly type: typeof PacketType.FOLLOWERINFO | typeof PacketType.OBSERVERINFO;
  readonly acceptedEpoch: number;
  readonly info: LearnerInfo;
}

export interface LeaderInfoMessage {
  readonly type: typeof PacketType.LEADERINFO;
  readonly epoch: number;
  readonly protocolVersion: number;
}

export interface AckEpochMessage {
  readonly type: typeof PacketType.ACKEPOCH;
  /** The learner's last logged zxid; -1 where it has no history. */
  readonly lastZxid: Zxid;
  /** -1: had accepted this epoch before, and must not be counted. */
  readonly currentEpoch: number;
}

/** One packet, decoded. `type` tells the members apart; REVALIDATE also by `valid`. */
export type PeerMessage =
  | RequestMessage
  | TxnMessage
  | ZxidMessage
  | PingMessage
  | RevalidateRequest
  | RevalidateResponse
  | CommitAndActivateMessage
  | InformAndActivateMessage
  | NewLeaderMessage
  | LearnerInfoMessage
  | LeaderInfoMessage
  | AckEpochMessage;

/**
 * Decodes a packet. Byte arrays in the message are views that are valid as long as the packet's bytes. Undefined for
 * a type that Apache does not have: such packets are ignored. Throws MarshallingError for data that is too short.
 */
export function readPeerMessage(packet: QuorumPacketView): PeerMessage | undefined {
  const { type, zxid } = packet;
  switch (type) {
    case PacketType.ACK:
    case PacketType.COMMIT:
    case PacketType.SYNC:
    case PacketType.UPTODATE:
    case PacketType.DIFF:
    case PacketType.TRUNC:
    case PacketType.SNAP:
      return { type, zxid };
    case PacketType.PROPOSAL:
    case PacketType.INFORM:
      return { type, zxid, entry: dataOf(packet) };
    case PacketType.PING:
      return { type, zxid, touched: packet.data() };
    case PacketType.REQUEST: {
      const reader = dataReader(packet);
      return {
        type,
        sessionId: reader.bigint64(),
        cxid: reader.int32(),
        opType: reader.int32(),
        body: packet.bytes.subarray(reader.offset, packet.dataEnd),
        identities: packet.authinfo(),
      };
    }
    case PacketType.REVALIDATE: {
      const reader = dataReader(packet);
      const sessionId = reader.bigint64();
      // The answer is one byte where the question has an int.
      return reader.remaining < 4
        ? { type, sessionId, valid: reader.bool() }
        : { type, sessionId, timeoutMs: reader.int32() };
    }
    case PacketType.COMMITANDACTIVATE:
      return { type, zxid, designatedLeader: dataReader(packet).exactInt64('Designated leader') };
    case PacketType.INFORMANDACTIVATE: {
      const reader = dataReader(packet);
      const designatedLeader = reader.exactInt64('Designated leader');
      const entry = packet.bytes.subarray(reader.offset, packet.dataEnd);
      return { type, zxid, designatedLeader, entry };
    }
    case PacketType.NEWLEADER:
      return { type, zxid, configText: packet.data()?.toString('utf8') ?? null };
    case PacketType.FOLLOWERINFO:
    case PacketType.OBSERVERINFO:
      return { type, acceptedEpoch: epochIn(packet), info: learnerInfo(packet) };
    case PacketType.LEADERINFO:
      return { type, epoch: epochIn(packet), protocolVersion: dataReader(packet).int32() };
    case PacketType.ACKEPOCH:
      return { type, lastZxid: zxid, currentEpoch: dataReader(packet).int32() };
    default:
      return undefined;
  }
}

/** Encodes one packet after what the writer holds. */
export function writePeerMessage(writer: ByteWriter, message: PeerMessage): void {
  switch (message.type) {
    case PacketType.ACK:
    case PacketType.COMMIT:
    case PacketType.SYNC:
    case PacketType.UPTODATE:
    case PacketType.DIFF:
    case PacketType.TRUNC:
    case PacketType.SNAP:
      writeBarePacket(writer, message.type, message.zxid);
      return;
    case PacketType.PROPOSAL:
    case PacketType.INFORM:
      writeHead(writer, message.type, message.zxid, message.entry.length);
      writer.raw(message.entry, 0, message.entry.length);
      break;
    case PacketType.PING:
      if (message.touched === null) {
        writeBarePacket(writer, message.type, message.zxid);
        return;
      }
      writeHead(writer, message.type, message.zxid, message.touched.length);
      writer.raw(message.touched, 0, message.touched.length);
      break;
    case PacketType.REQUEST:
      writeHead(writer, message.type, -1, RequestDataOffset.body + message.body.length);
      writer.bigint64(message.sessionId);
      writer.int32(message.cxid);
      writer.int32(message.opType);
      writer.raw(message.body, 0, message.body.length);
      writeAuthinfo(writer, message.identities);
      return;
    case PacketType.REVALIDATE:
      writeHead(writer, message.type, -1, 'valid' in message ? 9 : 12);
      writer.bigint64(message.sessionId);
      if ('valid' in message) writer.bool(message.valid);
      else writer.int32(message.timeoutMs);
      break;
    case PacketType.COMMITANDACTIVATE:
      writeHead(writer, message.type, message.zxid, 8);
      writer.int64(message.designatedLeader);
      break;
    case PacketType.INFORMANDACTIVATE:
      writeHead(writer, message.type, message.zxid, 8 + message.entry.length);
      writer.int64(message.designatedLeader);
      writer.raw(message.entry, 0, message.entry.length);
      break;
    case PacketType.NEWLEADER: {
      if (message.configText === null) {
        writeBarePacket(writer, message.type, message.zxid);
        return;
      }
      const text = Buffer.from(message.configText, 'utf8');
      writeHead(writer, message.type, message.zxid, text.length);
      writer.raw(text, 0, text.length);
      break;
    }
    case PacketType.FOLLOWERINFO:
    case PacketType.OBSERVERINFO:
      writeLearnerInfo(writer, message);
      break;
    case PacketType.LEADERINFO:
      writeHead(writer, message.type, makeZxid(message.epoch, 0), 4);
      writer.int32(message.protocolVersion);
      break;
    case PacketType.ACKEPOCH:
      writeHead(writer, message.type, message.lastZxid, 4);
      writer.int32(message.currentEpoch);
      break;
  }
  writer.int32(-1);
}

/** Calls `touch` for each session in the answer to a PING; a part of one at the end is left out, as Apache does. */
export function readTouched(
  touched: Uint8Array,
  touch: (sessionHigh: number, sessionLow: number, timeoutMs: number) => void,
): void {
  const reader = new ByteReader(Buffer.from(touched.buffer, touched.byteOffset, touched.length));
  while (reader.remaining >= TOUCH_BYTES) touch(reader.int32(), reader.int32(), reader.int32());
}

function writeHead(writer: ByteWriter, type: number, zxid: Zxid, dataLength: number): void {
  writer.ensure(dataLength + 32);
  writer.offset = putPacketHead(writer.bytes, writer.offset, type, zxid, dataLength);
}

function writeLearnerInfo(writer: ByteWriter, message: LearnerInfoMessage): void {
  const { sid, protocolVersion, configVersion } = message.info;
  const zxid = makeZxid(message.acceptedEpoch, 0);
  if (sid === undefined) {
    writeHead(writer, message.type, zxid, -1);
    return;
  }
  const isOld = configVersion === undefined;
  writeHead(writer, message.type, zxid, isOld ? 12 : 20);
  writer.int64(sid);
  writer.int32(protocolVersion);
  if (!isOld) writer.int64(configVersion);
}

/** As lenient as LearnerHandler.run is with what older learners leave out. */
function learnerInfo(packet: QuorumPacketView): LearnerInfo {
  const reader = new ByteReader(packet.bytes, packet.dataStart, packet.dataEnd);
  const sid = reader.remaining >= 8 ? reader.exactInt64('Sid') : undefined;
  const protocolVersion = reader.remaining >= 4 ? reader.int32() : 1;
  const configVersion = reader.remaining >= 8 ? reader.exactInt64('Config version') : undefined;
  return { sid, protocolVersion, configVersion };
}

function epochIn(packet: QuorumPacketView): number {
  if (packet.zxid < 0) {
    throw new MarshallingError(`${packetTypeName(packet.type)} with the zxid ${packet.zxid}`);
  }
  return epochOf(packet.zxid);
}

function dataOf(packet: QuorumPacketView): Buffer {
  const data = packet.data();
  if (data === null) throw new MarshallingError(`${packetTypeName(packet.type)} without data`);
  return data;
}

function dataReader(packet: QuorumPacketView): ByteReader {
  return new ByteReader(packet.bytes, packet.dataStart, packet.dataEnd);
}
