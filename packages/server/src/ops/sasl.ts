// sasl: buffer token -> buffer token.
// This server has no SASL login, and answers as Apache's does without one: a null token and no error,
// after which the client goes on unauthenticated.

import { type ByteReader, MarshallingError } from '@zebu/protocol';
import type { ClientConnection } from '../connection/client-connection.ts';

export function sasl(connection: ClientConnection, xid: number, request: ByteReader): void {
  if (request.bufferLength() < 0) throw new MarshallingError('Null SASL token');
  connection.output.reply(xid, 0, NULL_BUFFER);
}

const NULL_BUFFER = Buffer.from([0xff, 0xff, 0xff, 0xff]);
