// The first frame of a connection: a session is asked for, new or again, or the client is refused.

import {
  ByteReader,
  type ConnectRequest,
  PASSWORD_BYTES,
  readConnectRequest,
  sessionPassword,
  writeConnectResponse,
} from '@zebu/protocol';
import type { Connection } from '@zebu/transport';
import type { ConnectionOutput } from './connection-output.ts';
import type { ConnectionServices, ServedState } from './connection-services.ts';
import type { ConnectionStats } from './connection-stats.ts';

/** A connection that has no session yet. */
export interface ConnectingClient {
  readonly services: ConnectionServices;
  readonly serving: ServedState | undefined;
  readonly transport: Connection;
  readonly output: ConnectionOutput;
  readonly stats: ConnectionStats;
  /** Whether the client knows of read-only servers: its connect request had that byte, so has the answer. */
  sendsReadOnly: boolean;
  createSession(timeoutMs: number): void;
  reattach(request: ConnectRequest, timeoutMs: number): void;
  /** Closes; the reason is logged. */
  abort(reason?: Error): void;
}

/** Takes the connect request in bytes[start, end). Throws MarshallingError. */
export function shakeHands(
  client: ConnectingClient,
  bytes: Buffer,
  start: number,
  end: number,
): void {
  const { services } = client;
  const serving = client.serving as ServedState;
  const request = readConnectRequest(new ByteReader(bytes, start, end));
  client.sendsReadOnly = request.readOnly !== undefined;
  services.metrics.connectionRequests++;
  if (!services.throttle.admitConnect(request.sessionId)) {
    services.metrics.connectionsRejected++;
    client.abort(new Error('Connection requests come faster than the throttle allows'));
    return;
  }
  services.metrics.connectionTokenDeficit.add(services.throttle.tokenDeficit);
  if (!serving.hasSeen(request.lastZxidSeen)) {
    // Refused without an answer: the client must find a server that knows what it has seen.
    services.environment.logger.info('Refusing a client that is ahead of this server', {
      client: client.transport.remoteAddress,
      lastZxidSeen: `0x${request.lastZxidSeen.toString(16)}`,
      lastZxid: `0x${serving.tree.lastProcessedZxid.toString(16)}`,
    });
    client.abort();
    return;
  }
  const { minSessionTimeoutMs, maxSessionTimeoutMs } = services.config;
  const timeoutMs = Math.min(Math.max(request.timeoutMs, minSessionTimeoutMs), maxSessionTimeoutMs);
  if (request.sessionId === 0n) client.createSession(timeoutMs);
  else client.reattach(request, timeoutMs);
}

/** Whether the password of a connect request is that of its session. */
export function hasPassword({ sessionId, password }: ConnectRequest): boolean {
  return sessionPassword(sessionId).equals(password ?? NO_BYTES);
}

export function sendConnectResponse(
  client: ConnectingClient,
  timeoutMs: number,
  sessionId: bigint,
): void {
  const writer = client.output.writer();
  const mark = writer.offset;
  writer.int32(0);
  writeConnectResponse(writer, {
    protocolVersion: 0,
    timeoutMs,
    sessionId,
    password: sessionId === 0n ? new Uint8Array(PASSWORD_BYTES) : sessionPassword(sessionId),
    readOnly: client.sendsReadOnly ? false : undefined,
  });
  writer.patchInt32(mark, writer.offset - mark - 4);
  client.stats.sent++;
  client.services.metrics.packetsSent++;
}

const NO_BYTES = Buffer.alloc(0);
