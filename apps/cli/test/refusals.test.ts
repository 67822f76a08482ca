// What an ACL keeps the user from: named, passed over, and told by the exit code. Nothing else is missing.

import { spawn } from 'node:child_process';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Acl, type Client, connect, digestAcl } from '@zebu/client';
import { startServer, type ZebuServer } from '@zebu/server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ZEBU_COMMAND, ZebuRunner } from './run-zebu.ts';

const ALICE: Acl = digestAcl('alice', 'secret');
const AUTH = { env: { ZEBU_AUTH: 'digest:alice:secret' } };
const anyone = (perms: number): Acl => ({ scheme: 'world', id: 'anyone', perms });
const READ = 1;
const WRITE = 2;
const CREATE = 4;
const HINT = 'getAcl shows who may; show credentials with --auth-file or ZEBU_AUTH';

let here: ZebuServer;
let there: ZebuServer;
let zebu: ZebuRunner;
/** Alice, who may do everything everywhere. */
let zk: Client;
let other: Client;
beforeAll(async () => {
  here = await startServer({ port: 0 });
  there = await startServer({ port: 0 });
  zebu = new ZebuRunner(`127.0.0.1:${here.port}`);
  const auth = [{ scheme: 'digest', auth: 'alice:secret' }];
  zk = await connect({ servers: `127.0.0.1:${here.port}`, auth });
  other = await connect({ servers: `127.0.0.1:${there.port}`, auth });
  // /t/b is closed, with two below; of /t/d anybody may see the data, but not the hash in its ACL.
  await zk.create('/t', 'top');
  await zk.create('/t/a', 'a');
  await zk.create('/t/b', 'secret', { acl: [ALICE] });
  await zk.create('/t/b/x', 'x');
  await zk.create('/t/b/y', 'y');
  await zk.create('/t/c', 'c');
  await zk.create('/t/d', 'd', { acl: [ALICE, anyone(READ)] });
  await zk.create('/t/d/z', 'z');
  await zk.create('/t/e', 'e');
});
afterAll(async () => {
  await zk.close();
  await other.close();
  zebu[Symbol.dispose]();
  await here.close();
  await there.close();
});

const file = (name: string) => join(zebu.home, name);
const toThere = () => `127.0.0.1:${there.port}`;
const asStranger = () => ({ env: { ZEBU_SERVERS: toThere() } });
const HIDDEN = 'The server hides the digest of alice in the ACL of /t/d';

test('ls -R, find and tree show all that may be seen, name what may not be listed, and end with 8', async () => {
  const list = ['/t', '/t/a', '/t/b', '/t/c', '/t/d', '/t/d/z', '/t/e'];
  // Servers before 3.9 tell a stranger that it exists; this one does not.
  const looked = list.filter((path) => path !== '/t/b');
  const seen = '/t/b: insufficient permission\n';
  const ls = await zebu.run(['ls', '-R', '/t']);
  // zkCli's order: all children before what is below the first.
  expect(ls.stdout.split('\n').filter(Boolean).sort()).toEqual(list);
  expect([ls.code, ls.stderr]).toEqual([
    8,
    `${seen}1 znode could not be listed: what is below is missing here; ${HINT}\n`,
  ]);
  const find = await zebu.run(['find', '/t']);
  expect(find.stdout.split('\n').filter(Boolean)).toEqual(looked);
  expect([find.code, find.stderr]).toEqual([
    8,
    `${seen}1 znode could not be read: what is below was not looked at; ${HINT}\n`,
  ]);
  const tree = await zebu.run(['tree', '/t', '--json']);
  const paths = tree.stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line).path);
  expect(paths).toEqual(looked);
  expect([tree.code, tree.stderr.split('\n')[0]]).toEqual([8, seen.trimEnd()]);
  // Of the root there is nothing else to show.
  expect(await zebu.run(['ls', '-R', '/t/b'])).toMatchObject({ code: 8, stdout: '' });
  expect(await zebu.run(['find', '/t/b'])).toMatchObject({ code: 8, stdout: '' });
  expect(await zebu.run(['find', '/t'], AUTH)).toMatchObject({ code: 0, stderr: '' });
});

test('an export has a line for what could not be read; import and diff of it say so', async () => {
  const path = file('part.jsonl');
  const ran = await zebu.run(['export', '/t', '--file', path]);
  expect([ran.code, ran.stderr.trimEnd().split('\n')]).toEqual([
    8,
    [
      '/t/b: insufficient permission',
      `/t/d: ${HIDDEN}`,
      `4 znodes, 2 left out in ${path}`,
      `2 znodes could not be read: left out, with all below; ${HINT}`,
    ],
  ]);
  const lines = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map(({ path: at, leftOut }) => at ?? leftOut)).toEqual([
    undefined,
    '/',
    '/a',
    '/b',
    '/c',
    '/d',
    '/e',
    2,
  ]);
  expect(lines.at(-1)).toEqual({ znodes: 4, leftOut: 2 });

  const again = await zebu.run(['export', '/t', '--file', path, '--resume']);
  expect(again).toMatchObject({ code: 8, stderr: `${path} is complete: 4 znodes, 2 left out\n` });

  const imported = await zebu.run(['import', '/part', '--file', path], asStranger());
  expect([imported.code, imported.stderr.trimEnd().split('\n')]).toEqual([
    8,
    [
      '/part/b: not in the export: insufficient permission',
      `/part/d: not in the export: ${HIDDEN}`,
      '4 created, 0 were there, 2 not in the export',
      `2 znodes could not be read by the export: left out, with all below; ${HINT}`,
    ],
  ]);
  const diff = await zebu.run(['diff', '/t', `file:${path}`, '--json'], AUTH);
  expect(
    diff.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual([
    { path: '/b', difference: 'unreadable', side: 'right' },
    { path: '/d', difference: 'unreadable', side: 'right' },
  ]);
  expect(diff.code).toBe(8);
  expect(diff.stderr).toContain('no differences in 4 znodes');
});

test('a file that says another number of left out znodes than it has is damaged', async () => {
  const header = '{"zebu":"export/1","root":"/"}\n{"path":"/"}\n{"leftOut":"/a","why":"x"}\n';
  writeFileSync(file('count.jsonl'), `${header}{"znodes":1,"leftOut":2}\n`);
  const ran = await zebu.run([
    'diff',
    `file:${file('count.jsonl')}`,
    `file:${file('count.jsonl')}`,
  ]);
  expect([ran.code, ran.stderr]).toEqual([
    2,
    expect.stringContaining('it says 1 znodes and 2 left out and holds 1 znodes and 1 left out'),
  ]);
});

test('a resumed export tries again what was left out last, and counts what was left out before', async () => {
  const path = file('resumed.jsonl');
  await zebu.run(['export', '/t', '--file', path]);
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  const resume = async (kept: number, rest = ''): Promise<string> => {
    writeFileSync(path, `${lines.slice(0, kept).join('\n')}\n${rest}`);
    const { code } = await zebu.run(['export', '/t', '--file', path, '--resume']);
    expect(code).toBe(8);
    return readFileSync(path, 'utf8');
  };
  for (let kept = 1; kept < lines.length; kept++) {
    expect(await resume(kept)).toBe(`${lines.join('\n')}\n`);
    expect(await resume(kept, '{"leftOut":"/b","wh')).toBe(`${lines.join('\n')}\n`);
  }
  // With the right to read it, what was left out last comes after all.
  writeFileSync(path, `${lines.slice(0, 4).join('\n')}\n`);
  expect(await zebu.run(['export', '/t', '--file', path, '--resume'], AUTH)).toMatchObject({
    code: 0,
    stderr: `9 znodes in ${path}\n`,
  });
});

test('diff passes over what one side may not read, with all below it on both, and finds all else', async () => {
  await other.create('/t2', 'top');
  for (const [at, data] of [
    ['/a', 'other'],
    ['/b', 'secret'],
    ['/b/x', 'another'],
    ['/d', 'd'],
    ['/e', 'e'],
    ['/e/f', 'f'],
  ] as const) {
    await other.create(`/t2${at}`, data);
  }
  const diff = await zebu.run(['diff', '/t', `@${toThere()}:/t2`]);
  expect(diff.stdout).toBe('~ /a  data (1 B, 5 B)\n? /b\n- /c\n? /d\n+ /e/f\n');
  expect(diff.code).toBe(8);
  expect(diff.stderr).toContain('/b: insufficient permission (/t)\n');
  expect(diff.stderr).toContain('3 differences in 5 znodes');
  const turned = await zebu.run(['diff', `@${toThere()}:/t2`, '/t']);
  expect(turned.stdout).toBe('~ /a  data (5 B, 1 B)\n? /b\n+ /c\n? /d\n- /e/f\n');
});

test('cp -r copies the rest and names what it could not read', async () => {
  const ran = await zebu.run(['cp', '-r', '/t', `@${toThere()}:/copy`, '--json']);
  expect(JSON.parse(ran.stdout)).toMatchObject({ copied: 4, unreadable: 2 });
  expect([ran.code, ran.stderr.split('\n').slice(0, 2)]).toEqual([
    8,
    ['/t/b: insufficient permission', `/t/d: ${HIDDEN}`],
  ]);
  expect([...(await other.children('/copy')).names].sort()).toEqual(['a', 'c', 'e']);
});

test('mv and deleteall change nothing where they may not see all', async () => {
  for (const words of [
    ['mv', '/t', '/moved'],
    ['deleteall', '/t'],
  ]) {
    expect((await zebu.run(words)).code).toBe(8);
  }
  expect((await zk.children('/t')).names.length).toBe(5);
  expect(await zk.exists('/moved')).toBe(undefined);
});

test('an import goes on beside what it may not make, compare or replace, and counts each', async () => {
  const path = file('whole.jsonl');
  await zebu.run(['export', '/t', '--file', path, '--no-acl'], AUTH);
  // The target's /in/b may be read and not added to, /in/c not be read, /in/e not be written.
  await other.create('/in', 'top');
  await other.create('/in/b', 'secret', { acl: [ALICE, anyone(READ)] });
  await other.create('/in/c', 'c', { acl: [ALICE, anyone(CREATE)] });
  const go = (...words: string[]) =>
    zebu.run(['import', '/in', '--file', path, '--acl', 'open', '--json', ...words], asStranger());
  const refused = await go('--overwrite');
  expect(JSON.parse(refused.stdout)).toEqual({
    path: '/in',
    created: 4,
    same: 1,
    replaced: 0,
    leftOut: 0,
    unreadable: 0,
    refused: 4,
  });
  expect([refused.code, refused.stderr.split('\n').slice(0, 4).sort()]).toEqual([
    8,
    [
      '/in/b/x: cannot be made: insufficient permission',
      '/in/b/y: cannot be made: insufficient permission',
      '/in/b: cannot be replaced: insufficient permission',
      '/in/c: cannot be replaced: insufficient permission',
    ],
  ]);
  expect([...(await other.children('/in')).names].sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect((await other.get('/in/d/z')).data.toString()).toBe('z');
  // A second run, now that the ACL of /in/b is the wanted one: only /in/c cannot be compared.
  await other.setAcl('/in/b', [anyone(31)]);
  const second = await go();
  expect(JSON.parse(second.stdout)).toMatchObject({ created: 2, same: 6, refused: 1 });
  expect([second.code, second.stderr.split('\n')[0]]).toEqual([
    8,
    '/in/c: is there and cannot be read, so it was not compared',
  ]);
  await other.setAcl('/in/c', [anyone(READ + WRITE)]);
});

test('what lies below a znode that could not be made is not tried, and counted', async () => {
  await other.create('/closed', '', { acl: [ALICE, anyone(READ)] });
  const path = file('whole.jsonl');
  await zebu.run(['export', '/t', '--file', path, '--no-acl'], AUTH);
  const go = (...words: string[]) =>
    zebu.run(['import', '/closed/t', '--file', path, '--json', ...words], asStranger());
  expect(JSON.parse((await go()).stderr).error).toMatchObject({
    exitCode: 2,
    message: 'The export has no ACLs (--no-acl)',
    hint: '--acl open lets everyone do everything',
  });
  const ran = await go('--acl', 'open');
  expect(JSON.parse(ran.stdout)).toMatchObject({ created: 0, refused: 9 });
  expect([ran.code, ran.stderr.split('\n')[0]]).toEqual([
    8,
    '/closed/t: cannot be made: insufficient permission',
  ]);
  expect(ran.stderr.match(/cannot be made/g)?.length).toBe(1);
});

test('setAcl -R names what it may not look below, and changes the rest', async () => {
  await zk.create('/set');
  await zk.create('/set/a', '', { acl: [ALICE] });
  await zk.create('/set/a/b');
  await zk.create('/set/c');
  const ran = await zebu.run(['setAcl', '-R', '/set', 'world:anyone:cdra']);
  expect(ran.code).toBe(8);
  expect(ran.stderr).toContain('/set/a: its children cannot be listed\n');
  expect((await zk.getAcl('/set/c')).acl[0]?.perms).toBe(29);
  expect((await zk.getAcl('/set/a/b')).acl[0]?.perms).toBe(31);
});

test('set with an empty standard input is refused, unless --file - or two quotes ask for it', async () => {
  await zk.create('/full', 'data');
  const ran = await zebu.run(['set', '/full'], { input: '' });
  expect([ran.code, ran.stderr]).toEqual([
    2,
    "The standard input is empty; set /full '' empties the znode\n",
  ]);
  expect((await zk.get('/full')).data.toString()).toBe('data');
  expect((await zebu.run(['set', '/full', '--file', '-'], { input: '' })).code).toBe(0);
  expect((await zk.get('/full')).data.length).toBe(0);
  await zk.set('/full', 'data');
  expect((await zebu.run(['set', '/full', ''])).code).toBe(0);
  expect((await zk.get('/full')).data.length).toBe(0);
});

test.skipIf(process.platform !== 'linux')('an output that cannot be written is said', async () => {
  const [node, ...args] = ZEBU_COMMAND as [string, ...string[]];
  const child = spawn(node, [...args, 'ls', '/t'], {
    env: zebu.env,
    stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
  });
  let stderr = '';
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  expect(await new Promise((resolve) => child.on('close', resolve))).toBe(11);
  expect(stderr).toBe('Cannot write the output: the disk is full\n');
});
