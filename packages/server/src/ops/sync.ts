// sync: ustring path -> ustring path. On a server that is alone every read is already in order after
// the writes that were there before it, so nothing is left to wait for. The path may be anything.
//
// ping: nothing -> nothing. It takes its turn like a read: after the session's own writes.

import type { ByteReader, ByteWriter } from '@zebu/protocol';
import type { ReadContext } from './read-context.ts';

export function sync(_: ReadContext, request: ByteReader, reply: ByteWriter): number {
  const length = request.bufferLength();
  reply.int32(length);
  if (length > 0) reply.raw(request.bytes, request.offset, request.offset + length);
  return 0;
}

export function ping(): number {
  return 0;
}
