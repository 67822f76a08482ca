// export, import and diff: a tree goes from one cluster to another, killed on the way and resumed. At full size it is
// ZEBU_EXPORT_ZNODES=100000 pnpm exec vitest run export; it prints time and memory.

import type { ChildProcess } from 'node:child_process';
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, connect, digestAcl, type Op } from '@zebu/client';
import { startServer, type ZebuServer } from '@zebu/server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT_CODES } from '../src/exit-codes.ts';
import { ZEBU_COMMAND, ZebuRunner } from './run-zebu.ts';
import { Terminal, whyNoTerminal } from './terminal.ts';

const ZNODES = Number(process.env.ZEBU_EXPORT_ZNODES ?? 5000);
const LONGEST_MB = 150;
const AUTH = { env: { ZEBU_AUTH: 'digest:alice:secret' } };
const ALICE = [digestAcl('alice', 'secret'), { scheme: 'world', id: 'anyone', perms: 1 }];

let here: ZebuServer;
let there: ZebuServer;
let zebu: ZebuRunner;
let zk: Client;
beforeAll(async () => {
  here = await startServer({ port: 0 });
  there = await startServer({ port: 0 });
  zebu = new ZebuRunner(`127.0.0.1:${here.port}`);
  zk = await connect({
    servers: `127.0.0.1:${here.port}`,
    auth: [{ scheme: 'digest', auth: 'alice:secret' }],
  });
  await zk.create('/app', Buffer.from([0, 255, 10]), { acl: ALICE });
  const creates = function* (): Iterable<Op> {
    yield { op: 'create', path: '/app/wide' };
    for (let i = 2; i < ZNODES; i++) {
      // Half of them in one directory, the others as branches of ten.
      const wide = i % 2 === 0;
      const branch = Math.floor(i / 20);
      if (!wide && i % 20 === 3) yield { op: 'create', path: `/app/b-${branch}` };
      const path = wide || i < 20 ? `/app/wide/z-${i}` : `/app/b-${branch}/z-${i}`;
      if (!wide && i >= 20 && i % 20 === 1) continue;
      yield {
        op: 'create',
        path,
        data: `data of ${i}`,
        ...(i % 50 === 0 ? { options: { acl: ALICE } } : {}),
      };
    }
  };
  for await (const _ of zk.bulk(creates()));
  await zk.create('/app/mine', 'x', { mode: 'ephemeral' });
}, 300_000);
afterAll(async () => {
  await zk.close();
  zebu[Symbol.dispose]();
  await here.close();
  await there.close();
});

const file = (name: string) => join(zebu.home, name);
const toThere = () => `127.0.0.1:${there.port}`;
const elsewhere = () => ({ env: { ...AUTH.env, ZEBU_SERVERS: toThere() } });

/** Kills the process once it has come so far. */
async function killWhen(child: ChildProcess, isThere: () => boolean): Promise<void> {
  const ended = new Promise((resolve) => child.on('close', resolve));
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  while (!isThere()) {
    if (hasEnded) throw new Error('It ended before it could be killed');
    await new Promise((resolve) => setImmediate(resolve));
  }
  child.kill('SIGKILL');
  await ended;
}

/** Runs it, and returns its largest resident set in MB. */
async function measured(words: string[], options: { env: NodeJS.ProcessEnv }, mostMb = LONGEST_MB) {
  const startedAt = performance.now();
  const child = zebu.start(words, options);
  let peakKb = 0;
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  child.stdout.resume();
  const look = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      peakKb = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? peakKb);
    } catch {
      // It has just ended, or this system has no /proc.
    }
  }, 20);
  const code = await new Promise((resolve) => child.on('close', resolve));
  clearInterval(look);
  const seconds = (performance.now() - startedAt) / 1000;
  const megabytes = peakKb / 1024;
  console.log(`${words[0]}: ${seconds.toFixed(1)} s, ${megabytes.toFixed(0)} MB`);
  expect(megabytes).toBeLessThan(mostMb);
  return { code, stderr };
}

test('an export that is killed is resumed, an import that is killed is run again, and diff finds nothing', async () => {
  const path = file('app.jsonl');
  await killWhen(zebu.start(['export', '/app', '--file', path], AUTH), () => sizeOf(path) > 50_000);
  expect(readFileSync(path, 'utf8')).not.toMatch(/\{"znodes":\d+\}\n$/);
  // As if the last write had been cut off in the middle of a line.
  truncateSync(path, sizeOf(path) - 7);
  const resumed = await measured(['export', '/app', '--file', path, '--resume'], AUTH);
  expect(resumed.code).toBe(0);
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  const count = (await zk.descendantsCount('/app')) + 1;
  expect(JSON.parse(lines.at(-1) as string)).toEqual({ znodes: count });
  const paths = lines.slice(1, -1).map((line) => JSON.parse(line).path);
  expect([paths.length, new Set(paths).size]).toEqual([count, count]);

  const before = there.znodeCount;
  await killWhen(
    zebu.start(['import', '/app', '--file', path], elsewhere()),
    () => there.znodeCount - before > count / 3,
  );
  expect(there.znodeCount - before).toBeLessThan(count - 1);
  const imported = await measured(['import', '/app', '--file', path], elsewhere());
  expect(imported).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/1 ephemeral left out/),
  });
  expect(there.znodeCount - before).toBe(count - 1);

  const none = await measured(['diff', '/app', `@${toThere()}:/app`, '--no-acl'], AUTH);
  expect(none).toEqual({ code: 0, stderr: `no differences in ${count - 1} znodes\n` });
  const file2 = await measured(['diff', `file:${path}`, '/app'], elsewhere());
  expect(file2.code).toBe(0);
}, 600_000);

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

test('diff says that a file was cut off, and that a path may be a file', async () => {
  const whole = join(zebu.home, 'whole.jsonl');
  const cut = join(zebu.home, 'cut.jsonl');
  await zebu.run(['create', '/cut', 'x']);
  expect((await zebu.run(['export', '/cut', '--file', whole])).code).toBe(0);
  writeFileSync(cut, readFileSync(whole, 'utf8').split('\n').slice(0, 2).join('\n'));
  expect(await zebu.run(['diff', `file:${whole}`, '/cut'])).toMatchObject({ code: 0 });
  for (const operands of [
    [`file:${cut}`, '/cut'],
    ['/cut', `file:${cut}`],
  ]) {
    const { code, stderr } = await zebu.run(['diff', ...operands]);
    expect(stderr).toContain('no differences in 1 znodes');
    expect(stderr).toContain(`file:${cut} has no last line: the export was cut off`);
    expect(code).toBe(11);
  }
  const { code, stderr } = await zebu.run(['diff', whole, '/cut']);
  expect(stderr).toBe(`There is no znode ${whole}, but a file; file:${whole} names the file\n`);
  expect(code).toBe(2);
});

test('diff names what differs, and ends with 1', async () => {
  await using other = await connect({
    servers: toThere(),
    auth: [{ scheme: 'digest', auth: 'alice:secret' }],
  });
  for (const [client, changed] of [
    [zk, 'left'],
    [other, 'right'],
  ] as const) {
    await client.create('/diff');
    await client.create('/diff/same', 'x');
    await client.create('/diff/data', changed);
    await client.create('/diff/acl', 'x', changed === 'left' ? { acl: ALICE } : {});
    await client.create(`/diff/only-${changed}`);
    await client.create(`/diff/only-${changed}/below`);
  }
  const ran = await zebu.run(['diff', '/diff', `@${toThere()}:/diff`], AUTH);
  expect(ran.stdout).toBe(
    '~ /acl  acl\n~ /data  data (4 B, 5 B)\n- /only-left\n- /only-left/below\n+ /only-right\n+ /only-right/below\n',
  );
  expect([ran.code, ran.stderr]).toEqual([1, '6 differences in 8 znodes\n']);
  const json = await zebu.run(['diff', '/diff', `@${toThere()}:/diff`, '--json', '--no-acl'], AUTH);
  expect(JSON.parse(json.stdout.split('\n')[0] as string)).toEqual({
    path: '/data',
    difference: 'changed',
    fields: ['data'],
  });
});

test('import keeps ACLs or maps them, makes parents, and replaces only what it is told to', async () => {
  await zk.create('/keep', 'x', { acl: ALICE });
  const path = file('keep.jsonl');
  await zebu.run(['export', '/keep', '--file', path], AUTH);
  const hash = ALICE[0]?.id.split(':')[1];
  const map = `digest:alice:${hash}=>digest:bob:${hash}`;
  const go = (...words: string[]) => zebu.run(['import', '--file', path, ...words], AUTH);
  expect((await go('/no/parents/here')).code).toBe(4);
  expect((await go('-p', '/no/parents/here')).code).toBe(0);
  expect((await zk.getAcl('/no/parents/here')).acl).toEqual(ALICE);
  await go('/mapped', '--map', map);
  expect((await zk.getAcl('/mapped')).acl[0]?.id).toBe('bob:x');
  await go('/open', '--acl', 'open');
  expect((await zk.getAcl('/open')).acl).toMatchObject([{ scheme: 'world', perms: 31 }]);
  await zk.set('/open', 'other');
  const refused = await go('/open', '--acl', 'open');
  expect([refused.code, refused.stderr]).toEqual([
    5,
    '/open is there with other data or another ACL; --overwrite replaces it\n',
  ]);
  expect((await go('/open', '--acl', 'open', '--overwrite')).stderr).toContain('1 replaced');
  expect((await zk.get('/open')).data.toString()).toBe('x');
});

test.each([
  ['not json\n', 2, 'line 1, is not a JSON object'],
  ['{"zebu":"export/9","root":"/"}\n', 2, 'is no export of zebu'],
  ['{"zebu":"export/1","root":"/"}\n{"path":"x"}\n', 2, 'line 2, is no znode'],
  ['{"zebu":"export/1","root":"/"}\n{"path":"/a","base64":"!!!!"}\n', 2, 'line 2, is no znode'],
  [
    '{"zebu":"export/1","root":"/"}\n{"path":"/a","acl":[["world","anyone","zz"]]}\n',
    2,
    'line 2, is no znode',
  ],
  ['{"zebu":"export/1","root":"/"}\n{"znodes":1}\n', 2, 'it says 1 znodes and holds 0'],
  ['{"zebu":"export/1","root":"/"}\n{"path":"/cut-off"}\n', 11, 'the export was cut off'],
])('import says what is wrong with %j', async (text, code, message) => {
  writeFileSync(file('bad.jsonl'), text);
  const ran = await zebu.run(['import', '/', '--file', file('bad.jsonl')]);
  expect([ran.code, ran.stderr]).toEqual([code, expect.stringContaining(message)]);
});

test('export refuses what it cannot keep, and a file that is another one', async () => {
  expect((await zebu.run(['export', '/app'])).stderr).toContain('hides the digest of alice');
  expect((await zebu.run(['export', '/app', '--no-acl'])).code).toBe(0);
  writeFileSync(file('other.jsonl'), '{"zebu":"export/1","root":"/other"}\n');
  expect((await zebu.run(['export', '/app', '--file', file('other.jsonl')])).code).toBe(5);
  const resumed = await zebu.run(['export', '/app', '--file', file('other.jsonl'), '--resume']);
  expect(resumed.stderr).toContain('is no export of /app');
});

test('an export that often waits for its reader warns of nothing', async () => {
  await zk.create('/heavy');
  for (let i = 0; i < 16; i++) await zk.create(`/heavy/${i}`, Buffer.alloc(300_000, 0xff));
  expect(await zebu.run(['export', '/heavy'])).toMatchObject({ code: 0, stderr: '17 znodes\n' });
  const ran = await zebu.run(['export', '/heavy', '--file', file('heavy.jsonl')]);
  expect([ran.code, ran.stderr]).toEqual([0, `17 znodes in ${file('heavy.jsonl')}\n`]);
  await zk.delete('/heavy', { recursive: true });
});

test('data with the line separators of Unicode survives, and so do znodes of a megabyte in little memory', async () => {
  await zk.create('/odd', 'before\u2028between\u2029after\r\nend');
  for (let i = 0; i < 200; i++) await zk.create(`/odd/${i}`, Buffer.alloc(900_000, 'x'));
  const path = file('odd.jsonl');
  expect((await zebu.run(['export', '/odd', '--file', path])).code).toBe(0);
  const imported = await measured(['import', '/odd', '--file', path], elsewhere(), 250);
  expect(imported).toEqual({ code: 0, stderr: '201 created, 0 were there\n' });
  const again = await measured(['import', '/odd', '--file', path], elsewhere(), 250);
  expect(again).toEqual({ code: 0, stderr: '0 created, 201 were there\n' });
  const none = await measured(['diff', '/odd', `file:${path}`], AUTH, 250);
  expect(none).toEqual({ code: 0, stderr: 'no differences in 201 znodes\n' });
  await zk.delete('/odd', { recursive: true });
}, 120_000);

test('a pipe that holds no export, and stays open, is not waited for', async () => {
  for (const first of ['junk\n', '{}\n']) {
    const child = zebu.start(['import', '/', '--file', '-'], AUTH);
    child.stdin.write(first);
    child.stdin.on('error', () => {});
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(2);
  }
}, 60_000);

test('a file that is missing or a directory is named', async () => {
  const makes = 'zebu export PATH --file FILE makes one';
  const missing = file('missing.jsonl');
  for (const [words, code, text] of [
    [
      ['import', '/', '--file', missing],
      2,
      `Cannot read ${missing}: there is no such file; ${makes}`,
    ],
    [
      ['import', '/', '--file', 'missing.jsonl'],
      2,
      `Cannot read missing.jsonl: there is no such file in ${zebu.home}; ${makes}`,
    ],
    [['import', '/', '--file', file('.')], 2, `Cannot read ${file('.')}: it is a directory`],
    [
      ['diff', `file:${missing}`, '/app'],
      2,
      `Cannot read ${missing}: there is no such file; ${makes}`,
    ],
    [
      ['export', '/app', '--file', file('no/where')],
      11,
      `Cannot write ${file('no/where')}: its directory is not there`,
    ],
    [
      ['export', '/app', '--resume', '--file', zebu.home],
      2,
      `Cannot read ${zebu.home}: it is a directory`,
    ],
    [['set', '/app', '--file', missing], 2, `Cannot read ${missing}: there is no such file`],
    [['reconfig', '-file', missing], 2, `Error processing ${missing}: there is no such file`],
    [
      ['ls', '/', '--auth-file', missing],
      2,
      `Cannot read the credentials in ${missing}: there is no such file`,
    ],
  ] as const) {
    const ran = await zebu.run(words);
    expect([ran.code, ran.stderr]).toEqual([code, `${text}\n`]);
  }
});

test('export --resume leaves a file alone that is none of an export, and goes on from any other beginning', async () => {
  const resume = (name: string) =>
    zebu.run(['export', '/app', '--no-acl', '--file', file(name), '--resume']);
  for (const text of ['notes without a line end', '{"zebu":"export/1","root":"/app"}\nnotes\n']) {
    writeFileSync(file('notes'), text);
    const ran = await resume('notes');
    expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining('none of an export')]);
    expect(readFileSync(file('notes'), 'utf8')).toBe(text);
  }
  // Killed before anything was written, and within the first line.
  for (const text of ['', '{"zebu":"exp']) {
    writeFileSync(file('begun'), text);
    expect((await resume('begun')).code).toBe(0);
    expect(readFileSync(file('begun'), 'utf8')).toMatch(/^\{"zebu".*\n\{"znodes":\d+\}\n$/s);
  }
});

describe.skipIf(whyNoTerminal !== undefined)('on a terminal', () => {
  test('a progress bar is on the standard error, whatever the output is', async () => {
    const quoted = [...ZEBU_COMMAND, 'export', '/app'].join(' ');
    // The reader never reads: the export stands still, and so does the bar.
    using terminal = new Terminal(['sh', '-c', `${quoted} | sleep 1000`], {
      env: { ...zebu.env, ...AUTH.env },
    });
    await terminal.until(/^export \[[#-]{24}\] \d+ of \d+ znodes, .*\/s/m);
  });
});

test('an import whose server goes away for good ends when its session does, and says so', async () => {
  const server = await startServer({ port: 0, tickTimeMs: 100 });
  const { stdout } = await zebu.run(['export', '/app'], AUTH);
  const half = stdout.length >> 1;
  const child = zebu.start(
    ['import', '/app', '--server', `127.0.0.1:${server.port}`, '--timeout', '1000'],
    AUTH,
  );
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  // It may end before it has read the rest.
  child.stdin.on('error', () => {});
  child.stdin.write(stdout.slice(0, half));
  const other = await connect(`127.0.0.1:${server.port}`);
  await expect.poll(() => other.exists('/app/wide'), { timeout: 30_000 }).toBeDefined();
  await other.close();
  await server.close();
  child.stdin.end(stdout.slice(half));
  expect(await ended).toBe(EXIT_CODES['no-connection']);
  expect(stderr).toContain('No server has answered for 1 s: the session is over');
});
