// sasl: buffer token -> buffer token.
// This server has no SASL login, and answers as Apache's does without one: a null token and no error,
// after which the client goes on unauthenticated.

import { type ByteReader, MarshallingError } from '@zebu/protocol';
import type { RunContext } from './read-context.ts';

export function sasl(context: RunContext, xid: number, request: ByteReader): void {
  if (request.bufferLength() < 0) throw new MarshallingError('Null SASL token');
  context.reply(xid, 0, NULL_BUFFER);
}

const NULL_BUFFER = Buffer.from([0xff, 0xff, 0xff, 0xff]);
