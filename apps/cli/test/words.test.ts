// How lines become words, and words options and operands; small things beside them.

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../src/command-table.ts';
import { hexDump, printable } from '../src/format.ts';
import { GLOBAL_OPTIONS } from '../src/global-options.ts';
import { holdsSecret, readHistory, withoutSecret } from '../src/history-file.ts';
import { javaDate } from '../src/java-date.ts';
import { nearest } from '../src/nearest.ts';
import { parseAcl } from '../src/parse-acl.ts';
import { parseWords } from '../src/parse-words.ts';
import { parseAge, parseSize, sizeText } from '../src/quantities.ts';
import { readServerList } from '../src/servers.ts';
import { splitLine } from '../src/split-line.ts';
import { parseCredentials } from '../src/target.ts';
import { comparePaths, isAtOrAbove } from '../src/walk.ts';

test.each([
  ['ls  -s /a ', ['ls', '-s', '/a']],
  ['create "/a b" \'c d\'', ['create', '/a b', 'c d']],
  ['set /a ""', ['set', '/a', '']],
  ['get /a\\ b', ['get', '/a b']],
  ['set /a "say \\"hi\\" c:\\dir"', ['set', '/a', 'say "hi" c:\\dir']],
  ["set /a 'back\\slash'", ['set', '/a', 'back\\slash']],
  ['set /a b"c"d', ['set', '/a', 'bcd']],
  ['', []],
])('the line %j has the words %j', (line, words) => {
  expect(splitLine(line)).toEqual(words);
});

test('a quote that is not closed is an error', () => {
  expect(() => splitLine('get "/a')).toThrow('A quote (") is not closed');
});

const SPECS = [
  { names: ['-s'], text: '' },
  { names: ['-w', '--watch'], text: '' },
  { names: ['-v'], value: 'N', text: '' },
  { names: ['-members'], value: 'LIST', text: '' },
  { names: ['--map'], value: 'X', isList: true, text: '' },
];

describe('parseWords', () => {
  test('options stand anywhere, together, and after one dash', () => {
    const words = parseWords(['/a', '-sw', '-members', 'x', '-v=3', 'data'], SPECS);
    expect(words.operands).toEqual(['/a', 'data']);
    expect([words.has('-s'), words.has('-w'), words.value('-v'), words.value('-members')]).toEqual([
      true,
      true,
      '3',
      'x',
    ]);
  });
  test('numbers and lone dashes are operands, and values may begin with a dash', () => {
    const words = parseWords(['/a', '-1', '-', '-v', '-1'], SPECS);
    expect([words.operands, words.value('-v')]).toEqual([['/a', '-1', '-'], '-1']);
  });
  test('-- ends the options: operands follow, or a command', () => {
    const line = ['/a', '--', '-s', 'x'];
    const words = parseWords(line, SPECS);
    expect([words.operands, words.afterDashes]).toEqual([['/a', '-s', 'x'], undefined]);
    expect(words.has('-s')).toBe(false);
    const held = parseWords(line, SPECS, { takesCommand: true });
    expect([held.operands, held.afterDashes]).toEqual([['/a'], ['-s', 'x']]);
    expect(parseWords(['--', 'ls', '/'], SPECS, { stopAtOperand: true }).rest).toEqual(['ls', '/']);
  });
  test('an option of several values keeps them all; another one is given once', () => {
    expect(parseWords(['--map', 'a', '--map=b'], SPECS).values('--map')).toEqual(['a', 'b']);
    expect(() => parseWords(['-v', '1', '-v', '2'], SPECS)).toThrow('-v is given twice');
  });
  test.each([
    [['-x'], 'Unrecognized option: -x'],
    [['--wach'], 'Unrecognized option: --wach'],
    [['-sx'], 'Unrecognized option: -sx'],
    [['-v'], 'Missing argument for option: -v N'],
    [['-s=1'], '-s takes no value'],
  ])('%j is refused', (words, message) => {
    expect(() => parseWords(words, SPECS)).toThrow(message);
  });
});

test('every example of every command parses, and no two commands share a name', () => {
  const names = COMMANDS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const command of COMMANDS) {
    for (const { line } of command.examples ?? []) {
      const own = /\bzebu (?:--context prod )?([a-z]\w*.*?)(?: [|<>].*)?$/.exec(line)?.[1];
      if (own === undefined) continue;
      const [name, ...words] = splitLine(own.replace(/\)$/, '').split(' | ')[0] as string);
      const verb = COMMANDS.find((one) => one.name === name);
      if (verb === undefined) throw new Error(`${line}: there is no command ${name}`);
      const parsed = parseWords(words, [...(verb.options ?? []), ...GLOBAL_OPTIONS], {
        takesCommand: verb.takesCommand === true,
      });
      const count = parsed.operands.length;
      const [fewest, most] = verb.operands;
      const readsInput = command.name === 'set' && / < /.test(line);
      expect({ line, fits: count >= fewest && count <= most }).toEqual({ line, fits: true });
      expect(readsInput ? count === 1 : true).toBe(true);
    }
  }
});

test.each([
  ['ls', 'ls'],
  ['lss', 'ls'],
  ['deletall', 'deleteall'],
  ['xyzzy', undefined],
])('the nearest command of %s is %s', (word, name) => {
  expect(
    nearest(
      word,
      COMMANDS.map((command) => command.name),
    ),
  ).toBe(name);
});

test.each([
  ['zk1', { servers: 'zk1', chroot: '', port: 2181 }],
  ['zk1:2182,zk2/app', { servers: 'zk1:2182,zk2', chroot: '/app', port: 2182 }],
  ['zk1/app,zk2/app', { servers: 'zk1,zk2', chroot: '/app', port: 2181 }],
  ['tls://zk1/', { servers: 'tls://zk1', chroot: '', port: 2281 }],
  ['[::1]:2183/x', { servers: '[::1]:2183', chroot: '/x', port: 2183 }],
  // The client says what is wrong with it.
  ['zk1/a,zk2/b', { servers: 'zk1/a,zk2/b', chroot: '', port: 2181 }],
])('the list %s', (text, { servers, chroot, port }) => {
  const list = readServerList(text);
  expect([list.servers, list.chroot]).toEqual([servers, chroot]);
  expect(list.hosts[0]?.port).toBe(port);
});

test('credentials: comments and blank lines are left out, a wrong line is named without its text', () => {
  expect(parseCredentials('# me\n\ndigest:a:b\r\nx:y', 'f')).toEqual([
    { scheme: 'digest', auth: 'a:b' },
    { scheme: 'x', auth: 'y' },
  ]);
  expect(() => parseCredentials('digest:a:b\nsecret', 'f')).toThrow(
    /^f, line 2, is not scheme:auth$/,
  );
});

test.each([
  ['adauth digest alice:secret', true],
  ['get /digest', false],
  // The hash of alice:secret, and two passwords.
  ['setAcl /a digest:alice:9AvdkM8fEYpZ8iXZ2Xvw8pKCGZE=:cdrwa', false],
  ['setAcl /a digest:alice:secret:cdrwa', true],
  ['create /a x world:anyone:r,digest:alice:secret:cdrwa', true],
  // Where a path, a server or nothing belongs.
  ['sync alice:secret', true],
  ['whoami alice:secret', true],
  ['connect alice:secret', true],
  ['connect zk1:2181,zk2:2181/app', false],
  ['connect [::1]:2181', false],
  ['sync /a:b', false],
  ['create /a zk1:2181', false],
  ['cp -r @prod:/app /app', false],
  ['addauth digest a:b', true],
  ['  ADDAUTH x', true],
  ['"add"auth digest a:b', true],
  ['a\\ddauth digest a:b', true],
  ['get /auth', false],
  // Another scheme, and slips of the hand.
  ['addauth sasl token', true],
  ['adauth custom token', true],
  ['aduath custom token', true],
  ['addatuh custom token', true],
  ['add auth custom token', true],
  ['auth custom token', true],
  ['x sasl token', true],
  ['"adauth" "custom" "token"', true],
  ['alice:secret', true],
  ['digest alice:secret', true],
  ["'digest' 'alice:secret'", true],
  ['setAcl /a auth:alice:secret:cdrwa', true],
  ['create /a x world:anyone:r,auth:alice:secret:cdrwa', true],
  ['setAcl /a auth::cdrwa', false],
  ['lss /', false],
  ['addWatch /a', false],
  ['gte /a b', false],
])('%j holds a secret: %s', (line, isSecret) => {
  expect(holdsSecret(line)).toBe(isSecret);
});

test('what an older history holds of credentials is neither shown nor kept', () => {
  const folder = mkdtempSync(join(tmpdir(), 'zebu-cli-history-'));
  const file = join(folder, 'history');
  try {
    writeFileSync(file, 'ls /\nadauth sasl token\nget /a\n');
    expect(readHistory(file)).toEqual(['ls /', 'get /a']);
    expect(readFileSync(file, 'utf8')).toBe('ls /\nget /a\n');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  expect(withoutSecret('addauth custom token')).toBe('addauth ***');
  expect(withoutSecret('"addauth custom token"')).toBe('***');
  expect(withoutSecret('adauth custom token')).toBe('***');
  expect(withoutSecret('get /a')).toBe('get /a');
});

test('ACLs, sizes, ages', () => {
  expect(parseAcl('world:anyone:rw,digest:a:b=:a')).toEqual([
    { scheme: 'world', id: 'anyone', perms: 3 },
    { scheme: 'digest', id: 'a:b=', perms: 16 },
  ]);
  expect([
    parseSize('10k', ''),
    parseSize('1M', ''),
    parseAge('2h', ''),
    parseAge('5ms', ''),
  ]).toEqual([10_240, 1_048_576, 7_200_000, 5]);
  expect([0, 1023, 1536, 10 * 1024 * 1024].map(sizeText)).toEqual([
    '0 B',
    '1023 B',
    '1.5 KB',
    '10 MB',
  ]);
});

test('what a terminal would obey is shown, not sent', () => {
  expect(printable('a\u001b[2Jb\u009bc\n')).toBe('a\\x1b[2Jb\\x9bc\\x0a');
  expect(printable('a\nb\tc\r', true)).toBe('a\nb\tc\\x0d');
});

test('a hex dump has the layout of get -x', () => {
  expect(hexDump(Buffer.from('0123456789abcdefX\n'))).toBe(
    [
      '         +-------------------------------------------------+',
      '         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |',
      '+--------+-------------------------------------------------+----------------+',
      '|00000000| 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 |0123456789abcdef|',
      '|00000010| 58 0a                                           |X.              |',
      '+--------+-------------------------------------------------+----------------+',
    ].join('\n'),
  );
});

test('a time is written as Java writes a Date', () => {
  expect(javaDate(0)).toMatch(/^(?:Thu Jan 01|Wed Dec 31) \d\d:\d\d:\d\d \S+ (?:1970|1969)$/);
});

test('the walk goes element by element', () => {
  const paths = ['/', '/a', '/a/b', '/a/b/c', '/a-b', '/a.b', '/b'];
  expect([...paths].reverse().sort(comparePaths)).toEqual(paths);
  expect([isAtOrAbove('/a', '/a/b'), isAtOrAbove('/a', '/ab'), isAtOrAbove('/', '/x')]).toEqual([
    true,
    false,
    true,
  ]);
});
