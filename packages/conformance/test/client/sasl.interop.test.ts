// @zebu/client logs in to Apache's server by SASL DIGEST-MD5. zebu's server has no SASL, and says so.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, digestMd5 } from '@zebu/client';
import { startServer } from '@zebu/server';
import { expect, test } from 'vitest';
import { startApache } from '../../src/apache.ts';
import { interopTest } from '../support.ts';

const JAAS = `Server {
  org.apache.zookeeper.server.auth.DigestLoginModule required
  user_bob="builder"
  user_alice="wonder";
};
`;

interopTest("Apache's server takes DIGEST-MD5", ['apache'], 120_000, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'zebu-jaas-'));
  try {
    const jaas = join(folder, 'jaas.conf');
    writeFileSync(jaas, JAAS);
    await using server = await startApache({
      systemProperties: {
        'java.security.auth.login.config': jaas,
        'zookeeper.authProvider.1': 'org.apache.zookeeper.server.auth.SASLAuthenticationProvider',
        'zookeeper.sessionRequireClientSASLAuth': 'true',
      },
    });
    const servers = `127.0.0.1:${server.port}`;
    await using bob = await connect({
      servers,
      sasl: digestMd5({ username: 'bob', password: 'builder' }),
    });
    expect(await bob.whoAmI()).toContainEqual({ authScheme: 'sasl', user: 'bob' });
    const acl = [{ perms: 31, scheme: 'sasl', id: 'bob' }];
    await bob.create('/private', 'x', { acl });

    await using alice = await connect({
      servers,
      sasl: digestMd5({ username: 'alice', password: 'wonder' }),
    });
    await expect(alice.get('/private')).rejects.toMatchObject({ code: 'NO_AUTH' });

    // Another connection of the same session logs in again.
    bob.setServers(`localhost:${server.port}`);
    await expect
      .poll(() => bob.state, { timeout: 30_000 })
      .toMatchObject({ status: 'connected', server: `localhost:${server.port}` });
    expect((await bob.get('/private')).data.toString()).toBe('x');

    for (const [username, password] of [
      ['bob', 'wonder'],
      ['nobody', 'builder'],
    ] as const) {
      await expect(
        connect({ servers, sasl: digestMd5({ username, password }) }),
      ).rejects.toMatchObject({ code: 'AUTH_FAILED' });
    }
    // The server closes the session of a client that does not log in.
    await using none = await connect(servers);
    await expect(none.get('/')).rejects.toMatchObject({ code: 'SASL_REQUIRED' });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("zebu's server has no SASL, and connect() says so", async () => {
  await using server = await startServer({ port: 0 });
  const connecting = connect({
    servers: server.connectString,
    sasl: digestMd5({ username: 'bob', password: 'builder' }),
    establishTimeoutMs: 500,
  });
  await expect(connecting).rejects.toThrow(/SASL DIGEST-MD5: The server has no SASL configured/);
});
