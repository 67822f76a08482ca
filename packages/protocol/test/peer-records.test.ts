import { describe, expect, test } from 'vitest';
import {
  ByteWriter,
  MarshallingError,
  PacketType,
  type PeerMessage,
  PeerStreamDecoder,
  readPeerMessage,
  readTouched,
  writePeerMessage,
} from '../src/index.ts';

const LIMITS = { maxDataBytes: 1 << 20, maxAuthinfoBytes: 1 << 20 };

/** The messages in a stream; undefined for each packet of an unknown type. */
function decoded(bytes: Buffer): (PeerMessage | undefined)[] {
  const messages: (PeerMessage | undefined)[] = [];
  const decoder = new PeerStreamDecoder(LIMITS);
  decoder.push(bytes, 0, bytes.length, {
    packet: (packet) => {
      messages.push(readPeerMessage(packet));
      return true;
    },
    raw: (_, __, end) => end,
  });
  expect(decoder.bufferedBytes).toBe(0);
  return messages;
}

function encoded(message: PeerMessage): Buffer {
  const writer = new ByteWriter(1);
  writePeerMessage(writer, message);
  return Buffer.from(writer.view());
}

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

const FOLLOWER = { sid: 1, protocolVersion: 0x10000, configVersion: 0 };

// The vectors are those of quorum.md section 20; the rest follows the layouts above peer-records.ts.
const CASES: [string, PeerMessage, string][] = [
  [
    'FOLLOWERINFO',
    { type: PacketType.FOLLOWERINFO, acceptedEpoch: 0, info: FOLLOWER },
    '0000000b 0000000000000000 00000014 0000000000000001 00010000 0000000000000000 ffffffff',
  ],
  [
    'OBSERVERINFO in a later epoch and config',
    {
      type: PacketType.OBSERVERINFO,
      acceptedEpoch: 7,
      info: { sid: 9, protocolVersion: 0x10000, configVersion: 0x500000002 },
    },
    '00000010 0000000700000000 00000014 0000000000000009 00010000 0000000500000002 ffffffff',
  ],
  [
    'FOLLOWERINFO without a config version',
    {
      type: PacketType.FOLLOWERINFO,
      acceptedEpoch: 1,
      info: { sid: 3, protocolVersion: 0x10000, configVersion: undefined },
    },
    '0000000b 0000000100000000 0000000c 0000000000000003 00010000 ffffffff',
  ],
  [
    'FOLLOWERINFO of nobody',
    {
      type: PacketType.FOLLOWERINFO,
      acceptedEpoch: 1,
      info: { sid: undefined, protocolVersion: 1, configVersion: undefined },
    },
    '0000000b 0000000100000000 ffffffff ffffffff',
  ],
  [
    'LEADERINFO',
    { type: PacketType.LEADERINFO, epoch: 1, protocolVersion: 0x10000 },
    '00000011 0000000100000000 00000004 00010000 ffffffff',
  ],
  [
    'ACKEPOCH',
    { type: PacketType.ACKEPOCH, lastZxid: 0, currentEpoch: 0 },
    '00000012 0000000000000000 00000004 00000000 ffffffff',
  ],
  [
    'ACKEPOCH that does not count',
    { type: PacketType.ACKEPOCH, lastZxid: -1, currentEpoch: -1 },
    '00000012 ffffffffffffffff 00000004 ffffffff ffffffff',
  ],
  [
    'NEWLEADER',
    { type: PacketType.NEWLEADER, zxid: 0x100000000, configText: 'version=0' },
    '0000000a 0000000100000000 00000009 76657273696f6e3d30 ffffffff',
  ],
  [
    'NEWLEADER without a config',
    { type: PacketType.NEWLEADER, zxid: 0x100000000, configText: null },
    '0000000a 0000000100000000 ffffffff ffffffff',
  ],
  [
    'ACK of NEWLEADER',
    { type: PacketType.ACK, zxid: 0x100000000 },
    '00000003 0000000100000000 ffffffff ffffffff',
  ],
  [
    'UPTODATE',
    { type: PacketType.UPTODATE, zxid: -1 },
    '0000000c ffffffffffffffff ffffffff ffffffff',
  ],
  [
    'DIFF',
    { type: PacketType.DIFF, zxid: 0x100000005 },
    '0000000d 0000000100000005 ffffffff ffffffff',
  ],
  [
    'TRUNC',
    { type: PacketType.TRUNC, zxid: 0x100000005 },
    '0000000e 0000000100000005 ffffffff ffffffff',
  ],
  [
    'SNAP',
    { type: PacketType.SNAP, zxid: 0x100000005 },
    '0000000f 0000000100000005 ffffffff ffffffff',
  ],
  ['SYNC', { type: PacketType.SYNC, zxid: 0 }, '00000007 0000000000000000 ffffffff ffffffff'],
  [
    'COMMIT',
    { type: PacketType.COMMIT, zxid: 0x2ffffffff },
    '00000004 00000002ffffffff ffffffff ffffffff',
  ],
  [
    'PING of a leader',
    { type: PacketType.PING, zxid: 0x100000000, touched: null },
    '00000005 0000000100000000 ffffffff ffffffff',
  ],
  [
    'PING answered without a session',
    { type: PacketType.PING, zxid: 0x100000000, touched: Buffer.alloc(0) },
    '00000005 0000000100000000 00000000 ffffffff',
  ],
  [
    'PING answered with a session',
    { type: PacketType.PING, zxid: 0x100000000, touched: hex('0100000000000002 00007530') },
    '00000005 0000000100000000 0000000c 0100000000000002 00007530 ffffffff',
  ],
  [
    'REVALIDATE asked',
    { type: PacketType.REVALIDATE, sessionId: 0x0100000000000002n, timeoutMs: 30_000 },
    '00000006 ffffffffffffffff 0000000c 0100000000000002 00007530 ffffffff',
  ],
  [
    'REVALIDATE answered',
    { type: PacketType.REVALIDATE, sessionId: -2n, valid: true },
    '00000006 ffffffffffffffff 00000009 fffffffffffffffe 01 ffffffff',
  ],
  [
    'REQUEST of a client',
    {
      type: PacketType.REQUEST,
      sessionId: 0x0100000000000002n,
      cxid: 5,
      opType: 2,
      body: hex('00000002 2f61 ffffffff'),
      identities: [{ scheme: 'ip', id: '::1' }],
    },
    '00000001 ffffffffffffffff 0000001a 0100000000000002 00000005 00000002 000000022f61ffffffff' +
      '00000001 00000002 6970 00000003 3a3a31',
  ],
  [
    'REQUEST of the learner itself',
    {
      type: PacketType.REQUEST,
      sessionId: 3n,
      cxid: 0,
      opType: -11,
      body: Buffer.alloc(0),
      identities: null,
    },
    '00000001 ffffffffffffffff 00000010 0000000000000003 00000000 fffffff5 ffffffff',
  ],
  [
    'PROPOSAL',
    { type: PacketType.PROPOSAL, zxid: 0x100000001, entry: hex('0102') },
    '00000002 0000000100000001 00000002 0102 ffffffff',
  ],
  [
    'INFORM',
    { type: PacketType.INFORM, zxid: 0x100000001, entry: hex('0102') },
    '00000008 0000000100000001 00000002 0102 ffffffff',
  ],
  [
    'COMMITANDACTIVATE',
    { type: PacketType.COMMITANDACTIVATE, zxid: 0x100000001, designatedLeader: 3 },
    '00000009 0000000100000001 00000008 0000000000000003 ffffffff',
  ],
  [
    'INFORMANDACTIVATE',
    { type: PacketType.INFORMANDACTIVATE, zxid: 1, designatedLeader: -1, entry: hex('0a') },
    '00000013 0000000000000001 00000009 ffffffffffffffff 0a ffffffff',
  ],
];

describe('a message of each type', () => {
  test.each(CASES)('%s is encoded to its bytes and decoded from them', (_, message, text) => {
    const bytes = hex(text);
    expect(encoded(message).toString('hex')).toBe(bytes.toString('hex'));
    expect(decoded(bytes)).toEqual([message]);
  });

  test('every type of Leader.java has a case', () => {
    expect(new Set(CASES.map(([, { type }]) => type))).toEqual(new Set(Object.values(PacketType)));
  });

  test('messages follow one another in one writer', () => {
    const writer = new ByteWriter(1);
    for (const [, message] of CASES) writePeerMessage(writer, message);
    expect(decoded(Buffer.from(writer.view()))).toEqual(CASES.map(([, message]) => message));
  });

  test.each(CASES)('%s: data that is cut is refused or is an older form', (_, message, text) => {
    const bytes = hex(text);
    const length = bytes.readInt32BE(12);
    for (let cut = 0; cut < length; cut++) {
      const shorter = Buffer.concat([bytes.subarray(0, 16 + cut), bytes.subarray(16 + length)]);
      shorter.writeInt32BE(cut, 12);
      let again: Buffer | undefined;
      try {
        again = encoded(decoded(shorter)[0] as PeerMessage);
      } catch (error) {
        expect(error).toBeInstanceOf(MarshallingError);
      }
      // Only these carry what may be shorter: bytes of any length, and the info of older learners.
      if (again !== undefined) {
        expect([
          PacketType.REQUEST,
          PacketType.PROPOSAL,
          PacketType.INFORM,
          PacketType.PING,
          PacketType.NEWLEADER,
          PacketType.FOLLOWERINFO,
          PacketType.OBSERVERINFO,
          PacketType.INFORMANDACTIVATE,
          PacketType.REVALIDATE,
        ]).toContain(message.type);
      }
    }
  });
});

test('a packet of an unknown type is no message and no error', () => {
  expect(decoded(hex('0000002a 0000000000000000 00000001 00 ffffffff'))).toEqual([undefined]);
});

test.each([
  ['a PROPOSAL without data', '00000002 0000000100000001 ffffffff ffffffff'],
  ['a REQUEST without data', '00000001 ffffffffffffffff ffffffff ffffffff'],
  ['a LEADERINFO without data', '00000011 0000000100000000 ffffffff ffffffff'],
  ['a LEADERINFO of epoch -1', '00000011 ffffffffffffffff 00000004 00010000 ffffffff'],
  [
    'a REQUEST with a null scheme',
    '00000001 ffffffffffffffff 00000010 0000000000000003 00000000 fffffff5 00000001 ffffffff 00000000',
  ],
])('%s is refused', (_, text) => {
  expect(() => decoded(hex(text))).toThrow(MarshallingError);
});

test('sessions in the answer to a PING are read one by one, and a part of one is left out', () => {
  const touched: [number, number, number][] = [];
  const table = hex('0100000000000002 00007530 ffffffff80000000 00000fa0 0100');
  readTouched(table, (high, low, timeoutMs) => touched.push([high, low, timeoutMs]));
  expect(touched).toEqual([
    [0x01000000, 2, 30_000],
    [-1, -(2 ** 31), 4000],
  ]);
});
