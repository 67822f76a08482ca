import { encodeTxn, OPEN_ACL_UNSAFE, OpCode } from '@zebu/protocol';
import { expect, test } from 'vitest';
import { encodeFileHeader, LOG_MAGIC } from '../src/file-header.ts';
import { frameRecord, judgeRecord, RecordOutcome } from '../src/log-record.ts';
import { entry, record } from './helpers.ts';

const LIMIT = 1_000_000;
const hex = (bytes: Buffer) => bytes.toString('hex');
const unspaced = (text: string) => text.replace(/\s+/g, '');

test('the file header is the one of disk.md section 13', () => {
  expect(hex(encodeFileHeader(LOG_MAGIC, 0))).toBe(unspaced('5a4b4c47 00000002 0000000000000000'));
});

test('a createSession record is the one of disk.md section 13', () => {
  const bytes = encodeTxn({
    header: {
      clientId: 1n << 56n,
      cxid: 0,
      zxid: 0x1_0000_0001,
      time: 1_700_000_000_000,
      type: OpCode.createSession,
    },
    body: { type: OpCode.createSession, timeoutMs: 30_000 },
    digest: { version: 2, treeDigest: 1_371_985_504n },
  });
  expect(hex(record(bytes))).toBe(
    unspaced(`0000000096dd0993 00000030 0100000000000000 00000000 0000000100000001
      0000018bcfe56800 fffffff6 00007530 00000002 0000000051c6d660 42`),
  );
});

test('a create record is the one of disk.md section 13', () => {
  const bytes = encodeTxn({
    header: {
      clientId: 1n << 56n,
      cxid: 1,
      zxid: 0x1_0000_0002,
      time: 1_700_000_000_001,
      type: OpCode.create,
    },
    body: {
      type: OpCode.create,
      path: '/a',
      data: Buffer.from('x'),
      acl: OPEN_ACL_UNSAFE,
      ephemeral: false,
      parentCVersion: 1,
    },
    digest: { version: 2, treeDigest: 0x2_1103_e1bcn },
  });
  expect(hex(record(bytes))).toBe(
    unspaced(`0000000058280a4e 00000057 0100000000000000 00000001 0000000100000002
      0000018bcfe56801 00000001 00000002 2f61 00000001 78 00000001 0000001f 00000005 776f726c64
      00000006 616e796f6e65 00 00000001 00000002 000000021103e1bc 42`),
  );
});

test('a record that is cut at any byte is never taken for a whole one', () => {
  const whole = record(entry(7, 40));
  expect(judgeRecord(whole, 0, whole.length, LIMIT)).toBe(RecordOutcome.RECORD);
  for (let end = 0; end < whole.length; end += 1) {
    const outcome = judgeRecord(whole.subarray(0, end), 0, end, LIMIT);
    expect(outcome).toBe(end < 12 ? RecordOutcome.END : RecordOutcome.CUT);
  }
});

test('a record whose last bytes are zeros is never taken for a whole one', () => {
  const whole = record(entry(7, 40));
  for (let kept = 0; kept < whole.length; kept += 1) {
    const torn = Buffer.from(whole).fill(0, kept);
    expect(judgeRecord(torn, 0, torn.length, LIMIT), `kept ${kept}`).not.toBe(RecordOutcome.RECORD);
  }
});

test('any flipped bit of a record is noticed', () => {
  const whole = record(entry(7, 40));
  for (let bit = 0; bit < whole.length * 8; bit += 1) {
    const flipped = Buffer.from(whole);
    flipped[bit >>> 3] = (flipped[bit >>> 3] as number) ^ (1 << (bit & 7));
    expect(judgeRecord(flipped, 0, flipped.length, LIMIT), `bit ${bit}`).not.toBe(
      RecordOutcome.RECORD,
    );
  }
});

test.each([
  [-1, RecordOutcome.BAD_LENGTH],
  [-2_000_000, RecordOutcome.BAD_LENGTH],
  [LIMIT + 1, RecordOutcome.BAD_LENGTH],
  [0x7fffffff, RecordOutcome.BAD_LENGTH],
  [0, RecordOutcome.END],
])('a length of %i is told apart', (length, expected) => {
  const bytes = record(entry(7));
  bytes.writeInt32BE(length, 8);
  expect(judgeRecord(bytes, 0, bytes.length, LIMIT)).toBe(expected);
});

test('an entry without room for its header is no entry, whatever its checksum', () => {
  const bytes = Buffer.alloc(44, 1);
  frameRecord(bytes, 0, 31);
  expect(judgeRecord(bytes, 0, 44, LIMIT)).toBe(RecordOutcome.BAD_LENGTH);
});
