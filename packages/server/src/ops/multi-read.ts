// multiRead: getData and getChildren requests in one, each answered or refused by itself.
// Watch flags in it are ignored. A sub-request of another kind fails the whole.

import {
  type ByteReader,
  type ByteWriter,
  MarshallingError,
  OpCode,
  putInt32,
  writeMultiEnd,
  writeMultiHeader,
} from '@zebu/protocol';
import { readChildren } from './get-children.ts';
import { readData } from './get-data.ts';
import type { ReadContext } from './read-context.ts';
import { readZnode } from './read-znode.ts';

export function multiRead(context: ReadContext, request: ByteReader, reply: ByteWriter): number {
  const { tree } = context;
  for (;;) {
    const type = request.int32();
    const done = request.bool();
    request.skip(4);
    if (done) break;
    if (type !== OpCode.getData && type !== OpCode.getChildren) {
      throw new MarshallingError(`Type ${type} in a multiRead`);
    }
    const id = readZnode(tree, request);
    request.bool();
    const mark = reply.offset;
    writeMultiHeader(reply, type, false, 0);
    const error =
      type === OpCode.getData
        ? readData(context, id, false, reply)
        : readChildren(context, id, reply);
    if (error !== 0) {
      reply.offset = mark;
      writeMultiHeader(reply, OpCode.error, false, error);
      reply.ensure(4);
      reply.offset = putInt32(reply.bytes, reply.offset, error);
    }
  }
  writeMultiEnd(reply);
  return 0;
}
