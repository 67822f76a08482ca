import { describe, expect, test } from 'vitest';
import { parsePort, splitHostAndPorts } from '../src/host-and-port.ts';
import {
  formatHostAndPort,
  isWildcardAddress,
  MarshallingError,
  parseHostAndPort,
} from '../src/index.ts';

test.each([
  ['host:1:2', ['host', '1', '2']],
  ['host', ['host']],
  ['host:', ['host']],
  ['host::', ['host']],
  [':1', ['', '1']],
  ['a::b', ['a', '', 'b']],
  ['', ['']],
  [':', []],
  ['[::1]:1:2', ['::1', '1', '2']],
  ['[::1]', ['::1']],
  ['[::1]:1:', ['::1', '1']],
  ['a[::1]:1', ['a[', '', '1]', '1']],
])('%j is split into %j', (text, parts) => {
  expect(splitHostAndPorts(text)).toEqual(parts);
});

test('a refusal says what is wrong, and shows 100 characters at most', () => {
  const refusal = (message: string): MarshallingError => new MarshallingError(message);
  expect(() => splitHostAndPorts('[::1')).toThrow(refusal('"[::1" has no "]"'));
  expect(() => splitHostAndPorts('[::1]:')).toThrow(
    refusal('"[::1]:" has no port after its colon'),
  );
  for (const text of ['host', ':1', 'a:1:2', '[::1]', '']) {
    expect(() => parseHostAndPort(text)).toThrow(refusal(`Badly formed address "${text}"`));
  }
  expect(() => parsePort('1'.repeat(100))).toThrow(refusal(`Bad port number "${'1'.repeat(100)}"`));
  expect(() => parsePort('1'.repeat(101))).toThrow(
    refusal(`Bad port number "${'1'.repeat(100)}..."`),
  );
});

describe('ports', () => {
  test.each([
    ['0', 0],
    ['-0', 0],
    ['+1', 1],
    ['65535', 65_535],
    ['0000065535', 65_535],
  ])('%s is %i', (text, port) => {
    expect(parsePort(text)).toBe(port);
  });

  test.each(['', '-1', '65536', '00000000001', '1e3', '0x1', ' 1', '1 ', 'a1', '1a', '+-1', '1.0'])(
    '%j is none',
    (text) => {
      expect(() => parsePort(text)).toThrow(MarshallingError);
    },
  );
});

test.each([
  [{ host: 'zk-1.example', port: 2181 }, 'zk-1.example:2181'],
  [{ host: '::1', port: 2181 }, '[::1]:2181'],
])('%j is written %s, and read again', (address, text) => {
  expect(formatHostAndPort(address)).toBe(text);
  expect(parseHostAndPort(text)).toEqual(address);
});

test.each([
  ['0', true],
  ['00', true],
  ['0.0.0.0', true],
  ['0.0.0.0.0', false],
  ['10.0.0.0', false],
  ['0.0.0.01', false],
  ['0.0.0.', false],
  ['0..0', false],
  ['0x0', false],
  ['0.00', true],
  ['::', true],
  ['0:0::0', true],
  ['a::', false],
  ['::a', false],
  ['', false],
])('%j is an address of nobody: %s', (host, isWildcard) => {
  expect(isWildcardAddress(host)).toBe(isWildcard);
});
