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
  ['2001:db8::a', [['2001:db8::a', 2181]], '', false],
  [
    'a:1/app,b:2/app',
    [
      ['a', 1],
      ['b', 2],
    ],
    '/app',
    false,
  ],
  [
    'a/,b/',
    [
      ['a', 2181],
      ['b', 2181],
    ],
    '',
    false,
  ],
  ['bücher.example:1', [['bücher.example', 1]], '', false],
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

test.each([
  ['', /it names no server/],
  ['127.0.0.1:abc', /"127\.0\.0\.1:abc" is not host:port: "abc" is no port/],
  ['a:0', /"0" is no port, allowed are 1\.\.65535/],
  ['a:65536', /no port/],
  ['a:', /"" is no port/],
  [':2181', /"" is no host name \(in ":2181"\)/],
  ['a b', /"a b" is no host name/],
  ['300.1.1.1', /"300\.1\.1\.1" is no IPv4 address/],
  ['::1:2181', /could end in a port: write \[::1\]:2181, or \[::1:2181\]:2181/],
  ['tls://::1:5', /write \[::1\]:5, or \[::1:5\]:2281/],
  ['a:b:c', /"a:b:c" is not host:port/],
  ['[nobody]:1', /"nobody" is no IPv6 address/],
  ['[::1]2181', /no host name|not host:port/],
  ['a:1/app,b:2/other', /different chroots: \/app and \/other/],
  ['a:1/app,b:2', /a chroot stands once, at the end, or after each server/],
  ['a:1,b:2/x,y', /a chroot stands once/],
  ['a//x', /chroot \/\/x/],
  ['http://a', /scheme http is none of tcp, tls, srv/],
  ['srv://', /srv:\/\/ takes one name/],
  ['srv://a,b', /srv:\/\/ takes one name/],
  ['srv://a:2181', /"a:2181" is no name of SRV records, which have no port/],
])('%j is refused with the reason', (text, reason) => {
  expect(() => parseConnectString(text)).toThrow(reason);
  expect(() => parseConnectString(text)).toThrow(
    expect.objectContaining({ code: 'BAD_ARGUMENTS', outcome: 'not-sent' }),
  );
});

test('srv:// holds a name, and a chroot', () => {
  expect(parseConnectString('srv://_zookeeper._tcp.example.com/app')).toEqual({
    hosts: [],
    srv: '_zookeeper._tcp.example.com',
    chroot: '/app',
    isTls: false,
  });
});
