import { describe, expect, it } from 'vitest';
import { parseCommandLine, UsageError } from '../src/command-line.ts';

describe('parseCommandLine', () => {
  it('fills in the defaults', () => {
    expect(parseCommandLine(['get'])).toMatchObject({
      command: 'get',
      servers: [{ addresses: [{ host: '127.0.0.1', port: 2181 }], pids: undefined }],
      connections: [64],
      windows: [1, 16],
      rounds: 3,
      path: '/zebu-bench',
      keys: 1000,
      size: 128,
    });
  });

  it('takes two servers, ensembles, pids and lists', () => {
    const settings = parseCommandLine(
      '70 --server a:1,[::1]:2 --pid 5,6 --vs b:3 --vs-label apache --connections 1,1_000'.split(
        ' ',
      ),
    );
    expect(settings.servers).toEqual([
      {
        addresses: [
          { host: 'a', port: 1 },
          { host: '::1', port: 2 },
        ],
        pids: [5, 6],
        label: 'a:1,[::1]:2',
      },
      { addresses: [{ host: 'b', port: 3 }], pids: undefined, label: 'apache' },
    ]);
    expect(settings.connections).toEqual([1, 1000]);
  });

  it.each([
    '',
    'gets',
    'suite --connections 3',
    'suite --window=2',
    '101',
    'get set',
    'get --nonsense',
    'get --server nowhere',
    'get --server a:70000',
    'get --window 0',
    'get --keys 1.5',
    'get --seconds x',
    'get --pid x',
    'get --path /zookeeper/x',
    'get --path /',
    'get --server a:1 --vs a:1',
  ])('refuses %j', (line) => {
    expect(() => parseCommandLine(line.split(' ').filter(Boolean))).toThrow(UsageError);
  });
});
