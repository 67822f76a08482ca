// The expected texts are those of a running Apache 3.9.5, with its numbers.

import { describe, expect, test } from 'vitest';
import { defaultServerConfig, type ServerConfigOverrides } from '../src/config/server-config.ts';
import { ServerMetrics } from '../src/metrics/metrics.ts';
import { FULL_VERSION } from '../src/version.ts';
import {
  type ConnectionFacts,
  FOUR_LETTER_WORDS,
  type FourLetterArguments,
  type FourLetterSource,
  type FourLetterWord,
  fourLetterAnswer,
  fourLetterWord,
  javaDate,
  needsDirectorySizes,
} from '../src/words/four-letter.ts';
import { processEnvironment } from '../src/words/process-facts.ts';

const connection: ConnectionFacts = {
  remoteAddress: '127.0.0.1',
  remotePort: 56290,
  interestOps: 1,
  outstanding: 0,
  received: 10,
  sent: 10,
  sessionHigh: 0x0100001f,
  sessionLow: 0xb2a00000 | 0,
  lastOp: 'GETD',
  establishedWallMs: 1795534700027,
  sessionTimeoutMs: 10000,
  lastCxid: 9,
  lastZxid: 6,
  lastResponseMs: 2077733.4,
  lastLatencyMs: 0,
  minLatencyMs: 0,
  averageLatencyMs: 2.7,
  maxLatencyMs: 14,
};

const asking: ConnectionFacts = {
  ...connection,
  remoteAddress: '::1',
  remotePort: 56322,
  interestOps: 0,
  received: 1,
  sent: 0,
  sessionHigh: 0,
  sessionLow: 0,
};

const first = { sessionHigh: 0x0100001f, sessionLow: 0xb2a00000 | 0 };
const second = { sessionHigh: 0x0100001f, sessionLow: 0xb2a00001 | 0 };

function source(
  overrides: Partial<FourLetterSource> = {},
  config: ServerConfigOverrides = {},
): FourLetterSource {
  return {
    isServing: true,
    isReadOnly: false,
    mode: 'standalone',
    ensemble: undefined,
    lastZxid: 0x500000006,
    clientPort: 2181,
    secureClientPort: -1,
    config: defaultServerConfig({
      dataDir: '/data',
      tickTimeMs: 2000,
      fourLetterWhitelist: FOUR_LETTER_WORDS,
      ...config,
    }),
    metrics: new ServerMetrics(),
    traceMask: 306n,
    gauges: () => ({
      aliveConnections: 2,
      outstandingRequests: 1,
      uptimeMs: 480,
      znodeCount: 9,
      watchCount: 5,
      ephemeralsCount: 2,
      approximateDataSize: 60,
      sessions: 2,
      openFileDescriptors: 57,
      maxFileDescriptors: 20000,
      connectionDropProbability: 0,
      outstandingTlsHandshakes: 0,
      ensemble: undefined,
    }),
    quotas: () => [
      { namespace: 'app', countLimit: 10, bytesLimit: -1, countUsage: 3, bytesUsage: 12 },
    ],
    connections: () => [connection, asking],
    sessions: () => [
      { ...second, expiresWallMs: Date.UTC(2026, 10, 24, 15, 38, 30) },
      { ...first, expiresWallMs: Date.UTC(2026, 10, 24, 15, 38, 30) },
    ],
    learnerSessions: () => undefined,
    connectionExpiries: () => [
      {
        ...first,
        remoteAddress: '127.0.0.1',
        remotePort: 2,
        expiresWallMs: Date.UTC(2026, 10, 24, 15, 38, 32),
      },
      {
        sessionHigh: 0,
        sessionLow: 0,
        remoteAddress: '127.0.0.1',
        remotePort: 1,
        expiresWallMs: Date.UTC(2026, 10, 24, 15, 38, 30),
      },
    ],
    ephemerals: () => [{ ...first, paths: ['/a/e', '/a/f'] }],
    ephemeralSessionCount: () => 1,
    watchSummary: () => ({ watchers: 2, paths: 3, watches: 4 }),
    watchesBySession: () => [
      { ...first, paths: ['/a', '/zz'] },
      { ...second, paths: ['/a'] },
    ],
    watchesByPath: () => [
      { path: '/a', sessions: [first, second] },
      { path: '/zz', sessions: [first] },
    ],
    digestLog: () => [{ zxid: 0x100000080, digest: 18446744073709551615n }],
    environment: () => [
      ['zookeeper.version', 'x'],
      ['java.version', '24'],
    ],
    resetConnectionStats() {},
    ...overrides,
  };
}

const ask = (word: FourLetterWord, from = source(), given?: FourLetterArguments) =>
  [...fourLetterAnswer(word, from, given)].join('');

describe('the answers of a server that serves', () => {
  test.each<[FourLetterWord, string]>([
    ['ruok', 'imok'],
    ['isro', 'rw'],
    ['gtmk', '306'],
    ['crst', 'Connection stats reset.\n'],
    ['srst', 'Server stats reset.\n'],
    ['dirs', 'datadir_size: 67109358\nlogdir_size: 42\n'],
    [
      'conf',
      'clientPort=2181\nsecureClientPort=-1\ndataDir=/data/version-2\ndataDirSize=67109358\n' +
        'dataLogDir=/data/version-2\ndataLogSize=42\ntickTime=2000\nmaxClientCnxns=0\n' +
        'minSessionTimeout=4000\nmaxSessionTimeout=40000\nclientPortListenBacklog=-1\nserverId=0\n',
    ],
    [
      'cons',
      ' /127.0.0.1:56290[1](queued=0,recved=10,sent=10,sid=0x100001fb2a00000,lop=GETD,est=1795534700027,' +
        'to=10000,lcxid=0x9,lzxid=0x6,lresp=2077733,llat=0,minlat=0,avglat=2,maxlat=14)\n' +
        ' /[0:0:0:0:0:0:0:1]:56322[0](queued=0,recved=1,sent=0)\n\n',
    ],
    [
      'srvr',
      `Zookeeper version: ${FULL_VERSION}\nLatency min/avg/max: 0/0.0/0\nReceived: 0\nSent: 0\n` +
        'Connections: 2\nOutstanding: 1\nZxid: 0x500000006\nMode: standalone\nNode count: 9\n',
    ],
    [
      'stat',
      `Zookeeper version: ${FULL_VERSION}\nClients:\n` +
        ' /127.0.0.1:56290[1](queued=0,recved=10,sent=10)\n' +
        ' /[0:0:0:0:0:0:0:1]:56322[0](queued=0,recved=1,sent=0)\n\n' +
        'Latency min/avg/max: 0/0.0/0\nReceived: 0\nSent: 0\nConnections: 2\nOutstanding: 1\n' +
        'Zxid: 0x500000006\nMode: standalone\nNode count: 9\n',
    ],
    [
      'dump',
      `SessionTracker dump:\nSession Sets (1)/(2):\n2 expire at ${javaDate(Date.UTC(2026, 10, 24, 15, 38, 30))}:\n` +
        '\t0x100001fb2a00001\n\t0x100001fb2a00000\n' +
        'ephemeral nodes dump:\nSessions with Ephemerals (1):\n0x100001fb2a00000:\n\t/a/e\n\t/a/f\n' +
        `Connections dump:\nConnections Sets (2)/(2):\n1 expire at ${javaDate(Date.UTC(2026, 10, 24, 15, 38, 30))}:\n` +
        '\tip: /127.0.0.1:1 sessionId: 0x0\n' +
        `1 expire at ${javaDate(Date.UTC(2026, 10, 24, 15, 38, 32))}:\n` +
        '\tip: /127.0.0.1:2 sessionId: 0x100001fb2a00000\n',
    ],
    ['wchs', '2 connections watching 3 paths\nTotal watches:4\n'],
    ['wchc', '0x100001fb2a00000\n\t/a\n\t/zz\n0x100001fb2a00001\n\t/a\n\n'],
    ['wchp', '/a\n\t0x100001fb2a00000\n\t0x100001fb2a00001\n/zz\n\t0x100001fb2a00000\n\n'],
    ['envi', 'Environment:\nzookeeper.version=x\njava.version=24\n'],
    ['hash', '100000080: 18446744073709551615\n'],
  ])('%s', (word, expected) => {
    const directorySizes = { dataBytes: 67109358, logBytes: 42 };
    expect(ask(word, source(), { directorySizes })).toBe(expected);
  });

  test('mntr begins with version and state, and writes numbers as Java does', () => {
    const lines = ask('mntr').split('\n');
    expect(lines.slice(0, 3)).toEqual([
      `zk_version\t${FULL_VERSION}`,
      'zk_server_state\tstandalone',
      'zk_avg_latency\t0.0',
    ]);
    expect(lines).toContain('zk_znode_count\t9');
    expect(lines).toContain('zk_connection_drop_probability\t0.0');
    expect(lines).toContain('zk_app_quota_count_limit_per_namespace\t10');
    expect(lines).toContain('zk_p99_readlatency\t0');
    expect(lines.at(-1)).toBe('');
    for (const line of lines.slice(0, -1)) expect(line).toMatch(/^zk_\w+\t.+$/);
  });

  test('stmk keeps the mask that gtmk then shows', () => {
    const from = source();
    expect(ask('stmk', from, { traceMask: -5n })).toBe('-5');
    expect(ask('gtmk', from)).toBe('-5');
  });

  test('srst sets the metrics back and crst the connections', () => {
    let resets = 0;
    const from = source({ resetConnectionStats: () => resets++ });
    from.metrics.packetsReceived = 5;
    ask('srst', from);
    expect(from.metrics.packetsReceived).toBe(0);
    expect(resets).toBe(0);
    ask('crst', from);
    expect(resets).toBe(1);
  });

  test('a read-only server says so', () => {
    const from = source({ isReadOnly: true, mode: 'read-only' });
    expect(ask('isro', from)).toBe('ro');
    expect(ask('srvr', from)).toContain(
      ' UTC\nREAD-ONLY mode; serving only read-only clients\nLatency',
    );
  });

  test('a server in memory has no directories', () => {
    const from = { ...source(), config: defaultServerConfig({ fourLetterWhitelist: ['conf'] }) };
    expect(ask('conf', from)).toContain('\ndataDir=\ndataDirSize=0\ndataLogDir=\n');
  });
});

describe('a server that does not serve', () => {
  const silent = source({ isServing: false });
  const sentence = 'This ZooKeeper instance is not currently serving requests';

  test.each(FOUR_LETTER_WORDS.map((word) => [word] as const))('%s', (word) => {
    const alive: Partial<Record<FourLetterWord, string>> = {
      ruok: 'imok',
      isro: 'null',
      gtmk: '306',
      stmk: '306',
      envi: 'Environment:\nzookeeper.version=x\njava.version=24\n',
      hash: sentence,
    };
    expect(ask(word, silent)).toBe(alive[word] ?? `${sentence}\n`);
  });
});

describe('the whitelist', () => {
  test('a word that is not on it gets the sentence, and does nothing', () => {
    const from = source({}, { fourLetterWhitelist: ['srvr'] });
    from.metrics.packetsReceived = 5;
    expect(ask('srst', from)).toBe('srst is not executed because it is not in the whitelist.\n');
    expect(ask('ruok', from)).toBe('ruok is not executed because it is not in the whitelist.\n');
    expect(from.metrics.packetsReceived).toBe(5);
    expect(ask('srvr', from)).toContain('Mode: standalone');
  });

  test('srvr alone by default, and isro where read-only mode is allowed', () => {
    expect(defaultServerConfig().fourLetterWhitelist).toEqual(['srvr']);
    expect(defaultServerConfig({ readOnlyModeEnabled: true }).fourLetterWhitelist).toEqual([
      'srvr',
      'isro',
    ]);
  });
});

describe('recognising a word', () => {
  test('every word by its four bytes, telnet close, and nothing else', () => {
    for (const word of FOUR_LETTER_WORDS) {
      expect(fourLetterWord(Buffer.from(word).readInt32BE())).toBe(word);
    }
    expect(fourLetterWord(Buffer.from([0xff, 0xf4, 0xff, 0xfd]).readInt32BE())).toBe(
      'telnet close',
    );
    expect(fourLetterWord(Buffer.from('kill').readInt32BE())).toBeUndefined();
    expect(fourLetterWord(45)).toBeUndefined();
  });

  test('conf and dirs need the sizes of the directories', () => {
    expect(FOUR_LETTER_WORDS.filter(needsDirectorySizes)).toEqual(['conf', 'dirs']);
  });
});

describe('long answers', () => {
  const many = Array.from({ length: 20_000 }, (_, i) => ({
    path: `/watched/${i}`,
    sessions: [first, second],
  }));

  test('come in pieces that a turn of the loop can bear', () => {
    const pieces = [...fourLetterAnswer('wchp', source({ watchesByPath: () => many }))];
    expect(pieces.length).toBeGreaterThan(20);
    for (const piece of pieces) expect(piece.length).toBeLessThan(33 * 1024);
    expect(pieces.join('').split('\n')).toHaveLength(60_002);
  });

  test('are taken from the server no faster than they are sent', () => {
    let walked = 0;
    function* watches() {
      for (const one of many) {
        walked++;
        yield one;
      }
    }
    const answer = fourLetterAnswer('wchp', source({ watchesByPath: watches }))[Symbol.iterator]();
    answer.next();
    expect(walked).toBeLessThan(1000);
  });

  test('a dump gathers in turns what it must count first', () => {
    const sessions = () =>
      Array.from({ length: 5000 }, (_, i) => ({ ...first, sessionLow: i, expiresWallMs: i % 3 }));
    const pieces = [...fourLetterAnswer('dump', source({ sessions }))];
    expect(pieces.length).toBeGreaterThan(5);
    expect(pieces.join('')).toContain('Session Sets (3)/(5000):\n1667 expire at ');
  });
});

test('the version is what tools can parse', () => {
  expect(FULL_VERSION).toMatch(/^\d+\.\d+\.\d+-\S+, built on \d{4}-\d\d-\d\d \d\d:\d\d UTC$/);
});

test('envi lists the keys of Apache in its order', () => {
  expect([...processEnvironment()].map(([key]) => key)).toEqual(
    'zookeeper.version host.name java.version java.vendor java.home java.class.path java.library.path java.io.tmpdir java.compiler os.name os.arch os.version user.name user.home user.dir os.memory.free os.memory.max os.memory.total'.split(
      ' ',
    ),
  );
});
