import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { OpCode } from '@zebu/protocol';
import { describe, expect, it } from 'vitest';
import { clean, fill, measure } from '../src/bench.ts';
import { parseCommandLine } from '../src/command-line.ts';
import { PlainSession } from '../src/plain-session.ts';
import { floor } from './floor.ts';

const QUICK = '--seconds 0.1 --warm-up 0 --rounds 2 --keys 20 --children 10 --connections 3';

function settings(line: string) {
  return parseCommandLine(`${line} ${QUICK}`.split(' '));
}

async function rootOf(port: number) {
  const session = await PlainSession.open({ host: '127.0.0.1', port });
  const names = await session.children('/');
  await session.close();
  return names;
}

describe('measure', () => {
  it.each(['get', 'exists', 'set', 'create', 'mixed', 'children', 'connect'])(
    '%s gives figures for both servers in turn, and leaves nothing behind',
    async (command) => {
      await using first = await floor();
      await using second = await floor();
      const servers = `--server 127.0.0.1:${first.port} --vs 127.0.0.1:${second.port}`;
      const report = await measure(settings(`${command} ${servers}`), {
        command: '',
        onProgress: () => {},
      });
      expect(report.rows.length).toBe(command === 'connect' ? 1 : 2);
      for (const row of report.rows) {
        expect(row.sides).toHaveLength(2);
        for (const side of row.sides) {
          expect(side.rounds).toHaveLength(2);
          for (const { rate, errors, latency } of side.rounds) {
            expect(rate).toBeGreaterThan(0);
            expect(errors).toBe(0);
            for (const { p50Ms, maxMs } of Object.values(latency)) {
              expect(p50Ms).toBeGreaterThan(0);
              expect(maxMs).toBeGreaterThanOrEqual(p50Ms);
            }
          }
        }
      }
      expect(await rootOf(first.port)).toEqual([]);
      expect(await rootOf(second.port)).toEqual([]);
    },
  );

  it('fails with the error when every request fails', async () => {
    await using server = await floor();
    await expect(
      measure(settings(`multi --server 127.0.0.1:${server.port}`), {
        command: '',
        onProgress: () => {},
      }),
    ).rejects.toThrow('UNIMPLEMENTED');
    expect(await rootOf(server.port)).toEqual([]);
  });
});

it('measures until the first answer when the time is too short for one', async () => {
  await using server = await floor();
  await using slow = await delayed(server.port, 150);
  const report = await measure(settings(`get --server 127.0.0.1:${slow.port} --window 1`), {
    command: '',
    onProgress: () => {},
  });
  const rounds = report.rows[0]?.sides[0]?.rounds ?? [];
  expect(rounds).toHaveLength(2);
  for (const { rate } of rounds) expect(rate).toBeGreaterThan(0);
});

/** Every answer of the server on that port comes later, by so many milliseconds. */
async function delayed(port: number, ms: number) {
  const proxy = createServer((client) => {
    const server = connect({ port, host: '127.0.0.1' });
    client.pipe(server);
    server.on('data', (bytes) => setTimeout(() => client.write(bytes), ms));
    for (const socket of [client, server]) {
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        server.destroy();
      });
    }
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (proxy.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      proxy.close();
    },
  };
}

it('keeps what was measured when a server dies in the middle, and says why it ended', async () => {
  await using server = await floor();
  const rows: number[] = [];
  const report = await measure(settings(`get --server 127.0.0.1:${server.port} --window 1,2`), {
    command: '',
    onProgress: () => {},
    onRow: (soFar) => {
      rows.push(soFar.rows.length);
      process.kill(server.target.pids[0] as number, 'SIGKILL');
    },
  });
  expect(rows).toEqual([1]);
  expect(report.failure).toMatch(/ECONN|closed|lost|hang up|reset/);
  expect(report.rows).toHaveLength(1);
  expect(report.rows[0]?.sides[0]?.rounds).toHaveLength(2);
});

describe('fill and clean', () => {
  it('leave and take away as many znodes as asked', async () => {
    await using server = await floor();
    const filling = settings(`fill --server 127.0.0.1:${server.port}`);
    await fill(filling, () => {});
    const session = await PlainSession.open({ host: '127.0.0.1', port: server.port });
    expect(await session.children('/zebu-bench/keys/d0000')).toHaveLength(20);
    const { error } = await session.ask(OpCode.exists, (writer) => {
      writer.string('/zebu-bench/keys/d0000/k019');
      writer.bool(false);
    });
    expect(error).toBe(0);
    await session.close();
    await clean(filling, () => {});
    expect(await rootOf(server.port)).toEqual([]);
  });
});
