import { describe, expect, test } from 'vitest';
import { type ParsedConfig, parseConfig } from '../../src/config/config.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import { helpText, printConfig, wholeHelpText } from '../../src/config/help.ts';
import { defaultServerConfig } from '../../src/config/server-config.ts';
import { findByKey, findByLooseName, SETTINGS } from '../../src/config/settings.ts';
import { FOUR_LETTER_WORDS } from '../../src/words/four-letter.ts';

interface Situation {
  argv?: readonly string[];
  env?: Record<string, string>;
  files?: Record<string, string | Uint8Array>;
}

function parse({ argv = [], env = {}, files = {} }: Situation): ParsedConfig {
  return parseConfig({
    argv,
    env,
    cwd: '/here',
    readFile(path) {
      const text = files[path];
      if (text === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`);
      return text;
    },
  });
}

/** As a file that has a data directory and a port already. */
function parseFile(lines: string, more: Situation = {}): ParsedConfig {
  const files = { 'zoo.cfg': `dataDir=/data\nclientPort=2181\n${lines}`, ...more.files };
  return parse({ ...more, argv: ['zoo.cfg', ...(more.argv ?? [])], files });
}

function errorOf(run: () => unknown): ConfigError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return error as ConfigError;
  }
  throw new Error('Nothing was thrown');
}

const warnings = ({ notes }: ParsedConfig) =>
  notes.filter(({ level }) => level === 'warn').map(({ message }) => message);
const infos = ({ notes }: ParsedConfig) =>
  notes.filter(({ level }) => level === 'info').map(({ message }) => message);

describe('ways to be called', () => {
  test('without anything: port 2181 and ./data', () => {
    const { config, action, file, notes } = parse({});
    expect(action).toBe('run');
    expect(file).toBeUndefined();
    expect(config).toEqual(defaultServerConfig({ dataDir: '/here/data', clientPort: 2181 }));
    expect(notes).toEqual([]);
  });

  test.each<[string, string[]]>([
    ['FILE', ['zoo.cfg']],
    ['start-foreground FILE', ['start-foreground', 'zoo.cfg']],
    ['--config FILE', ['--config', 'zoo.cfg']],
    ['--config=FILE', ['--config=zoo.cfg']],
  ])('%s', (_, argv) => {
    const { config, file } = parse({
      argv,
      files: { 'zoo.cfg': 'dataDir=/data\nclientPort=2182' },
    });
    expect(file).toBe('zoo.cfg');
    expect(config).toMatchObject({ dataDir: '/data', clientPort: 2182, maxClientCnxns: 60 });
  });

  test('ZEBU_CONFIG names the file', () => {
    const env = { ZEBU_CONFIG: '/etc/zoo.cfg' };
    const { config } = parse({ env, files: { '/etc/zoo.cfg': 'dataDir=/data\nclientPort=1' } });
    expect(config.clientPort).toBe(1);
  });

  test.each<[string, string[]]>([
    ['start-foreground alone takes the one of ZOOCFGDIR', ['start-foreground']],
    ['a bare name may be one of ZOOCFGDIR', ['zoo.cfg']],
  ])('%s', (_, argv) => {
    const { file } = parse({
      argv,
      env: { ZOOCFGDIR: '/conf' },
      files: { '/conf/zoo.cfg': 'dataDir=/data\nclientPort=1' },
    });
    expect(file).toBe('/conf/zoo.cfg');
  });

  test.each<[string[], object]>([
    [
      ['2182', 'there'],
      { clientPort: 2182, dataDir: '/here/there', tickTimeMs: 3000, maxClientCnxns: 0 },
    ],
    [['2182', '/there', '500'], { tickTimeMs: 500, minSessionTimeoutMs: 1000 }],
    [['2182', '/there', '500', '7'], { maxClientCnxns: 7 }],
    [['2182', '/there', '--tickTime=400'], { tickTimeMs: 400 }],
  ])('arguments %j', (argv, expected) => {
    expect(parse({ argv }).config).toMatchObject(expected);
  });

  test.each<[string, string[], string]>([
    ['five arguments', ['1', 'a', '2', '3', '4'], '5 arguments are too many'],
    [
      'a port that is none',
      ['port', '/data'],
      'clientPort: "port" (argument 1) is not allowed: a whole number from 0 to 65535',
    ],
    ['a port without a directory', ['2181'], 'Cannot read 2181: ENOENT'],
    [
      'a misspelt command',
      ['ensamble'],
      "Cannot read ensamble: ENOENT: no such file or directory, open 'ensamble'; did you mean zebu-server ensemble?",
    ],
    [
      'a misspelt command with a number',
      ['ensamble', '3'],
      'zebu-server has no ensamble; did you mean ensemble?',
    ],
    [
      'a command that is not the first word',
      ['--tickTime', '400', 'ensemble', '3'],
      'ensemble has to be the first word after zebu-server',
    ],
    [
      'no such file',
      ['nowhere.cfg'],
      "Cannot read nowhere.cfg: ENOENT: no such file or directory, open 'nowhere.cfg'",
    ],
    ['an unknown flag', ['--wings=2'], '--wings is not a flag: see zebu-server --help'],
    ['an unknown short flag', ['-x'], '-x is not a flag: see zebu-server --help'],
    [
      'a misspelt flag',
      ['--tick-tme', '500'],
      '--tick-tme is not a flag: see zebu-server --help; did you mean --tick-time?',
    ],
    [
      'a flag with one dash',
      ['-clientPort=2181'],
      '-clientPort=2181 is not a flag: see zebu-server --help; did you mean --client-port?',
    ],
    [
      'a misspelt flag that is no setting',
      ['--print-confg'],
      '--print-confg is not a flag: see zebu-server --help; did you mean --print-config?',
    ],
    ['a flag without its value', ['--client-port'], '--client-port needs a value'],
    [
      'a command of zkServer.sh',
      ['stop', 'zoo.cfg'],
      'zebu-server has no stop: it runs in the foreground (zebu-server FILE) and ends on SIGTERM',
    ],
  ])('%s is an error', (_, argv, message) => {
    expect(errorOf(() => parse({ argv })).message).toContain(message);
  });

  test('a flag that is near none has no hint', () => {
    expect(errorOf(() => parse({ argv: ['--wings=2'] })).message).toBe(
      '--wings is not a flag: see zebu-server --help',
    );
  });

  test.each<[string[], string]>([
    [['--help'], 'help'],
    [['-h'], 'help'],
    [['--version'], 'version'],
    [['version'], 'version'],
  ])('%j', (argv, action) => {
    expect(parse({ argv: [...argv, 'missing.cfg'] }).action).toBe(action);
  });
});

describe('flags', () => {
  test.each<[string[], object]>([
    [['--client-port', '2182'], { clientPort: 2182 }],
    [['--clientPort=2182'], { clientPort: 2182 }],
    [['--enforce-quota'], { enforceQuota: true }],
    [['--enforce-quota', 'false'], { enforceQuota: false }],
    [['--skip-acl'], { skipAcl: true }],
    [['--enforce-quota', '--client-port', '1'], { enforceQuota: true, clientPort: 1 }],
    [['--max-client-cnxns', '-1'], { maxClientCnxns: 0 }],
    [['--clientPort=1', '--clientPort=2'], { clientPort: 2 }],
    [['--data-dir', '/a b'], { dataDir: '/a b' }],
  ])('%j', (argv, expected) => {
    expect(parse({ argv }).config).toMatchObject(expected);
  });

  test('a switch before the file takes nothing of it', () => {
    expect(parseFile('', { argv: ['--enforce-quota'] }).config.enforceQuota).toBe(true);
    const { file, config } = parse({
      argv: ['--skip-acl', 'zoo.cfg'],
      files: { 'zoo.cfg': 'dataDir=/d\nclientPort=1' },
    });
    expect([file, config.skipAcl]).toEqual(['zoo.cfg', true]);
  });
});

test('precedence: flag, variable, Java property, file, default', () => {
  const key = 'snapCount=10';
  const jvm = { SERVER_JVMFLAGS: '-Dzookeeper.snapCount=20' };
  const env = { ...jvm, ZEBU_SNAP_COUNT: '30' };
  const argv = ['--snap-count', '40'];
  const snapCount = (lines: string, more?: Situation) => parseFile(lines, more).config.snapCount;
  expect(snapCount('')).toBe(100_000);
  expect(snapCount(key)).toBe(10);
  expect(snapCount(key, { env: jvm })).toBe(20);
  expect(snapCount(key, { env })).toBe(30);
  expect(snapCount(key, { env, argv })).toBe(40);
});

describe('the environment', () => {
  test.each<[string, Record<string, string>, object]>([
    ['a variable', { ZEBU_CLIENT_PORT: '2182' }, { clientPort: 2182 }],
    ['blanks around a value', { ZEBU_CLIENT_PORT: ' 2182 ' }, { clientPort: 2182 }],
    [
      'JVMFLAGS come after SERVER_JVMFLAGS',
      { SERVER_JVMFLAGS: '-Dzookeeper.snapCount=5', JVMFLAGS: '-Dzookeeper.snapCount=6' },
      { snapCount: 6 },
    ],
    [
      'unprefixed properties',
      {
        SERVER_JVMFLAGS:
          '-Djute.maxbuffer=0x9fffff -Dreadonlymode.enabled=true -Dznode.container.checkIntervalMs=1',
      },
      {
        juteMaxBufferBytes: 0x9fffff,
        juteMaxBufferExtraBytes: 0x9fffff,
        readOnlyModeEnabled: true,
        containers: { checkIntervalMs: 1, maxPerMinute: 10_000, maxNeverUsedIntervalMs: 0 },
      },
    ],
    [
      'flags that mean nothing',
      {
        SERVER_JVMFLAGS:
          '-Xmx1000m -XX:+UseG1GC -Dfile.encoding=UTF-8 -Dlog4j.configuration=x -Dcom.sun.management.jmxremote -cp a:b',
        JVMFLAGS: '',
      },
      {},
    ],
    [
      'quotes around a value',
      {
        JVMFLAGS: `-Dzookeeper.DigestAuthenticationProvider.superDigest="super:a b" -Dzookeeper.skipACL='yes'`,
      },
      { superDigest: 'super:a b', skipAcl: true },
    ],
    [
      'the switch of zkServer.sh',
      { ZOO_DATADIR_AUTOCREATE_DISABLE: '1' },
      { dataDirAutocreate: false },
    ],
    ['the wrapper', { ZEBU_NODE: '/usr/bin/node', ZEBU_TEST_WORKERS: '2' }, {}],
  ])('%s', (_, env, expected) => {
    const parsed = parse({ env });
    expect(parsed.config).toMatchObject(expected);
    expect(parsed.notes).toEqual([]);
  });

  test('an unknown variable or property is told', () => {
    const env = { ZEBU_CLIENT_PROT: '1', JVMFLAGS: '-Dzookeeper.snapCuont=1' };
    expect(warnings(parse({ env }))).toEqual([
      '-Dzookeeper.snapCuont in JVMFLAGS sets nothing that is known; did you mean -Dzookeeper.snapCount?',
      'Variable ZEBU_CLIENT_PROT sets nothing that is known; did you mean ZEBU_CLIENT_PORT?',
    ]);
    expect(warnings(parse({ env: { ZEBU_WINGS: '2', JVMFLAGS: '-Dzookeeper.wings=2' } }))).toEqual([
      '-Dzookeeper.wings in JVMFLAGS sets nothing that is known',
      'Variable ZEBU_WINGS sets nothing that is known',
    ]);
  });

  test.each<[string, Situation, string]>([
    [
      'variable',
      { env: { ZEBU_CLIENT_PORT: 'x' } },
      'clientPort: "x" (variable ZEBU_CLIENT_PORT) is not allowed: a whole number from 0 to 65535',
    ],
    [
      'Java property',
      { env: { JVMFLAGS: '-Dzookeeper.snapCount=x' } },
      'snapCount: "x" (-Dzookeeper.snapCount in JVMFLAGS) is not allowed: a whole number from 2 up (txns)',
    ],
    [
      'flag',
      { argv: ['--digest-enabled=maybe'] },
      'digest.enabled: "maybe" (flag --digest-enabled) is not allowed: true or false',
    ],
  ])('a wrong value names its %s', (_, situation, message) => {
    expect(errorOf(() => parse(situation)).message).toBe(message);
  });
});

describe('several things that are wrong are told at once', () => {
  const messages = (situation: Situation) =>
    errorOf(() => parse(situation)).problems.map(({ message }) => message);
  const ofFile = (lines: string, more: Situation = {}) =>
    messages({ ...more, argv: ['z', ...(more.argv ?? [])], files: { z: lines } });

  test('wrong values, wherever they come from, and what they are wrong about together', () => {
    const lines =
      'tickTime=0\nclientPort=70000\nssl.crl=true\nminSessionTimeout=5\nmaxSessionTimeout=4\nsecureClientPortAddress=::1';
    const env = { ZEBU_SNAP_COUNT: 'x' };
    const expected = [
      'tickTime: "0" (z:1) is not allowed: a whole number from 1 up (ms)',
      'clientPort: "70000" (z:2) is not allowed: a whole number from 0 to 65535',
      'ssl.crl: "true" (z:3) is refused: this version cannot check revocation, and would let revoked clients in',
      'snapCount: "x" (variable ZEBU_SNAP_COUNT) is not allowed: a whole number from 2 up (txns)',
      'skipACL: "true" (flag --skip-acl) is not allowed: yes or no',
      'secureClientPortAddress (z:6) is set but secureClientPort is not',
      'dataDir is not set',
    ];
    // Without a tick time the session timeouts cannot be judged.
    expect(ofFile(lines, { env, argv: ['--skip-acl=true'] })).toEqual(expected);
  });

  test('the error as a whole has a line for each, and the parts of the first', () => {
    const error = errorOf(() => parseFile('tickTime=x\nsnapCount=y'));
    expect(error.message.split('\n')).toEqual(error.problems.map(({ message }) => message));
    expect(error).toMatchObject({ key: 'tickTime', value: 'x', source: { line: 3 } });
    expect(error.problems.map(({ key, value, allowed }) => [key, value, allowed])).toEqual([
      ['tickTime', 'x', 'a whole number from 1 up (ms)'],
      ['snapCount', 'y', 'a whole number from 2 up (txns)'],
    ]);
  });

  test('one error is its only problem', () => {
    const error = errorOf(() => parseFile('tickTime=x'));
    expect(error.problems).toEqual([error]);
  });

  test.each<[string, string, string[]]>([
    [
      'a wrong port is not a missing one',
      'dataDir=/d\nclientPort=x\nclientPortAddress=::1',
      ['clientPort: '],
    ],
    [
      'a wrong tick time is not judged further',
      'dataDir=/d\ntickTime=0\nmaxSessionTimeout=1\nclientPort=1',
      ['tickTime: '],
    ],
    [
      'a wrong secure port is not a missing one',
      'dataDir=/d\nsecureClientPort=x\nsecureClientPortAddress=::1',
      ['secureClientPort: '],
    ],
    [
      'a data directory without a name is not a missing one',
      'dataDir=\nclientPort=1',
      ['dataDir: ""'],
    ],
    [
      'each member',
      'dataDir=/d\nserver.1=a\nserver.2=b\nclientPortAddress=::1',
      ['server.1: ', 'server.2: '],
    ],
    [
      'each scheme',
      'dataDir=/d\nenforce.auth.enabled=true\nenforce.auth.schemes=x509,sasl\nclientPort=1',
      ['enforce.auth.enabled (z:2): scheme x509', 'enforce.auth.enabled (z:2): scheme sasl'],
    ],
    [
      'protocols and ciphers',
      'dataDir=/d\nsecureClientPort=1\nssl.keyStore.location=/k.pem\nssl.trustStore.location=/t.pem\nssl.enabledProtocols=SSLv3\nssl.ciphersuites=X',
      ['ssl.enabledProtocols: ', 'ssl.ciphersuites: '],
    ],
    [
      'what does not belong into a dynamic file, and what belongs nowhere else',
      'dataDir=/d\nserver.1=a:1:2;1\ndynamicConfigFile=z\ntickTime=0',
      ['server.1 (z:2) must', '/here/z: ', 'tickTime: "0"'],
    ],
  ])('%s', (_, lines, starts) => {
    const found = ofFile(lines);
    expect(found).toEqual(starts.map((start) => expect.stringContaining(start)));
  });

  test('a command line, with the values of the flags that are known', () => {
    const argv = ['--tick-tme', '500', '--snap-count=x', '-q', '--wings=1', '--client-port'];
    expect(messages({ argv })).toEqual([
      '--tick-tme is not a flag: see zebu-server --help; did you mean --tick-time?',
      '-q is not a flag: see zebu-server --help',
      '--wings is not a flag: see zebu-server --help',
      '--client-port needs a value',
      'snapCount: "x" (flag --snap-count) is not allowed: a whole number from 2 up (txns)',
    ]);
  });

  test('a file that cannot be read, with the values of the flags, but not what it may have set', () => {
    expect(messages({ argv: ['nowhere.cfg', '--snap-count=x'] })).toEqual([
      "Cannot read nowhere.cfg: ENOENT: no such file or directory, open 'nowhere.cfg'",
      'snapCount: "x" (flag --snap-count) is not allowed: a whole number from 2 up (txns)',
    ]);
  });
});

describe('zoo.cfg', () => {
  test.each<[string, object]>([
    ['tickTime=500', { tickTimeMs: 500, minSessionTimeoutMs: 1000, maxSessionTimeoutMs: 10_000 }],
    [
      'minSessionTimeout=-1\nmaxSessionTimeout=9000',
      { minSessionTimeoutMs: 6000, maxSessionTimeoutMs: 9000 },
    ],
    ['clientPortAddress=127.0.0.1', { clientPortAddress: '127.0.0.1' }],
    ['clientPortAddress=::1', { clientPortAddress: '::1' }],
    ['clientPortAddress=[::1]', { clientPortAddress: '::1' }],
    ['dataLogDir=logs', { dataLogDir: '/here/logs' }],
    ['preAllocSize=64', { preAllocSizeBytes: 65536 }],
    ['snapSizeLimitInKb=-1', { snapSizeLimitBytes: -1 }],
    ['autopurge.purgeInterval=1', { autopurgePurgeIntervalMs: 3_600_000 }],
    ['autopurge.purgeInterval=90s', { autopurgePurgeIntervalMs: 90_000 }],
    ['snapshot.compression.method=gz', { snapshotCompression: 'gz' }],
    ['snapshot.compression.method=', { snapshotCompression: 'none' }],
    ['forceSync=no', { forceSync: false }],
    ['skipACL=yes', { skipAcl: true }],
    ['maxClientCnxns=0', { maxClientCnxns: 0 }],
    ['jute.maxbuffer=2000', { juteMaxBufferBytes: 2000, juteMaxBufferExtraBytes: 2000 }],
    [
      'readonlymode.enabled=true',
      { readOnlyModeEnabled: true, fourLetterWhitelist: ['isro', 'srvr'] },
    ],
    [
      'request_throttle_max_requests=5\nrequest_throttle_stall_time=6',
      {
        requestThrottle: {
          maxRequests: 5,
          stallTimeMs: 6,
          dropStale: true,
          staleLatencyCheck: false,
          staleConnectionCheck: true,
        },
      },
    ],
    [
      'connection_throttle_tokens=5',
      { connectionThrottle: { ...defaultServerConfig().connectionThrottle, tokens: 5 } },
    ],
    ['4lw.commands.whitelist=stat, ruok', { fourLetterWhitelist: ['stat', 'ruok', 'srvr'] }],
    ['4lw.commands.whitelist=*', { fourLetterWhitelist: [...FOUR_LETTER_WORDS] }],
    ['DigestAuthenticationProvider.superDigest=super:x', { superDigest: 'super:x' }],
    ['superDigest=super:x\ndigestAlg=SHA-256', { superDigest: 'super:x', digestAlg: 'SHA-256' }],
    ['DigestAuthenticationProvider.superDigest=', { superDigest: undefined }],
    ['DigestAuthenticationProvider.digestAlg=SHA3-256', { digestAlg: 'SHA3-256' }],
    [
      'DigestAuthenticationProvider.enabled=false',
      { authProviders: ['ip'], digestAuthEnabled: false },
    ],
    ['superUser=root\nsuperUser.2=boss', { superUsers: ['root', 'boss'] }],
    ['ensembleAuthName=east, west', { ensembleAuthNames: ['east', 'west'] }],
    [
      'enforce.auth.enabled=true\nenforce.auth.schemes=digest, ip',
      { enforceAuth: { enabled: true, schemes: ['digest', 'ip'] } },
    ],
    [
      'sessionRequireClientSASLAuth=true\nauthProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider',
      {
        enforceAuth: { enabled: true, schemes: ['sasl'] },
        authProviders: ['digest', 'ip', 'sasl'],
      },
    ],
  ])('%j', (lines, expected) => {
    expect(parseFile(lines).config).toMatchObject(expected);
  });

  test('the result cannot be changed', () => {
    const { config } = parseFile('');
    for (const value of [
      config,
      config.containers,
      config.fourLetterWhitelist,
      config.enforceAuth.schemes,
    ]) {
      expect(Object.isFrozen(value)).toBe(true);
    }
  });

  test.each<[string, string]>([
    [
      'clientPort=70000',
      'clientPort: "70000" (zoo.cfg:3) is not allowed: a whole number from 0 to 65535',
    ],
    ['tickTime=0', 'tickTime: "0" (zoo.cfg:3) is not allowed: a whole number from 1 up (ms)'],
    ['reconfigEnabled=yes', 'reconfigEnabled: "yes" (zoo.cfg:3) is not allowed: true or false'],
    [
      'minSessionTimeout=5000\nmaxSessionTimeout=4000',
      'minSessionTimeout 5000 must not be larger than maxSessionTimeout 4000 (zoo.cfg:3)',
    ],
    [
      'maxSessionTimeout=5000',
      'minSessionTimeout 6000 must not be larger than maxSessionTimeout 5000 (zoo.cfg:3)',
    ],
    ['ssl.clientAuth=must', 'ssl.clientAuth: "must" (zoo.cfg:3) is not allowed: need, want, none'],
    [
      'DigestAuthenticationProvider.digestAlg=ROT13',
      'DigestAuthenticationProvider.digestAlg: "ROT13" (zoo.cfg:3) is not allowed: SHA1, SHA-256, SHA-512, SHA3-256 and the like',
    ],
    [
      'enforce.auth.enabled=true',
      'enforce.auth.enabled (zoo.cfg:3) needs enforce.auth.schemes, which is not set',
    ],
    [
      'enforce.auth.enabled=true\nenforce.auth.schemes=x509',
      'enforce.auth.enabled (zoo.cfg:3): scheme x509 is not available; these are: digest, ip',
    ],
    [
      'secureClientPortAddress=::1',
      'secureClientPortAddress (zoo.cfg:3) is set but secureClientPort is not',
    ],
    [
      'ssl.crl=true',
      'ssl.crl: "true" (zoo.cfg:3) is refused: this version cannot check revocation, and would let revoked clients in',
    ],
    [
      'testingonly.initialZxid=5',
      `testingonly.initialZxid: "5" (zoo.cfg:3) is refused: only Apache's own tests use it, and it breaks the order of the log`,
    ],
    ['a=\\u12', 'zoo.cfg:3: Malformed \\uxxxx escape'],
    [
      'standaloneEnabled=false',
      'standaloneEnabled=false (zoo.cfg:3) needs server.N lines, and there is none',
    ],
  ])('%j is an error', (lines, message) => {
    expect(errorOf(() => parseFile(lines)).message).toBe(message);
  });

  test('an error carries its parts', () => {
    expect(errorOf(() => parseFile('tickTime=x'))).toMatchObject({
      key: 'tickTime',
      value: 'x',
      source: { kind: 'file', path: 'zoo.cfg', line: 3 },
      allowed: 'a whole number from 1 up (ms)',
    });
  });

  test('what was misspelt is told along with what is missing then', () => {
    const error = errorOf(() =>
      parse({ argv: ['z', '--port', '28001'], files: { z: 'datadir=/x\nport=1' } }),
    );
    expect(error.warnings).toEqual([
      'z:1: datadir is not known, and taken for the system property zookeeper.datadir, which nothing reads; did you mean dataDir?',
      'z:2: port is not known, and taken for the system property zookeeper.port, which nothing reads; did you mean clientPort?',
    ]);
    expect(error.message).toBe(
      '--port is not a flag: see zebu-server --help; did you mean --client-port?',
    );
    const later = errorOf(() => parse({ argv: ['z'], files: { z: 'datadir=/x\nport=1' } }));
    expect(later.warnings).toEqual(error.warnings);
    expect(later.problems.map(({ message }) => message)).toEqual([
      'dataDir is not set',
      'No client could connect: neither clientPort nor secureClientPort is set; add clientPort=2181 to the file, or --client-port 2181',
    ]);
  });

  test.each<[string, object, string]>([
    [
      'forceSync=false',
      { forceSync: true },
      'forceSync=false counts as yes, as in Apache: write yes or no',
    ],
    [
      'forceSync=NO',
      { forceSync: true },
      'forceSync=NO counts as yes, as in Apache: write yes or no',
    ],
    [
      'skipACL=true',
      { skipAcl: false },
      'skipACL=true counts as no, as in Apache: write yes or no',
    ],
    [
      'enforceQuota=yes',
      { enforceQuota: false },
      'enforceQuota=yes counts as false, as in Apache: write true or false',
    ],
    [
      'digest.enabled=on',
      { digestEnabled: false },
      'digest.enabled=on counts as false, as in Apache: write true or false',
    ],
    [
      'snapshot.compression.method=zip',
      { snapshotCompression: 'none' },
      'snapshot.compression.method=zip counts as none, as in Apache: write (empty), none, gz, snappy',
    ],
    ['ssl.crl=yes', {}, 'ssl.crl=yes counts as false, as in Apache: write true or false'],
  ])('%s does not stop the start: a warning says what is meant', (line, expected, warning) => {
    const parsed = parseFile(line);
    expect(parsed.config).toMatchObject(expected);
    expect(warnings(parsed)).toEqual([`zoo.cfg:3: ${warning}`]);
    const env = { JVMFLAGS: `-Dzookeeper.${line}` };
    expect(warnings(parse({ env }))).toEqual([expect.stringContaining(warning)]);
  });

  test.each<[string, string]>([
    ['EISDIR', 'name the file in it, or say --data-dir before it if it is the data directory'],
    [
      'EACCES',
      'the user that runs the server needs the right to read it, and to enter its directories',
    ],
  ])('a path that fails with %s has a remedy that fits', (code, remedy) => {
    const failing = Object.assign(new Error(`${code}: it failed`), { code });
    const readFile = () => {
      throw failing;
    };
    const error = errorOf(() => parseConfig({ argv: ['/etc/zk'], env: {}, cwd: '/', readFile }));
    expect(error.message).toBe(`Cannot read /etc/zk: ${code}: it failed; ${remedy}`);
    // A myid that is there counts, readable or not.
    expect(() => parseConfig({ argv: [], env: {}, cwd: '/here', readFile })).toThrow(
      '/here/data/myid',
    );
  });

  test('a file needs a data directory', () => {
    expect(errorOf(() => parse({ argv: ['z'], files: { z: 'clientPort=1' } })).message).toBe(
      'dataDir is not set',
    );
  });

  test('an address without a port is an error, and so is no port at all', () => {
    const files = { a: 'dataDir=/d\nclientPortAddress=::1', b: 'dataDir=/d' };
    expect(errorOf(() => parse({ argv: ['a'], files })).message).toBe(
      'clientPortAddress (a:2) is set but clientPort is not',
    );
    expect(errorOf(() => parse({ argv: ['b'], files })).message).toBe(
      'No client could connect: neither clientPort nor secureClientPort is set; add clientPort=2181 to the file, or --client-port 2181',
    );
    expect(parse({ argv: ['b', '--client-port=5'], files }).config.clientPort).toBe(5);
  });

  test('a duplicate counts as it stands last, with a warning', () => {
    const parsed = parseFile('tickTime=1\ntickTime=2');
    expect(parsed.config.tickTimeMs).toBe(2);
    expect(warnings(parsed)).toEqual([
      'zoo.cfg:4: tickTime stands in line 3 already; this one counts',
    ]);
  });

  test('unknown keys are told, with a hint where one is near', () => {
    expect(warnings(parseFile('colour=blue\ntickTIME=1\nmaxClientCnxn=1'))).toEqual([
      'zoo.cfg:3: colour is not known, and taken for the system property zookeeper.colour, which nothing reads',
      'zoo.cfg:4: tickTIME is not known, and taken for the system property zookeeper.tickTIME, which nothing reads; did you mean tickTime?',
      'zoo.cfg:5: maxClientCnxn is not known, and taken for the system property zookeeper.maxClientCnxn, which nothing reads; did you mean maxClientCnxns?',
    ]);
  });

  test('values below a least one are raised, as by Apache', () => {
    const parsed = parseFile('snapCount=1\nautopurge.snapRetainCount=0');
    expect(parsed.config).toMatchObject({ snapCount: 2, autopurgeSnapRetainCount: 3 });
    expect(warnings(parsed)).toEqual([
      'zoo.cfg:3: snapCount 1 is raised to 2, the least that is allowed',
      'zoo.cfg:4: autopurge.snapRetainCount 0 is raised to 3, the least that is allowed',
    ]);
  });

  test('settings without effect are told once per reason, and not at their default', () => {
    const parsed = parseFile(
      'initLimit=10\nsyncLimit=5\nelectionAlg=3\nadmin.serverPort=8081\ncommitLogCount=x',
    );
    expect(infos(parsed)).toEqual([
      'Without effect: initLimit, syncLimit, commitLogCount: only a member of an ensemble uses it, and this server is on its own',
      'Without effect: admin.serverPort: this version has no HTTP admin server',
    ]);
    expect(warnings(parsed)).toEqual([
      'zoo.cfg:7: commitLogCount: "x" is not allowed: a whole number from 0 up (txns); it has no effect in any case',
    ]);
  });
});

describe('a file that is not UTF-8', () => {
  const messageOf = (zoo: Uint8Array) =>
    errorOf(() => parse({ argv: ['zoo.cfg'], files: { 'zoo.cfg': zoo } })).message;
  const latin1 = (text: string) => Buffer.from(text, 'latin1');

  test.each<[string, Uint8Array, string]>([
    [
      'Latin-1',
      latin1('clientPort=1\ndataDir=/données/café\n'),
      'zoo.cfg:2:14: Byte 0xE9 is not UTF-8: save the file as UTF-8, or write \\u00E9 if é (Latin-1) is meant',
    ],
    [
      'a character cut short, counted in characters',
      Buffer.concat([Buffer.from('dataDir=/€😀/'), Buffer.from([0xe2, 0x82])]),
      'zoo.cfg:1:13: Byte 0xE2 is not UTF-8: save the file as UTF-8, or write \\u00E2 if â (Latin-1) is meant',
    ],
    [
      'no letter in Latin-1 either',
      Buffer.from([0x61, 0x3d, 0x80]),
      'zoo.cfg:1:3: Byte 0x80 is not UTF-8: save the file as UTF-8',
    ],
    [
      'in a continued line, where no comment can be',
      latin1('dataDir=/d\nclientPort=\\\n  #é\n'),
      'zoo.cfg:3:4: Byte 0xE9 is not UTF-8: save the file as UTF-8, or write \\u00E9 if é (Latin-1) is meant',
    ],
    [
      'UTF-16 with its mark',
      Buffer.from('\ufeffdataDir=/d\n', 'utf16le'),
      'zoo.cfg is UTF-16 text: save it as UTF-8',
    ],
    [
      'UTF-16 without',
      Buffer.from('dataDir=/d\n', 'utf16le'),
      'zoo.cfg is UTF-16 text: save it as UTF-8',
    ],
    [
      'UTF-16, high byte first',
      Buffer.from('dataDir=/d\n', 'utf16le').swap16(),
      'zoo.cfg is UTF-16 text: save it as UTF-8',
    ],
  ])('stops the start: %s', (_, zoo, message) => {
    expect(messageOf(zoo)).toBe(message);
  });

  test('may say in comments what it likes', () => {
    const zoo = latin1('# répertoire\n  ! données\ndataDir=/d\nclientPort=5');
    const { config, notes } = parse({ argv: ['z'], files: { z: zoo } });
    expect(config).toMatchObject({ dataDir: '/d', clientPort: 5 });
    expect(notes).toEqual([]);
  });

  test('UTF-8 with letters, surrogate pairs and a mark is read as it is', () => {
    const zoo = Buffer.from('\ufeffdataDir=/café/\u{1F480}\nclientPort=5');
    expect(parse({ argv: ['z'], files: { z: zoo } }).config.dataDir).toBe('/café/\u{1F480}');
  });

  test('holds for dynamic files, passwords and myid too', () => {
    const e = latin1('é');
    const lines =
      'dataDir=/d\nsecureClientPort=1\nssl.keyStore.location=/k.pem\nssl.clientAuth=none\n';
    const at = (zoo: string, files: Record<string, Uint8Array>) =>
      errorOf(() => parse({ argv: ['z'], files: { z: `clientPort=1\n${lines}${zoo}`, ...files } }))
        .message;
    expect(at('dynamicConfigFile=/dyn', { '/dyn': e })).toContain('/dyn:1:1: Byte 0xE9');
    expect(at('ssl.keyStore.passwordPath=/pw', { '/pw': e })).toContain('/pw:1:1: Byte 0xE9');
    expect(at('', { '/d/myid': Buffer.from('1', 'utf16le'), '/pw': e })).toContain('/d/myid');
  });
});

test.each<[string, string]>([
  [
    '/x # where',
    'a comment needs a line of its own: what follows the path is taken for a part of it',
  ],
  ['"/x"', 'the quotes are taken for a part of the path'],
  ["'/x'", 'the quotes are taken for a part of the path'],
])('a path like %s is taken as it is written, with a warning', (path, oddity) => {
  const parsed = parse({ argv: ['z'], files: { z: `clientPort=1\ndataDir=${path}` } });
  expect(parsed.config.dataDir).toContain(path);
  expect(warnings(parsed)).toEqual([`z:2: dataDir=${path}: ${oddity}`]);
});

test.each(['/x#y', "/it's"])('a path like %s is nothing to warn of', (path) => {
  expect(warnings(parse({ argv: ['z'], files: { z: `clientPort=1\ndataDir=${path}` } }))).toEqual(
    [],
  );
});

describe('members', () => {
  const at = (lines: string, files: Record<string, string> = {}) =>
    parse({ argv: ['z'], files: { z: `dataDir=/d\n${lines}`, ...files } });

  test.each<[string, object]>([
    ['server.1=localhost:2888:3888\nclientPort=1', { clientPort: 1, clientPortAddress: undefined }],
    ['server.1=localhost:2888:3888:participant\nclientPort=1', { clientPort: 1 }],
    ['server.1=localhost:2888:3888;2181', { clientPort: 2181, clientPortAddress: undefined }],
    [
      'server.1=localhost:2888:3888;0.0.0.0:2181',
      { clientPort: 2181, clientPortAddress: undefined },
    ],
    [
      'server.1=localhost:2888:3888:participant;127.0.0.1:2181',
      { clientPort: 2181, clientPortAddress: '127.0.0.1' },
    ],
    ['server.5=[::1]:2888:3888;[::1]:2181', { clientPort: 2181, clientPortAddress: '::1' }],
    ['server.1=a:2888:3888|b:2888:3888;2181', { clientPort: 2181 }],
    ['server.1=localhost:2888:3888;2181\nclientPort=2181', { clientPort: 2181 }],
    [
      'server.1=localhost:2888:3888;127.0.0.1:2181\nclientPort=2181',
      { clientPort: 2181, clientPortAddress: '127.0.0.1' },
    ],
    [
      'server.1=localhost:2888:3888;127.0.0.1:2181\nclientPort=2181\nclientPortAddress=127.0.0.1',
      { clientPort: 2181 },
    ],
    ['server.1=localhost:2888:3888\nstandaloneEnabled=false\nclientPort=7', { clientPort: 7 }],
  ])('one line is this server: %j', (lines, expected) => {
    expect(at(lines).config).toMatchObject(expected);
  });

  test.each<[string, string]>([
    [
      'server.1=a:1:2\nserver.2=b:1:2:observer',
      'server.1, server.2 (z:2): Observers without a quorum are no ensemble',
    ],
    [
      'server.1=a',
      'server.1: "a" (z:2) is not allowed: host:port:port[:participant or observer], more addresses after |, and [;[address:]clientPort]',
    ],
    [
      'server.1=a:1:2:leader',
      'server.1: "a:1:2:leader" (z:2) is not allowed: host:port:port[:participant or observer], more addresses after |, and [;[address:]clientPort]',
    ],
    [
      'server.1=a:1:2;70000',
      'server.1: "a:1:2;70000" (z:2) is not allowed: host:port:port[:participant or observer], more addresses after |, and [;[address:]clientPort]',
    ],
    [
      'server.1=a:1:2;2182\nclientPort=2181',
      'clientPort 2181 (z:3) is not what server.1 says (z:2): a:1:2;2182',
    ],
  ])('%j is an error', (lines, message) => {
    expect(errorOf(() => at(lines)).message).toBe(message);
  });

  test('they may stand in a dynamic file', () => {
    const files = {
      '/here/zoo.cfg.dynamic': 'server.1=localhost:2888:3888:participant;127.0.0.1:2185\n',
    };
    const { config } = at('dynamicConfigFile=zoo.cfg.dynamic\nreconfigEnabled=true', files);
    expect(config).toMatchObject({
      clientPort: 2185,
      clientPortAddress: '127.0.0.1',
      reconfigEnabled: true,
    });
  });

  test.each<[string, string, string]>([
    ['members in both files', 'server.2=a:1:2', 'server.1=a:1:2'],
    ['a version inside', '', 'server.1=a:1:2\nversion=5'],
    ['another key', '', 'server.1=a:1:2\ntickTime=5'],
  ])('%s are refused', (_, lines, dynamic) => {
    const files = { '/dyn': dynamic };
    expect(() => at(`dynamicConfigFile=/dyn\n${lines}`, files)).toThrow(ConfigError);
  });

  test('a dynamic file that is not there is an error', () => {
    expect(errorOf(() => at('dynamicConfigFile=/dyn')).message).toContain('Cannot read /dyn');
  });
});

describe('myid', () => {
  const at = (myid: string, lines = '') => parseFile(lines, { files: { '/data/myid': myid } });

  test('is read when it is there', () => {
    expect(at('7\n').config.serverId).toBe(7);
    expect(parseFile('').config.serverId).toBe(1);
  });

  test('must be a number, and small enough for TTL znodes', () => {
    expect(errorOf(() => at('seven')).message).toBe(
      '/data/myid: "seven" is not allowed: one whole number',
    );
    expect(errorOf(() => at('255', 'extendedTypesEnabled=true')).message).toBe(
      'extendedTypesEnabled needs a server id up to 254, and /data/myid says 255',
    );
    expect(at('254', 'extendedTypesEnabled=true').config.serverId).toBe(254);
  });
});

describe('authentication providers', () => {
  const base = 'org.apache.zookeeper.server.auth.';

  test.each<[string, string[]]>([
    [`authProvider.1=${base}SASLAuthenticationProvider`, ['digest', 'ip', 'sasl']],
    [`authProvider.x509=${base}X509AuthenticationProvider`, ['digest', 'ip', 'x509']],
    [
      `authProvider.1=${base}EnsembleAuthenticationProvider\nauthProvider.2=${base}IPAuthenticationProvider`,
      ['digest', 'ip', 'ensemble'],
    ],
    [
      `DigestAuthenticationProvider.enabled=false\nauthProvider.1=${base}DigestAuthenticationProvider`,
      ['ip', 'digest'],
    ],
    ['authProvider.1=sasl', ['digest', 'ip', 'sasl']],
  ])('%j', (lines, expected) => {
    const parsed = parseFile(lines);
    expect(parsed.config.authProviders).toEqual(expected);
    expect(warnings(parsed)).toEqual([]);
  });

  test.each([[`${base}KeyAuthenticationProvider`], ['com.example.Mine']])(
    '%s is left out',
    (name) => {
      const parsed = parseFile(`authProvider.1=${name}`);
      expect(parsed.config.authProviders).toEqual(['digest', 'ip']);
      expect(warnings(parsed)).toEqual([
        `zoo.cfg:3: authProvider.1 names ${name}, which this server does not have: left out`,
      ]);
    },
  );
});

describe('TLS', () => {
  const secure = 'secureClientPort=2281\n';

  test('PEM stores open the secure port', () => {
    const { config } = parseFile(
      `${secure}ssl.keyStore.location=key.pem\nssl.trustStore.location=/trust.pem\nssl.trustStore.passwordPath=/pw\nssl.clientAuth=want\nssl.enabledProtocols=TLSv1.3,TLSv1.2\nssl.ciphersuites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_AES_256_GCM_SHA384`,
      { files: { '/pw': 'secret\n' } },
    );
    expect(config.secureClientPort).toBe(2281);
    expect(config.authProviders).toContain('x509');
    expect(config.tls).toEqual({
      keyStore: { path: '/here/key.pem', password: undefined },
      trustStore: { path: '/trust.pem', password: 'secret' },
      clientAuth: 'want',
      enabledProtocols: ['TLSv1.2', 'TLSv1.3'],
      ciphers: 'ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_256_GCM_SHA384',
      certReload: false,
    });
  });

  test.each<[string, string]>([
    ['', 'ssl.keyStore.location is not set; set it to a PEM, PKCS12 or JKS store'],
    [
      'ssl.keyStore.location=/k\nssl.keyStore.type=BCFKS',
      'ssl.keyStore.location /k is a BCFKS store, which only Bouncy Castle reads; convert it (keytool -importkeystore -deststoretype PKCS12)',
    ],
    [
      'ssl.keyStore.location=/k.pem\nssl.trustStore.location=/t.bcfks',
      'ssl.trustStore.location /t.bcfks is a BCFKS store, which only Bouncy Castle reads; convert it (keytool -importkeystore -deststoretype PKCS12)',
    ],
    [
      'ssl.keyStore.location=/k.pem',
      'ssl.trustStore.location is not set, and ssl.clientAuth=need asks clients for a certificate; set it to the certificates that sign those of clients, or say ssl.clientAuth=none',
    ],
  ])('%j is an error: a secure port that cannot open is never only a warning', (lines, reason) => {
    expect(errorOf(() => parseFile(secure + lines)).message).toBe(
      `secureClientPort 2281 (zoo.cfg:3) cannot open: ${reason}`,
    );
  });

  test.each(['/k.jks', '/k.p12', '/k.keystore'])(
    'the kind of %s is seen from its bytes',
    (path) => {
      const lines = `ssl.keyStore.location=${path}\nssl.keyStore.password=x\nssl.clientAuth=none\nclient.certReload=true`;
      expect(parseFile(secure + lines).config).toMatchObject({
        secureClientPort: 2281,
        tls: { keyStore: { path, password: 'x' }, trustStore: undefined, certReload: true },
      });
    },
  );

  test.each<[string]>([
    ['ssl.enabledProtocols=SSLv3'],
    ['ssl.ciphersuites=TLS_MADE_UP'],
    ['ssl.clientAuth=must'],
  ])('%s is an error', (line) => {
    expect(() =>
      parseFile(`${secure}ssl.keyStore.location=/k.pem\nssl.trustStore.location=/t.pem\n${line}`),
    ).toThrow(ConfigError);
  });
});

// Files that foreign harnesses and users start servers with (measured.md): all of them must start.
describe('files met in the wild', () => {
  test.each<[string, string, object]>([
    [
      'zoo_sample.cfg',
      '# The number of milliseconds of each tick\ntickTime=2000\ninitLimit=10\nsyncLimit=5\n# the directory where\n# the snapshot is stored.\ndataDir=/tmp/zookeeper\nclientPort=2181\n#maxClientCnxns=60\n#autopurge.snapRetainCount=3\n',
      { tickTimeMs: 2000, dataDir: '/tmp/zookeeper', clientPort: 2181, maxClientCnxns: 60 },
    ],
    [
      'a client suite',
      'tickTime=2000\ndataDir=/d\nclientPort=2181\nmaxClientCnxns=200\nadmin.serverPort=18080\n4lw.commands.whitelist=*\nauthProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider\nserverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\nsecureClientPort=22281\nssl.keyStore.location=/x/server.jks\nssl.keyStore.password=apassword\nssl.trustStore.location=/x/trust.jks\nssl.trustStore.password=apassword\nrequireClientAuthScheme=sasl\njaasLoginRenew=3600000\n',
      {
        clientPort: 2181,
        secureClientPort: 22281,
        authProviders: ['digest', 'ip', 'sasl', 'x509'],
      },
    ],
    [
      'one member whose line has no client port',
      'tickTime=2000\ninitLimit=4\nsyncLimit=2\ndataDir=/d\nclientPort=21810\nserver.1=localhost:21811:21812:participant\n',
      { clientPort: 21810 },
    ],
    [
      'a container image',
      'dataDir=/data\ndataLogDir=/datalog\ntickTime=2000\ninitLimit=5\nsyncLimit=2\nautopurge.snapRetainCount=3\nautopurge.purgeInterval=0\nmaxClientCnxns=60\nstandaloneEnabled=true\nadmin.enableServer=true\nserver.1=localhost:2888:3888;2181\n',
      { clientPort: 2181, dataLogDir: '/datalog' },
    ],
    [
      'a broker with its metrics',
      'dataDir=/d\nclientPort=2181\nmaxClientCnxns=0\nadmin.enableServer=false\nmetricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider\nmetricsProvider.httpPort=7000\nmetricsProvider.exportJvmInfo=true\n',
      { maxClientCnxns: 0 },
    ],
    [
      'security switched on in part',
      'dataDir=/d\nclientPort=2181\nauthProvider.1=com.example.PluginAuth\nenforce.auth.enabled=false\nsslQuorum=false\nssl.quorum.keyStore.location=/k.jks\nquorum.auth.enableSasl=false\nkerberos.removeHostFromPrincipal=true\npeerType=participant\nlocalSessionsEnabled=true\nlocalSessionsUpgradingEnabled=true\n',
      {},
    ],
  ])('%s', (_, text, expected) => {
    expect(parse({ argv: ['zoo.cfg'], files: { 'zoo.cfg': text } }).config).toMatchObject(expected);
  });
});

describe('--help and --print-config', () => {
  test('the help fits a screen of 80 columns, and its settings are settings', () => {
    const help = helpText();
    const lines = help.trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(24);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
    const named = [...help.matchAll(/^ {2}(\S+) +--(\S+) /gm)].map(([, key, flag]) => [key, flag]);
    expect(named).toHaveLength(12);
    for (const [key, flag] of named) {
      expect(findByKey(key as string)?.key).toBe(key);
      expect(findByLooseName(flag as string)?.key).toBe(key);
    }
    expect(help).toContain('zebu-server check FILE');
  });

  test('the whole help names every setting', () => {
    const help = wholeHelpText();
    for (const { key } of SETTINGS) expect(help).toContain(key);
    for (const line of help.split('\n')) expect(line.length, line).toBeLessThan(110);
  });

  test('the printed configuration says the same again, and hides passwords', () => {
    const parsed = parseFile(
      'tickTime=500\nDigestAuthenticationProvider.superDigest=super:x\nenforceQuota=true\ncolour=1',
      { argv: ['--snap-count=7'] },
    );
    const printed = printConfig(parsed);
    expect(printed).not.toContain('super:x');
    expect(printed).toContain('# flag --snap-count\nsnapCount=7\n');
    expect(printed).toContain('# zoo.cfg:3\ntickTime=500\n');
    expect(printed).toContain('# warn: zoo.cfg:6: colour is not known');
    const again = parse({ argv: ['z'], files: { z: printed } });
    expect(again.config).toEqual({ ...parsed.config, superDigest: undefined });
    expect(again.notes).toEqual([]);
  });

  test('a server without a file can be written down as one', () => {
    const parsed = parse({ argv: ['--tick-time=500'] });
    const again = parse({ argv: ['z'], files: { z: printConfig(parsed) } });
    expect(again.config).toEqual(parsed.config);
  });
});
