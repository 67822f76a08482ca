// Files that are deleted under a running server: noticed within a tick, and nothing acknowledged is lost.

import { MemoryDisk } from '@zebu/storage';
import { memoryNetwork } from '@zebu/transport';
import { describe, expect, test } from 'vitest';
import type { ServerConfigOverrides } from '../src/config/server-config.ts';
import { type StartServerOptions, startServer, type ZebuServer } from '../src/index.ts';
import { create } from './support/asks.ts';
import { ManualTime } from './support/manual-time.ts';
import { RawClient } from './support/raw-client.ts';

const PORT = 2181;
const TICK_MS = 2000;
const DIRECTORY = '/data/version-2';
const DISK_STALLS = 20;

/** A server with its log and snapshots on a disk in memory. */
class Machine {
  readonly time = new ManualTime();
  readonly disk = new MemoryDisk({ schedule: (task) => this.time.afterTurn(task) });
  readonly logged: string[] = [];
  failure: Error | undefined;
  private network = memoryNetwork({ schedule: (task) => this.time.afterTurn(task) });

  async start(config: ServerConfigOverrides = {}): Promise<ZebuServer> {
    this.network = memoryNetwork({ schedule: (task) => this.time.afterTurn(task) });
    this.failure = undefined;
    const log = (message: string, fields?: object) =>
      void this.logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
    const options: StartServerOptions = {
      port: PORT,
      dataDir: '/data',
      tickTimeMs: TICK_MS,
      ...config,
      environment: {
        clock: this.time,
        scheduler: this.time,
        network: this.network,
        disk: this.disk,
        logger: { debugEnabled: false, debug() {}, info: log, warn: log, error: log },
        random: () => 0.5,
      },
    };
    const server = await this.settled(startServer(options));
    void server.failed.then((error) => {
      this.failure = error;
    });
    return server;
  }

  client(): RawClient {
    const client = new RawClient(this.network, PORT, () => this.time.run()).connect();
    this.time.run();
    return client;
  }

  /** Half a tick, and what it brings. */
  async halfTick(): Promise<void> {
    this.time.advance(TICK_MS / 2);
    for (let i = 0; i < DISK_STALLS; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      this.time.run();
    }
  }

  async settled<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const end = () => {
      isSettled = true;
    };
    promise.then(end, end);
    while (!isSettled) {
      this.time.run();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return await promise;
  }

  /** Ascending by zxid. */
  files(prefix = ''): string[] {
    const zxid = (name: string) => Number.parseInt(name.split('.')[1] ?? '', 16);
    const names = this.disk.list(DIRECTORY).filter((name) => name.startsWith(prefix));
    return names.sort((a, b) => zxid(a) - zxid(b));
  }

  delete(...names: string[]): void {
    for (const name of names) this.disk.unlink(`${DIRECTORY}/${name}`);
  }
}

async function withZnodes(count: number, config: ServerConfigOverrides = {}) {
  const machine = new Machine();
  const server = await machine.start(config);
  const client = machine.client();
  for (let i = 0; i < count; i++) client.must(create(`/n${i}`));
  return { machine, server, client };
}

describe('a running server whose files are deleted', () => {
  test('stops within a tick when it is the log it writes to, and keeps what it acknowledged', async () => {
    const { machine, server, client } = await withZnodes(8);
    machine.delete('log.1');
    client.must(create('/into-the-deleted-log'));
    await machine.halfTick();
    expect(machine.failure?.message).toBe(
      `The data directory failed: ${DIRECTORY}/log.1 was deleted or replaced while the server was running`,
    );
    expect(machine.logged.join('\n')).toContain('log.1 was deleted');
    expect(client.isClosed).toBe(true);
    await machine.settled(server.close());
    expect(machine.files('snapshot.')).toEqual(['snapshot.0', 'snapshot.a']);

    const again = await machine.start();
    expect(again.lastZxid).toBe(10);
    const other = machine.client();
    expect(other.errorOf(create('/into-the-deleted-log'))).toBe('NODEEXISTS');
  });

  test.each(['EMFILE', 'ENFILE'])('serves on when it cannot look (%s)', async (code) => {
    const { machine, client } = await withZnodes(8);
    const { list } = machine.disk;
    machine.disk.list = () => {
      throw Object.assign(new Error(`${code}: too many open files`), { code });
    };
    await machine.halfTick();
    expect(machine.failure).toBe(undefined);
    expect(machine.logged.join('\n')).toContain('could not be looked at');
    machine.disk.list = list;
    client.must(create('/after'));
    machine.delete('log.1');
    await machine.halfTick();
    expect(machine.failure?.message).toContain('log.1 was deleted');
  });

  test('stops when another file has the name of the log', async () => {
    const { machine } = await withZnodes(8);
    const copy = machine.disk.readFile(`${DIRECTORY}/log.1`);
    machine.delete('log.1');
    machine.disk.writeFile(`${DIRECTORY}/log.1`, copy);
    await machine.halfTick();
    expect(machine.failure?.message).toContain('log.1 was deleted or replaced');
  });

  test('stops when all of them are, though it has written nothing since its start', async () => {
    const { machine, server } = await withZnodes(8);
    await machine.settled(server.close());
    const idle = await machine.start();
    machine.delete(...machine.files());
    await machine.halfTick();
    expect(machine.failure?.message).toContain('snapshot.0 was deleted');
    await machine.settled(idle.close());
    expect(machine.files()).toEqual(['snapshot.9']);
    expect((await machine.start()).znodeCount).toBe(server.znodeCount);
  });

  test('stops when it is an older log that a restart needs', async () => {
    const { machine, server } = await withZnodes(8);
    await machine.settled(server.close());
    await machine.start();
    machine.client().must(create('/in-the-next-log'));
    machine.delete('log.1');
    await machine.halfTick();
    expect(machine.failure?.message).toContain('log.1 was deleted');
  });

  test('stops when the directory is, and writes nothing to the one that has its name', async () => {
    const { machine } = await withZnodes(8);
    const disk = machine.disk as { identity(path: string): string | undefined };
    disk.identity = () => 'another';
    const before = machine.files();
    await machine.halfTick();
    expect(machine.failure?.message).toContain(
      `Data directory ${DIRECTORY} was removed or replaced`,
    );
    expect(machine.files()).toEqual(before);
  });

  test('serves on when a newer snapshot holds all that was in them', async () => {
    const { machine, server, client } = await withZnodes(60, { snapCount: 20 });
    await machine.halfTick();
    const snapshots = machine.files('snapshot.');
    const logs = machine.files('log.');
    expect(snapshots.length).toBeGreaterThan(2);
    // The log before the newest one may hold a txn that was applied after the snapshot began.
    machine.delete(...snapshots.slice(0, -1), ...logs.slice(0, -2));
    await machine.halfTick();
    client.must(create('/more'));
    expect(machine.failure).toBe(undefined);
    expect(server.lastZxid).toBe(62);
  });

  test('serves on while its own purge deletes them', async () => {
    const { machine, client } = await withZnodes(120, {
      snapCount: 10,
      autopurgePurgeIntervalMs: TICK_MS,
    });
    const before = machine.files().length;
    await machine.halfTick();
    await machine.halfTick();
    await machine.halfTick();
    expect(machine.files().length).toBeLessThan(before);
    client.must(create('/more'));
    expect(machine.failure).toBe(undefined);
  });
});
