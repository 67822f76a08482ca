import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { networkCases } from '../src/compliance.ts';
import { type Network, nodeNetwork, type TlsOptions, type TransportError } from '../src/index.ts';
import { socketHarness } from './harness.ts';

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`fixtures/${name}`, import.meta.url));

const serverTls: TlsOptions = {
  cert: fixture('server.pem'),
  key: fixture('server.key'),
  ca: fixture('ca.pem'),
};
const clientTls: TlsOptions = { ca: fixture('ca.pem') };
const withCertificate: TlsOptions = {
  ...clientTls,
  cert: fixture('client.pem'),
  key: fixture('client.key'),
};

/** A network whose every connection is TLS. */
function tlsNetwork(
  server = serverTls,
  client = clientTls,
  network: Pick<Network, 'listen' | 'dial'> = nodeNetwork(),
): Network {
  return {
    listen: (options, accept) => network.listen({ ...options, tls: server }, accept),
    dial: (options, handler) => network.dial({ ...options, tls: client }, handler),
  };
}

/** What both ends see of one attempt: the dialler's outcome, and the certificate the listener saw. */
async function attempt(
  server: TlsOptions,
  client: TlsOptions,
  using: Partial<Pick<Network, 'listen'>> = {},
) {
  const network = tlsNetwork(server, client, { ...nodeNetwork(), ...using });
  const seen = { answered: false, secure: false, certificate: undefined as Uint8Array | undefined };
  const listener = await network.listen({ port: 0, host: '127.0.0.1' }, (connection) => {
    seen.secure = connection.secure;
    seen.certificate = connection.peerCertificate;
    connection.write(Buffer.from('hello'), 0, 5);
    return { data() {}, drained() {}, closed() {} };
  });
  const reason = await new Promise<Error | undefined>((resolve) => {
    const connection = network.dial(
      { host: '127.0.0.1', port: listener.port },
      {
        connected() {},
        data() {
          seen.answered = true;
          connection.destroy();
        },
        drained() {},
        closed: resolve,
      },
    );
  });
  await listener.close();
  return { ...seen, code: (reason as TransportError | undefined)?.code };
}

describe('TLS sockets', () => {
  for (const { name, run } of networkCases) test(name, () => run(socketHarness(tlsNetwork())));
});

test('a server whose certificate nobody trusts is refused', async () => {
  const { ca: _, ...untrusting } = clientTls;
  expect(await attempt(serverTls, untrusting)).toMatchObject({
    code: 'TLS_FAILED',
    answered: false,
  });
});

test('verify: false takes any certificate', async () => {
  expect(await attempt(serverTls, { verify: false })).toMatchObject({
    answered: true,
    secure: true,
  });
});

test('a certificate of another name is refused', async () => {
  const result = await attempt(serverTls, { ...clientTls, serverName: 'example.org' });
  expect(result).toMatchObject({ code: 'TLS_FAILED', answered: false });
});

test("clientAuth 'need' turns away a client without a certificate", async () => {
  const result = await attempt({ ...serverTls, clientAuth: 'need' }, clientTls);
  expect(result.answered).toBe(false);
});

test.each([
  ['PEM', withCertificate],
  ['PKCS12', { ...clientTls, pfx: fixture('client.p12'), passphrase: 'secret' }],
])('the listener sees the client certificate of a %s store', async (_, client) => {
  const result = await attempt({ ...serverTls, clientAuth: 'need' }, client);
  expect(result.answered).toBe(true);
  const { subject } = new X509Certificate(result.certificate as Uint8Array);
  expect(subject).toBe('CN=zebu test client');
});

test("with clientAuth 'want' a client may come without a certificate", async () => {
  const result = await attempt({ ...serverTls, clientAuth: 'want' }, clientTls);
  expect(result).toMatchObject({ answered: true, certificate: undefined });
});

test.each(['want', 'need'] as const)(
  "with clientAuth '%s' a client may not come with a certificate that nobody trusts",
  async (clientAuth) => {
    const stranger = { ...clientTls, cert: fixture('stranger.pem'), key: fixture('stranger.key') };
    const failures: string[] = [];
    const network = nodeNetwork();
    const result = await attempt({ ...serverTls, clientAuth }, stranger, {
      listen: (options, accept) =>
        network.listen({ ...options, onTlsFailure: (why) => failures.push(why) }, accept),
    });
    expect(result).toMatchObject({ answered: false, certificate: undefined, secure: false });
    expect(failures).toHaveLength(1);
    if (clientAuth === 'want') expect(failures[0]).toContain('SELF_SIGNED');
  },
);

test.each([
  ['TLSv1.2', 'TLSv1.3'],
  ['TLSv1.3', 'TLSv1.2'],
] as const)('a listener for %s alone does not speak %s', async (mine, other) => {
  const only = (version: typeof mine) => ({ minVersion: version, maxVersion: version });
  const server = { ...serverTls, ...only(mine) };
  expect(await attempt(server, { ...clientTls, ...only(other) })).toMatchObject({
    code: 'TLS_FAILED',
    answered: false,
  });
  expect(await attempt(server, { ...clientTls, ...only(mine) })).toMatchObject({ answered: true });
});

test('keys and certificates are replaced for the connections that come then', async () => {
  const network = nodeNetwork();
  const options = { port: 0, host: '127.0.0.1', tls: serverTls };
  const listener = await network.listen(options, () => ({ data() {}, drained() {}, closed() {} }));
  const seen = () =>
    new Promise<string>((resolve, reject) => {
      const { port } = listener;
      const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
        resolve(socket.getPeerX509Certificate()?.subject ?? '');
        socket.destroy();
      });
      socket.on('error', reject);
    });
  const before = await seen();
  listener.replaceTls?.({ cert: fixture('stranger.pem'), key: fixture('stranger.key') });
  expect([before, await seen()]).toEqual(['CN=zebu test server', 'CN=stranger']);
  expect(() => listener.replaceTls?.({ cert: 'nonsense', key: 'nonsense' })).toThrow();
  expect(await seen()).toBe('CN=stranger');
  await listener.close();
});

test('settings that make no sense reject the listen call, naming the port', async () => {
  const listening = nodeNetwork().listen(
    { port: 0, host: '127.0.0.1', tls: { cert: 'nonsense', key: 'nonsense' } },
    () => ({ data() {}, drained() {}, closed() {} }),
  );
  await expect(listening).rejects.toMatchObject({ code: 'BAD_TLS_SETTINGS', port: 0 });
});
