import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { activityOf } from '../src/activity.ts';
import { parseConfig, startServer } from '../src/index.ts';
import type { ConnectionFacts } from '../src/words/four-letter.ts';

test('the connections with the most outstanding requests are told, the most first', () => {
  const connections = Array.from({ length: 100 }, (_, i) => ({
    remoteAddress: '::1',
    remotePort: i,
    sessionHigh: i === 99 ? 0 : -1,
    sessionLow: i === 99 ? 0 : i,
    outstanding: i,
    lastOp: 'SETD',
  })) as unknown as ConnectionFacts[];
  const facts = {
    mode: 'standalone',
    lastZxid: 0x100000002,
    connectionCount: 100,
    outstandingRequests: 4950,
    connections,
  };
  const { waiting, ...rest } = activityOf(facts);
  expect(rest).toEqual({
    mode: 'standalone',
    zxid: '0x100000002',
    connections: 100,
    outstandingRequests: 4950,
  });
  expect(waiting.map(({ outstanding }) => outstanding)).toEqual(
    Array.from({ length: 20 }, (_, i) => 99 - i),
  );
  expect(waiting.slice(0, 2)).toEqual([
    { client: '::1:99', session: undefined, outstanding: 99, lastOp: 'SETD' },
    { client: '::1:98', session: '0xffffffff00000062', outstanding: 98, lastOp: 'SETD' },
  ]);
});

test('a connection that waits for nothing is left out', () => {
  const facts = {
    mode: 'standalone',
    lastZxid: 0,
    connectionCount: 1,
    outstandingRequests: 0,
    connections: [{ outstanding: 0 } as ConnectionFacts],
  };
  expect(activityOf(facts).waiting).toEqual([]);
});

test('a member of an ensemble that serves nobody yet tells what it does, too', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'zebu-activity-'));
  try {
    writeFileSync(join(dataDir, 'myid'), '1\n');
    const [clientPort, ...ports] = await freePorts(7);
    const members = [1, 2, 3].map(
      (sid) => `server.${sid}=127.0.0.1:${ports[2 * sid - 2]}:${ports[2 * sid - 1]}\n`,
    );
    const zoo = `dataDir=${dataDir}\nclientPort=${clientPort}\nclientPortAddress=127.0.0.1\ninitLimit=5\nsyncLimit=2\n${members.join('')}`;
    const readFile = (path: string) => (path === 'zoo.cfg' ? zoo : readFileSync(path));
    const { config } = parseConfig({ argv: ['zoo.cfg'], env: {}, cwd: '/', readFile });
    await using server = await startServer({ ...config });
    expect(server.activity()).toMatchObject({ mode: 'looking', connections: 0, waiting: [] });
  } finally {
    rmSync(dataDir, { recursive: true });
  }
});

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
