// Contexts, TLS, protected clusters, completion by real shells, and the manual.

import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Client, connect } from '@zebu/client';
import { startServer, type ZebuServer } from '@zebu/server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { manualPage } from '../src/manual.ts';
import { ZEBU_COMMAND, ZebuRunner } from './run-zebu.ts';
import { Terminal, whyNoTerminal } from './terminal.ts';

const FIXTURES = join(
  import.meta.dirname,
  '..',
  '..',
  '..',
  'packages',
  'transport',
  'test',
  'fixtures',
);
const fixture = (name: string) => join(FIXTURES, name);

let server: ZebuServer;
let zebu: ZebuRunner;
let zk: Client;
beforeAll(async () => {
  zebu = new ZebuRunner();
  const keyStore = join(zebu.home, 'server.pem');
  writeFileSync(
    keyStore,
    Buffer.concat([readFileSync(fixture('server.key')), readFileSync(fixture('server.pem'))]),
  );
  server = await startServer({
    port: 0,
    secureClientPort: 0,
    tls: {
      keyStore: { path: keyStore, password: undefined },
      trustStore: { path: fixture('ca.pem'), password: undefined },
      clientAuth: 'need',
      enabledProtocols: ['TLSv1.2', 'TLSv1.3'],
      ciphers: undefined,
    },
  });
  zk = await connect(`127.0.0.1:${server.port}`);
  for (const path of ['/app', '/app/one', '/app/with space', '/app/two'])
    await zk.create(path, 'x');
});
afterAll(async () => {
  await zk.close();
  zebu[Symbol.dispose]();
  await server.close();
});

const list = () => `127.0.0.1:${server.port}`;
const configFile = () => join(zebu.home, '.config', 'zebu', 'config.json');

test('a context names a cluster: added, listed, used, removed', async () => {
  await zebu.run(['context', 'add', 'dev', `${list()}/app`]);
  await zebu.run(['context', 'add', 'far', 'zk1,zk2', '--protected', '--timeout', '4000']);
  expect(statSync(configFile()).mode & 0o777).toBe(0o600);
  expect((await zebu.run(['context', 'add', 'dev', 'other'])).code).toBe(2);
  expect((await zebu.run(['--context', 'dev', 'ls', '/'])).stdout).toBe('[one, two, with space]\n');
  await zebu.run(['context', 'use', 'dev']);
  expect((await zebu.run(['ls', '/'])).stdout).toBe('[one, two, with space]\n');
  // The environment counts before the context in use, the command line before both.
  const env = { ZEBU_SERVERS: list() };
  expect((await zebu.run(['ls', '/'], { env })).stdout).toBe('[app, zookeeper]\n');
  expect((await zebu.run(['--context', 'dev', 'ls', '/'], { env })).stdout).toContain('one');
  expect((await zebu.run(['context'])).stdout).toBe(
    `* dev  ${list()}/app\n  far  zk1,zk2, protected\n`,
  );
  const wrong = await zebu.run(['--context', 'fat', 'ls', '/']);
  expect(wrong.stderr).toBe('There is no context fat: there are dev, far; did you mean far?\n');
  expect((await zebu.run(['--context', 'dev', '--server', 'x', 'ls', '/'])).code).toBe(2);
  await zebu.run(['context', 'remove', 'dev']);
  expect(JSON.parse(readFileSync(configFile(), 'utf8'))).toEqual({
    contexts: { far: { servers: 'zk1,zk2', sessionTimeoutMs: 4000, protected: true } },
  });
  await zebu.run(['context', 'remove', 'far']);
});

test('a context brings TLS and credentials, by the names of their files', async () => {
  const auth = join(zebu.home, 'auth');
  writeFileSync(auth, '# who we are\ndigest:alice:secret\n');
  const ran = await zebu.run([
    ...['context', 'add', 'secure', `localhost:${server.securePort}`],
    ...['--tls-ca', fixture('ca.pem'), '--tls-cert', fixture('client.pem')],
    ...['--tls-key', fixture('client.key'), '--auth-file', auth],
  ]);
  expect(ran.code).toBe(0);
  const who = await zebu.run(['--context', 'secure', 'whoami']);
  expect(who.stdout).toContain('digest: alice');
  // Words go the same way.
  expect((await zebu.run(['--context', 'secure', 'word', 'srvr'])).stdout).toContain('Mode: ');
  expect(readFileSync(configFile(), 'utf8')).not.toMatch(/secret|PRIVATE/);
  const plain = await zebu.run(['--server', `tls://localhost:${server.securePort}`, 'ls', '/'], {
    env: { ZEBU_AUTH: '' },
  });
  expect(plain.code).toBe(3);
  await zebu.run(['context', 'remove', 'secure']);
});

test('a file of contexts that makes no sense is named, and can be mended by hand', async () => {
  const env = { ZEBU_CLI_CONFIG: join(zebu.home, 'broken.json') };
  writeFileSync(env.ZEBU_CLI_CONFIG, '{');
  expect((await zebu.run(['ls', '/'], { env })).stderr).toContain('broken.json is not JSON');
  writeFileSync(env.ZEBU_CLI_CONFIG, '{"contexts":{"a":{}}}');
  expect((await zebu.run(['context'], { env })).stderr).toContain('context a has no servers');
});

test('on a protected context destructive commands need --yes where nobody can be asked', async () => {
  await zebu.run(['context', 'add', 'prod', list(), '--protected']);
  await zk.create('/guarded', 'x');
  const refused = await zebu.run(['--context', 'prod', 'delete', '/guarded']);
  expect([refused.code, refused.stderr]).toEqual([
    8,
    'delete /guarded: context prod is protected; there is no terminal to ask on: --yes goes on without asking\n',
  ]);
  expect((await zebu.run(['--context', 'prod', 'get', '/guarded'])).stdout).toBe('x');
  expect((await zebu.run(['--context', 'prod', 'delete', '/guarded', '--yes'])).code).toBe(0);
  expect(await zk.exists('/guarded')).toBeUndefined();
});

test('--yes at the start of a session holds for all commands of a pipe', async () => {
  await zebu.run(['context', 'add', 'prod', list(), '--protected', '--replace']);
  await zk.create('/guarded', 'x');
  const input = 'delete /guarded\n';
  const refused = await zebu.run(['--context', 'prod'], { input });
  expect([refused.code, refused.stderr]).toEqual([8, expect.stringContaining('--yes goes on')]);
  expect(await zk.exists('/guarded')).toBeDefined();
  expect((await zebu.run(['--context', 'prod', '--yes'], { input })).code).toBe(0);
  expect(await zk.exists('/guarded')).toBeUndefined();
});

test.skipIf(process.platform === 'win32')(
  'credentials that others may read are warned of',
  async () => {
    const file = join(zebu.home, 'open-auth');
    writeFileSync(file, 'digest:alice:secret\n', { mode: 0o644 });
    const go = () => zebu.run(['ls', '/', '--server', list(), '--auth-file', file]);
    expect(await go()).toMatchObject({
      code: 0,
      stderr: `${file} is open to others (mode 644): chmod 600 ${file} closes it\n`,
    });
    chmodSync(file, 0o600);
    expect(await go()).toMatchObject({ code: 0, stderr: '' });
  },
);

test('complete knows commands, options, paths and contexts, and is silent without a server', async () => {
  const ask = async (line: string) =>
    (await zebu.run(['complete', '--line', line])).stdout.split('\n').slice(0, -1);
  expect(await ask('zebu getA')).toEqual(['getAcl', 'getAllChildrenNumber']);
  expect(await ask('zebu get --se')).toEqual(['--server']);
  expect(await ask(`zebu --server ${list()} get /app/`)).toEqual([
    '/app/one',
    '/app/two',
    '/app/with space',
  ]);
  expect(await ask(`zebu ls --context p`)).toEqual(['prod']);
  expect(await ask('zebu --context prod get /app/t')).toEqual(['/app/two']);
  expect(await ask('zebu completion f')).toEqual(['fish']);
  expect(await ask('zebu nosuch /')).toEqual([]);
  const down = await zebu.run(['complete', '--line', 'zebu --server 127.0.0.1:1 get /a']);
  expect(down).toMatchObject({ code: 0, stdout: '', stderr: '' });
});

const run = promisify(execFile);

test('what bash is given of a name cannot run', async () => {
  const name = `/hostile/a$(touch ran)\`touch ran\`;'x`;
  await zk.create(name, null, { parents: 'persistent' });
  const { stdout: script } = await zebu.run(['completion', 'bash']);
  const bin = join(zebu.home, 'bare');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'zebu'), `#!/bin/sh\nexec ${ZEBU_COMMAND.join(' ')} "$@"\n`, {
    mode: 0o755,
  });
  const asks = `compopt() { :; }
COMP_LINE='zebu get /hostile/' COMP_POINT=18 COMP_WORDS=(zebu get /hostile/) COMP_CWORD=2
_zebu
eval "printf '%s\\n' \${COMPREPLY[0]}"`;
  const env = { ...zebu.env, PATH: `${bin}:/usr/bin:/bin`, ZEBU_SERVERS: list() };
  const { stdout } = await run(
    'bash',
    [
      '-c',
      `${script}
${asks}`,
    ],
    { env, cwd: zebu.home },
  );
  expect(stdout).toBe(`${name}\n`);
  await zk.delete('/hostile', { recursive: true });
});

const SHELLS = [
  {
    shell: 'bash',
    rc: '.bashrc',
    load: 'PS1="ready "; source <(zebu completion bash)',
    start: ['bash', '--noprofile', '-i'],
    space: '/app/with\\ space',
  },
  {
    shell: 'zsh',
    rc: '.zshrc',
    load: 'PS1="ready "; autoload -Uz compinit; compinit -u; source <(zebu completion zsh)',
    start: ['zsh', '-i'],
    space: '/app/with\\ space',
  },
  {
    shell: 'fish',
    rc: '.config/fish/config.fish',
    load: 'function fish_prompt; echo "ready "; end; function fish_greeting; end; zebu completion fish | source',
    start: ['fish', '-i'],
    space: '/app/with\\ space',
  },
];

describe.skipIf(whyNoTerminal !== undefined)('on a terminal', () => {
  test('a protected context asks first', async () => {
    await zebu.run(['context', 'add', 'prod', list(), '--protected', '--replace']);
    await zk.create('/asked', 'x');
    const command = [...ZEBU_COMMAND, '--context', 'prod'];
    using no = new Terminal([...command, 'delete', '/asked'], { env: zebu.env });
    await no.until(/delete \/asked on context prod, which is protected\. Go on\? \[y\/N\]/);
    no.enter('n');
    await no.ended();
    expect([no.exitCode, await zk.exists('/asked')]).toEqual([8, expect.anything()]);
    using session = new Terminal(command, { env: zebu.env });
    await session.until(/0\]$/);
    session.enter('delete /asked');
    await session.until(/\[y\/N\]$/);
    session.enter('y');
    await session.until(/1\]$/);
    expect(await zk.exists('/asked')).toBeUndefined();
  });

  test('Ctrl-C and Ctrl-D answer a question with no, and the line after it is a command again', async () => {
    await zebu.run(['context', 'add', 'prod', list(), '--protected', '--replace']);
    await zk.create('/kept', 'x');
    using session = new Terminal([...ZEBU_COMMAND, '--context', 'prod'], {
      env: zebu.env,
      columns: 100,
    });
    await session.until(/0\]$/);
    let count = 0;
    for (const [typed, key] of [
      ['', 'C-c'],
      ['y', 'C-c'],
      ['', 'C-d'],
    ] as const) {
      session.enter('delete /kept');
      await session.until(/\[y\/N\]$/);
      session.type(typed);
      await session.until((screen) => screen.endsWith(`[y/N] ${typed}`.trimEnd()));
      session.key(key);
      await session.until((screen) => screen.endsWith(`) ${count + 1}]`));
      session.enter('get /kept');
      count += 2;
      await session.until((screen) => screen.endsWith(`) ${count}]`));
    }
    const screen = session.screen().replaceAll(/127\.0\.0\.1:\d+/g, 'zk');
    expect(screen).toMatchInlineSnapshot(`
      "Connecting to zk
      [zk: zk(CONNECTED, standalone) 0] delete /kept
      delete /kept on context prod, which is protected. Go on? [y/N] ^C
      delete /kept: context prod is protected; nothing was done
      [zk: zk(CONNECTED, standalone) 1] get /kept
      x
      [zk: zk(CONNECTED, standalone) 2] delete /kept
      delete /kept on context prod, which is protected. Go on? [y/N] y^C
      delete /kept: context prod is protected; nothing was done
      [zk: zk(CONNECTED, standalone) 3] get /kept
      x
      [zk: zk(CONNECTED, standalone) 4] delete /kept
      delete /kept on context prod, which is protected. Go on? [y/N]
      delete /kept: context prod is protected; nothing was done
      [zk: zk(CONNECTED, standalone) 5] get /kept
      x
      [zk: zk(CONNECTED, standalone) 6]"
    `);
    expect(await zk.exists('/kept')).toBeDefined();
    // Answers are none of the lines that the arrow keys bring back, and the lines of before are there.
    session.key('Up');
    await session.until(/6\] get \/kept$/);
    session.key('Up');
    await session.until(/6\] delete \/kept$/);
    session.key('C-u');
    // At an empty prompt it leaves, as ever.
    session.key('C-d');
    await session.ended();
    expect(session.exitCode).toBe(0);
  });

  test('what comes by itself is printed above the question', async () => {
    await zebu.run(['context', 'add', 'prod', list(), '--protected', '--replace']);
    await zk.create('/watched', 'x');
    using session = new Terminal([...ZEBU_COMMAND, '--context', 'prod'], {
      env: zebu.env,
      // The question and its answer take two lines.
      columns: 60,
    });
    await session.until(/0\]$/);
    session.enter('get -w /watched');
    await session.until(/1\]$/);
    session.enter('delete /watched');
    await session.until(/\[y\/N\]$/);
    await zk.set('/watched', 'y');
    const screen = await session.until(/WatchedEvent[\s\S]*\[y\/N\]$/);
    expect(screen.match(/Go on\?/g)).toHaveLength(1);
    expect(screen).toMatch(
      /WatchedEvent state:SyncConnected type:NodeDataChanged path:\/\nwatched zxid: \d+\ndelete \/watched on context prod/,
    );
    session.enter('y');
    await session.until(/2\]$/);
    expect(await zk.exists('/watched')).toBeUndefined();
  });

  test.each([
    { key: 'C-c', code: 130, words: '' },
    {
      key: 'C-d',
      code: 8,
      words: 'delete /left: context prod is protected; nothing was done\n',
    },
  ])('a one-shot question ends at $key with $code', async ({ key, code, words }) => {
    await zebu.run(['context', 'add', 'prod', list(), '--protected', '--replace']);
    await zk.create('/left', 'x');
    const command = [...ZEBU_COMMAND, '--context', 'prod', 'delete', '/left'];
    using terminal = new Terminal(
      ['sh', '-c', 'trap : INT; "$@"; echo code $?', 'sh', ...command],
      {
        env: zebu.env,
      },
    );
    await terminal.until(/\[y\/N\]$/);
    terminal.key(key);
    expect(await terminal.ended()).toBe(
      `delete /left on context prod, which is protected. Go on? [y/N]\n${words}code ${code}`,
    );
    await zk.delete('/left');
  });

  test('nobody is asked who cannot see the question', async () => {
    await zebu.run(['context', 'add', 'prod', list(), '--protected', '--replace']);
    const line = [...ZEBU_COMMAND, '--context', 'prod', 'delete', '/app'].join(' ');
    using terminal = new Terminal(['sh', '-c', `${line} 2> unseen; cat unseen; rm unseen`], {
      env: zebu.env,
      cwd: zebu.home,
      columns: 110,
    });
    expect(await terminal.ended()).toBe(
      'delete /app: context prod is protected; there is no terminal to ask on: --yes goes on without asking',
    );
  });

  for (const { shell, rc, load, start, space } of SHELLS) {
    const isThere = spawnSync(shell, ['--version']).status === 0;
    if (!isThere) console.log(`left out: completion by ${shell} (it is not installed)`);
    test.skipIf(!isThere)(`${shell} completes commands and paths`, async () => {
      const bin = join(zebu.home, 'bin');
      mkdirSync(bin, { recursive: true });
      const command = ZEBU_COMMAND.map((word) => `'${word}'`).join(' ');
      writeFileSync(join(bin, 'zebu'), `#!/bin/sh\nexec ${command} "$@"\n`);
      chmodSync(join(bin, 'zebu'), 0o755);
      const file = join(zebu.home, rc);
      mkdirSync(join(file, '..'), { recursive: true });
      writeFileSync(file, `${load}\n`);
      const env = { ...zebu.env, PATH: `${bin}:/usr/bin:/bin`, ZEBU_SERVERS: list() };
      using terminal = new Terminal(start, { env, cwd: zebu.home, columns: 100 });
      await terminal.until(/ready$/);
      terminal.type('zebu getAl');
      await terminal.until(/getAl$/);
      await terminal.press('Tab', /zebu getAllChildrenNumber/);
      terminal.key('C-u');
      terminal.type('zebu get /app/o');
      await terminal.until(/\/o$/m);
      await terminal.press('Tab', /zebu get \/app\/one/);
      terminal.key('C-u');
      terminal.type(`zebu --server ${list()} get /app/wi`);
      await terminal.until(/\/wi$/m);
      await terminal.press('Tab', /with\\ space/);
      expect(terminal.screen()).toContain(`get ${space}`);
      terminal.key('Enter');
      await terminal.until(/^x/m);
    });
  }
});

test('the manual is the one that the table makes, and man can read it', () => {
  const page = readFileSync(join(import.meta.dirname, '..', 'man', 'zebu.1'), 'utf8');
  expect(page === manualPage(), 'zebu man > man/zebu.1').toBe(true);
  if (spawnSync('man', ['--version']).status !== 0) {
    console.log('left out: reading the manual (man is not installed)');
    return;
  }
  const file = join(import.meta.dirname, '..', 'man', 'zebu.1');
  const read = spawnSync('man', ['--warnings', '-l', file], {
    encoding: 'utf8',
    env: { ...process.env, MANWIDTH: '100', MANPAGER: 'cat' },
  });
  expect([read.status, read.stderr]).toEqual([0, '']);
  expect(read.stdout).toContain('EXIT STATUS');
});
