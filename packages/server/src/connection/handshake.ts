// The first frame of a connection: a session is created, or taken up again, or refused.

import {
  ByteReader,
  type ConnectRequest,
  PASSWORD_BYTES,
  readConnectRequest,
  sessionPassword,
  writeConnectResponse,
} from '@zebu/protocol';
import type { ClientConnection } from './client-connection.ts';

const NO_BYTES = Buffer.alloc(0);

/** Takes the connect request in bytes[start, end). Throws MarshallingError. */
export function shakeHands(
  connection: ClientConnection,
  bytes: Buffer,
  start: number,
  end: number,
): void {
  const { node } = connection;
  const request = readConnectRequest(new ByteReader(bytes, start, end));
  connection.sendsReadOnly = request.readOnly !== undefined;
  node.metrics.connectionRequests++;
  if (!node.throttle.admitConnect(request.sessionId)) {
    node.metrics.connectionsRejected++;
    connection.end(new Error('Connection requests come faster than the throttle allows'));
    return;
  }
  if (request.lastZxidSeen > BigInt(node.tree.lastProcessedZxid)) {
    // Refused without an answer: the client must find a server that knows what it has seen.
    node.environment.logger.info('Refusing a client that is ahead of this server', {
      client: connection.transport.remoteAddress,
      lastZxidSeen: `0x${request.lastZxidSeen.toString(16)}`,
      lastZxid: `0x${node.tree.lastProcessedZxid.toString(16)}`,
    });
    connection.end();
    return;
  }
  const { minSessionTimeoutMs, maxSessionTimeoutMs } = node.config;
  const timeoutMs = Math.min(Math.max(request.timeoutMs, minSessionTimeoutMs), maxSessionTimeoutMs);
  if (request.sessionId === 0n) connection.createSession(timeoutMs);
  else reattach(connection, request, timeoutMs);
}

function reattach(connection: ClientConnection, request: ConnectRequest, timeoutMs: number): void {
  const { node } = connection;
  const session = node.sessions.get(request.sessionId);
  const password = request.password ?? NO_BYTES;
  if (session === undefined || session.closing || !sessionPassword(session.id).equals(password)) {
    sendConnectResponse(connection, 0, 0n);
    connection.finish();
    return;
  }
  // Only who knows the password takes the session from whoever has it now (decision 030).
  const owner = session.owner as ClientConnection | undefined;
  if (owner !== undefined && owner !== connection) owner.end();
  session.timeoutMs = timeoutMs;
  node.sessions.touch(session, node.turns.nowMs);
  node.metrics.connectionRevalidations++;
  connection.establish(session);
}

export function sendConnectResponse(
  connection: ClientConnection,
  timeoutMs: number,
  sessionId: bigint,
): void {
  const writer = connection.output.writer();
  const mark = writer.offset;
  writer.int32(0);
  writeConnectResponse(writer, {
    protocolVersion: 0,
    timeoutMs,
    sessionId,
    password: sessionId === 0n ? new Uint8Array(PASSWORD_BYTES) : sessionPassword(sessionId),
    readOnly: connection.sendsReadOnly ? false : undefined,
  });
  writer.patchInt32(mark, writer.offset - mark - 4);
  connection.stats.sent++;
  connection.node.metrics.packetsSent++;
}
