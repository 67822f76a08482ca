// Replies decoded into what calls resolve with.

import { type ByteReader, ErrorCode, OpCode } from '@zebu/protocol';
import type { Children, Existence, Znode } from './client.ts';
import { serverError, type ZkError } from './errors.ts';
import { Stat } from './stat.ts';

export function readZnode(reader: ByteReader): Znode {
  // A copy: a view would keep the whole read alive, and change with the next one.
  const view = reader.buffer();
  const data = view === null ? Buffer.alloc(0) : Buffer.from(view);
  return { data, stat: new Stat(reader) };
}

export function readStat(reader: ByteReader): Stat {
  return new Stat(reader);
}

export function readExistence(reader: ByteReader, errno: number): Existence {
  return { stat: errno === ErrorCode.OK ? new Stat(reader) : undefined };
}

export function readChildren(reader: ByteReader): Children {
  return { names: reader.stringVector() ?? [], stat: new Stat(reader) };
}

export function readMultiRead(
  reader: ByteReader,
  paths: readonly string[],
  zxid: number,
): (Znode | ZkError)[] {
  const results: (Znode | ZkError)[] = [];
  for (;;) {
    const type = reader.int32();
    const done = reader.bool();
    reader.int32();
    if (done) return results;
    const path = paths[results.length];
    if (type === OpCode.getData) results.push(readZnode(reader));
    else if (type === OpCode.error) {
      results.push(serverError(reader.int32(), { op: 'multiRead', path, zxid }));
    } else throw new Error(`A multiRead's reply holds a result of type ${type}`);
  }
}
