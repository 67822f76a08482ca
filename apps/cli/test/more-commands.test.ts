// Commands that zkCli does not have: tree, find, watch, cp, mv, edit, ping, word.

import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Client, connect, digestAcl } from '@zebu/client';
import { startServer, type ZebuServer } from '@zebu/server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ZebuRunner } from './run-zebu.ts';

let server: ZebuServer;
let zebu: ZebuRunner;
let zk: Client;
beforeAll(async () => {
  server = await startServer({ port: 0, extendedTypesEnabled: true });
  zebu = new ZebuRunner(`127.0.0.1:${server.port}`);
  zk = await connect(`127.0.0.1:${server.port}`);
  await zk.create('/app', 'x'.repeat(2000));
  await zk.create('/app/config', 'hello');
  await zk.create('/app/workers');
  await zk.create('/app/workers/one', '1', { mode: 'ephemeral' });
  await zk.create('/app/workers/kept', '', { mode: 'container' });
  await zk.create('/app/workers/short', 'y', { mode: { ttlMs: 600_000 } });
});
afterAll(async () => {
  await zk.close();
  zebu[Symbol.dispose]();
  await server.close();
});

const session = () => `0x${zk.session.id.toString(16)}`;

test('tree draws names, sizes and owners, as deep as it is told', async () => {
  const { stdout } = await zebu.run(['tree', '/app']);
  expect(stdout.replace(session(), '0xid')).toMatchInlineSnapshot(`
    "/app  2.0 KB
    ├── config  5 B
    └── workers
        ├── kept
        ├── one  1 B, ephemeral 0xid
        └── short  1 B

    6 znodes, 2.0 KB
    "
  `);
  expect((await zebu.run(['tree', '--depth', '0', '/app'])).stdout).toBe(
    '/app  2.0 KB, 2 below\n\n1 znode, 2.0 KB\n',
  );
  const lines = (await zebu.run(['tree', '/app/workers', '--json'])).stdout.trim().split('\n');
  expect(lines.map((line) => JSON.parse(line).owner)).toEqual([
    undefined,
    undefined,
    session(),
    undefined,
  ]);
});

test.each([
  [['--name', 'c*g'], ['/app/config']],
  [['--larger', '1k'], ['/app']],
  [['--smaller', '1', '--owner', 'none', '--name', 'w*'], ['/app/workers']],
  [['--owner', 'any'], ['/app/workers/one']],
  [['--owner', 'SESSION'], ['/app/workers/one']],
  [['--name', 's????', '--newer', '1d'], ['/app/workers/short']],
  [['--empty', '--name', 'k*'], ['/app/workers/kept']],
  [['--older', '1d'], []],
  [['--depth', '0'], ['/app']],
])('find %j', async (words, paths) => {
  const given = words.map((word) => (word === 'SESSION' ? session() : word));
  const ran = await zebu.run(['find', ...given, '/app']);
  expect({ ...ran, paths: ran.stdout.split('\n').slice(0, -1) }).toMatchObject({ code: 0, paths });
});

test('find says what makes no sense', async () => {
  const ran = await zebu.run(['find', '--older', 'yesterday', '/app']);
  expect(ran.stderr).toBe('--older is "yesterday": a time is as 30s, 5m, 2h or 1d\n');
  expect(ran.code).toBe(2);
});

test('watch tells what changed, also for programs', async () => {
  await zk.create('/watched', 'one');
  const programs = zebu.start(['watch', '-r', '/watched', '--json', '--data', '--count', '3']);
  const people = zebu.start(['watch', '-r', '/watched', '--count', '3']);
  const said = { json: '', plain: '' };
  programs.stdout.on('data', (chunk) => {
    said.json += chunk;
  });
  people.stdout.on('data', (chunk) => {
    said.plain += chunk;
  });
  const ended = Promise.all(
    [programs, people].map((one) => new Promise((resolve) => one.on('close', resolve))),
  );
  // Both say when they watch.
  await Promise.all(
    [programs, people].map((one) => new Promise((resolve) => one.stderr.once('data', resolve))),
  );
  await zk.set('/watched', 'three');
  await expect.poll(() => said.json, { timeout: 30_000 }).toContain('\n');
  await zk.create('/watched/child', 'x');
  await expect.poll(() => said.json, { timeout: 30_000 }).toContain('child');
  await zk.delete('/watched/child');
  expect(await ended).toEqual([0, 0]);
  const lines = said.json
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toMatchObject([
    {
      type: 'changed',
      path: '/watched',
      before: { version: 0, dataLength: 3 },
      stat: { version: 1 },
      data: 'three',
    },
    { type: 'created', path: '/watched/child', data: 'x' },
    { type: 'deleted', path: '/watched/child' },
  ]);
  expect(said.plain).toContain('changed  /watched  version 0, 3 B -> version 1, 5 B\n');
});

test('cp keeps data and rights, and leaves ephemeral znodes out', async () => {
  const acl = [digestAcl('alice', 'secret', 31), { scheme: 'world', id: 'anyone', perms: 1 }];
  await zk.create('/app/private', 'z', { acl });
  const refused = await zebu.run(['cp', '/app', '/copy']);
  expect([refused.code, refused.stderr]).toEqual([
    2,
    '/app has 3 children; cp -r copies them too\n',
  ]);
  // The server shows the hash to those with ADMIN only: without it the copy would lock everyone out.
  const hidden = await zebu.run(['cp', '-r', '/app/private', '/copy-of-private']);
  expect([hidden.code, hidden.stderr]).toEqual([
    8,
    'The server hides the digest of alice in the ACL of /app/private; credentials with the right a see it: --auth-file, ZEBU_AUTH\n',
  ]);
  const ran = await zebu.run(['cp', '-r', '/app', '/copy'], {
    env: { ZEBU_AUTH: 'digest:alice:secret' },
  });
  expect([ran.code, ran.stderr]).toEqual([0, '1 ephemeral znodes are left out\n']);
  expect((await zk.get('/copy')).data.length).toBe(2000);
  await zk.addAuth('digest', 'alice:secret');
  expect((await zk.getAcl('/copy/private')).acl).toEqual(acl);
  expect(await zk.exists('/copy/workers/one')).toBeUndefined();
  expect((await zebu.run(['cp', '/app/config', '/copy'])).code).toBe(5);
  expect((await zebu.run(['cp', '-r', '/app', '/app/below'])).stderr).toContain('inside /app');
});

test('cp reaches another cluster', async () => {
  await using other = await startServer({ port: 0 });
  const ran = await zebu.run(['cp', '/app/config', `@127.0.0.1:${other.port}:/config`]);
  expect(ran.code).toBe(0);
  await using there = await connect(`127.0.0.1:${other.port}`);
  expect((await there.get('/config')).data.toString()).toBe('hello');
  expect((await zebu.run(['cp', '/app/config', '@nowhere:/x'])).stderr).toContain(
    'There is no context nowhere',
  );
});

test('mv is all or nothing', async () => {
  await zk.create('/move/deep/er', '1', { parents: 'persistent' });
  expect((await zebu.run(['mv', '/move', '/moved'])).code).toBe(0);
  expect(await zk.exists('/move')).toBeUndefined();
  expect((await zk.get('/moved/deep/er')).data.toString()).toBe('1');
  // The target is there already: nothing happens at all.
  await zk.create('/other/deep', '2', { parents: 'persistent' });
  expect((await zebu.run(['mv', '/moved', '/other'])).code).toBe(5);
  expect((await zk.get('/moved/deep/er')).data.toString()).toBe('1');
  expect((await zebu.run(['mv', '/app/workers', '/elsewhere'])).stderr).toContain('is ephemeral');
  await zk.create('/large', Buffer.alloc(500_000));
  await zk.create('/large/too', Buffer.alloc(500_000));
  expect((await zebu.run(['mv', '/large', '/small'])).stderr).toContain('too large to be moved');
});

test('edit sets what the editor wrote, and never over another change', async () => {
  await zk.create('/edited', 'one');
  const editor = join(zebu.home, 'editor');
  const run = (script: string) => {
    writeFileSync(editor, `#!/bin/sh\n${script}\n`);
    chmodSync(editor, 0o755);
    return zebu.run(['edit', '/edited'], { env: { EDITOR: editor, TMPDIR: zebu.home } });
  };
  expect((await run('sed -i s/one/two/ "$1"')).stderr).toBe('/edited is set: version 1\n');
  expect((await zk.get('/edited')).data.toString()).toBe('two');
  expect((await run('true')).stderr).toBe('/edited is left as it was\n');
  expect((await run('exit 3')).code).toBe(11);
  // The editor makes the other change itself.
  const other = `echo mine > "$1"; ${process.execPath} ${join(import.meta.dirname, '..', 'dist', 'main.js')} set /edited theirs`;
  const lost = await run(other);
  expect(lost.code).toBe(6);
  expect((await zk.get('/edited')).data.toString()).toBe('theirs');
  const file = /your text is in (.*)\n$/.exec(lost.stderr)?.[1] as string;
  expect(readFileSync(file, 'utf8')).toBe('mine\n');
  expect(readdirSync(zebu.home).filter((name) => name.startsWith('zebu-edit-'))).toHaveLength(1);
  expect((await zebu.run(['edit', '/edited'])).code).toBe(2);
});

test('edit keeps what was typed when the editor is killed, and when zebu is told to end', async () => {
  await zk.create('/draft', 'one');
  const home = mkdtempSync(join(tmpdir(), 'zebu-cli-edit-'));
  const editor = join(home, 'editor');
  const options = (script: string) => {
    writeFileSync(editor, `#!/bin/sh\n${script}\n`);
    chmodSync(editor, 0o755);
    return { env: { EDITOR: editor, TMPDIR: home } };
  };
  const run = (script: string) => zebu.run(['edit', '/draft'], options(script));
  const folders = () => readdirSync(home).filter((name) => name.startsWith('zebu-edit-'));
  try {
    const killed = await run('echo typed > "$1"; kill -9 $$');
    expect(killed.code).toBe(11);
    expect(killed.stderr).toMatch(
      /editor ended with SIGKILL; nothing was set; your text is in .*\n$/,
    );
    const file = /your text is in (.*)\n$/.exec(killed.stderr)?.[1] as string;
    expect(readFileSync(file, 'utf8')).toBe('typed\n');
    rmSync(dirname(file), { recursive: true });
    // Vim's: the text is in the file beside it.
    const swapped = await run('touch "$(dirname "$1")/.draft.swp"; exit 1');
    expect(swapped.stderr).toMatch(
      /ended with code 1; nothing was set; your text is in (.*\/draft) and, as the editor left it, \.draft\.swp\n$/,
    );
    rmSync(join(home, folders()[0] as string), { recursive: true });
    // Left without a change there is nothing to keep.
    expect((await run('exit 1')).stderr).not.toContain('your text');
    expect(folders()).toEqual([]);
    expect((await run('rm "$1"')).stderr).toContain('The editor left no file');
    expect(folders()).toEqual([]);
    // Twice asked to end while the editor runs, zebu does not wait for it.
    const child = zebu.start(
      ['edit', '/draft'],
      options(`echo typed > "$1"; echo ready; while [ -e ${editor} ]; do sleep 0.05; done`),
    );
    let stderr = '';
    child.stderr.on('data', (bytes: Buffer) => {
      stderr += bytes;
    });
    const ended = once(child, 'exit');
    const closed = once(child, 'close');
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    // Until the first is taken in: two signals of a kind may become one.
    const again = setInterval(() => child.kill('SIGTERM'), 100);
    expect(await ended).toEqual([130, null]);
    clearInterval(again);
    rmSync(editor);
    await closed;
    expect(stderr).toMatch(/^Nothing was set; the text is in .*\/draft\n$/);
    expect(folders()).toHaveLength(1);
    expect((await zk.get('/draft')).data.toString()).toBe('one');
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});

test('edit takes a name that is too long for a file', async () => {
  const path = `/${'long'.repeat(100)}`;
  await zk.create(path, 'x');
  const ran = await zebu.run(['edit', path], { env: { EDITOR: 'true' } });
  expect([ran.code, ran.stderr]).toEqual([0, `${path} is left as it was\n`]);
});

test('ping and word ask each server', async () => {
  const down = '127.0.0.1:1';
  const ran = await zebu.run(['ping', '-n', '2', '--json', '--timeout', '1000'], {
    env: { ZEBU_SERVERS: `127.0.0.1:${server.port},${down}` },
  });
  const [up, dead] = ran.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(up).toMatchObject({ role: 'standalone', roundTrips: 2 });
  expect(up.min).toBeLessThanOrEqual(up.max);
  expect(dead).toMatchObject({ server: down, error: expect.stringContaining('ECONNREFUSED') });
  expect(ran.code).toBe(3);
  expect((await zebu.run(['word', 'srvr'])).stdout).toMatch(/^Mode: standalone$/m);
  expect((await zebu.run(['word', 'mntr'])).code).toBe(9);
  expect((await zebu.run(['word', 'hello'])).code).toBe(2);
});
