// The interactive session on a real terminal: what a person sees, screen by screen.

import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@zebu/client';
import { startServer, type ZebuServer } from '@zebu/server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ZEBU_COMMAND, ZebuRunner } from './run-zebu.ts';
import { Terminal, whyNoTerminal } from './terminal.ts';

let server: ZebuServer;
beforeAll(async () => {
  server = await startServer({ port: 0 });
  await using zk = await connect(`127.0.0.1:${server.port}`);
  for (const path of ['/app', '/app/with space', '/app/one', '/app/two', '/apple']) {
    await zk.create(path, 'data');
  }
});
afterAll(() => server.close());

function open(
  zebu: ZebuRunner,
  words: string[] = [],
  size: { columns?: number; rows?: number } = {},
) {
  return new Terminal([...ZEBU_COMMAND, ...words], { env: zebu.env, cwd: zebu.home, ...size });
}

/** Ports and zxids differ from run to run, but are as long. */
function steady(screen: string): string {
  return screen
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:ppppp')
    .replaceAll(/zxid: \d+/g, 'zxid: z')
    .replaceAll(/0x[0-9a-f]{6,}/g, '0xid');
}

const here = () => new ZebuRunner(`127.0.0.1:${server.port}`);

describe.skipIf(whyNoTerminal !== undefined)('on a terminal', () => {
  test('the prompt shows server, state, role and number, and Tab completes commands, options and paths', async () => {
    using zebu = here();
    using terminal = open(zebu);
    await terminal.until(/standalone\) 0\]/);
    terminal.type('getA');
    await terminal.until(/getA$/);
    const list = await terminal.press('Tab', /getAllChildrenNumber/);
    expect(list).toMatch(/^getAcl +getAllChildrenNumber$/m);
    terminal.key('C-u');
    terminal.type('ls --j');
    await terminal.until(/ls --j$/);
    await terminal.press('Tab', /ls --json$/);
    terminal.key('C-u', 'C-l');
    await terminal.until(/^\[zk.* 0\]$/);
    terminal.type('get /app/o');
    await terminal.until(/\/o$/);
    await terminal.press('Tab', /get \/app\/one$/);
    terminal.key('Enter');
    await terminal.until(/1\]$/);
    terminal.type('get /app/wi');
    await terminal.until(/wi$/);
    await terminal.press('Tab', /with\\ space$/);
    terminal.key('Enter');
    await terminal.until(/2\]$/);
    terminal.enter('lss /');
    expect(steady(await terminal.until(/3\]$/))).toMatchInlineSnapshot(`
      "[zk: 127.0.0.1:ppppp(CONNECTED, standalone) 0] get /app/one
      data
      [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 1] get /app/with\\ space
      data
      [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 2] lss /
      Command not found: lss; did you mean ls?
      [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 3]"
    `);
    terminal.enter('quit');
    await terminal.ended();
    expect(terminal.exitCode).toBe(0);
  });

  test('Tab goes on in the quotes that are open, and closes them after the only name', async () => {
    using zebu = here();
    await using zk = await connect(`127.0.0.1:${server.port}`);
    for (const name of ['', '/with "two" marks', "/with 'one'", '/back\\slash', '/back"mark']) {
      await zk.create(`/quoted${name}`, 'quoted');
    }
    using terminal = open(zebu, [], { columns: 120 });
    await terminal.until(/standalone\) 0\]/);
    const completes = async (typed: string, whole: string): Promise<void> => {
      terminal.type(typed);
      await terminal.until((screen) => screen.endsWith(`] ${typed}`));
      // Pressed once: it completes, or it lists nothing.
      terminal.key('Tab');
      await terminal.until((screen) => screen.endsWith(`] ${whole}`));
      terminal.key('C-u');
      await terminal.until(/0\]$/);
    };
    await completes('get "/app/wi', 'get "/app/with space"');
    await completes("get '/app/wi", "get '/app/with space'");
    await completes('get "/app/with space', 'get "/app/with space"');
    await completes('get /app/"with s', 'get /app/"with space"');
    await completes(String.raw`get "/quoted/with \"`, String.raw`get "/quoted/with \"two\" marks"`);
    await completes(String.raw`get '/quoted/with '\'`, String.raw`get '/quoted/with '\'one\'`);
    await completes('get "/quoted/with \'', `get "/quoted/with 'one'"`);
    await completes('get "/qu', 'get "/quoted"');
    await completes('get "', 'get "/');
    await completes(String.raw`get "/quoted"/back\\`, String.raw`get "/quoted"/back\\slash`);
    await completes('get /quoted/ba', 'get /quoted/back\\');
    await completes(String.raw`get /quoted/back\"`, String.raw`get /quoted/back\"mark`);
    await completes(String.raw`get '/quoted/with '\''`, String.raw`get '/quoted/with '\''one'\'''`);
    // A quote to the right of the cursor closes the word already.
    terminal.type('get "/app/wi"');
    await terminal.until(/wi"$/);
    terminal.key('Left', 'Tab');
    await terminal.until(/get "\/app\/with space"$/);
    terminal.key('Enter');
    await terminal.until(/space"\ndata\n.*1\]$/);
  });

  test('a watch event is printed above what is being typed', async () => {
    using zebu = here();
    using terminal = open(zebu);
    await terminal.until(/standalone\) 0\]/);
    terminal.enter('get -w /app/two');
    await terminal.until(/1\]$/);
    terminal.type('ls /half-typed');
    await terminal.until(/half-typed$/);
    await using zk = await connect(`127.0.0.1:${server.port}`);
    await zk.set('/app/two', 'data');
    expect(steady(await terminal.until(/WatchedEvent[\s\S]*half-typed$/))).toMatchInlineSnapshot(`
      "Connecting to 127.0.0.1:ppppp
      [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 0] get -w /app/two
      data

      WATCHER::

      WatchedEvent state:SyncConnected type:NodeDataChanged path:/app/two zxid: z
      [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 1] ls /half-typed"
    `);
  });

  test('Ctrl-C empties the line, and stops a command that waits', async () => {
    using zebu = here();
    using terminal = open(zebu);
    await terminal.until(/standalone\) 0\]/);
    terminal.type('delete /app');
    await terminal.until(/delete \/app$/);
    terminal.key('C-c');
    await terminal.until(/\^C\n.*0\]$/);
    terminal.key('C-c');
    await terminal.until(/Ctrl-D leaves\)\n.*0\]$/);
    terminal.key('C-d');
    expect(steady(await terminal.ended())).toMatchInlineSnapshot(`
      "Connecting to 127.0.0.1:ppppp
      [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 0] delete /app^C
      [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 0] ^C (quit or Ctrl-D leaves)
      [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 0]"
    `);
  });

  test('history and redo count as in zkCli; the file keeps lines, and no credentials', async () => {
    using zebu = here();
    {
      using terminal = open(zebu);
      await terminal.until(/standalone\) 0\]/);
      terminal.enter('ls /app');
      await terminal.until(/1\]$/);
      terminal.enter('addauth digest alice:secret');
      await terminal.until(/2\]$/);
      terminal.enter('redo 0');
      await terminal.until(/3\]$/);
      terminal.enter('redo 1');
      await terminal.until(/4\]$/);
      terminal.enter('history');
      expect(steady(await terminal.until(/5\]$/))).toMatchInlineSnapshot(`
        "Connecting to 127.0.0.1:ppppp
        [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 0] ls /app
        [one, two, with space]
        [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 1] addauth digest alice:secret
        [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 2] redo 0
        [one, two, with space]
        [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 3] redo 1
        The history keeps no credentials; type it again
        [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 4] history
        0 - ls /app
        1 - addauth ***
        2 - ls /app
        3 - redo 1
        4 - history
        [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 5]"
      `);
      // Nor do the arrow keys bring it back.
      for (const line of ['history', 'redo 1', 'redo 0', 'ls /app']) {
        terminal.key('Up');
        await terminal.until((screen) => screen.endsWith(`5] ${line}`));
      }
      terminal.key('C-u');
      terminal.enter('quit');
      await terminal.ended();
    }
    const file = join(zebu.home, '.local', 'state', 'zebu', 'history');
    expect(readFileSync(file, 'utf8')).toBe('ls /app\nredo 0\nredo 1\nhistory\nquit\n');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    using terminal = open(zebu);
    await terminal.until(/standalone\) 0\]/);
    terminal.key('Up', 'Up');
    await terminal.until(/0\] history$/);
  });

  test('a line that wraps is whole again in a wider window', async () => {
    using zebu = here();
    using terminal = open(zebu, [], { columns: 60, rows: 12 });
    await terminal.until(/standalone\) 0\]/);
    terminal.type('create /app/three some-data-that-does-not-fit');
    const narrow = await terminal.until(/does-not-fit$/);
    terminal.resize(110, 12);
    const wide = await terminal.until(/three some-data-that-does-not-fit$/);
    expect(steady(narrow)).toMatchInlineSnapshot(`
      "Connecting to 127.0.0.1:ppppp
      [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 0] create /app/t
      hree some-data-that-does-not-fit"
    `);
    expect(steady(wide)).toMatchInlineSnapshot(`
      "Connecting to 127.0.0.1:ppppp
      [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 0] create /app/three some-data-that-does-not-fit"
    `);
  });

  test('colour on a terminal; none with NO_COLOR or --no-color', async () => {
    using zebu = here();
    using coloured = open(zebu);
    await coloured.until(/standalone\) 0\]/);
    expect(coloured.colouredScreen()).toContain('\u001b[36m[zk');
    using plain = new Terminal([...ZEBU_COMMAND, '--no-color'], { env: zebu.env });
    await plain.until(/standalone\) 0\]/);
    expect(plain.colouredScreen()).not.toContain('\u001b');
    using asked = new Terminal(ZEBU_COMMAND, { env: { ...zebu.env, NO_COLOR: '1' } });
    await asked.until(/standalone\) 0\]/);
    expect(asked.colouredScreen()).not.toContain('\u001b');
  });

  test('a server that dies and returns: the session lives on, and so do its watches', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'zebu-cli-data-'));
    let one = await startServer({ port: 0, dataDir });
    const { port } = one;
    using zebu = new ZebuRunner(`127.0.0.1:${port}`);
    using terminal = open(zebu);
    try {
      await terminal.until(/standalone\) 0\]/);
      terminal.enter('create -e /mine x');
      await terminal.until(/1\]$/);
      terminal.enter('get -w /mine');
      await terminal.until(/2\]$/);
      await one.close();
      await terminal.until(/CONNECTING\) 2\]$/);
      // A command waits for a server; Ctrl-C does not.
      terminal.enter('create /interrupted');
      await terminal.until(/interrupted$/);
      terminal.key('C-c');
      await terminal.until(/Interrupted[\s\S]*CONNECTING\) 3\]$/);
      one = await startServer({ port, dataDir });
      await terminal.until(/CONNECTED, standalone\) 3\]$/);
      // What was interrupted is not carried out now.
      terminal.enter('ls /');
      await terminal.until(/4\]$/);
      terminal.enter('set /mine y');
      const screen = await terminal.until(/WatchedEvent[\s\S]*5\]$/);
      expect(steady(screen)).toMatchInlineSnapshot(`
        "Connecting to 127.0.0.1:ppppp
        [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 0] create -e /mine x
        Created /mine
        [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 1] get -w /mine
        x
        Connection to 127.0.0.1:ppppp lost; the session expires in 30 s
        [zk: 127.0.0.1:ppppp(CONNECTING) 2] create /interrupted
        Interrupted
        Connected to 127.0.0.1:ppppp
        [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 3] ls /
        [mine, zookeeper]
        [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 4] set /mine y

        WATCHER::

        WatchedEvent state:SyncConnected type:NodeDataChanged path:/mine zxid: z
        [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 5]"
      `);
    } finally {
      await one.close();
      rmSync(dataDir, { recursive: true, force: true });
    }
  });

  test('a session that expires is told of, and a new one begins', async () => {
    let one = await startServer({ port: 0 });
    const { port } = one;
    using zebu = new ZebuRunner(`127.0.0.1:${port}`);
    using terminal = open(zebu, [], { columns: 100 });
    try {
      await terminal.until(/standalone\) 0\]/);
      terminal.enter('get -w /');
      await terminal.until(/1\]$/);
      await one.close();
      await terminal.until(/CONNECTING\) 1\]$/);
      // In memory: this server knows nothing of the session.
      one = await startServer({ port });
      // Nor does a server take a client in that has seen later changes than it has.
      await using zk = await connect(`127.0.0.1:${port}`);
      for (let i = 0; i < 20; i++) await zk.create(`/later-${i}`);
      const screen = await terminal.until(/has begun[\s\S]*CONNECTED, standalone\) 1\]$/);
      expect(steady(screen)).toMatchInlineSnapshot(`
        "Connecting to 127.0.0.1:ppppp
        [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 0] get -w /

        Connection to 127.0.0.1:ppppp lost; the session expires in 30 s
        the data watch of / is gone: Session expired
        Session 0xid has expired: its ephemeral znodes are gone, or will be in a moment
        Connected to 127.0.0.1:ppppp
        Session 0xid has begun
        [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 1]"
      `);
    } finally {
      await one.close();
    }
  });

  test('close and connect', async () => {
    using zebu = here();
    using terminal = open(zebu);
    await terminal.until(/standalone\) 0\]/);
    terminal.enter('close');
    await terminal.until(/CLOSED\) 1\]$/);
    terminal.enter('ls /');
    await terminal.until(/2\]$/);
    terminal.enter('connect');
    await terminal.until(/CONNECTED, standalone\) 3\]$/);
    terminal.enter('connect 127.0.0.1:1');
    await terminal.until(/CLOSED\) 4\]$/);
    terminal.enter(`connect 127.0.0.1:${server.port}/app`);
    await terminal.until(/5\]$/);
    terminal.enter('ls /');
    expect(steady(await terminal.until(/6\]$/))).toMatchInlineSnapshot(`
      "Connecting to 127.0.0.1:ppppp
      [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 0] close
      [zk: 127.0.0.1:ppppp(CLOSED) 1] ls /
      Not connected; connect begins a session
      [zk: 127.0.0.1:ppppp(CLOSED) 2] connect
      [zk: 127.0.0.1:ppppp(CONNECTED, standalone) 3] connect 127.0.0.1:ppppp
      Cannot connect to 127.0.0.1:ppppp: connect ECONNREFUSED 127.0.0.1:ppppp; trying on
      No server answered: 127.0.0.1:ppppp: Cannot connect to 127.0.0.1:ppppp: connect ECONNREF
      USED 127.0.0.1:ppppp; is the server running? --server and ZEBU_SERVERS say which
      [zk: 127.0.0.1:ppppp(CLOSED) 4] connect 127.0.0.1:ppppp/app
      [zk: 127.0.0.1:ppppp/app(CONNECTED, standalone) 5] ls /
      [one, two, with space]
      [zk: 127.0.0.1:ppppp/app(CONNECTED, standalone) 6]"
    `);
  });
});

test('from a pipe: no greeting, no prompt, no colour, the exit code of the last command', async () => {
  using zebu = here();
  const ran = await zebu.run([], { input: 'ls /app\nget "/app/with space"\nget /missing\n' });
  expect(ran.stdout).toBe('[one, two, with space]\ndata\n');
  expect(ran.stderr).toBe('Node does not exist: /missing\n');
  expect(ran.code).toBe(4);
  expect((await zebu.run([], { input: 'get /missing\nls /app\n' })).code).toBe(0);
  expect((await zebu.run([], { input: 'ls "/app\n' })).code).toBe(2);
});
