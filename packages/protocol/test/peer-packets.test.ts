import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BARE_PACKET_BYTES,
  ByteWriter,
  encodeTxn,
  framePacket,
  type Identity,
  MarshallingError,
  PACKET_HEAD_BYTES,
  PACKET_TAIL_BYTES,
  PacketType,
  PeerStreamDecoder,
  type PeerStreamSink,
  ProtocolError,
  packetTypeName,
  putBarePacket,
  type QuorumPacketView,
  writeQuorumPacket,
} from '../src/index.ts';

const LIMITS = { maxDataBytes: 1000, maxAuthinfoBytes: 200 };

interface Packet {
  type: number;
  zxid: number;
  data: Buffer | null;
  authinfo: Identity[] | null;
}

/** What a sink saw: packets, and the raw bytes between them. */
class Seen implements PeerStreamSink {
  readonly packets: Packet[] = [];
  readonly raw_: Buffer[] = [];
  readonly places: [bytes: Buffer, start: number, end: number][] = [];
  /** Stops after each packet. */
  stops = false;
  onPacket: (packet: QuorumPacketView) => void = () => {};
  onRaw: (bytes: Buffer) => number = (bytes) => bytes.length;

  packet(view: QuorumPacketView): boolean {
    const data = view.data();
    this.packets.push({
      type: view.type,
      zxid: view.zxid,
      data: data === null ? null : Buffer.from(data),
      authinfo: view.authinfo(),
    });
    this.places.push([view.bytes, view.start, view.end]);
    this.onPacket(view);
    return !this.stops;
  }

  raw(bytes: Buffer, start: number, end: number): number {
    const taken = this.onRaw(bytes.subarray(start, end));
    this.raw_.push(Buffer.from(bytes.subarray(start, start + taken)));
    return start + taken;
  }
}

function encoded(...packets: Packet[]): Buffer {
  const writer = new ByteWriter();
  for (const packet of packets) writeQuorumPacket(writer, packet);
  return Buffer.from(writer.view());
}

const PACKETS: Packet[] = [
  { type: PacketType.ACK, zxid: 0x100000002, data: null, authinfo: null },
  { type: PacketType.PING, zxid: 0x100000002, data: Buffer.alloc(0), authinfo: null },
  {
    type: PacketType.REQUEST,
    zxid: -1,
    data: Buffer.from('some bytes of a request'),
    authinfo: [
      { scheme: 'ip', id: '127.0.0.1' },
      { scheme: 'digest', id: '' },
    ],
  },
  { type: PacketType.PROPOSAL, zxid: 2 ** 53 - 1, data: Buffer.alloc(300, 7), authinfo: null },
  { type: PacketType.REQUEST, zxid: -1, data: Buffer.from('x'), authinfo: [] },
  { type: 99, zxid: 0, data: null, authinfo: null },
];

describe('a packet stream', () => {
  test('gives the same packets wherever two chunks are cut', () => {
    const bytes = encoded(...PACKETS);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const seen = new Seen();
      const decoder = new PeerStreamDecoder(LIMITS);
      // Each chunk in memory of its own, so that nothing past the cut can be read.
      for (const chunk of [bytes.subarray(0, cut), bytes.subarray(cut)].map((b) =>
        Buffer.from(b),
      )) {
        decoder.push(chunk, 0, chunk.length, seen);
        chunk.fill(0xdb);
      }
      expect(seen.packets, `cut at ${cut}`).toEqual(PACKETS);
      expect(decoder.bufferedBytes).toBe(0);
    }
  });

  test('gives the same packets byte by byte', () => {
    const seen = new Seen();
    const decoder = new PeerStreamDecoder(LIMITS);
    for (const byte of encoded(...PACKETS)) decoder.push(Buffer.from([byte]), 0, 1, seen);
    expect(seen.packets).toEqual(PACKETS);
  });

  test('gives the same packets in random pieces, with a sink that stops after each', () => {
    const bytes = encoded(...PACKETS, ...PACKETS);
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 40, size: 'max' }),
        fc.boolean(),
        (sizes, stops) => {
          const seen = new Seen();
          seen.stops = stops;
          const decoder = new PeerStreamDecoder(LIMITS);
          let at = 0;
          for (const size of [...sizes, bytes.length]) {
            const next = Math.min(bytes.length, at + size);
            const before = seen.packets.length;
            decoder.push(bytes, at, next, seen);
            if (stops) expect(seen.packets.length - before).toBeLessThanOrEqual(1);
            at = next;
          }
          for (let i = 0; i < 2 * PACKETS.length; i++) decoder.push(bytes, 0, 0, seen);
          expect(seen.packets).toEqual([...PACKETS, ...PACKETS]);
          expect(decoder.bufferedBytes).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('a packet that is whole in its chunk is handed over where it lies', () => {
    const bytes = encoded(...PACKETS);
    const seen = new Seen();
    new PeerStreamDecoder(LIMITS).push(bytes, 0, bytes.length, seen);
    let at = 0;
    for (const [where, start, end] of seen.places) {
      expect(where).toBe(bytes);
      expect(start).toBe(at);
      at = end;
    }
    expect(at).toBe(bytes.length);
  });

  test('is raw after a packet that says so, and has packets again where the raw part ends', () => {
    const snapshot = Buffer.from('a snapshot of any length, then its end');
    const [first, ...others] = PACKETS as [Packet, ...Packet[]];
    const bytes = Buffer.concat([encoded(first), snapshot, encoded(...others)]);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const seen = new Seen();
      const decoder = new PeerStreamDecoder(LIMITS);
      let left = snapshot.length;
      seen.onPacket = () => {
        if (seen.packets.length === 1) decoder.enterRaw();
      };
      seen.onRaw = (part) => {
        const taken = Math.min(left, part.length);
        left -= taken;
        if (left === 0) decoder.leaveRaw();
        return taken;
      };
      decoder.push(bytes, 0, cut, seen);
      decoder.push(bytes, cut, bytes.length, seen);
      expect(Buffer.concat(seen.raw_).toString(), `cut at ${cut}`).toBe(snapshot.toString());
      expect(seen.packets).toEqual(PACKETS);
    }
  });

  test('a raw part whose reader takes less than it was given is kept for the next push', () => {
    const seen = new Seen();
    const decoder = new PeerStreamDecoder(LIMITS);
    decoder.enterRaw();
    seen.onRaw = (part) => Math.min(part.length, 3);
    const bytes = Buffer.from('0123456789');
    decoder.push(bytes, 0, 10, seen);
    expect(decoder.bufferedBytes).toBe(7);
    for (let i = 0; i < 3; i++) decoder.push(bytes, 0, 0, seen);
    expect(Buffer.concat(seen.raw_).toString()).toBe('0123456789');
    expect(decoder.bufferedBytes).toBe(0);
  });

  test.each([
    ['data over the limit', [2, 0, 0, 1001], 'PACKET_DATA_LENGTH', 1001, 1000],
    ['data of a negative length', [2, 0, 0, -2], 'PACKET_DATA_LENGTH', -2, 1000],
    ['more identities than fit', [1, 0, 0, -1, 25], 'PACKET_AUTHINFO_LENGTH', 204, 200],
    [
      'a count of identities whose size overflows',
      [1, 0, 0, -1, 0x7fffffff],
      'PACKET_AUTHINFO_LENGTH',
      17179869180,
      200,
    ],
    ['an identity over the limit', [1, 0, 0, -1, 1, 193], 'PACKET_AUTHINFO_LENGTH', 201, 200],
    ['an identity of a negative length', [1, 0, 0, -1, 1, -2], 'PACKET_AUTHINFO_LENGTH', -2, 200],
  ])('%s is refused with the numbers', (_, ints, code, length, limit) => {
    const bytes = Buffer.alloc(4 * ints.length);
    ints.forEach((int, i) => void bytes.writeInt32BE(int, 4 * i));
    let error: unknown;
    try {
      new PeerStreamDecoder(LIMITS).push(bytes, 0, bytes.length, new Seen());
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(ProtocolError);
    expect(error).toMatchObject({ code, data: { length, limit } });
  });

  test('a packet of the very limits passes', () => {
    const packet = {
      type: 1,
      zxid: -1,
      data: Buffer.alloc(1000, 1),
      authinfo: [{ scheme: 'x509', id: 'a'.repeat(200 - 16) }],
    };
    const seen = new Seen();
    new PeerStreamDecoder(LIMITS).push(encoded(packet), 0, encoded(packet).length, seen);
    expect(seen.packets).toEqual([packet]);
  });

  test('a zxid that a number cannot hold is refused', () => {
    for (const zxid of ['0020000000000000', '8000000000000000', '7fffffffffffffff']) {
      const bytes = Buffer.from(`00000003${zxid}ffffffffffffffff`, 'hex');
      const push = () => new PeerStreamDecoder(LIMITS).push(bytes, 0, bytes.length, new Seen());
      expect(push).toThrow(MarshallingError);
    }
  });

  test('what is kept of a cut packet grows with the bytes that came, not with its length', () => {
    const decoder = new PeerStreamDecoder({ maxDataBytes: 2 ** 31 - 1, maxAuthinfoBytes: 1000 });
    const head = Buffer.from('0000000200000001000000017fffffff', 'hex');
    const before = process.memoryUsage().arrayBuffers;
    decoder.push(head, 0, head.length, new Seen());
    decoder.push(Buffer.alloc(1000), 0, 1000, new Seen());
    expect(decoder.bufferedBytes).toBe(1016);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
  });

  test('many identities are each looked at once, however the stream is cut', () => {
    const authinfo = Array.from({ length: 20_000 }, () => ({ scheme: 'ip', id: '' }));
    const bytes = encoded({ type: 1, zxid: -1, data: null, authinfo });
    const decoder = new PeerStreamDecoder({ maxDataBytes: 1000, maxAuthinfoBytes: 1 << 20 });
    const seen = new Seen();
    const before = process.cpuUsage();
    for (let at = 0; at < bytes.length; at += 3) {
      decoder.push(bytes, at, Math.min(at + 3, bytes.length), seen);
    }
    expect(seen.packets[0]?.authinfo).toHaveLength(20_000);
    // Read or copied anew at each piece it is seconds; now it is some 20 ms.
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeLessThan(1_000_000);
  });

  test('random bytes give packets or one of the two errors', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200, size: 'max' }), fc.nat(200), (random, cut) => {
        const bytes = Buffer.from(random);
        const at = Math.min(cut, bytes.length);
        const decoder = new PeerStreamDecoder(LIMITS);
        try {
          decoder.push(bytes, 0, at, new Seen());
          decoder.push(bytes, at, bytes.length, new Seen());
        } catch (error) {
          if (!(error instanceof ProtocolError || error instanceof MarshallingError)) throw error;
        }
        expect(decoder.bufferedBytes).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('encoding in place', () => {
  const txn = (cxid: number) =>
    encodeTxn({
      header: { clientId: 77n, cxid, zxid: 0x200000000 + cxid, time: 1_700_000_000_000, type: 2 },
      body: { type: 2, path: `/path/number/${cxid}` },
      digest: { version: 2, treeDigest: 5n },
    });

  test('txns that lie one after another in a chunk, each framed in place, are the PROPOSAL stream', () => {
    const chunk = Buffer.alloc(4096, 0xee);
    const entries = [1, 2, 3].map(txn);
    let at = 100;
    for (const [i, entry] of entries.entries()) {
      entry.copy(chunk, at + PACKET_HEAD_BYTES);
      const start = at + PACKET_HEAD_BYTES;
      at = framePacket(chunk, start, start + entry.length, PacketType.PROPOSAL, 0x200000001 + i);
      expect(at).toBe(start + entry.length + PACKET_TAIL_BYTES);
    }
    const packets = entries.map((data, i) => ({
      type: PacketType.PROPOSAL,
      zxid: 0x200000001 + i,
      data,
      authinfo: null,
    }));
    expect(chunk.subarray(100, at)).toEqual(encoded(...packets));
    expect([chunk[99], chunk[at]]).toEqual([0xee, 0xee]);
  });

  test('a bare packet is what writeQuorumPacket makes of nulls', () => {
    for (const zxid of [-1, 0, 1, 0xffffffff, 0x1_0000_0000, 2 ** 53 - 1]) {
      const bytes = Buffer.alloc(BARE_PACKET_BYTES);
      expect(putBarePacket(bytes, 0, PacketType.ACK, zxid)).toBe(BARE_PACKET_BYTES);
      expect(bytes).toEqual(encoded({ type: PacketType.ACK, zxid, data: null, authinfo: null }));
    }
  });
});

test('packets have the names of Leader.java', () => {
  expect(packetTypeName(2)).toBe('PROPOSAL');
  expect(packetTypeName(19)).toBe('INFORMANDACTIVATE');
  expect(packetTypeName(42)).toBe('UNKNOWN 42');
});
