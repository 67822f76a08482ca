// QuorumPacket: the unit of the stream between a leader and its learners (quorum.md section 5).
//
//   int type, long zxid, buffer data, vector<Id> authinfo (null is -1)
//   Id: ustring scheme, ustring id
//
// Packets follow each other without a length prefix. After SNAP the stream carries a snapshot as raw
// bytes, and packets again after its end; `PeerStreamDecoder` switches when its owner says so.
// What the data of each type holds stands in peer-records.ts.

import { ByteReader } from './byte-reader.ts';
import { type ByteWriter, getInt32, putInt32 } from './byte-writer.ts';
import { MarshallingError, ProtocolError, type ProtocolErrorCode } from './errors.ts';
import type { Zxid } from './zxid.ts';

/** Types of Leader.java (3.9.5). */
export const PacketType = {
  REQUEST: 1,
  PROPOSAL: 2,
  ACK: 3,
  COMMIT: 4,
  PING: 5,
  REVALIDATE: 6,
  SYNC: 7,
  INFORM: 8,
  COMMITANDACTIVATE: 9,
  NEWLEADER: 10,
  FOLLOWERINFO: 11,
  UPTODATE: 12,
  DIFF: 13,
  TRUNC: 14,
  SNAP: 15,
  OBSERVERINFO: 16,
  LEADERINFO: 17,
  ACKEPOCH: 18,
  INFORMANDACTIVATE: 19,
} as const;
export type PacketType = (typeof PacketType)[keyof typeof PacketType];

const PACKET_NAMES: readonly (string | undefined)[] = Object.entries(PacketType).reduce<string[]>(
  (names, [name, type]) => {
    names[type] = name;
    return names;
  },
  [],
);

/** "PROPOSAL"; "UNKNOWN 42" for a type that Apache does not have. */
export function packetTypeName(type: number): string {
  return PACKET_NAMES[type] ?? `UNKNOWN ${type}`;
}

/** Type, zxid and data length, which precede the data. */
export const PACKET_HEAD_BYTES = 16;
/** The null authinfo after the data. */
export const PACKET_TAIL_BYTES = 4;
/** A packet with neither data nor authinfo: ACK, COMMIT, SYNC, UPTODATE, DIFF, TRUNC, SNAP. */
export const BARE_PACKET_BYTES: number = PACKET_HEAD_BYTES + PACKET_TAIL_BYTES;

/** One identity of the client that made a REQUEST. */
export interface Identity {
  readonly scheme: string;
  readonly id: string;
}

/** Writes a packet with null data and null authinfo; returns the offset after it. */
export function putBarePacket(target: Uint8Array, at: number, type: number, zxid: Zxid): number {
  return putInt32(target, putPacketHead(target, at, type, zxid, -1), -1);
}

/** Writes type, zxid and data length (-1 for null data); returns the offset where the data begins. */
export function putPacketHead(
  target: Uint8Array,
  at: number,
  type: number,
  zxid: Zxid,
  dataLength: number,
): number {
  let next = putInt32(target, at, type);
  next = putInt32(target, next, Math.floor(zxid / TWO_32));
  next = putInt32(target, next, zxid);
  return putInt32(target, next, dataLength);
}

/**
 * Makes a packet of the data that lies at `bytes[start, end)` already: writes PACKET_HEAD_BYTES before it and
 * PACKET_TAIL_BYTES after it, for which the caller has left room. Txns that lie one after another with that
 * room between them are then the PROPOSAL stream. Returns the offset after the packet. No allocation.
 */
export function framePacket(
  bytes: Uint8Array,
  start: number,
  end: number,
  type: number,
  zxid: Zxid,
): number {
  putPacketHead(bytes, start - PACKET_HEAD_BYTES, type, zxid, end - start);
  return putInt32(bytes, end, -1);
}

export function writeBarePacket(writer: ByteWriter, type: number, zxid: Zxid): void {
  writer.ensure(BARE_PACKET_BYTES);
  writer.offset = putBarePacket(writer.bytes, writer.offset, type, zxid);
}

/** Any packet, from its parts. */
export function writeQuorumPacket(
  writer: ByteWriter,
  packet: {
    readonly type: number;
    readonly zxid: Zxid;
    readonly data: Uint8Array | null;
    readonly authinfo: readonly Identity[] | null;
  },
): void {
  writer.int32(packet.type);
  writer.int64(packet.zxid);
  writer.buffer(packet.data);
  writeAuthinfo(writer, packet.authinfo);
}

export function writeAuthinfo(writer: ByteWriter, authinfo: readonly Identity[] | null): void {
  writer.int32(authinfo === null ? -1 : authinfo.length);
  for (const { scheme, id } of authinfo ?? []) {
    writer.string(scheme);
    writer.string(id);
  }
}

/** A received packet where it lies. Valid, like its bytes, only during the call that hands it over. */
export class QuorumPacketView {
  type = 0;
  /** Whole numbers from -2^53 to 2^53; -1 where a packet has none. */
  zxid: Zxid = 0;
  bytes: Buffer = NO_BYTES;
  /** The whole packet is bytes[start, end). */
  start = 0;
  end = 0;
  /** The data is bytes[dataStart, dataEnd); empty also where it is null. */
  dataStart = 0;
  dataEnd = 0;
  hasData = false;

  get dataLength(): number {
    return this.dataEnd - this.dataStart;
  }

  /** A view of the data, not a copy; null where the packet has none. */
  data(): Buffer | null {
    return this.hasData ? this.bytes.subarray(this.dataStart, this.dataEnd) : null;
  }

  get hasAuthinfo(): boolean {
    return this.end - this.dataEnd > PACKET_TAIL_BYTES;
  }

  /** Null for a null vector. Throws MarshallingError where a string is null. */
  authinfo(): Identity[] | null {
    const reader = new ByteReader(this.bytes, this.dataEnd, this.end);
    const count = reader.vectorLength();
    if (count < 0) return null;
    const identities: Identity[] = [];
    for (let i = 0; i < count; i++) {
      const scheme = reader.string();
      const id = reader.string();
      if (scheme === null || id === null) {
        throw new MarshallingError(`Identity ${i} of ${count} has a null scheme or id`);
      }
      identities.push({ scheme, id });
    }
    return identities;
  }
}

export interface PeerStreamSink {
  /**
   * A whole packet; it and its bytes are valid only during the call. False stops the decoder: what follows is
   * kept for the next push.
   */
  packet(packet: QuorumPacketView): boolean;
  /**
   * Raw bytes[start, end), valid only during the call. Returns the offset after the last byte it took. Where the raw
   * part ends it calls `leaveRaw()`, and packets are decoded from that offset on. Otherwise fewer bytes than all
   * stop the decoder as `packet` does.
   */
  raw(bytes: Buffer, start: number, end: number): number;
}

export interface PeerStreamLimits {
  /** Longest data of a packet, in bytes: jute.maxbuffer and its extra size. */
  readonly maxDataBytes: number;
  /** Longest authinfo of a packet, in bytes, its count included. */
  readonly maxAuthinfoBytes: number;
}

/**
 * Cuts chunks of any size into packets. A packet that is whole in its chunk is handed over where it lies; one
 * that is cut is gathered in a buffer that grows with the bytes that came, never by an announced length.
 */
export class PeerStreamDecoder {
  private readonly limits: PeerStreamLimits;
  private readonly view: QuorumPacketView;
  private raw: boolean;
  private stopped: boolean;
  /** Bytes that were pushed and not used: the beginning of a packet, and what a sink that stops has left. */
  private tail: Buffer | undefined;
  private tailLength: number;

  // How far the packet at the front was read; offsets count from its first byte.
  /** Where its authinfo begins; 0 until its head was read. */
  private authAt: number;
  /** Strings of its authinfo not passed yet; -1 until their number was read. */
  private stringsLeft: number;
  /** Where the next of these strings begins. */
  private stringAt: number;

  constructor(limits: PeerStreamLimits) {
    this.limits = limits;
    this.view = new QuorumPacketView();
    this.raw = false;
    this.stopped = false;
    this.tail = undefined;
    this.tailLength = 0;
    this.authAt = 0;
    this.stringsLeft = -1;
    this.stringAt = 0;
  }

  get isRaw(): boolean {
    return this.raw;
  }

  /** At most the longest packet allowed, or one chunk where the sink has stopped. */
  get bufferedBytes(): number {
    return this.tailLength;
  }

  /** From the next byte on the stream is raw. Call it for SNAP, within `packet()`. */
  enterRaw(): void {
    this.raw = true;
  }

  /** The raw part has ended. Call it within `raw()`, or between two pushes. */
  leaveRaw(): void {
    this.raw = false;
  }

  /**
   * Feeds chunk[start, end). After a sink has stopped, the next push goes on with what was kept; an empty one will
   * do. Throws ProtocolError for a length over its limit or below zero, MarshallingError for a zxid that a number
   * cannot hold, and what the sink throws; the stream is then unusable.
   */
  push(chunk: Buffer, start: number, end: number, sink: PeerStreamSink): void {
    let from = start;
    while (this.tailLength > 0) {
      if (!this.raw) {
        const length = this.scan(this.tail as Buffer, 0, this.tailLength);
        if (length < 0) {
          // Complete just this packet, then go on in place.
          const wanted = -length - this.tailLength;
          const taken = Math.min(wanted, end - from);
          this.append(chunk, from, from + taken);
          from += taken;
          if (taken < wanted) return;
          continue;
        }
      }
      const kept = this.tail as Buffer;
      const keptLength = this.tailLength;
      this.tail = undefined;
      this.tailLength = 0;
      const used = this.use(kept, 0, keptLength, sink);
      this.append(kept, used, keptLength);
      if (this.stopped) {
        this.append(chunk, from, end);
        return;
      }
    }
    if (from < end) {
      const used = this.use(chunk, from, end, sink);
      this.append(chunk, used, end);
    }
  }

  /** Hands over what is whole in bytes[start, end); returns the offset of the first byte not used. */
  private use(bytes: Buffer, start: number, end: number, sink: PeerStreamSink): number {
    this.stopped = false;
    let at = start;
    while (at < end) {
      if (this.raw) {
        at = sink.raw(bytes, at, end);
        if (this.raw && at < end) {
          this.stopped = true;
          return at;
        }
        continue;
      }
      const length = this.scan(bytes, at, end);
      if (length < 0) return at;
      this.point(bytes, at, length);
      at += length;
      if (!sink.packet(this.view)) {
        this.stopped = true;
        return at;
      }
    }
    return at;
  }

  /**
   * The length of the packet that begins at `start`, if it is whole. Otherwise the negated number of its bytes
   * that must be there to tell more; what is known so far is kept, so that each byte is looked at once.
   */
  private scan(bytes: Buffer, start: number, end: number): number {
    const available = end - start;
    if (this.authAt === 0) {
      if (available < PACKET_HEAD_BYTES) return -PACKET_HEAD_BYTES;
      const { maxDataBytes } = this.limits;
      const length = getInt32(bytes, start + 12);
      if (length < -1 || length > maxDataBytes) {
        throw tooLong('PACKET_DATA_LENGTH', length, maxDataBytes);
      }
      this.authAt = PACKET_HEAD_BYTES + Math.max(length, 0);
    }
    if (this.stringsLeft < 0) {
      const countEnd = this.authAt + 4;
      if (available < countEnd) return -countEnd;
      const count = getInt32(bytes, start + this.authAt);
      if (count <= 0) return countEnd;
      this.checkAuthinfo(4 + 8 * count);
      this.stringsLeft = 2 * count;
      this.stringAt = countEnd;
    }
    while (this.stringsLeft > 0) {
      const textAt = this.stringAt + 4;
      if (available < textAt) return -textAt;
      const length = getInt32(bytes, start + this.stringAt);
      if (length < -1) this.checkAuthinfo(length);
      this.stringAt = textAt + Math.max(length, 0);
      this.checkAuthinfo(this.stringAt - this.authAt);
      this.stringsLeft--;
    }
    return available < this.stringAt ? -this.stringAt : this.stringAt;
  }

  private checkAuthinfo(length: number): void {
    const { maxAuthinfoBytes } = this.limits;
    if (length < 0 || length > maxAuthinfoBytes) {
      throw tooLong('PACKET_AUTHINFO_LENGTH', length, maxAuthinfoBytes);
    }
  }

  /** Points the view at a whole packet, and forgets how far it was read. */
  private point(bytes: Buffer, start: number, length: number): void {
    const { view } = this;
    const high = getInt32(bytes, start + 4);
    if (high >= EXACT_HIGH || high < -EXACT_HIGH) {
      throw new MarshallingError(
        `Zxid 0x${bytes.toString('hex', start + 4, start + 12)} is outside -2^53..2^53`,
      );
    }
    view.type = getInt32(bytes, start);
    view.zxid = high * TWO_32 + (getInt32(bytes, start + 8) >>> 0);
    view.bytes = bytes;
    view.start = start;
    view.end = start + length;
    view.dataStart = start + PACKET_HEAD_BYTES;
    view.dataEnd = start + this.authAt;
    view.hasData = getInt32(bytes, start + 12) >= 0;
    this.authAt = 0;
    this.stringsLeft = -1;
  }

  /** Copies bytes[start, end) to the end of what is kept. */
  private append(bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length === 0) return;
    const needed = this.tailLength + length;
    if (this.tail === undefined || this.tail.length < needed) {
      // Doubled, so that a packet in many pieces is copied twice at most.
      const size = Math.max(needed, MIN_TAIL_BYTES, 2 * this.tailLength);
      const grown = Buffer.allocUnsafeSlow(size);
      this.tail?.copy(grown, 0, 0, this.tailLength);
      this.tail = grown;
    }
    bytes.copy(this.tail, this.tailLength, start, end);
    this.tailLength = needed;
  }
}

function tooLong(code: ProtocolErrorCode, length: number, limit: number): ProtocolError {
  return new ProtocolError(code, { length, limit });
}

const NO_BYTES = Buffer.alloc(0);
const TWO_32 = 2 ** 32;
/** A long whose high half is below this in magnitude is exact as a number. */
const EXACT_HIGH = 2 ** 21;
/** Room for the packets that follow each other in numbers: a cut ACK or COMMIT never grows it. */
const MIN_TAIL_BYTES = 64;
