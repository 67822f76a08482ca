// Frames out of a stream that is cut anywhere, with lengths that nobody should believe.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameDecoder, ProtocolError } from '../src/index.ts';

const LIMIT = 1000;

const frames = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 20, size: 'max' }),
    fc.uint8Array({ minLength: 900, maxLength: LIMIT, size: 'max' }),
  ),
  { maxLength: 8 },
);

function framed(payloads: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    payloads.flatMap((payload) => {
      const length = Buffer.alloc(4);
      length.writeInt32BE(payload.length);
      return [length, payload];
    }),
  );
}

/** Chunks of `stream` cut at `cuts`, each in a larger buffer that is overwritten afterwards. */
function feed(
  decoder: FrameDecoder,
  stream: Buffer,
  cuts: readonly number[],
  sink: (bytes: Buffer, start: number, end: number) => boolean,
): void {
  const at = [
    0,
    ...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b),
    stream.length,
  ];
  const chunk = Buffer.alloc(stream.length + 7);
  for (let i = 1; i < at.length; i++) {
    const length = stream.copy(chunk, 3, at[i - 1] as number, at[i] as number);
    decoder.push(chunk, 3, 3 + length, sink);
    chunk.fill(0xee);
  }
}

describe('FrameDecoder', () => {
  test('gives every frame once, in order, wherever the stream is cut', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat(), { maxLength: 20, size: 'max' }), (payloads, cuts) => {
        const got: Buffer[] = [];
        feed(new FrameDecoder(LIMIT), framed(payloads), cuts, (bytes, start, end) => {
          got.push(Buffer.from(bytes.subarray(start, end)));
          return true;
        });
        expect(got).toEqual(payloads.map((payload) => Buffer.from(payload)));
      }),
      { numRuns: 500 },
    );
  });

  test('gives every frame when the stream comes byte by byte', () => {
    const payloads = [Buffer.alloc(0), Buffer.from('abc'), Buffer.alloc(300, 7), Buffer.from('d')];
    const stream = framed(payloads);
    const got: Buffer[] = [];
    feed(new FrameDecoder(LIMIT), stream, [...stream.keys()], (bytes, start, end) => {
      got.push(Buffer.from(bytes.subarray(start, end)));
      return true;
    });
    expect(got).toEqual(payloads);
  });

  test('gives nothing more in a push that the sink stopped, wherever the stream is cut', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat(), { maxLength: 20, size: 'max' }), (payloads, cuts) => {
        const decoder = new FrameDecoder(LIMIT);
        const got: Buffer[] = [];
        let inThisPush = 0;
        const stopAtEach = (bytes: Buffer, start: number, end: number): boolean => {
          got.push(Buffer.from(bytes.subarray(start, end)));
          inThisPush++;
          return false;
        };
        const stream = framed(payloads);
        const at = cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b);
        for (const [i, start] of [0, ...at].entries()) {
          inThisPush = 0;
          decoder.push(stream, start, at[i] ?? stream.length, stopAtEach);
          expect(inThisPush).toBeLessThanOrEqual(1);
        }
        for (let i = 0; i <= payloads.length; i++) decoder.push(stream, 0, 0, stopAtEach);
        expect(got).toEqual(payloads.map((payload) => Buffer.from(payload)));
      }),
    );
  });

  test('goes on where the sink stopped it, with nothing lost or given twice', () => {
    fc.assert(
      fc.property(
        frames,
        fc.array(fc.nat(), { maxLength: 10 }),
        fc.array(fc.boolean(), { maxLength: 12, size: 'max' }),
        (payloads, cuts, answers) => {
          const decoder = new FrameDecoder(LIMIT);
          const got: Buffer[] = [];
          let calls = 0;
          const sink = (bytes: Buffer, start: number, end: number) => {
            got.push(Buffer.from(bytes.subarray(start, end)));
            return answers[calls++] ?? true;
          };
          feed(decoder, framed(payloads), cuts, sink);
          for (let i = 0; i <= payloads.length; i++) decoder.push(Buffer.alloc(0), 0, 0, sink);
          expect(got).toEqual(payloads.map((payload) => Buffer.from(payload)));
          expect(decoder.bufferedBytes).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('keeps no more than one frame, by what came and not by what was announced', () => {
    const decoder = new FrameDecoder(1 << 30);
    const announced = Buffer.from('3fffffff', 'hex');
    const before = process.memoryUsage().arrayBuffers;
    decoder.push(announced, 0, 4, () => true);
    decoder.push(Buffer.alloc(10), 0, 10, () => true);
    expect(decoder.bufferedBytes).toBe(14);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
  });

  test('refuses a negative or too long frame as soon as its length is there', () => {
    for (const [hex, code] of [
      ['ffffffff', 'FRAME_NEGATIVE'],
      ['80000000', 'FRAME_NEGATIVE'],
      ['000003e9', 'FRAME_TOO_LONG'],
      ['7fffffff', 'FRAME_TOO_LONG'],
    ] as const) {
      for (let cut = 0; cut <= 4; cut++) {
        const bytes = Buffer.from(hex, 'hex');
        const decoder = new FrameDecoder(LIMIT);
        const push = () => {
          decoder.push(bytes, 0, cut, () => true);
          decoder.push(bytes, cut, 4, () => true);
        };
        expect(push).toThrow(ProtocolError);
        expect(push).toThrow(expect.objectContaining({ code }));
      }
    }
  });

  test('any bytes at all: frames or a ProtocolError', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 64, size: 'max' }),
        fc.array(fc.nat(), { maxLength: 6 }),
        (bytes, cuts) => {
          const decoder = new FrameDecoder(LIMIT);
          try {
            feed(decoder, Buffer.from(bytes), cuts, () => true);
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
          }
          expect(decoder.bufferedBytes).toBeLessThanOrEqual(bytes.length);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('long frames that come in pieces', () => {
  const PIECE = 64 * 1024;

  /** Pushes all but the last `held` bytes of a frame of `length` bytes of `fill`; returns the push of the rest. */
  function begin(decoder: FrameDecoder, length: number, fill: number) {
    const stream = framed([Buffer.alloc(length, fill)]);
    const seen: { memory: ArrayBufferLike; isWhole: boolean }[] = [];
    const sink = (bytes: Buffer, start: number, end: number): boolean => {
      const frame = bytes.subarray(start, end);
      seen.push({
        memory: bytes.buffer,
        isWhole: frame.length === length && frame.every((byte) => byte === fill),
      });
      return true;
    };
    let at = 0;
    const push = (to: number) => {
      for (; at < to; at += Math.min(PIECE, to - at)) {
        decoder.push(stream, at, Math.min(at + PIECE, to), sink);
      }
    };
    push(stream.length - 1);
    return () => {
      push(stream.length);
      return seen[0];
    };
  }

  test('are put together in one buffer, again and again', () => {
    const decoder = new FrameDecoder(2_000_000);
    const first = begin(decoder, 1_000_000, 1)();
    const second = begin(new FrameDecoder(2_000_000), 1_000_000, 2)();
    const third = begin(decoder, 900_000, 3)();
    expect([first?.isWhole, second?.isWhole, third?.isWhole]).toEqual([true, true, true]);
    expect(second?.memory === first?.memory).toBe(true);
    expect(third?.memory === first?.memory).toBe(true);
  });

  test('of two connections at once have a buffer each', () => {
    const [one, other] = [new FrameDecoder(2_000_000), new FrameDecoder(2_000_000)];
    const endOne = begin(one, 1_000_000, 1);
    const endOther = begin(other, 1_000_000, 2);
    const [first, second] = [endOne(), endOther()];
    expect([first?.isWhole, second?.isWhole]).toEqual([true, true]);
    expect(second?.memory === first?.memory).toBe(false);
  });

  test('above two megabytes keep no buffer', () => {
    const first = begin(new FrameDecoder(9_000_000), 5_000_000, 1)();
    const second = begin(new FrameDecoder(9_000_000), 5_000_000, 2)();
    expect([first?.isWhole, second?.isWhole]).toEqual([true, true]);
    expect(second?.memory === first?.memory).toBe(false);
  });

  test('what a sink that stops has left is kept, in another buffer', () => {
    const decoder = new FrameDecoder(2_000_000);
    const stream = framed([Buffer.alloc(500_000, 1), Buffer.alloc(300_000, 2)]);
    const seen: number[] = [];
    const one = (bytes: Buffer, start: number, end: number): boolean => {
      seen.push(end - start, bytes[start] as number, bytes[end - 1] as number);
      return false;
    };
    decoder.hold(stream, 0, stream.length);
    decoder.push(stream, 0, 0, one);
    begin(new FrameDecoder(2_000_000), 1_000_000, 3)();
    decoder.push(stream, 0, 0, one);
    expect(seen).toEqual([500_000, 1, 1, 300_000, 2, 2]);
  });
});
