// What the captured entries do not hold: records of older leaders, null strings, and bytes that are refused.

import { describe, expect, test } from 'vitest';
import {
  ByteReader,
  ByteWriter,
  decodeTxn,
  encodeTxn,
  MarshallingError,
  OpCode,
  readMultiRequest,
  readMultiResponse,
  readTxnBody,
  type TxnBody,
  writeMultiResponse,
} from '../src/index.ts';

function reader(write: (writer: ByteWriter) => void): ByteReader {
  const writer = new ByteWriter();
  write(writer);
  return new ByteReader(Buffer.from(writer.view()));
}

function body(type: number, write: (writer: ByteWriter) => void): TxnBody {
  return readTxnBody(reader(write), type);
}

describe('a null path is read as the empty one', () => {
  test.each([
    [OpCode.create, (writer: ByteWriter) => writer.int32(-1)],
    [OpCode.create2, (writer: ByteWriter) => writer.int32(-1)],
    [OpCode.createContainer, (writer: ByteWriter) => writer.int32(-1)],
    [OpCode.createTTL, (writer: ByteWriter) => writer.int32(-1)],
    [OpCode.delete, () => {}],
    [OpCode.deleteContainer, () => {}],
    [OpCode.setData, (writer: ByteWriter) => writer.int32(-1)],
    [OpCode.setACL, () => {}],
    [OpCode.check, () => {}],
  ])('in a txn of type %i', (type, beforeAcl) => {
    const read = body(type, (writer) => {
      writer.int32(-1);
      beforeAcl(writer);
      // ACL, flags, versions and ttl, whichever of them follow.
      for (let word = 0; word < 5; word++) writer.int32(0);
    });
    expect(read).toMatchObject({ type, path: '' });
  });

  test('in the result of a create in a multi, and so is a null list of children', () => {
    const results = readMultiResponse(
      reader((writer) => {
        for (const type of [OpCode.create, OpCode.getChildren]) {
          writer.int32(type);
          writer.bool(false);
          writer.int32(0);
          writer.int32(-1);
        }
        writer.int32(-1);
        writer.bool(true);
        writer.int32(-1);
      }),
    );
    expect(results).toEqual([
      { type: OpCode.create, path: '' },
      { type: OpCode.getChildren, children: [] },
    ]);
  });
});

test('a create of before 3.3 ends without the version of its parent, which is then -1', () => {
  const read = body(OpCode.create, (writer) => {
    writer.string('/a');
    writer.buffer(null);
    writer.int32(-1);
    writer.bool(true);
  });
  expect(read).toEqual({
    type: OpCode.create,
    path: '/a',
    data: null,
    acl: null,
    ephemeral: true,
    parentCVersion: -1,
  });
});

describe('closeSession', () => {
  const header = { clientId: 5n, cxid: 1, zxid: 7, time: 9, type: OpCode.closeSession };
  const digest = { version: 2, treeDigest: 77n };

  test.each([
    [undefined, 'no digest'],
    [undefined, 'a digest'],
    [[], 'no digest'],
    [[], 'a digest'],
    [['/a', '/b'], 'a digest'],
    // Twelve bytes, as long as a digest.
    [['abcd'], 'no digest'],
  ])('with paths %j and %s is read as it was written', (paths, hasDigest) => {
    const txn = {
      header,
      body: { type: OpCode.closeSession, paths },
      digest: hasDigest === 'a digest' ? digest : undefined,
    };
    expect(decodeTxn(encodeTxn(txn as Parameters<typeof encodeTxn>[0]))).toEqual(txn);
  });

  test('with a null vector of paths has none', () => {
    const read = body(OpCode.closeSession, (writer) => writer.int32(-1));
    expect(read).toEqual({ type: OpCode.closeSession, paths: [] });
  });
});

describe('refused, by name', () => {
  const part = (type: number, length: number) =>
    reader((writer) => {
      writer.int32(1);
      writer.int32(type);
      writer.int32(length);
    });

  test.each([
    [
      'Unsupported txn type 99',
      () =>
        readTxnBody(
          reader(() => {}),
          99,
        ),
    ],
    ['Sub-txn without a body', () => readTxnBody(part(OpCode.delete, -1), OpCode.multi)],
    [
      'Invalid type 99 in a multi',
      () =>
        readMultiRequest(
          reader((writer) => {
            writer.int32(99);
            writer.bool(false);
            writer.int32(-1);
          }),
        ),
    ],
    [
      'Invalid type 99 in a multi response',
      () =>
        readMultiResponse(
          reader((writer) => {
            writer.int32(99);
            writer.bool(false);
            writer.int32(0);
          }),
        ),
    ],
  ])('%s', (message, read) => {
    expect(read).toThrow(MarshallingError);
    expect(read).toThrow(message);
  });

  test('a part of a multi may have a body without bytes, if its type has none', () => {
    expect(() => readTxnBody(part(OpCode.delete, 0), OpCode.multi)).not.toThrow('Sub-txn');
    expect(readTxnBody(part(OpCode.closeSession, 0), OpCode.multi)).toEqual({
      type: OpCode.multi,
      txns: [{ type: OpCode.closeSession, paths: undefined }],
    });
  });
});

test("the error in a multi's result stands in its header, too, and a result without one has 0 there", () => {
  const writer = new ByteWriter();
  writeMultiResponse(writer, [{ type: OpCode.error, error: -101 }, { type: OpCode.delete }]);
  const read = new ByteReader(Buffer.from(writer.view()));
  expect([read.int32(), read.bool(), read.int32(), read.int32()]).toEqual([-1, false, -101, -101]);
  expect([read.int32(), read.bool(), read.int32()]).toEqual([OpCode.delete, false, 0]);
});
