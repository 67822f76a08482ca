// What Apache's servers of two releases said to one another, captured whole (packages/conformance,
// src/golden/capture-ensemble.ts): decoded, encoded to the same bytes, and cut at every offset.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ByteWriter,
  decodeTxn,
  encodeNotification,
  FrameDecoder,
  framePacket,
  isSameQuorumConfig,
  MAX_ELECTION_FRAME_BYTES,
  MarshallingError,
  PacketType,
  type PeerMessage,
  PeerStreamDecoder,
  type PeerStreamSink,
  PREAMBLE_V1,
  PREAMBLE_V2,
  ProtocolError,
  packetTypeName,
  parseQuorumConfig,
  preambleLength,
  printQuorumConfig,
  QuorumConfigError,
  type QuorumPacketView,
  readNotification,
  readPeerMessage,
  readPreamble,
  readTouched,
  writePeerMessage,
  writePreamble,
  writeQuorumPacket,
} from '../src/index.ts';
import { type PeerConnection, peersGolden } from './golden.ts';

const LIMITS = { maxDataBytes: 2 << 20, maxAuthinfoBytes: 2 << 20 };
const SIGNATURE = Buffer.from('0000000a42656e57617348657265', 'hex');

/** Takes a stream apart: each packet as bytes and as message, each snapshot as bytes. */
class Taker implements PeerStreamSink {
  readonly parts: Buffer[] = [];
  readonly messages: (PeerMessage | 'snapshot')[] = [];
  readonly decoder = new PeerStreamDecoder(LIMITS);
  private snapshot: Buffer = Buffer.alloc(0);

  push(bytes: Buffer, start = 0, end: number = bytes.length): void {
    this.decoder.push(bytes, start, end, this);
  }

  packet(view: QuorumPacketView): boolean {
    const bytes = Buffer.from(view.bytes.subarray(view.start, view.end));
    const message = readPeerMessage(view);
    if (message === undefined) throw new Error(`A packet of type ${view.type}`);
    // What the message keeps is valid only during this call.
    this.messages.push(structuredClone(message));
    this.parts.push(bytes);
    if (message.type === PacketType.SNAP) this.decoder.enterRaw();
    return true;
  }

  raw(bytes: Buffer, start: number, end: number): number {
    const before = this.snapshot.length;
    this.snapshot = Buffer.concat([this.snapshot, bytes.subarray(start, end)]);
    const at = this.snapshot.indexOf(SIGNATURE);
    if (at < 0) return end;
    const length = at + SIGNATURE.length;
    this.parts.push(this.snapshot.subarray(0, length));
    this.messages.push('snapshot');
    this.snapshot = Buffer.alloc(0);
    this.decoder.leaveRaw();
    return start + length - before;
  }
}

function taken(bytes: Buffer): Taker {
  const taker = new Taker();
  taker.push(bytes);
  return taker;
}

interface Election {
  readonly preamble: Buffer;
  /** Payloads of either side. */
  readonly notifications: readonly Buffer[];
}

function election({ initiator, acceptor }: PeerConnection): Election {
  const length = preambleLength(initiator, 0, initiator.length);
  const notifications: Buffer[] = [];
  for (const frames of [initiator.subarray(length), acceptor]) {
    new FrameDecoder(MAX_ELECTION_FRAME_BYTES).push(
      frames,
      0,
      frames.length,
      (bytes, start, end) => {
        notifications.push(Buffer.from(bytes.subarray(start, end)));
        return true;
      },
    );
  }
  return { preamble: initiator.subarray(0, length), notifications };
}

function encoded(message: PeerMessage): Buffer {
  const writer = new ByteWriter(1);
  writePeerMessage(writer, message);
  return Buffer.from(writer.view());
}

/** One of each type and length. */
function kinds(parts: readonly Buffer[]): Buffer[] {
  const byKind = new Map(parts.map((bytes) => [`${bytes.readInt32BE(0)} ${bytes.length}`, bytes]));
  return [...byKind.values()];
}

describe.each(['3.9.5', '3.8.6'] as const)('Apache %s', (version) => {
  const connections = peersGolden(version);
  const quorum = connections.filter(({ channel }) => channel === 'quorum');
  const elections = connections.filter(({ channel }) => channel === 'election').map(election);
  const streams = quorum.flatMap(({ initiator, acceptor }) => [initiator, acceptor]);
  const takers = streams.map(taken);
  const messages = takers.flatMap((taker) => taker.messages).filter((one) => one !== 'snapshot');
  const packets = takers.flatMap(({ parts, messages }) =>
    parts.filter((_, i) => messages[i] !== 'snapshot'),
  );

  test('every type of packet was captured, and both preambles', () => {
    const types = new Set(messages.map(({ type }) => type));
    expect(types).toEqual(new Set(Object.values(PacketType)));
    const versions = elections.map(
      ({ preamble }) => readPreamble(preamble, 0, preamble.length).version,
    );
    expect(new Set(versions)).toEqual(new Set([PREAMBLE_V1, PREAMBLE_V2]));
    expect(takers.filter((taker) => taker.messages.includes('snapshot')).length).toBeGreaterThan(0);
  });

  test('every byte of a stream belongs to a packet or a snapshot', () => {
    for (const [i, taker] of takers.entries()) {
      // A member that was killed may leave a packet cut.
      const rest = taker.decoder.bufferedBytes;
      expect(rest).toBe(0);
      expect(Buffer.concat(taker.parts).equals(streams[i] as Buffer)).toBe(true);
    }
  });

  test('every packet is encoded again to its bytes, as a message and from its parts', () => {
    for (const bytes of packets) {
      const again = new ByteWriter(1);
      let whole: Buffer | undefined;
      new PeerStreamDecoder(LIMITS).push(bytes, 0, bytes.length, {
        packet(view) {
          const { type, zxid } = view;
          writeQuorumPacket(again, { type, zxid, data: view.data(), authinfo: view.authinfo() });
          whole = encoded(readPeerMessage(view) as PeerMessage);
          return true;
        },
        raw: () => 0,
      });
      const name = packetTypeName(bytes.readInt32BE(0));
      expect(whole?.toString('hex'), name).toBe(bytes.toString('hex'));
      expect(Buffer.from(again.view()).toString('hex'), name).toBe(bytes.toString('hex'));
    }
  });

  test('txns of PROPOSAL and INFORM have the zxid of their packet, and are framed in place to the same bytes', () => {
    let count = 0;
    for (const bytes of packets) {
      const type = bytes.readInt32BE(0);
      if (type !== PacketType.PROPOSAL && type !== PacketType.INFORM) continue;
      count++;
      const entry = bytes.subarray(16, bytes.length - 4);
      const { zxid } = decodeTxn(entry).header;
      const chunk = Buffer.alloc(bytes.length, 0xee);
      entry.copy(chunk, 16);
      framePacket(chunk, 16, 16 + entry.length, type, zxid);
      expect(chunk.toString('hex')).toBe(bytes.toString('hex'));
    }
    expect(count).toBeGreaterThan(20);
  });

  test('a packet of each type and length, cut at every offset between two others, is the same packet', () => {
    for (const bytes of kinds(packets)) {
      const type = bytes.readInt32BE(0);
      if (type === PacketType.SNAP) continue;
      const [message] = taken(bytes).messages;
      const thrice = Buffer.concat([bytes, bytes, bytes]);
      for (let cut = bytes.length; cut <= 2 * bytes.length; cut++) {
        // The middle of long data is like any other.
        if (cut > bytes.length + 300 && cut < 2 * bytes.length - 100) continue;
        const again = new Taker();
        // Chunks of their own: nothing past the cut can be read.
        again.push(Buffer.from(thrice.subarray(0, cut)));
        again.push(Buffer.from(thrice.subarray(cut)));
        expect(again.parts.map((part) => part.equals(bytes))).toEqual([true, true, true]);
        if (cut % 8 === 0) expect(again.messages).toEqual([message, message, message]);
      }
    }
  });

  test('a snapshot between its packet and the next, cut at every offset, is the same snapshot', () => {
    const shortest = takers
      .filter((taker) => taker.messages.includes('snapshot'))
      .map(({ parts, messages }) => {
        const at = messages.indexOf('snapshot');
        return Buffer.concat(parts.slice(at - 1, at + 2));
      })
      .sort((a, b) => a.length - b.length)[0] as Buffer;
    const parts = taken(shortest).parts.map((part) => part.toString('hex'));
    expect(parts).toHaveLength(3);
    for (let cut = 0; cut <= shortest.length; cut++) {
      const again = new Taker();
      again.push(Buffer.from(shortest.subarray(0, cut)));
      again.push(Buffer.from(shortest.subarray(cut)));
      expect(again.parts.map((part) => part.toString('hex'))).toEqual(parts);
    }
  });

  test('streams byte by byte are the same streams', () => {
    for (const [i, taker] of takers.entries()) {
      const again = new Taker();
      const stream = streams[i] as Buffer;
      for (let at = 0; at < stream.length; at++) again.push(stream, at, at + 1);
      expect(again.messages).toEqual(taker.messages);
    }
  });

  test('with some bytes changed, everything is read or refused with a typed error', () => {
    const change = fc.record({
      at: fc.nat(),
      byte: fc.constantFrom(0, 1, 0x7f, 0x80, 0xff, 0x0a),
    });
    const payloads = elections.flatMap(({ notifications }) => notifications);
    const preambles = elections.map(({ preamble }) => preamble);
    const readers: [readonly Buffer[], (bytes: Buffer) => void][] = [
      [packets, (bytes) => new Taker().push(bytes)],
      [payloads, (bytes) => void readNotification(bytes, 0, bytes.length)],
      [preambles, (bytes) => void readPreamble(bytes, 0, preambleLength(bytes, 0, bytes.length))],
      [
        payloads,
        (bytes) => {
          const at = bytes.indexOf('server.');
          if (at >= 0) parseQuorumConfig(bytes.toString('utf8', at));
        },
      ],
    ];
    let refused = 0;
    for (const [samples, read] of readers) {
      fc.assert(
        fc.property(
          fc.nat(),
          fc.array(change, { minLength: 1, maxLength: 3 }),
          (which, changes) => {
            const bytes = Buffer.from(samples[which % samples.length] as Buffer);
            for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
            try {
              read(bytes);
            } catch (error) {
              refused++;
              const isTyped =
                error instanceof MarshallingError ||
                error instanceof ProtocolError ||
                error instanceof QuorumConfigError ||
                // What this test's own reader says of a packet type that nobody has.
                (error as Error).message.startsWith('A packet of type');
              if (!isTyped) throw error;
            }
          },
        ),
        { numRuns: 1500 },
      );
    }
    expect(refused).toBeGreaterThan(500);
  });

  test('preambles are encoded again to their bytes', () => {
    for (const { preamble } of elections) {
      const { sid, addresses, version } = readPreamble(preamble, 0, preamble.length);
      const writer = new ByteWriter(1);
      if (sid === undefined || version === 0) throw new Error('Not of these releases');
      writePreamble(writer, { version, sid, addresses });
      expect(writer.view().toString('hex')).toBe(preamble.toString('hex'));
    }
  });

  test('notifications are encoded again to their bytes', () => {
    const all = elections.flatMap(({ notifications }) => notifications);
    expect(all.length).toBeGreaterThan(50);
    for (const bytes of all) {
      const value = readNotification(bytes, 0, bytes.length);
      if (value.configText === undefined) throw new Error('Not of these releases');
      const again = encodeNotification({ ...value, configText: value.configText });
      expect(again.toString('hex')).toBe(bytes.toString('hex'));
    }
  });

  test('config texts of notifications and of NEWLEADER are printed again as they were', () => {
    const texts = new Set([
      ...elections.flatMap(({ notifications }) =>
        notifications.map((bytes) => readNotification(bytes, 0, bytes.length).configText),
      ),
      ...messages.map((one) => (one.type === PacketType.NEWLEADER ? one.configText : undefined)),
    ]);
    texts.delete(undefined);
    expect(texts.size).toBeGreaterThan(3);
    for (const text of texts as Set<string>) {
      const config = parseQuorumConfig(text);
      expect(printQuorumConfig(config)).toBe(text);
      expect(isSameQuorumConfig(config, parseQuorumConfig(printQuorumConfig(config)))).toBe(true);
    }
  });

  test('pings carry sessions, requests the identities of their clients, and moved sessions are known or not', () => {
    const sessions = new Set<number>();
    const schemes = new Set<string>();
    const answers = new Set<boolean>();
    for (const message of messages) {
      if (message.type === PacketType.PING && message.touched !== null) {
        readTouched(message.touched, (_, low) => sessions.add(low));
      }
      if (message.type === PacketType.REQUEST) {
        for (const { scheme } of message.identities ?? []) schemes.add(scheme);
      }
      if (message.type === PacketType.REVALIDATE && 'valid' in message) answers.add(message.valid);
    }
    expect(sessions.size).toBeGreaterThan(0);
    expect(schemes).toEqual(new Set(['ip', 'digest']));
    expect(answers).toEqual(new Set([true, false]));
  });
});
