// Requests and replies as the workload speaks of them, to and from raw frames.

import {
  type Acl,
  ByteReader,
  ByteWriter,
  beginFrame,
  endFrame,
  type MultiRequestOp,
  type MultiResult,
  OpCode,
  readCreate2Response,
  readGetACLResponse,
  readGetChildren2Response,
  readGetDataResponse,
  readMultiResponse,
  readReplyHeader,
  readStat,
  type SetWatchesRequest,
  type Stat,
  writeCreateRequest,
  writeCreateTTLRequest,
  writeMultiRequest,
  writePathNumberRequest,
  writePathRequest,
  writePathVersionRequest,
  writePathWatchRequest,
  writeRequestHeader,
  writeSetACLRequest,
  writeSetDataRequest,
  writeSetWatchesRequest,
} from '@zebu/protocol';

/** One request. Which fields count depends on the type. */
export interface Ask {
  readonly xid: number;
  readonly type: number;
  readonly path: string;
  readonly data: Buffer | null;
  readonly acl: readonly Acl[];
  /** Create flags, expected version, or mode of addWatch. */
  readonly number: number;
  readonly ttlMs: number;
  readonly watch: boolean;
  readonly parts: readonly MultiRequestOp[];
  readonly watches: SetWatchesRequest | undefined;
}

/** One reply. Which fields are there depends on the request. */
export interface Answer {
  readonly xid: number;
  readonly zxid: number;
  readonly error: number;
  readonly path: string | undefined;
  readonly stat: Stat | undefined;
  readonly data: Buffer | null | undefined;
  readonly children: readonly string[] | undefined;
  readonly acl: readonly Acl[] | undefined;
  readonly results: readonly MultiResult[] | undefined;
}

const WRITES: ReadonlySet<number> = new Set([
  OpCode.create,
  OpCode.create2,
  OpCode.createContainer,
  OpCode.createTTL,
  OpCode.delete,
  OpCode.setData,
  OpCode.setACL,
  OpCode.multi,
  OpCode.closeSession,
]);

export function isWrite(type: number): boolean {
  return WRITES.has(type);
}

/** A frame, ready to be sent. The bytes are the caller's. */
export function encodeAsk(ask: Ask): Buffer {
  const writer = new ByteWriter(256);
  const mark = beginFrame(writer);
  writeRequestHeader(writer, ask);
  const { path, data, acl, number, watch } = ask;
  switch (ask.type) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
      writeCreateRequest(writer, { path, data, acl, flags: number });
      break;
    case OpCode.createTTL:
      writeCreateTTLRequest(writer, { path, data, acl, flags: number, ttlMs: BigInt(ask.ttlMs) });
      break;
    case OpCode.delete:
      writePathVersionRequest(writer, { path, version: number });
      break;
    case OpCode.setData:
      writeSetDataRequest(writer, { path, data, version: number });
      break;
    case OpCode.setACL:
      writeSetACLRequest(writer, { path, acl, version: number });
      break;
    case OpCode.multi:
      writeMultiRequest(writer, ask.parts);
      break;
    case OpCode.exists:
    case OpCode.getData:
    case OpCode.getChildren2:
      writePathWatchRequest(writer, { path, watch });
      break;
    case OpCode.getACL:
    case OpCode.sync:
      writePathRequest(writer, path);
      break;
    case OpCode.addWatch:
      writePathNumberRequest(writer, { path, value: number });
      break;
    case OpCode.setWatches2:
      writeSetWatchesRequest(writer, ask.watches as SetWatchesRequest);
      break;
    case OpCode.ping:
    case OpCode.closeSession:
      break;
    default:
      throw new Error(`The workload does not know requests of type ${ask.type}`);
  }
  endFrame(writer, mark);
  return Buffer.from(writer.view());
}

/** The reply to a request of this type, from a frame without its length. Copies what it keeps. */
export function decodeAnswer(frame: Buffer, type: number): Answer {
  const reader = new ByteReader(frame, 0, frame.length);
  const { xid, zxid, error } = readReplyHeader(reader);
  const nothing = {
    xid,
    zxid,
    error,
    path: undefined,
    stat: undefined,
    data: undefined,
    children: undefined,
    acl: undefined,
    results: undefined,
  };
  if (error !== 0) return nothing;
  switch (type) {
    case OpCode.create:
    case OpCode.sync:
      return { ...nothing, path: reader.string() ?? '' };
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
      return { ...nothing, ...readCreate2Response(reader) };
    case OpCode.setData:
    case OpCode.setACL:
    case OpCode.exists:
      return { ...nothing, stat: readStat(reader) };
    case OpCode.getData: {
      const { data, stat } = readGetDataResponse(reader);
      return { ...nothing, data: data === null ? null : Buffer.from(data), stat };
    }
    case OpCode.getChildren2:
      return { ...nothing, ...readGetChildren2Response(reader) };
    case OpCode.getACL:
      return { ...nothing, ...readGetACLResponse(reader) };
    case OpCode.multi:
      return { ...nothing, results: readMultiResponse(reader) };
    default:
      return nothing;
  }
}

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(OpCode).map(([name, code]) => [code, name]),
);

/** For transcripts. */
export function describeAsk(ask: Ask): string {
  const name = NAMES.get(ask.type) ?? `${ask.type}`;
  const parts = ask.parts.map((part) => `${NAMES.get(part.type)} ${part.request.path}`).join(', ');
  return `#${ask.xid} ${name} ${ask.path}${ask.watch ? ' watch' : ''}${parts === '' ? '' : `[${parts}]`}`;
}

export function sameStat(a: Stat | undefined, b: Stat | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.czxid === b.czxid &&
    a.mzxid === b.mzxid &&
    a.pzxid === b.pzxid &&
    a.ctime === b.ctime &&
    a.mtime === b.mtime &&
    a.version === b.version &&
    a.cversion === b.cversion &&
    a.aversion === b.aversion &&
    a.ephemeralOwner === b.ephemeralOwner &&
    a.dataLength === b.dataLength &&
    a.numChildren === b.numChildren
  );
}

export function describeStat(stat: Stat | undefined): string {
  return stat === undefined
    ? 'no stat'
    : JSON.stringify(stat, (_, value) => (typeof value === 'bigint' ? `${value}` : value));
}

export function sameAcl(a: readonly Acl[] | undefined, b: readonly Acl[]): boolean {
  return (
    a !== undefined &&
    a.length === b.length &&
    a.every((entry, i) => {
      const other = b[i] as Acl;
      return entry.perms === other.perms && entry.scheme === other.scheme && entry.id === other.id;
    })
  );
}
