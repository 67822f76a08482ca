// Bytes captured from Apache 3.9.5: what is read from them is what Apache meant, and what is written from
// that is the same bytes again.

import { describe, expect, test } from 'vitest';
import {
  adler32,
  ByteReader,
  ByteWriter,
  crc32,
  decodeTxn,
  encodeTxn,
  readAclVector,
  readConnectRequest,
  readConnectResponse,
  readReplyHeader,
  readRequestHeader,
  readWatcherEvent,
  sessionPassword,
  writeAclVector,
  writeConnectRequest,
  writeConnectResponse,
  writeReplyHeader,
  writeRequestHeader,
  writeWatcherEvent,
} from '../src/index.ts';
import { replyCodec, requestCodec } from './codecs.ts';
import { golden, payloadOf, plain } from './golden.ts';

describe('connect', () => {
  for (const connect of golden('connect').connects) {
    test(connect.name, () => {
      const requestBytes = payloadOf(connect.request);
      const request = readConnectRequest(new ByteReader(requestBytes));
      expect(plain(request)).toEqual(connect.requestValue);
      expect(written((writer) => writeConnectRequest(writer, request))).toEqual(requestBytes);

      const replyBytes = payloadOf(connect.reply);
      const reply = readConnectResponse(new ByteReader(replyBytes));
      expect(plain(reply)).toEqual(connect.replyValue);
      expect(written((writer) => writeConnectResponse(writer, reply))).toEqual(replyBytes);
    });
  }

  test('a session has the password that its id gives', () => {
    for (const { reply } of golden('connect').connects) {
      const { sessionId, password } = readConnectResponse(new ByteReader(payloadOf(reply)));
      if (sessionId === 0n) expect(Buffer.from(password)).toEqual(Buffer.alloc(16));
      else expect(sessionPassword(sessionId)).toEqual(Buffer.from(password));
    }
  });
});

describe('requests and replies', () => {
  for (const exchange of golden('exchanges').exchanges) {
    test(exchange.name, () => {
      const requestBytes = payloadOf(exchange.request);
      const requestReader = new ByteReader(requestBytes);
      const header = readRequestHeader(requestReader);
      const body = requestCodec(exchange.op).read(requestReader);
      expect(requestReader.remaining).toBe(0);
      expect(plain({ header, body })).toEqual(exchange.requestValue);
      const rewritten = written((writer) => {
        writeRequestHeader(writer, header);
        requestCodec(exchange.op).write(writer, body);
      });
      expect(rewritten).toEqual(requestBytes);

      const replyBytes = payloadOf(exchange.reply);
      const replyReader = new ByteReader(replyBytes);
      const replyHeader = readReplyHeader(replyReader);
      const hasBody = replyHeader.error === 0;
      const replyBody = hasBody ? replyCodec(exchange.op).read(replyReader) : {};
      expect(replyReader.remaining).toBe(0);
      expect(plain({ header: replyHeader, body: replyBody })).toEqual(exchange.replyValue);
      const rewrittenReply = written((writer) => {
        writeReplyHeader(writer, replyHeader);
        if (hasBody) replyCodec(exchange.op).write(writer, replyBody);
      });
      expect(rewrittenReply).toEqual(replyBytes);
    });
  }
});

describe('events', () => {
  for (const { name, frame, header, event } of golden('events').events) {
    test(`${name}: ${JSON.stringify(event)}`, () => {
      const bytes = payloadOf(frame);
      const reader = new ByteReader(bytes);
      const replyHeader = readReplyHeader(reader);
      const watcherEvent = readWatcherEvent(reader);
      expect({ header: replyHeader, event: watcherEvent }).toEqual({ header, event });
      const rewritten = written((writer) => {
        writeReplyHeader(writer, replyHeader);
        writeWatcherEvent(writer, watcherEvent);
      });
      expect(rewritten).toEqual(bytes);
    });
  }
});

describe('txn log', () => {
  const { header, records } = golden('txn-log');

  test('begins with ZKLG, version 2 and dbid 0', () => {
    expect(header).toBe('5a4b4c47000000020000000000000000');
  });

  test('has every type of txn that a server writes', () => {
    const types = new Set(records.map(({ type }) => type));
    expect([...types].sort((a, b) => a - b)).toEqual([
      -11, -10, -1, 1, 2, 5, 7, 14, 15, 16, 19, 20, 21,
    ]);
  });

  records.forEach(({ type, record, value }, index) => {
    test(`record ${index}, of type ${type}`, () => {
      const bytes = Buffer.from(record, 'hex');
      const entry = bytes.subarray(12, bytes.length - 1);
      expect(bytes.readInt32BE(8)).toBe(entry.length);
      expect(bytes.at(-1)).toBe(0x42);
      expect(BigInt(adler32(entry, 0, entry.length))).toBe(bytes.readBigInt64BE(0));
      const txn = decodeTxn(entry);
      expect(plain(txn)).toEqual(value);
      expect(encodeTxn(txn)).toEqual(entry);
    });
  });
});

// The layout is spec/disk.md section 5.1.
describe('snapshot', () => {
  const file = Buffer.from(golden('snapshot').file, 'hex');

  test('is the same bytes when each section is read and written again, checksums included', () => {
    const reader = new ByteReader(file);
    const writer = new ByteWriter(file.length);
    const copyInt = () => copied(reader.int32(), (value) => writer.int32(value));
    const copyLong = () => copied(reader.bigint64(), (value) => writer.bigint64(value));
    const copyString = () => copied(reader.string(), (value) => writer.string(value));
    const seal = () => {
      const sum = adler32(file, 0, reader.offset);
      expect(copyLong()).toBe(BigInt(sum));
      expect(copyString()).toBe('/');
    };

    expect(copyInt()).toBe(0x5a4b534e);
    expect(copyInt()).toBe(2);
    expect(copyLong()).toBe(-1n);
    const sessions = copyInt();
    for (let i = 0; i < sessions; i++) {
      copyLong();
      copyInt();
    }
    expect(sessions).toBeGreaterThan(0);
    const aclLists = copyInt();
    for (let i = 0; i < aclLists; i++) {
      expect(copyLong()).toBeGreaterThan(0n);
      copied(readAclVector(reader), (value) => writeAclVector(writer, value));
    }
    expect(aclLists).toBeGreaterThan(0);

    let digest = 0n;
    const paths: string[] = [];
    for (let path = copyString(); path !== '/'; path = copyString()) {
      const data = reader.buffer();
      writer.buffer(data);
      copyLong();
      digest += nodeDigest(path ?? '', data, file, reader.offset);
      writer.raw(file, reader.offset, reader.offset + 60);
      reader.skip(60);
      paths.push(path ?? '');
    }
    expect(paths).toContain('/ttl');
    expect(paths).toContain('/é日本');
    seal();
    copyLong();
    expect(copyInt()).toBe(2);
    expect(copyLong()).toBe(BigInt.asIntN(64, digest));
    seal();
    expect(copyLong()).toBeGreaterThan(0n);
    seal();
    expect(reader.remaining).toBe(0);
    expect(Buffer.from(writer.view())).toEqual(file);
  });
});

/**
 * spec/disk.md section 6: CRC-32 over path, data and the stat in an order of its own; 0 below /zookeeper.
 * A StatPersisted is czxid, mzxid, ctime, mtime, version, cversion, aversion, ephemeralOwner, pzxid.
 */
function nodeDigest(path: string, data: Buffer | null, file: Buffer, statAt: number): bigint {
  if (path.startsWith('/zookeeper/')) return 0n;
  const parts = [
    Buffer.from(path, 'utf8'),
    data ?? Buffer.alloc(0),
    file.subarray(statAt, statAt + 16),
    file.subarray(statAt + 52, statAt + 60),
    file.subarray(statAt + 16, statAt + 52),
  ];
  const bytes = Buffer.concat(parts);
  return BigInt(crc32(bytes, 0, bytes.length));
}

function written(write: (writer: ByteWriter) => void): Buffer {
  const writer = new ByteWriter(1);
  write(writer);
  return Buffer.from(writer.view());
}

function copied<T>(value: T, write: (value: T) => void): T {
  write(value);
  return value;
}
