import { expect, test } from 'vitest';
import { parseConnectString } from '../src/connect-string.ts';

test.each([
  ['a', [['a', 2181]], '', false],
  [
    'a:1,b',
    [
      ['a', 1],
      ['b', 2181],
    ],
    '',
    false,
  ],
  [
    ' a:1 , b:2 ,',
    [
      ['a', 1],
      ['b', 2],
    ],
    '',
    false,
  ],
  ['a/app', [['a', 2181]], '/app', false],
  [
    'a:1,b:2/app/x',
    [
      ['a', 1],
      ['b', 2],
    ],
    '/app/x',
    false,
  ],
  ['a/', [['a', 2181]], '', false],
  [
    '[::1]:3,[fe80::1]',
    [
      ['::1', 3],
      ['fe80::1', 2181],
    ],
    '',
    false,
  ],
  ['::1', [['::1', 2181]], '', false],
  [
    'tls://a,b:5/app',
    [
      ['a', 2281],
      ['b', 5],
    ],
    '/app',
    true,
  ],
  ['tcp://a', [['a', 2181]], '', false],
])('%s', (text, hosts, chroot, isTls) => {
  const parsed = parseConnectString(text as string);
  expect(parsed.hosts.map(({ host, port }) => [host, port])).toEqual(hosts);
  expect([parsed.chroot, parsed.isTls]).toEqual([chroot, isTls]);
});
