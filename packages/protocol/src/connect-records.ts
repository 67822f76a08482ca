// The first exchange on a connection; it carries no request header.
//
// ConnectRequest:  int protocolVersion (0), long lastZxidSeen, int timeOut ms, long sessionId
//                  (0 = new), buffer passwd, boolean readOnly (absent from clients before 3.4)
// ConnectResponse: int protocolVersion (0), int timeOut ms (0 = refused), long sessionId,
//                  buffer passwd (16), boolean readOnly (only if the request had it)

import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';

export interface ConnectRequest {
  readonly protocolVersion: number;
  readonly lastZxidSeen: bigint;
  readonly timeoutMs: number;
  readonly sessionId: bigint;
  readonly password: Uint8Array | null;
  /** Undefined when the client did not send the byte. */
  readonly readOnly: boolean | undefined;
}

export interface ConnectResponse {
  readonly protocolVersion: number;
  /** 0 means that the session is refused. */
  readonly timeoutMs: number;
  readonly sessionId: bigint;
  readonly password: Uint8Array;
  /** Undefined leaves the byte out. */
  readonly readOnly: boolean | undefined;
}

export function readConnectRequest(reader: ByteReader): ConnectRequest {
  return {
    protocolVersion: reader.int32(),
    lastZxidSeen: reader.bigint64(),
    timeoutMs: reader.int32(),
    sessionId: reader.bigint64(),
    password: reader.buffer(),
    readOnly: reader.remaining > 0 ? reader.bool() : undefined,
  };
}

export function writeConnectRequest(writer: ByteWriter, request: ConnectRequest): void {
  writer.int32(request.protocolVersion);
  writer.bigint64(request.lastZxidSeen);
  writer.int32(request.timeoutMs);
  writer.bigint64(request.sessionId);
  writer.buffer(request.password);
  if (request.readOnly !== undefined) writer.bool(request.readOnly);
}

export function readConnectResponse(reader: ByteReader): ConnectResponse {
  return {
    protocolVersion: reader.int32(),
    timeoutMs: reader.int32(),
    sessionId: reader.bigint64(),
    password: reader.buffer() ?? new Uint8Array(0),
    readOnly: reader.remaining > 0 ? reader.bool() : undefined,
  };
}

export function writeConnectResponse(writer: ByteWriter, response: ConnectResponse): void {
  writer.int32(response.protocolVersion);
  writer.int32(response.timeoutMs);
  writer.bigint64(response.sessionId);
  writer.buffer(response.password);
  if (response.readOnly !== undefined) writer.bool(response.readOnly);
}
