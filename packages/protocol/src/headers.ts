// The headers in front of every message after the handshake, and the watch notification.
//
// RequestHeader: int xid, int type                 ReplyHeader: int xid, long zxid, int err
// WatcherEvent (after a ReplyHeader with xid -1): int type, int state, ustring path

import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { Zxid } from './zxid.ts';

export const REQUEST_HEADER_BYTES = 8;
export const REPLY_HEADER_BYTES = 16;

export interface RequestHeader {
  readonly xid: number;
  readonly type: number;
}

export interface ReplyHeader {
  readonly xid: number;
  /** -1 on an unimplemented request and on events made up by setWatches. */
  readonly zxid: Zxid;
  readonly error: number;
}

export interface WatcherEvent {
  readonly type: number;
  readonly state: number;
  readonly path: string;
}

export function readRequestHeader(reader: ByteReader): RequestHeader {
  return { xid: reader.int32(), type: reader.int32() };
}

export function writeRequestHeader(writer: ByteWriter, header: RequestHeader): void {
  writer.int32(header.xid);
  writer.int32(header.type);
}

export function readReplyHeader(reader: ByteReader): ReplyHeader {
  return { xid: reader.int32(), zxid: reader.int64(), error: reader.int32() };
}

export function writeReplyHeader(writer: ByteWriter, header: ReplyHeader): void {
  writer.int32(header.xid);
  writer.int64(header.zxid);
  writer.int32(header.error);
}

export function readWatcherEvent(reader: ByteReader): WatcherEvent {
  return { type: reader.int32(), state: reader.int32(), path: reader.string() ?? '' };
}

export function writeWatcherEvent(writer: ByteWriter, event: WatcherEvent): void {
  writer.int32(event.type);
  writer.int32(event.state);
  writer.string(event.path);
}

/** Reserves the length prefix of a frame; returns the mark to give to `endFrame`. */
export function beginFrame(writer: ByteWriter): number {
  const mark = writer.offset;
  writer.int32(0);
  return mark;
}

/** Patches the length prefix of the frame begun at `mark`. */
export function endFrame(writer: ByteWriter, mark: number): void {
  writer.patchInt32(mark, writer.offset - mark - 4);
}
