import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ByteWriter,
  type ElectionNotification,
  ElectionState,
  encodeNotification,
  isWildcardAddress,
  MAX_ELECTION_FRAME_BYTES,
  MAX_PREAMBLE_BYTES,
  MarshallingError,
  NO_VOTE,
  PREAMBLE_V1,
  PREAMBLE_V2,
  parseHostAndPort,
  preambleLength,
  readNotification,
  readPreamble,
  writePreamble,
} from '../src/index.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

function preamble(version: bigint, sid: bigint, text: string): Buffer {
  const bytes = Buffer.alloc(20 + Buffer.byteLength(text));
  bytes.writeBigInt64BE(version, 0);
  bytes.writeBigInt64BE(sid, 8);
  bytes.writeInt32BE(bytes.length - 20, 16);
  bytes.write(text, 20);
  return bytes;
}

const read = (bytes: Buffer) => readPreamble(bytes, 0, bytes.length);

describe('the preamble', () => {
  // quorum.md section 20.
  const V1 = hex('ffffffffffff0000 0000000000000001 0000000e 3132372e302e302e313a33383838');

  test('V1 is encoded to its bytes and decoded from them', () => {
    const value = {
      version: PREAMBLE_V1,
      sid: 1,
      addresses: [{ host: '127.0.0.1', port: 3888 }],
    } as const;
    const writer = new ByteWriter(1);
    writePreamble(writer, value);
    expect(writer.view().toString('hex')).toBe(V1.toString('hex'));
    expect(read(V1)).toEqual(value);
  });

  test('V2 carries several addresses, those in brackets of IPv6', () => {
    const value = {
      version: PREAMBLE_V2,
      sid: 300,
      addresses: [
        { host: '::1', port: 3888 },
        { host: 'zk-1.example', port: 65_535 },
      ],
    } as const;
    const writer = new ByteWriter(1);
    writePreamble(writer, value);
    expect(writer.view()).toEqual(preamble(-65535n, 300n, '[::1]:3888|zk-1.example:65535'));
    expect(read(Buffer.from(writer.view()))).toEqual(value);
  });

  test('addresses of nobody are left out', () => {
    const bytes = preamble(-65535n, 2n, '0.0.0.0:1|[::]:2|[0:0:0:0:0:0:0:0]:3|10.0.0.0:4');
    expect(read(bytes).addresses).toEqual([{ host: '10.0.0.0', port: 4 }]);
    for (const host of ['0', '0.0', '00.0.0.0', '::0']) expect(isWildcardAddress(host)).toBe(true);
    for (const host of ['::1', 'a', '0x', '1.0.0.0', ''])
      expect(isWildcardAddress(host)).toBe(false);
  });

  test('a server before 3.5 sends its sid alone', () => {
    const bytes = hex('0000000000000007');
    expect(preambleLength(bytes, 0, 8)).toBe(8);
    expect(read(bytes)).toEqual({ version: 0, sid: 7, addresses: [] });
  });

  test('an observer without an id has none, in either form', () => {
    const anonymous = 2n ** 63n - 1n;
    expect(read(preamble(-65536n, anonymous, 'a:1')).sid).toBeUndefined();
    expect(read(hex('7fffffffffffffff'))).toEqual({ version: 0, sid: undefined, addresses: [] });
  });

  test('its length is told as soon as enough of it is there', () => {
    for (let cut = 0; cut <= V1.length; cut++) {
      expect(preambleLength(V1, 0, cut)).toBe(cut < 8 ? 8 : cut < 20 ? 20 : V1.length);
    }
    // Nothing after the cut may be looked at.
    expect(preambleLength(Buffer.concat([hex('0000'), V1]), 2, 2 + 20)).toBe(V1.length);
  });

  test('cut anywhere it is refused', () => {
    for (let cut = 0; cut < V1.length; cut++) {
      expect(() => readPreamble(V1, 0, cut), `cut at ${cut}`).toThrow(MarshallingError);
    }
  });

  test.each([
    ['an unknown version', preamble(-65534n, 1n, 'a:1')],
    ['a version whose number is rounded to a known one', preamble(-(2n ** 63n), 1n, 'a:1')],
    ['a negative sid', preamble(-65536n, -1n, 'a:1')],
    ['a sid that a number cannot hold', preamble(-65536n, 2n ** 53n, 'a:1')],
    ['a sid next to the anonymous one', preamble(-65536n, 2n ** 63n - 2n, 'a:1')],
    ['no address', preamble(-65536n, 1n, '')],
    ['2,049 bytes of addresses', preamble(-65536n, 1n, `${'a'.repeat(2047)}:1`)],
    ['a negative length', hex('ffffffffffff0000 0000000000000001 ffffffff')],
    ['no port', preamble(-65536n, 1n, 'localhost')],
    ['an empty port', preamble(-65536n, 1n, 'localhost:')],
    ['a port that is no number', preamble(-65536n, 1n, 'localhost:http')],
    ['a port over 65,535', preamble(-65536n, 1n, 'localhost:65536')],
    ['a port under 0', preamble(-65536n, 1n, 'localhost:-1')],
    ['three parts', preamble(-65536n, 1n, 'localhost:1:2')],
    ['an open bracket', preamble(-65536n, 1n, '[::1:3888')],
    ['an empty host', preamble(-65536n, 1n, ':3888')],
    ['one bad address of two', preamble(-65535n, 1n, 'a:1|b')],
  ])('%s is refused', (_, bytes) => {
    const attempt = () => {
      preambleLength(bytes, 0, bytes.length);
      read(bytes);
    };
    expect(attempt).toThrow(MarshallingError);
  });

  test('a list of separators alone is no address, as in Apache', () => {
    expect(read(preamble(-65535n, 1n, '||')).addresses).toEqual([]);
  });

  test('more addresses than fit are not written', () => {
    const addresses = Array.from({ length: 300 }, () => ({ host: 'host.name', port: 1 }));
    const write = (list: typeof addresses) =>
      writePreamble(new ByteWriter(), { version: PREAMBLE_V2, sid: 1, addresses: list });
    expect(() => write(addresses)).toThrow(RangeError);
    expect(() => write([])).toThrow(RangeError);
  });

  test('random bytes are a preamble or a MarshallingError, and never need more than the limit', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(-65536n, -65535n, 5n, -1n, 2n ** 63n - 1n),
        fc.uint8Array({ maxLength: 60, size: 'max' }),
        fc.stringMatching(/^[[\]:|.0-9a\ud800]{0,40}$/),
        (version, random, text) => {
          for (const bytes of [
            Buffer.concat([preamble(version, 1n, text)]),
            Buffer.concat([preamble(version, 1n, '').subarray(0, 8), Buffer.from(random)]),
          ]) {
            try {
              expect(preambleLength(bytes, 0, bytes.length)).toBeLessThanOrEqual(
                MAX_PREAMBLE_BYTES,
              );
              read(bytes);
            } catch (error) {
              if (!(error instanceof MarshallingError)) throw error;
            }
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('a notification', () => {
  const CONFIG = 'server.1=127.0.0.1:2888:3888:participant;0.0.0.0:2181\nversion=0';
  const VOTE = {
    state: ElectionState.LOOKING,
    leader: 1,
    zxid: 0,
    electionEpoch: 1,
    peerEpoch: 0,
  };
  // quorum.md section 20, without the length of its frame.
  const CURRENT = Buffer.concat([
    hex(
      '00000000 0000000000000001 0000000000000000 0000000000000001 0000000000000000 00000002 0000003f',
    ),
    Buffer.from(CONFIG),
  ]);
  const decode = (bytes: Buffer) => readNotification(bytes, 0, bytes.length);

  test('of version 2 is encoded to its bytes and decoded from them', () => {
    const bytes = encodeNotification({ ...VOTE, configText: CONFIG });
    expect(bytes.toString('hex')).toBe(CURRENT.toString('hex'));
    expect(decode(CURRENT)).toEqual({ ...VOTE, version: 2, configText: CONFIG });
  });

  test('an observer votes for nobody', () => {
    const none = {
      state: ElectionState.OBSERVING,
      leader: NO_VOTE,
      zxid: NO_VOTE,
      electionEpoch: 3,
      peerEpoch: NO_VOTE,
      configText: '',
    };
    const bytes = encodeNotification(none);
    expect(bytes.readBigInt64BE(4)).toBe(-(2n ** 63n));
    expect(decode(bytes)).toEqual({ ...none, version: 2 });
  });

  test('of 28 bytes has the epoch of its zxid', () => {
    const bytes = hex('00000001 0000000000000003 0000000700000009 0000000000000005');
    expect(decode(bytes)).toEqual({
      state: ElectionState.FOLLOWING,
      leader: 3,
      zxid: 0x700000009,
      electionEpoch: 5,
      peerEpoch: 7,
      version: 0,
      configText: undefined,
    });
  });

  test('of 40 bytes has version 0, whatever its last four bytes say', () => {
    const head = '00000002 0000000000000003 0000000700000009 0000000000000005 0000000000000008';
    for (const version of ['00000001', '00000002', '7fffffff']) {
      expect(decode(hex(`${head} ${version}`))).toEqual({
        state: ElectionState.LEADING,
        leader: 3,
        zxid: 0x700000009,
        electionEpoch: 5,
        peerEpoch: 8,
        version: 0,
        configText: undefined,
      });
    }
  });

  test('of version 1 has no config', () => {
    const bytes = Buffer.from(CURRENT);
    bytes.writeInt32BE(1, 36);
    expect(decode(bytes)).toEqual({ ...VOTE, version: 1, configText: undefined });
  });

  test('bytes after the config are left out', () => {
    const bytes = Buffer.concat([CURRENT, Buffer.from('more')]);
    expect(decode(bytes).configText).toBe(CONFIG);
  });

  test('cut anywhere but to an older form it is refused', () => {
    for (let cut = 0; cut < CURRENT.length; cut++) {
      if (cut === 28 || cut === 40) continue;
      expect(() => readNotification(CURRENT, 0, cut), `cut at ${cut}`).toThrow(MarshallingError);
    }
  });

  test.each([
    ['an unknown state', 0, '00000004'],
    ['a negative state', 0, 'ffffffff'],
    ['a leader that a number cannot hold', 4, '7fffffffffffffff'],
    ['a zxid that a number cannot hold', 12, '0020000000000000'],
    ['a zxid next to that of nobody', 12, '8000000000000001'],
    ['a round that a number cannot hold', 20, '4000000000000001'],
    ['a config of a negative length', 40, 'ffffffff'],
    ['a config longer than the rest', 40, '00000040'],
    ['a config of an enormous length', 40, '7fffffff'],
  ])('%s is refused', (_, at, text) => {
    const bytes = Buffer.from(CURRENT);
    hex(text).copy(bytes, at);
    expect(() => decode(bytes)).toThrow(MarshallingError);
  });

  test('a config that no frame can hold is not encoded', () => {
    const configText = 'x'.repeat(MAX_ELECTION_FRAME_BYTES - 44);
    expect(encodeNotification({ ...VOTE, configText })).toHaveLength(MAX_ELECTION_FRAME_BYTES);
    const tooLong = () => encodeNotification({ ...VOTE, configText: `${configText}x` });
    expect(tooLong).toThrow(RangeError);
  });

  test('random bytes are a notification or a MarshallingError', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -1, max: 4 }),
        fc.uint8Array({ maxLength: 80, size: 'max' }),
        (state, rest) => {
          const bytes = Buffer.concat([Buffer.alloc(4), Buffer.from(rest)]);
          bytes.writeInt32BE(state);
          let value: ElectionNotification | undefined;
          try {
            value = decode(bytes);
          } catch (error) {
            if (!(error instanceof MarshallingError)) throw error;
          }
          if (value?.configText !== undefined) {
            const again = encodeNotification({ ...value, configText: value.configText });
            expect(decode(again)).toEqual({ ...value, version: 2 });
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('any vote comes back as it was sent', () => {
    const long = fc.oneof(fc.maxSafeInteger(), fc.constantFrom(NO_VOTE, -1, 0, 1));
    fc.assert(
      fc.property(
        fc.record({
          state: fc.constantFrom(...Object.values(ElectionState)),
          leader: long,
          zxid: long,
          electionEpoch: long,
          peerEpoch: long,
          configText: fc.string(),
        }),
        (value) => {
          expect(decode(encodeNotification(value))).toEqual({ ...value, version: 2 });
        },
      ),
    );
  });
});

test('addresses are split as ConfigUtils.getHostAndPort splits them', () => {
  expect(parseHostAndPort('host:2181')).toEqual({ host: 'host', port: 2181 });
  expect(parseHostAndPort('[fe80::1%eth0]:0')).toEqual({ host: 'fe80::1%eth0', port: 0 });
  for (const text of ['', 'host', '[::1]', '[::1]:', '::1:2181', 'a:b:c', `a:${'1'.repeat(300)}`]) {
    expect(() => parseHostAndPort(text)).toThrow(MarshallingError);
  }
});
