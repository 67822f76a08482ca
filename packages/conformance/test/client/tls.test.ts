// @zebu/client and zebu over TLS, both ends showing certificates.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, tlsFiles, ZkError } from '@zebu/client';
import { startServer } from '@zebu/server';
import { afterAll, expect, test } from 'vitest';

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../../../transport/test/fixtures/${name}`, import.meta.url));

const WAIT = { timeout: 30_000 };

const folder = mkdtempSync(join(tmpdir(), 'zebu-tls-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A server whose TLS port wants certificates of our CA. */
function startSecure() {
  const keyStore = join(folder, 'server.pem');
  const trustStore = join(folder, 'ca.pem');
  writeFileSync(keyStore, Buffer.concat([fixture('server.key'), fixture('server.pem')]));
  writeFileSync(trustStore, fixture('ca.pem'));
  return startServer({
    port: 0,
    secureClientPort: 0,
    tls: {
      keyStore: { path: keyStore, password: undefined },
      trustStore: { path: trustStore, password: undefined },
      clientAuth: 'need',
      enabledProtocols: ['TLSv1.2', 'TLSv1.3'],
      ciphers: undefined,
    },
  });
}

test('a client with a certificate is served over TLS, large values too', async () => {
  await using server = await startSecure();
  await using zk = await connect({
    servers: `tls://localhost:${server.securePort}`,
    tls: { ca: fixture('ca.pem'), cert: fixture('client.pem'), key: fixture('client.key') },
  });
  await zk.create('/a', Buffer.alloc(1_000_000, 7));
  const many = await Promise.all(Array.from({ length: 20 }, () => zk.get('/a')));
  expect(many.every(({ data }) => data.equals(Buffer.alloc(1_000_000, 7)))).toBe(true);
});

test('without one it is told which server refused it', async () => {
  await using server = await startSecure();
  const connecting = connect({
    servers: `tls://localhost:${server.securePort}`,
    tls: { ca: fixture('ca.pem') },
    establishTimeoutMs: 500,
  });
  await expect(connecting).rejects.toSatisfy(
    (error) =>
      ZkError.is(error, 'CONNECTION_LOSS') &&
      error.message.includes(`localhost:${server.securePort}: `),
  );
});

test('plain text at the TLS port gets nowhere, and harms nobody', async () => {
  await using server = await startSecure();
  await expect(
    connect({ servers: `localhost:${server.securePort}`, establishTimeoutMs: 500 }),
  ).rejects.toSatisfy((error) => ZkError.is(error, 'CONNECTION_LOSS'));
  await using zk = await connect(server.connectString);
  await zk.exists('/');
});

test('certificates in files that are replaced hold from the next connection on', async () => {
  await using server = await startSecure();
  const [cert, key, ca] = ['cert.pem', 'key.pem', 'trusted.pem'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  writeFileSync(cert, fixture('client.pem'));
  writeFileSync(key, fixture('client.key'));
  writeFileSync(ca, fixture('ca.pem'));
  await using zk = await connect({
    servers: `tls://localhost:${server.securePort}`,
    tls: tlsFiles({ cert, key, ca }),
    sessionTimeoutMs: 30_000,
  });
  // A certificate authority that has nothing to do with this server, then a file that is missing.
  const attempts: string[] = [];
  zk.on('attempt', ({ error }) => attempts.push(error.message));
  writeFileSync(ca, fixture('stranger.pem'));
  // The same server by another name: the connection is made anew.
  zk.setServers(`tls://127.0.0.1:${server.securePort}`);
  await expect.poll(() => attempts.length, WAIT).toBeGreaterThan(0);
  rmSync(ca);
  await expect.poll(() => attempts.some((text) => text.includes('ENOENT')), WAIT).toBe(true);
  expect(zk.state.status).toBe('suspended');
  writeFileSync(ca, fixture('ca.pem'));
  await expect.poll(() => zk.state.status, WAIT).toBe('connected');
  expect(await zk.exists('/')).toBeDefined();
  expect(zk.session.generation).toBe(1);
});
