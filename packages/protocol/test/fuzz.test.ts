// Whatever bytes come, a decoder returns a value or throws MarshallingError, at once and in the memory that
// the bytes themselves justify; and what a writer wrote, its reader reads.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ByteReader,
  ByteWriter,
  decodeJavaUtf8,
  decodeTxn,
  encodeJavaUtf8,
  encodeTxn,
  isValidPathBytes,
  javaUtf8Length,
  MarshallingError,
  type Txn,
  type TxnBody,
  validatePath,
} from '../src/index.ts';
import { ALL_CODECS, REQUEST_CODECS } from './codecs.ts';
import { golden, payloadOf, plain } from './golden.ts';

/** Reads; gives what it made, or undefined for a MarshallingError. Anything else thrown is a defect. */
function attempt(read: (reader: ByteReader) => unknown, bytes: Buffer): unknown {
  try {
    return read(new ByteReader(bytes));
  } catch (error) {
    if (error instanceof MarshallingError) return undefined;
    throw error;
  }
}

/** Ints that are lengths and counts where it hurts. */
const hostileInt = fc.oneof(
  fc.constantFrom(-1, 0, 1, -2, 2 ** 31 - 1, -(2 ** 31), 0x7ffffff0, 0xfffff, 0x100000, 16, 255),
  fc.integer(),
);

const hostileBytes = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 12, size: 'max' }).map((bytes) => Buffer.from(bytes)),
      hostileInt.map((value) => {
        const bytes = Buffer.alloc(4);
        bytes.writeInt32BE(value);
        return bytes;
      }),
    ),
    { maxLength: 16, size: 'max' },
  )
  .map((parts) => Buffer.concat(parts));

describe('hostile bytes', () => {
  for (const [name, codec] of ALL_CODECS) {
    test(`${name}: a value or a MarshallingError`, () => {
      fc.assert(
        fc.property(hostileBytes, (bytes) => {
          const value = attempt(codec.read, bytes);
          // What could be read can be written, whatever it is.
          if (value !== undefined) codec.write(new ByteWriter(1), value);
        }),
        { numRuns: 400 },
      );
    });
  }

  test('an entry of a txn log: a value or a MarshallingError', () => {
    const head = Buffer.alloc(28);
    fc.assert(
      fc.property(
        hostileInt,
        fc.integer({ min: -12, max: 24 }),
        hostileBytes,
        (any, type, rest) => {
          const typeBytes = Buffer.alloc(4);
          typeBytes.writeInt32BE(any % 3 === 0 ? any : type);
          attempt((reader) => decodeTxn(reader.bytes), Buffer.concat([head, typeBytes, rest]));
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('a captured request with some of its bytes changed: a value or a MarshallingError', () => {
    const captured = golden('exchanges').exchanges.map(
      ({ op, request }) => [op, payloadOf(request).subarray(8)] as const,
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...captured),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
          minLength: 1,
          maxLength: 4,
        }),
        ([op, body], changes) => {
          const bytes = Buffer.from(body);
          for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value;
          const codec = REQUEST_CODECS[op];
          if (codec !== undefined) attempt(codec.read, bytes);
        },
      ),
      { numRuns: 5000 },
    );
  });

  // 2^31-1 elements announced in 20 bytes: refused by what is there, before anything is allocated for it.
  test('a vector of 2^31-1 elements in 20 bytes takes neither memory nor time', () => {
    const bytes = Buffer.alloc(20);
    for (const [name, codec] of ALL_CODECS) {
      for (let at = 0; at + 4 <= bytes.length; at++) {
        for (const count of [2 ** 31 - 1, 2 ** 24, 0x00ffffff]) {
          bytes.fill(0);
          bytes.writeInt32BE(count, at);
          const heap = process.memoryUsage();
          const started = performance.now();
          attempt(codec.read, bytes);
          const now = process.memoryUsage();
          expect(performance.now() - started, name).toBeLessThan(200);
          expect(now.arrayBuffers - heap.arrayBuffers, name).toBeLessThan(1 << 20);
          expect(now.heapUsed - heap.heapUsed, name).toBeLessThan(8 << 20);
        }
      }
    }
  });
});

describe('numbers', () => {
  test('ints, longs and booleans come back as they were written', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.integer({ min: -(2 ** 53), max: 2 ** 53 }),
        fc.boolean(),
        (int, long, exact, bool) => {
          const writer = new ByteWriter(1);
          writer.int32(int);
          writer.bigint64(long);
          writer.int64(exact);
          writer.int64Parts(Number(long >> 32n) | 0, Number(long & 0xffffffffn) | 0);
          writer.bool(bool);
          const reader = new ByteReader(Buffer.from(writer.view()));
          expect(reader.int32()).toBe(int);
          expect(reader.bigint64()).toBe(long);
          expect(reader.int64()).toBe(exact);
          expect(reader.bigint64()).toBe(long);
          expect(reader.bool()).toBe(bool);
          expect(reader.remaining).toBe(0);
        },
      ),
    );
  });
});

const bytesOrNull = fc.option(
  fc.uint8Array({ maxLength: 100, size: 'max' }).map((bytes) => Buffer.from(bytes)),
  { nil: null },
);
/** Strings that survive Java's encoding: without surrogates. */
const text = fc
  .string({ unit: 'binary', maxLength: 20, size: 'max' })
  .map((value) => value.replace(/[\ud800-\udfff]/g, ''));
const int = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const acl = fc.option(
  fc.array(fc.record({ perms: int, scheme: text, id: text }), { maxLength: 4 }),
  {
    nil: null,
  },
);

const { txnBody } = fc.letrec<{ txnBody: TxnBody; plainTxn: TxnBody }>((tie) => ({
  plainTxn: fc.oneof(
    fc.record({
      type: fc.constantFrom(1 as const, 15 as const),
      path: text,
      data: bytesOrNull,
      acl,
      ephemeral: fc.boolean(),
      parentCVersion: int,
    }),
    fc.record({
      type: fc.constant(19 as const),
      path: text,
      data: bytesOrNull,
      acl,
      parentCVersion: int,
    }),
    fc.record({
      type: fc.constant(21 as const),
      path: text,
      data: bytesOrNull,
      acl,
      parentCVersion: int,
      ttlMs: fc.integer({ min: -(2 ** 53), max: 2 ** 53 }),
    }),
    fc.record({ type: fc.constantFrom(2 as const, 20 as const), path: text }),
    fc.record({
      type: fc.constantFrom(5 as const, 16 as const),
      path: text,
      data: bytesOrNull,
      version: int,
    }),
    fc.record({ type: fc.constant(7 as const), path: text, acl, version: int }),
    fc.record({ type: fc.constant(13 as const), path: text, version: int }),
    fc.record({ type: fc.constant(-1 as const), error: int }),
  ),
  txnBody: fc.oneof(
    { weight: 4, arbitrary: tie('plainTxn') },
    fc.record({
      type: fc.constant(14 as const),
      txns: fc.array(tie('plainTxn'), { maxLength: 5 }),
    }),
    fc.record({ type: fc.constant(-10 as const), timeoutMs: int }),
    fc.record({ type: fc.constant(-11 as const), paths: fc.array(text, { maxLength: 5 }) }),
  ),
}));

describe('txns', () => {
  test('what was encoded decodes to the same txn, and to the same bytes again', () => {
    fc.assert(
      fc.property(
        txnBody,
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.nat(),
        fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
        (body, clientId, zxid, treeDigest) => {
          const header = { clientId, cxid: 7, zxid, time: 1_700_000_000_000, type: body.type };
          const txn: Txn = { header, body, digest: { version: 2, treeDigest } };
          const bytes = encodeTxn(txn);
          const decoded = decodeTxn(bytes);
          expect(plain(decoded)).toEqual(plain(txn));
          expect(encodeTxn(decoded)).toEqual(bytes);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('strings as Java has them', () => {
  const { decode, encode } = golden('java-utf8');

  test(`decode as jute's reader does, ${decode.length} vectors`, () => {
    for (const [from, to] of decode) {
      const bytes = Buffer.from(from, 'hex');
      const units = decodeJavaUtf8(bytes, 0, bytes.length);
      expect([from, unitsHex(units)]).toEqual([from, to]);
    }
  });

  test(`encode as jute's writer does, ${encode.length} vectors`, () => {
    for (const [from, to] of encode) {
      const units = (from.match(/.{4}/g) ?? []).map((unit) => Number.parseInt(unit, 16));
      const value = String.fromCharCode(...units);
      const target = Buffer.alloc(javaUtf8Length(value));
      expect(encodeJavaUtf8(value, target, 0)).toBe(target.length);
      expect([from, target.toString('hex')]).toEqual([from, to]);
    }
  });

  test('text without surrogates comes back, and is UTF-8', () => {
    fc.assert(
      fc.property(text, (value) => {
        const target = Buffer.alloc(javaUtf8Length(value));
        encodeJavaUtf8(value, target, 0);
        expect(target).toEqual(Buffer.from(value, 'utf8'));
        expect(decodeJavaUtf8(target, 0, target.length)).toBe(value);
      }),
    );
  });

  test('bytes outside the range are not looked at', () => {
    const bytes = Buffer.from('ffe282acff', 'hex');
    expect(decodeJavaUtf8(bytes, 1, 4)).toBe('€');
    expect(decodeJavaUtf8(bytes, 1, 3)).toBe('\ufffd');
  });
});

describe('paths', () => {
  const segment = fc.constantFrom(
    'a',
    '.',
    '..',
    '...',
    '',
    'b.c',
    'é',
    '\u0000',
    '\u007f',
    '\u009f',
    '\u00a0',
    '\ud7ff',
    '\ue000',
    '\uf900',
    '\uffef',
    '\ufff0',
    '😀',
    '日本',
  );
  const path = fc
    .tuple(fc.constantFrom('/', '', 'a'), fc.array(segment, { maxLength: 5 }))
    .map(([start, segments]) => start + segments.join('/'));

  test('the rule on bytes is the rule on the string that Java makes of them', () => {
    const check = (bytes: Buffer) => {
      const decoded = decodeJavaUtf8(bytes, 0, bytes.length);
      expect([bytes.toString('hex'), isValidPathBytes(bytes, 0, bytes.length)]).toEqual([
        bytes.toString('hex'),
        validatePath(decoded) === undefined,
      ]);
    };
    fc.assert(
      fc.property(path, (value) => check(Buffer.from(value, 'utf8'))),
      { numRuns: 3000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), (bytes) =>
        check(Buffer.concat([Buffer.from('/'), bytes])),
      ),
      { numRuns: 3000 },
    );
    for (const [from] of golden('java-utf8').decode) check(Buffer.from(`2f${from}`, 'hex'));
  });
});

function unitsHex(value: string): string {
  let hex = '';
  for (let i = 0; i < value.length; i++) hex += value.charCodeAt(i).toString(16).padStart(4, '0');
  return hex;
}
