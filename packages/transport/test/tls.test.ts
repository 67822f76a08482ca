import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
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
function tlsNetwork(server = serverTls, client = clientTls): Network {
  const network = nodeNetwork();
  return {
    listen: (options, accept) => network.listen({ ...options, tls: server }, accept),
    dial: (options, handler) => network.dial({ ...options, tls: client }, handler),
  };
}

/** What both ends see of one attempt: the dialler's outcome, and the certificate the listener saw. */
async function attempt(server: TlsOptions, client: TlsOptions) {
  const network = tlsNetwork(server, client);
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

test('settings that make no sense reject the listen call, naming the port', async () => {
  const listening = nodeNetwork().listen(
    { port: 0, host: '127.0.0.1', tls: { cert: 'nonsense', key: 'nonsense' } },
    () => ({ data() {}, drained() {}, closed() {} }),
  );
  await expect(listening).rejects.toMatchObject({ code: 'BAD_TLS_SETTINGS', port: 0 });
});
