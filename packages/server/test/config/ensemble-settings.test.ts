// zoo.cfg of a member of an ensemble.

import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/config.ts';
import { ConfigError } from '../../src/config/config-error.ts';

const THREE = 'server.1=a:2888:3888\nserver.2=b:2888:3888;0.0.0.0:2182\nserver.3=[::1]:2888:3888';

function parse(lines: string, files: Record<string, string> = { '/d/myid': '2\n' }) {
  const all: Record<string, string> = { z: `dataDir=/d\n${lines}`, ...files };
  return parseConfig({
    argv: ['z'],
    env: {},
    cwd: '/here',
    readFile: (path) => {
      const content = all[path.replace('/here/', '')] ?? all[path];
      if (content === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
      return content;
    },
  });
}

function errorOf(lines: string, files?: Record<string, string>): string {
  try {
    parse(lines, files);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
  }
  throw new Error('no ConfigError');
}

describe('several server.N lines are an ensemble', () => {
  test('with the members, the limits and the id that myid names', () => {
    const { config } = parse(`${THREE}\ninitLimit=10\nsyncLimit=5\nleaderServes=no`);
    expect(config.serverId).toBe(2);
    expect(config.clientPort).toBe(2182);
    expect(config.commitLogCount).toBe(500);
    expect(config.ensemble).toMatchObject({
      sid: 2,
      initLimitTicks: 10,
      syncLimitTicks: 5,
      connectLimitTicks: 0,
      leaderServes: false,
      members: [
        {
          sid: 1,
          role: 'participant',
          addresses: [{ host: 'a', quorumPort: 2888, electionPort: 3888 }],
          clientAddress: undefined,
        },
        { sid: 2, clientAddress: { host: '0.0.0.0', port: 2182 } },
        { sid: 3, addresses: [{ host: '::1', quorumPort: 2888, electionPort: 3888 }] },
      ],
    });
  });

  test('an observer is one by its line', () => {
    const lines = `${THREE}\nserver.4=d:1:2:observer\ninitLimit=10\nsyncLimit=5\nclientPort=5`;
    const { config } = parse(lines, { '/d/myid': '4' });
    expect(config.ensemble?.members.find(({ sid }) => sid === 4)?.role).toBe('observer');
  });

  test('commitLogCount has a floor of 500', () => {
    const { config } = parse(`${THREE}\ninitLimit=10\nsyncLimit=5\ncommitLogCount=7`);
    expect(config.commitLogCount).toBe(500);
  });

  test('an even number of voters is warned of', () => {
    const { notes } = parse('server.1=a:1:2\nserver.2=b:1:2;5\ninitLimit=1\nsyncLimit=1');
    expect(notes.map(({ message }) => message).join()).toContain('2 members vote: no more of them');
  });

  test('a server on its own says that its limits have no effect', () => {
    const { config, notes } = parse('clientPort=1\ninitLimit=7');
    expect(config.ensemble).toBe(undefined);
    expect(notes.map(({ message }) => message).join()).toContain('Without effect: initLimit');
  });

  test.each<[string, string, Record<string, string> | undefined]>([
    ['myid is missing', '/d/myid is missing', {}],
    [
      'myid names nobody',
      '/d/myid says 9, which is none of the server.N lines: 1, 2, 3',
      { '/d/myid': '9' },
    ],
  ])('%s', (_, message, files) => {
    expect(errorOf(`${THREE}\ninitLimit=10\nsyncLimit=5\nclientPort=1`, files)).toContain(message);
  });

  test.each([
    ['syncLimit=5', 'initLimit is not set'],
    ['initLimit=10\nsyncLimit=0', 'syncLimit is 0'],
    ['initLimit=10\nsyncLimit=5\nreconfigEnabled=true', 'reconfigEnabled: "true"'],
    ['initLimit=10\nsyncLimit=5\nobserverMasterPort=2191', 'observerMasterPort: "2191"'],
    ['initLimit=10\nsyncLimit=5\nlocalSessionsEnabled=true', 'localSessionsEnabled: "true"'],
    ['initLimit=10\nsyncLimit=5\nelectionAlg=1', 'electionAlg: "1"'],
    ['initLimit=10\nsyncLimit=5\nsslQuorum=true', 'sslQuorum: "true"'],
    ['initLimit=10\nsyncLimit=5\nquorum.auth.enableSasl=true', 'quorum.auth.enableSasl: "true"'],
    ['initLimit=10\nsyncLimit=5\ngroup.1=1:2:3', 'group.1: "1:2:3"'],
    ['initLimit=10\nsyncLimit=5\nreadonlymode.enabled=true', 'readonlymode.enabled: "true"'],
  ])('%j stops the start', (lines, message) => {
    expect(errorOf(`${THREE}\n${lines}`)).toContain(message);
  });

  test.each([
    ['multiAddress.enabled=true', 'multiAddress.enabled: "true"'],
    [
      'server.4=d:1:2|e:1:2',
      'server.4: "d:1:2|e:1:2" (z:7): 2 addresses of one member need multiAddress.enabled',
    ],
  ])('several addresses of a member stop the start: %s', (lines, message) => {
    const error = errorOf(`${THREE}\ninitLimit=10\nsyncLimit=5\n${lines}`);
    expect(error).toContain(message);
    expect(error).toContain('this version does not have');
  });

  test.each([
    ['server.3=c:1:2', 'server.3=c:1:2 (z:5): the same member is server.3=[::1]:2888:3888 (z:4)'],
    ['server.03=c:1:2', 'server.03=c:1:2 (z:5): the same member is server.3=[::1]:2888:3888 (z:4)'],
  ])(
    'a member that is there twice stops the start, and both lines are named: %s',
    (line, message) => {
      expect(errorOf(`${THREE}\n${line}\ninitLimit=10\nsyncLimit=5`)).toContain(message);
    },
  );

  test('a member that is there twice in the dynamic file, too', () => {
    const files = { '/d/myid': '1', '/here/dyn': 'server.1=a:1:2\nserver.2=b:1:2\nserver.1=c:1:2' };
    expect(errorOf('dynamicConfigFile=dyn\ninitLimit=1\nsyncLimit=1', files)).toContain(
      'server.1=c:1:2 (/here/dyn:3): the same member is server.1=a:1:2 (/here/dyn:1)',
    );
  });

  test.each([
    [
      'clientPort=2888',
      'clientPort 2888 (z:6) is the quorum port of this member too: server.1=a:2888:3888 (z:2)',
    ],
    ['clientPort=3888', 'clientPort 3888 (z:6) is the election port of this member too'],
    [
      'clientPort=1\nsecureClientPort=3888',
      'secureClientPort 3888 (z:7) is the election port of this',
    ],
    ['clientPort=3888\nclientPortAddress=a', 'is the election port of this member too'],
    [
      'clientPort=3888\nclientPortAddress=x\nquorumListenOnAllIPs=true',
      'is the election port of this',
    ],
  ])(
    'a port for clients that the member has for the others stops the start: %j',
    (lines, message) => {
      const members = 'server.1=a:2888:3888\nserver.2=b:2888:3888\ninitLimit=1\nsyncLimit=1';
      expect(errorOf(`${members}\n${lines}`, { '/d/myid': '1' })).toContain(message);
    },
  );

  test('a port for clients in the line of the member, too', () => {
    const members = 'server.1=a:2888:3888;2888\nserver.2=b:2888:3888\ninitLimit=1\nsyncLimit=1';
    expect(errorOf(members, { '/d/myid': '1' })).toContain(
      'The client port of server.1 2888 (z:2) is the quorum port of this member too',
    );
    // On another address it is another port; and the ports of other members are theirs.
    expect(parse(members.replace(';2888', ';x:2888'), { '/d/myid': '1' }).config.clientPort).toBe(
      2888,
    );
    expect(
      parse(`${members}\nclientPort=3888\nclientPortAddress=y`, { '/d/myid': '2' }).config
        .clientPort,
    ).toBe(3888);
  });

  test('of several things that are wrong all are named at once', () => {
    const error = errorOf(`${THREE}\nreconfigEnabled=true\nclientPort=2888`, {});
    const wrong = [
      'reconfigEnabled: "true"',
      'initLimit is not set',
      'syncLimit is not set',
      '/d/myid is missing',
    ];
    for (const one of wrong) expect(error).toContain(one);
    expect(error.split('\n')).toHaveLength(wrong.length);
  });

  test('two members with one address stop the start', () => {
    const lines = 'server.1=a:1:2\nserver.2=b:1:2\nserver.3=a:3:2;5\ninitLimit=1\nsyncLimit=1';
    expect(errorOf(lines)).toContain('a:2 is a port of server.1 too');
  });

  test('one port for quorum and election stops the start', () => {
    expect(errorOf('server.1=a:1:1\nserver.2=b:1:2;5\ninitLimit=1\nsyncLimit=1')).toContain(
      'are both 1',
    );
  });
});
