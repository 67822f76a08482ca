import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { parseConfig, probeStart } from '../src/index.ts';

test('the ports of a member are tried, and a client port is not asked of it', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const files: Record<string, string> = {
    'zoo.cfg': `dataDir=/nowhere\ninitLimit=5\nsyncLimit=2\nserver.1=127.0.0.1:${port}:0\nserver.2=127.0.0.2:1:2\nserver.3=127.0.0.3:1:2\n`,
    '/nowhere/myid': '1',
  };
  const readFile = (path: string): string => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
    return text;
  };
  const { config } = parseConfig({ argv: ['zoo.cfg'], env: {}, cwd: '/', readFile });
  expect(config.clientPort).toBe(-1);
  const errors = await probeStart(config);
  taken.close();
  expect(errors.map(({ message }) => message)).toEqual([
    expect.stringMatching(
      `^Another process listens on 127.0.0.1:${port}: .*; see the line server.1, which is the same on every member$`,
    ),
  ]);
});
