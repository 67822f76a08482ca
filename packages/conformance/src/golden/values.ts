// The values beside the bytes, read with the codec of the differential test: never with the codec under test.

import { OP, type WireReader } from '../differential/wire.ts';
import { readStat } from '../probe.ts';

/** In the files a bigint is {"$bigint": "1"} and bytes are {"$hex": "00"}. */
export type Value = unknown;

export function hex(bytes: Uint8Array | null): Value {
  return bytes === null ? null : { $hex: Buffer.from(bytes).toString('hex') };
}

/** The body of a successful reply to `op`. */
export function replyBody(op: number, reader: WireReader): Value {
  switch (op) {
    case OP.create:
    case OP.sync:
      return { path: reader.string() };
    case OP.create2:
    case OP.createContainer:
    case OP.createTTL:
      return { path: reader.string(), stat: stat(reader) };
    case OP.exists:
    case OP.setData:
    case OP.setACL:
      return { stat: stat(reader) };
    case OP.getData:
    case OP.reconfig:
      return { data: hex(reader.buffer()), stat: stat(reader) };
    case OP.getACL:
      return { acl: acls(reader), stat: stat(reader) };
    case OP.getChildren:
      return { children: strings(reader) };
    case OP.getChildren2:
      return { children: strings(reader), stat: stat(reader) };
    case OP.getEphemerals:
      return { ephemerals: strings(reader) };
    case OP.getAllChildrenNumber:
      return { total: reader.int() };
    case OP.addWatch:
      return { error: reader.int() };
    case OP.whoAmI: {
      const infos: Value[] = [];
      for (let count = reader.int(); count > 0; count--) {
        infos.push({ authScheme: reader.string(), user: reader.string() });
      }
      return { infos };
    }
    case OP.sasl:
      return { token: hex(reader.buffer()) };
    case OP.multi:
    case OP.multiRead:
      return { results: multiResults(reader) };
    default:
      return {};
  }
}

function multiResults(reader: WireReader): Value[] {
  const results: Value[] = [];
  for (;;) {
    const type = reader.int();
    const done = reader.byte();
    reader.int();
    if (done !== 0) return results;
    const body =
      type === -1
        ? { error: reader.int() }
        : type === OP.delete || type === OP.check
          ? {}
          : replyBody(type, reader);
    results.push({ type, ...(body as object) });
  }
}

function stat(reader: WireReader): Value {
  const found = readStat(reader);
  return {
    ...found,
    czxid: Number(found.czxid),
    mzxid: Number(found.mzxid),
    ctime: Number(found.ctime),
    mtime: Number(found.mtime),
    pzxid: Number(found.pzxid),
  };
}

export function strings(reader: WireReader): Value[] {
  const values: Value[] = [];
  for (let count = reader.int(); count > 0; count--) values.push(reader.string());
  return values;
}

export function acls(reader: WireReader): Value[] {
  const entries: Value[] = [];
  for (let count = reader.int(); count > 0; count--) {
    entries.push({ perms: reader.int(), scheme: reader.string(), id: reader.string() });
  }
  return entries;
}
