// Opens connections: resolve, connect, and with TLS verify, within one deadline.

import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Connection, DialHandler, DialOptions } from './connection.ts';
import type { Lingering } from './lingering.ts';
import { SocketConnection } from './socket-connection.ts';
import { dialerTls } from './tls.ts';

export function dial(
  options: DialOptions,
  handler: DialHandler,
  shared: { readBuffer: Buffer; lingering: Lingering },
): Connection {
  const target = {
    host: options.host,
    port: options.port,
    noDelay: true,
    keepAlive: options.keepAlive ?? false,
    ...(options.lookup === undefined ? {} : { lookup: options.lookup }),
  };
  const secure = options.tls !== undefined;
  // A closure, and not `this`: which object the callback is called on is documented nowhere.
  const onRead = (length: number, bytes: Uint8Array): boolean =>
    connection.receivedInto(bytes as Buffer, length);
  const socket: Socket =
    options.tls === undefined
      ? connectTcp({ ...target, onread: { buffer: shared.readBuffer, callback: onRead } })
      : connectTls({ ...target, ...dialerTls(options.tls, options.host) });
  const connection = new SocketConnection(socket, {
    handler,
    lingering: shared.lingering,
    secure,
    readByEvents: secure,
    dial: {
      address: options.host,
      port: options.port,
      connectTimeoutMs: options.connectTimeoutMs ?? 0,
    },
  });
  return connection;
}
