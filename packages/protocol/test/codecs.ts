// Every record codec of the package in one table, so that golden, cut and fuzz tests cover them all.

import type { ByteReader, ByteWriter } from '../src/index.ts';
import * as protocol from '../src/index.ts';

const { OpCode } = protocol;

export interface Codec {
  read(reader: ByteReader): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: the table pairs each reader with its own writer.
  write(writer: ByteWriter, value: any): void;
}

const nothing: Codec = { read: () => ({}), write: () => {} };

const create: Codec = {
  read: protocol.readCreateRequest,
  write: protocol.writeCreateRequest,
};

const pathWatch: Codec = {
  read: protocol.readPathWatchRequest,
  write: protocol.writePathWatchRequest,
};

const pathNumber: Codec = {
  read: protocol.readPathNumberRequest,
  write: protocol.writePathNumberRequest,
};

const path: Codec = {
  read: (reader) => ({ path: protocol.readPathRequest(reader) }),
  write: (writer, value) => protocol.writePathRequest(writer, value.path),
};

const multiRequest: Codec = {
  read: (reader) => ({ ops: protocol.readMultiRequest(reader) }),
  write: (writer, value) => protocol.writeMultiRequest(writer, value.ops),
};

const pathVersion: Codec = {
  read: protocol.readPathVersionRequest,
  write: protocol.writePathVersionRequest,
};

/** jute has no record of this package for sasl: one buffer. */
const token: Codec = {
  read: (reader) => ({ token: reader.buffer() }),
  write: (writer, value) => writer.buffer(value.token),
};

/** Request bodies by opcode. */
export const REQUEST_CODECS: Record<number, Codec> = {
  [OpCode.create]: create,
  [OpCode.create2]: create,
  [OpCode.createContainer]: create,
  [OpCode.createTTL]: {
    read: protocol.readCreateTTLRequest,
    write: protocol.writeCreateTTLRequest,
  },
  [OpCode.delete]: pathVersion,
  [OpCode.exists]: pathWatch,
  [OpCode.getData]: pathWatch,
  [OpCode.getChildren]: pathWatch,
  [OpCode.getChildren2]: pathWatch,
  [OpCode.setData]: { read: protocol.readSetDataRequest, write: protocol.writeSetDataRequest },
  [OpCode.setACL]: { read: protocol.readSetACLRequest, write: protocol.writeSetACLRequest },
  [OpCode.getACL]: path,
  [OpCode.sync]: path,
  [OpCode.getEphemerals]: path,
  [OpCode.getAllChildrenNumber]: path,
  [OpCode.addWatch]: pathNumber,
  [OpCode.checkWatches]: pathNumber,
  [OpCode.removeWatches]: pathNumber,
  [OpCode.setWatches]: {
    read: (reader) => protocol.readSetWatchesRequest(reader, false),
    write: protocol.writeSetWatchesRequest,
  },
  [OpCode.setWatches2]: {
    read: (reader) => protocol.readSetWatchesRequest(reader, true),
    write: protocol.writeSetWatchesRequest,
  },
  [OpCode.auth]: { read: protocol.readAuthRequest, write: protocol.writeAuthRequest },
  [OpCode.reconfig]: { read: protocol.readReconfigRequest, write: protocol.writeReconfigRequest },
  [OpCode.multi]: multiRequest,
  [OpCode.multiRead]: multiRequest,
  [OpCode.sasl]: token,
};

const stat: Codec = {
  read: (reader) => ({ stat: protocol.readStat(reader) }),
  write: (writer, value) => protocol.writeStat(writer, value.stat),
};

const create2: Codec = {
  read: protocol.readCreate2Response,
  write: protocol.writeCreate2Response,
};

const data: Codec = { read: protocol.readGetDataResponse, write: protocol.writeGetDataResponse };

const multiResponse: Codec = {
  read: (reader) => ({ results: protocol.readMultiResponse(reader) }),
  write: (writer, value) => protocol.writeMultiResponse(writer, value.results),
};

function strings(field: string): Codec {
  return {
    read: (reader) => ({ [field]: reader.stringVector() }),
    write: (writer, value) => writer.stringVector(value[field]),
  };
}

function int(field: string): Codec {
  return {
    read: (reader) => ({ [field]: reader.int32() }),
    write: (writer, value) => writer.int32(value[field]),
  };
}

/** Reply bodies by the opcode of the request. */
const REPLY_CODECS: Record<number, Codec> = {
  [OpCode.create]: path,
  [OpCode.sync]: path,
  [OpCode.create2]: create2,
  [OpCode.createContainer]: create2,
  [OpCode.createTTL]: create2,
  [OpCode.exists]: stat,
  [OpCode.setData]: stat,
  [OpCode.setACL]: stat,
  [OpCode.getData]: data,
  [OpCode.reconfig]: data,
  [OpCode.getACL]: { read: protocol.readGetACLResponse, write: protocol.writeGetACLResponse },
  [OpCode.getChildren]: strings('children'),
  [OpCode.getChildren2]: {
    read: protocol.readGetChildren2Response,
    write: protocol.writeGetChildren2Response,
  },
  [OpCode.getEphemerals]: strings('ephemerals'),
  [OpCode.getAllChildrenNumber]: int('total'),
  [OpCode.addWatch]: int('error'),
  [OpCode.whoAmI]: {
    read: (reader) => ({ infos: protocol.readWhoAmIResponse(reader) }),
    write: (writer, value) => protocol.writeWhoAmIResponse(writer, value.infos),
  },
  [OpCode.multi]: multiResponse,
  [OpCode.multiRead]: multiResponse,
  [OpCode.sasl]: token,
};

export function requestCodec(op: number): Codec {
  return REQUEST_CODECS[op] ?? nothing;
}

export function replyCodec(op: number): Codec {
  return REPLY_CODECS[op] ?? nothing;
}

/** Every decoder that bytes from outside reach, by name. */
export const ALL_CODECS: readonly (readonly [name: string, codec: Codec])[] = [
  ...named('request', REQUEST_CODECS),
  ...named('reply', REPLY_CODECS),
  ['connect request', { read: protocol.readConnectRequest, write: protocol.writeConnectRequest }],
  [
    'connect response',
    { read: protocol.readConnectResponse, write: protocol.writeConnectResponse },
  ],
  ['request header', { read: protocol.readRequestHeader, write: protocol.writeRequestHeader }],
  ['reply header', { read: protocol.readReplyHeader, write: protocol.writeReplyHeader }],
  ['watch event', { read: protocol.readWatcherEvent, write: protocol.writeWatcherEvent }],
  ['txn header', { read: protocol.readTxnHeader, write: protocol.writeTxnHeader }],
  ...[-11, -10, -1, 1, 2, 5, 7, 13, 14, 15, 16, 19, 20, 21].map(
    (type) =>
      [
        `txn ${type}`,
        {
          read: (reader: ByteReader) => protocol.readTxnBody(reader, type),
          write: protocol.writeTxnBody,
        },
      ] as const,
  ),
];

function named(kind: string, codecs: Record<number, Codec>): [string, Codec][] {
  return Object.entries(codecs).map(([op, codec]) => [`${kind} ${op}`, codec]);
}
