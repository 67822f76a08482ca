import { expect, test } from 'vitest';
import { checkServerConfig } from '../../src/config/check-config.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import { DEFAULT_ENSEMBLE } from '../../src/config/ensemble-config.ts';
import { defaultServerConfig, type ServerConfigOverrides } from '../../src/config/server-config.ts';

test.each<[ServerConfigOverrides]>([
  [{}],
  [{ clientPort: -1, secureClientPort: 0 }],
  [{ preAllocSizeBytes: 100, snapSizeLimitBytes: 0, txnLogSizeLimitBytes: -7 }],
  [{ containers: { checkIntervalMs: 1 } }],
  [{ maxClientCnxns: 0, snapshotCompression: 'gz', digestAlg: 'SHA3-256' }],
])('%j is fine', (overrides) => {
  expect(() => checkServerConfig(defaultServerConfig(overrides))).not.toThrow();
});

test.each<[object, string]>([
  [{ tickTimeMs: 0 }, 'tickTimeMs: 0 is not allowed (tickTime): a whole number from 1 up (ms)'],
  [
    { clientPort: 1.5 },
    'clientPort: 1.5 is not allowed (clientPort): a whole number from 0 to 65535',
  ],
  [
    { clientPort: '2181' },
    'clientPort: "2181" is not allowed (clientPort): a whole number from 0 to 65535',
  ],
  [
    { clientPort: 70_000 },
    'clientPort: 70000 is not allowed (clientPort): a whole number from 0 to 65535',
  ],
  [{ snapCount: 1 }, 'snapCount: 1 is not allowed (snapCount): a whole number from 2 up (txns)'],
  [{ skipAcl: 'yes' }, 'skipAcl: "yes" is not allowed (skipACL): yes or no'],
  [
    { containers: { maxPerMinute: 0 } },
    'containers.maxPerMinute: 0 is not allowed (znode.container.maxPerMinute): a whole number from 1 up',
  ],
  [
    { connectionThrottle: { dropIncrease: 2 } },
    'connectionThrottle.dropIncrease: 2 is not allowed (connection_throttle_drop_increase): a number from 0 to 1',
  ],
  [
    { snapshotCompression: 'zip' },
    'snapshotCompression: "zip" is not allowed (snapshot.compression.method): (empty), none, gz, snappy',
  ],
  [
    { preAllocSizeBytes: -1 },
    'preAllocSizeBytes: -1 is not allowed (preAllocSize): a whole number from 0 up (KB), in the unit of preAllocSizeBytes',
  ],
  [{ dataDir: '' }, 'dataDir: "" is not allowed (dataDir): a path'],
  [
    { minSessionTimeoutMs: 5, maxSessionTimeoutMs: 4 },
    'minSessionTimeoutMs 5 must not be larger than maxSessionTimeoutMs 4',
  ],
  [{ minSessionTimeoutMs: -1 }, 'minSessionTimeoutMs: -1 is not allowed: 0 or more'],
  [{ maxSessionTimeoutMs: -1 }, 'maxSessionTimeoutMs: -1 is not allowed: 0 or more'],
  [{ digestAlg: 'ROT13' }, 'digestAlg: "ROT13" is no hash'],
  [{ prot: 0 }, 'prot is no option of a server; did you mean port?'],
  [{ dataDirr: '/x' }, 'dataDirr is no option of a server; did you mean dataDir?'],
  [{ wings: 2 }, 'wings is no option of a server'],
  [{ container: {} }, 'container is no option of a server; did you mean containers?'],
  [{ enforceAuth: true }, 'enforceAuth: true is not allowed: an object'],
  [{ containers: null }, 'containers: null is not allowed: an object'],
  [
    { containers: { maxPerMinutes: 1 } },
    'containers.maxPerMinutes is no option of a server; did you mean containers.maxPerMinute?',
  ],
])('%j is not', (overrides, message) => {
  const check = () => checkServerConfig(defaultServerConfig(overrides as ServerConfigOverrides));
  expect(check).toThrow(ConfigError);
  expect(check).toThrow(message);
});

test('all that is wrong is told at once, and nothing that only follows from it', () => {
  const overrides = {
    tickTimeMs: 0,
    clientPort: 70_000,
    minSessionTimeoutMs: 5,
    maxSessionTimeoutMs: -1,
    digestAlg: 'ROT13',
  };
  let thrown: unknown;
  try {
    checkServerConfig(defaultServerConfig(overrides));
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(ConfigError);
  const { message, key, problems } = thrown as ConfigError;
  expect(message.split('\n')).toEqual([
    'clientPort: 70000 is not allowed (clientPort): a whole number from 0 to 65535',
    'tickTimeMs: 0 is not allowed (tickTime): a whole number from 1 up (ms)',
    'maxSessionTimeoutMs: -1 is not allowed: 0 or more',
    'digestAlg: "ROT13" is no hash',
  ]);
  expect(key).toBe('clientPort');
  expect(problems.map((one) => one.key)).toEqual([
    'clientPort',
    'tickTimeMs',
    'maxSessionTimeoutMs',
    'digestAlg',
  ]);
});

test('session timeouts that were given are told of beside a wrong tickTimeMs', () => {
  const overrides = { tickTimeMs: 0, minSessionTimeoutMs: 5, maxSessionTimeoutMs: 4 };
  const check = () => checkServerConfig(defaultServerConfig(overrides));
  expect(check).toThrow('tickTimeMs: 0 is not allowed');
  expect(check).toThrow('minSessionTimeoutMs 5 must not be larger than maxSessionTimeoutMs 4');
});

test.each([0, '2000', Number.NaN])(
  'of a wrong tickTimeMs, %j, nothing else is said',
  (tickTimeMs) => {
    const overrides = { tickTimeMs } as ServerConfigOverrides;
    let problems: readonly ConfigError[] = [];
    try {
      checkServerConfig(defaultServerConfig(overrides));
    } catch (error) {
      problems = (error as ConfigError).problems;
    }
    expect(problems.map(({ key }) => key)).toEqual(['tickTimeMs']);
  },
);

test('a port for clients that the member has for the others is named', () => {
  const members = [
    {
      sid: 1,
      addresses: [{ host: 'a', quorumPort: 2888, electionPort: 3888 }],
      role: 'participant' as const,
      clientAddress: undefined,
    },
  ];
  const ensemble = { ...DEFAULT_ENSEMBLE, sid: 1, members };
  const check = (overrides: ServerConfigOverrides) => () =>
    checkServerConfig(defaultServerConfig({ ensemble, ...overrides }));
  expect(check({ clientPort: 2888 })).toThrow(
    'clientPort 2888 is the quorum port of this member too',
  );
  expect(check({ secureClientPort: 3888, clientPortAddress: 'b' })).toThrow(
    'secureClientPort 3888 is the election port of this member too',
  );
  expect(check({ clientPort: 2888, clientPortAddress: 'b' })).not.toThrow();
  const onAll = { ...ensemble, listenOnAllAddresses: true };
  expect(check({ clientPort: 2888, clientPortAddress: 'b', ensemble: onAll })).toThrow(
    'quorum port',
  );
});
