import { expect, test } from 'vitest';
import { parseConfig } from '../src/ensemble-config.ts';

test('members and version are read', () => {
  const { members, version } = parseConfig(
    'server.1=a:2888:3888:participant;0.0.0.0:2181\nserver.12=b:2888:3888:observer\nversion=1000000a\n',
  );
  expect([...members]).toEqual([
    [1, 'a:2888:3888:participant;0.0.0.0:2181'],
    [12, 'b:2888:3888:observer'],
  ]);
  expect(version).toBe(0x1000000an);
  expect(JSON.stringify(parseConfig('server.1=a\nversion=1000000a'))).toBe(
    '{"members":{"1":"a"},"version":"1000000a"}',
  );
});

test('a standalone server has none', () => {
  expect(parseConfig('')).toEqual({ members: new Map(), version: -1n });
});
