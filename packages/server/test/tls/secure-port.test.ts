import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type Environment,
  nodeEnvironment,
  type ServerConfig,
  silentLogger,
  startServer,
} from '../../src/index.ts';

const path = (name: string) => new URL(`../fixtures/stores/${name}`, import.meta.url).pathname;
const store = (name: string) => ({ path: path(name), password: 'changeit' });

type Tls = NonNullable<ServerConfig['tls']>;

function tlsWith(settings: Partial<Tls>): Tls {
  return {
    keyStore: store('rsa.jks'),
    trustStore: store('trust.jks'),
    enabledProtocols: ['TLSv1.2', 'TLSv1.3'],
    ciphers: undefined,
    clientAuth: 'none',
    ...settings,
  };
}

const start = (settings: Partial<Tls>, environment?: Environment) =>
  startServer({
    clientPort: -1,
    secureClientPort: 0,
    clientPortAddress: '127.0.0.1',
    secureClientPortAddress: '127.0.0.1',
    tls: tlsWith(settings),
    ...(environment === undefined ? {} : { environment }),
  });

/** What `srvr` answers over TLS, and the subject of the server's certificate. */
function ask(port: number, options: ConnectionOptions = {}): Promise<[string, string | undefined]> {
  return new Promise((resolve, reject) => {
    let answer = '';
    let subject: string | undefined;
    const settings = { host: '127.0.0.1', port, rejectUnauthorized: false, ...options };
    const socket = connect(settings, () => {
      subject = socket.getPeerX509Certificate()?.subject;
      socket.write('srvr');
    });
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve([answer, subject]));
  });
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zebu-tls-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test.each(['rsa.jks', 'ec.jks', 'ec.p12', 'legacy.p12', 'openssl-legacy.p12', 'plain.pem'])(
  'the secure port serves with the key of %s',
  async (name) => {
    await using server = await start({ keyStore: store(name) });
    expect(await ask(server.securePort)).toEqual([
      expect.stringContaining('Mode: standalone'),
      expect.any(String),
    ]);
  },
);

test.each(['trust.jks', 'trust.p12', 'trust-legacy.p12'])(
  'clients are let in by the certificates of %s, and no others',
  async (name) => {
    await using server = await start({ trustStore: store(name), clientAuth: 'need' });
    const known = { pfx: readFileSync(path('ec.p12')), passphrase: 'changeit' };
    expect((await ask(server.securePort, known))[0]).toContain('Mode: standalone');
    const stranger = { pfx: readFileSync(path('openssl.p12')), passphrase: 'changeit' };
    const answer = await ask(server.securePort, stranger).catch(() => ['']);
    expect(answer[0]).toBe('');
  },
);

test("with clientAuth 'want' a certificate may be missing, and may not be a stranger's", async () => {
  await using server = await start({ clientAuth: 'want' });
  expect((await ask(server.securePort))[0]).toContain('Mode: standalone');
  const stranger = { pfx: readFileSync(path('openssl.p12')), passphrase: 'changeit' };
  expect((await ask(server.securePort, stranger).catch(() => ['']))[0]).toBe('');
});

test.each([
  ['TLSv1.2', 'TLSv1.3'],
  ['TLSv1.3', 'TLSv1.2'],
] as const)('enabledProtocols=%s keeps %s out', async (mine, other) => {
  await using server = await start({ enabledProtocols: [mine] });
  await expect(ask(server.securePort, { minVersion: other, maxVersion: other })).rejects.toThrow(
    /version|alert/i,
  );
  const answer = await ask(server.securePort, { minVersion: mine, maxVersion: mine });
  expect(answer[0]).toContain('Mode: standalone');
});

test.each<[Partial<Tls>, string]>([
  [
    { keyStore: { path: path('rsa.jks'), password: 'wrong' } },
    `Cannot open ssl.keyStore.location=${path('rsa.jks')}: The password is wrong, or the file is damaged; set ssl.keyStore.password, or ssl.keyStore.passwordPath to a file that holds it`,
  ],
  [
    { keyStore: store('rsa-keypass.jks') },
    `Cannot open ssl.keyStore.location=${path('rsa-keypass.jks')}: The private key in it has another password than the store; give both the same one (keytool -keypasswd)`,
  ],
  [
    { trustStore: { path: path('README.md'), password: undefined } },
    `Cannot open ssl.trustStore.location=${path('README.md')}: It is not readable as PEM, PKCS12 or JKS`,
  ],
  [
    { keyStore: { path: '/nowhere/k.jks', password: undefined } },
    'Cannot open ssl.keyStore.location=/nowhere/k.jks: ENOENT',
  ],
])('a store that cannot be opened stops the start: %j', async (settings, message) => {
  await expect(start(settings)).rejects.toMatchObject({
    name: 'ConfigError',
    message: expect.stringContaining(message),
  });
});

test('certReload: stores that change count for the connections that come then', async () => {
  const tasks = new Map<number, () => void>();
  const logged: string[] = [];
  const note = (message: string) => void logged.push(message);
  const real = nodeEnvironment({ ...silentLogger, info: note, warn: note });
  const environment: Environment = {
    ...real,
    scheduler: {
      afterTurn: (task) => real.scheduler.afterTurn(task),
      after: (delayMs, task) => real.scheduler.after(delayMs, task),
      every(intervalMs, task) {
        if (intervalMs !== 5000) return real.scheduler.every(intervalMs, task);
        tasks.set(intervalMs, task);
        return () => tasks.delete(intervalMs);
      },
    },
  };
  const file = join(folder, 'store');
  copyFileSync(path('rsa.jks'), file);
  const keyStore = { path: file, password: 'changeit' };
  const look = () => tasks.get(5000)?.();
  {
    await using server = await start({ keyStore, certReload: true }, environment);
    const subject = async () => (await ask(server.securePort))[1];
    const first = await subject();
    look();
    expect(await subject()).toBe(first);
    copyFileSync(path('openssl.p12'), file);
    look();
    expect(await subject()).toBe('CN=leaf');
    writeFileSync(file, 'damaged');
    look();
    look();
    expect(await subject()).toBe('CN=leaf');
    expect(logged.filter((message) => message.startsWith('Certificates'))).toEqual([
      'Certificates changed: new connections get them',
      'Certificates changed and cannot be used: the former ones stay',
    ]);
  }
  expect(tasks.size).toBe(0);
});
