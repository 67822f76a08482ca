import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  inHashMapOrder,
  isSameQuorumConfig,
  parseQuorumConfig,
  printQuorumConfig,
  type QuorumConfig,
  QuorumConfigError,
  type QuorumMember,
} from '../src/index.ts';

function member(sid: number, over: Partial<QuorumMember> = {}): QuorumMember {
  return {
    sid,
    addresses: [{ host: '127.0.0.1', quorumPort: 2888, electionPort: 3888 }],
    role: 'participant',
    clientAddress: { host: '0.0.0.0', port: 2181 },
    ...over,
  };
}

function config(...members: QuorumMember[]): QuorumConfig {
  return { version: 0, members, hierarchy: undefined };
}

describe('a config text', () => {
  test('is printed and parsed as Apache prints it', () => {
    const value: QuorumConfig = {
      version: 0x100000003,
      members: [
        member(1),
        member(2, { role: 'observer', clientAddress: undefined }),
        member(3, {
          addresses: [{ host: '::1', quorumPort: 1, electionPort: 2 }],
          clientAddress: { host: '::', port: 3 },
        }),
      ],
      hierarchy: undefined,
    };
    const text = [
      'server.1=127.0.0.1:2888:3888:participant;0.0.0.0:2181',
      'server.2=127.0.0.1:2888:3888:observer',
      'server.3=[0:0:0:0:0:0:0:1]:1:2:participant;[0:0:0:0:0:0:0:0]:3',
      'version=100000003',
    ].join('\n');
    expect(printQuorumConfig(value)).toBe(text);
    expect(printQuorumConfig(parseQuorumConfig(text))).toBe(text);
  });

  test('lists members as a HashMap of Java does', () => {
    expect(inHashMapOrder([3, 1, 2])).toEqual([1, 2, 3]);
    // 16 buckets for up to 12 keys, 32 for up to 24.
    expect(inHashMapOrder([20, 17, 5, 16])).toEqual([16, 17, 20, 5]);
    const thirteen = [20, ...Array.from({ length: 12 }, (_, i) => i + 1)];
    expect(inHashMapOrder(thirteen)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 20]);
    // The high bits of a hash are folded into its low ones, those of a long before that.
    expect(inHashMapOrder([3, 0x10001, 2 ** 32 + 6, 0x10003])).toEqual([
      0x10001,
      0x10003,
      3,
      2 ** 32 + 6,
    ]);
  });

  test.each([
    ['::1', '[0:0:0:0:0:0:0:1]'],
    ['2001:DB8::ff', '[2001:db8:0:0:0:0:0:ff]'],
    ['1:2:3:4:5:6:7:8', '[1:2:3:4:5:6:7:8]'],
    ['1:2:3:4:5:6:1.2.3.4', '[1:2:3:4:5:6:102:304]'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['fe80::1%eth0', '[fe80:0:0:0:0:0:0:1%eth0]'],
    ['127.1', '127.0.0.1'],
    ['0.0.0', '0.0.0.0'],
    ['2130706433', '127.0.0.1'],
    ['1.2.65535', '1.2.255.255'],
    ['10.0.0.300', '10.0.0.300'],
    ['256.1', '256.1'],
    ['10.0.0300', '10.0.1.44'],
    ['zk-1.example_net', 'zk-1.example_net'],
  ])('writes the host %s as %s', (host, printed) => {
    const text = printQuorumConfig(
      config(
        member(1, {
          addresses: [{ host, quorumPort: 1, electionPort: 2 }],
          clientAddress: undefined,
        }),
      ),
    );
    expect(text).toBe(`server.1=${printed}:1:2:participant\nversion=0`);
  });

  test('sorts several addresses by host', () => {
    const text = 'server.1=b:1:2|a:3:4:observer\nserver.2=c:1:2\n';
    expect(printQuorumConfig(parseQuorumConfig(text))).toBe(
      'server.1=a:3:4|b:1:2:observer\nserver.2=c:1:2:participant\nversion=0',
    );
  });

  test('names an address once that is said twice', () => {
    const text = 'server.1=[::1]:1:2|a:1:2|[0:0:0:0:0:0:0:1]:1:2';
    expect(printQuorumConfig(parseQuorumConfig(text))).toBe(
      'server.1=[0:0:0:0:0:0:0:1]:1:2|a:1:2:participant\nversion=0',
    );
  });

  test('takes what Java properties allow', () => {
    const text =
      '# a comment\n! another\n\nserver.1 : a:1:2\nserver.2=b:1:2: Observer ;2181\nserver.2=c:1:\\\n  2:OBSERVER;2181\nversion=+A';
    expect(parseQuorumConfig(text)).toEqual({
      version: 10,
      members: [
        member(1, {
          addresses: [{ host: 'a', quorumPort: 1, electionPort: 2 }],
          clientAddress: undefined,
        }),
        member(2, {
          addresses: [{ host: 'c', quorumPort: 1, electionPort: 2 }],
          role: 'observer',
          clientAddress: { host: '0.0.0.0', port: 2181 },
        }),
      ],
      hierarchy: undefined,
    });
  });

  test('of a hierarchical quorum has groups and the weight of every participant', () => {
    const text =
      'server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2:observer\ngroup.2=2\ngroup.1=1\nweight.2=0\n';
    const value = parseQuorumConfig(text);
    expect(value.hierarchy?.weights).toEqual(
      new Map([
        [2, 0],
        [1, 1],
      ]),
    );
    expect(printQuorumConfig(value)).toBe(
      [
        'server.1=a:1:2:participant',
        'server.2=b:1:2:participant',
        'server.3=c:1:2:observer',
        'group.1=1',
        'group.2=2',
        'weight.1=1',
        'weight.2=0',
        'version=0',
      ].join('\n'),
    );
  });

  test.each([
    ['an unknown key', 'server.1=a:1:2\nclientPort=2181', 2],
    ['a sid that is no number', 'server.x=a:1:2', 1],
    ['a negative sid', 'server.-1=a:1:2', 1],
    ['two ports of three', 'server.1=a:1', 1],
    ['five parts', 'server.1=a:1:2:observer:3', 1],
    ['a port that is no number', 'server.1=a:b:2', 1],
    ['a port over 65,535', 'server.1=a:1:65536', 1],
    ['the same port twice', 'server.1=a:1:1', 1],
    ['an unknown role', 'server.1=a:1:2:leader', 1],
    ['two roles', 'server.1=a:1:2:observer|b:1:2:participant\nserver.2=c:1:2', 1],
    ['a client port with a blank after it', 'server.1=a:1:2;2181 ', 1],
    ['a host with two pairs of ports', 'server.1=a:1:2|A:1:3\nserver.2=b:1:2', 1],
    ['the secure address of later versions', 'server.1=a:1:2:participant;2181;2281', 1],
    ['an empty client part before a secure one', 'server.1=a:1:2:participant;;2281', 1],
    ['an empty host', 'server.1=:1:2', 1],
    ['a host with a line end in it', 'server.1=a\\nb:1:2', 1],
    ['an open bracket', 'server.1=[::1:1:2', 1],
    ['a version that is not hexadecimal', 'server.1=a:1:2\nversion=g', 2],
    ['a version that a number cannot hold', 'server.1=a:1:2\nversion=7fffffffffffffff', 2],
    ['an escape that is none', 'server.1=a:1:2\\u12', 1],
    ['no participant', 'server.1=a:1:2:observer', undefined],
    ['nothing', '', undefined],
    ['a participant in no group', 'server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1', undefined],
    ['a server in two groups', 'server.1=a:1:2\ngroup.1=1\ngroup.2=1', undefined],
  ])('with %s is refused, with its line', (_, text, line) => {
    let error: unknown;
    try {
      parseQuorumConfig(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(QuorumConfigError);
    expect((error as QuorumConfigError).line).toBe(line);
  });

  test('any text is a config or a QuorumConfigError, and a config can be printed and parsed again', () => {
    const piece = fc.constantFrom(
      ...[
        'server.',
        'version',
        'group.',
        'weight.',
        '=',
        ':',
        ';',
        '|',
        '[',
        ']',
        '\\',
        '\n',
        '#',
        ' ',
      ],
      ...[
        '1',
        '2',
        '17',
        'a',
        '::1',
        'observer',
        'participant',
        '65536',
        '\\u0041',
        'server.1=a:1:2\n',
      ],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30, size: 'max' }), (pieces) => {
        let value: QuorumConfig;
        try {
          value = parseQuorumConfig(pieces.join(''));
        } catch (error) {
          if (error instanceof QuorumConfigError) return;
          throw error;
        }
        const text = printQuorumConfig(value);
        expect(printQuorumConfig(parseQuorumConfig(text))).toBe(text);
        expect(isSameQuorumConfig(parseQuorumConfig(text), value)).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });
});

test.each([
  ['no member', config()],
  ['no participant', config(member(1, { role: 'observer' }))],
  ['a member without an address', config(member(1, { addresses: [] }))],
  ['a negative sid', config(member(-1))],
  ['a version below zero', { ...config(member(1)), version: -1 }],
  ['a port over 65,535', config(member(1, { clientAddress: { host: 'a', port: 65_536 } }))],
  [
    'one port for both',
    config(member(1, { addresses: [{ host: 'a', quorumPort: 1, electionPort: 1 }] })),
  ],
  ['an empty host', config(member(1, { clientAddress: { host: '', port: 1 } }))],
  ['a host with a line end', config(member(1, { clientAddress: { host: 'a\nb', port: 1 } }))],
])('a config with %s is not printed: it would stop the receivers of Apache', (_, value) => {
  expect(() => printQuorumConfig(value)).toThrow(RangeError);
});

describe('two configs', () => {
  const base = config(member(1), member(2));
  test.each([
    ['of one version', { ...config(member(7)), version: 0 }, true],
    ['of the same members in another order', { ...config(member(2), member(1)), version: 5 }, true],
    ['of fewer members', { ...config(member(1)), version: 5 }, false],
    [
      'of another role',
      { ...config(member(1), member(2, { role: 'observer' })), version: 5 },
      false,
    ],
    [
      'of another client address',
      { ...config(member(1), member(2, { clientAddress: undefined })), version: 5 },
      false,
    ],
    [
      'of other weights',
      {
        ...base,
        version: 5,
        hierarchy: {
          groups: [{ gid: 1, sids: [1, 2] }],
          weights: new Map([
            [1, 1],
            [2, 1],
          ]),
        },
      },
      false,
    ],
  ])('%s: the same is %s', (_, other, same) => {
    expect(isSameQuorumConfig(base, other)).toBe(same);
  });
});
