// A record whose end is missing must be refused with MarshallingError, wherever it was cut: no crash, no
// loop, and no value made of bytes that did not come.

import { describe, expect, test } from 'vitest';
import {
  ByteReader,
  decodeTxn,
  MarshallingError,
  readConnectRequest,
  readConnectResponse,
  readReplyHeader,
  readRequestHeader,
  readWatcherEvent,
} from '../src/index.ts';
import { replyCodec, requestCodec } from './codecs.ts';
import { golden, payloadOf } from './golden.ts';

/** Reads `bytes` cut to every length below its own; those in `whole` are records too. */
function cutEverywhere(
  bytes: Buffer,
  read: (reader: ByteReader) => unknown,
  whole: readonly number[] = [],
): void {
  for (let length = 0; length < bytes.length; length++) {
    if (whole.includes(length)) continue;
    // Bytes past the cut are there, but not the record's.
    const reader = new ByteReader(bytes, 0, length);
    expect(() => read(reader), `cut to ${length} of ${bytes.length} bytes`).toThrow(
      MarshallingError,
    );
    expect(reader.offset).toBeLessThanOrEqual(length);
  }
}

describe('a record cut anywhere', () => {
  for (const { name, op, request, reply } of golden('exchanges').exchanges) {
    test(`request of: ${name}`, () => {
      cutEverywhere(payloadOf(request), (reader) => {
        readRequestHeader(reader);
        requestCodec(op).read(reader);
      });
    });
    test(`reply to: ${name}`, () => {
      cutEverywhere(payloadOf(reply), (reader) => {
        const { error } = readReplyHeader(reader);
        if (error === 0) replyCodec(op).read(reader);
      });
    });
  }

  for (const { name, request, reply } of golden('connect').connects) {
    test(`connect: ${name}`, () => {
      // The readOnly byte may be missing: a record that ends before it is an old client's.
      cutEverywhere(payloadOf(request), readConnectRequest, [44, 28]);
      cutEverywhere(payloadOf(reply), readConnectResponse, [36]);
    });
  }

  for (const { name, frame } of golden('events').events) {
    test(`event ${name} ${frame.slice(-8)}`, () => {
      cutEverywhere(payloadOf(frame), (reader) => {
        readReplyHeader(reader);
        readWatcherEvent(reader);
      });
    });
  }

  golden('txn-log').records.forEach(({ type, record, value }, index) => {
    test(`txn ${index} of type ${type}`, () => {
      const bytes = Buffer.from(record, 'hex');
      const entry = bytes.subarray(12, bytes.length - 1);
      const end = value.digest === undefined ? entry.length : entry.length - 12;
      const whole: number[] = [];
      // Without a digest an entry is whole, and a part of one is none (disk.md 3.1).
      for (let length = end; length < entry.length; length++) whole.push(length);
      // A create of ZooKeeper before 3.3 has no parentCVersion; Java takes a cut one for such.
      if (type === 1 || type === 15) whole.push(end - 4, end - 3, end - 2, end - 1);
      // A closeSession of an older leader has no body, or only a digest, which begins as two paths do.
      if (type === -11) whole.push(32, 44);
      cutEverywhere(entry, (reader) => decodeTxn(reader.bytes, reader.offset, reader.end), whole);
    });
  });
});
