import { type NetworkHarness, networkCases, peerLinkCases } from '@zebu/transport/compliance';
import { describe, expect, test } from 'vitest';
import { Prng } from '../src/prng.ts';
import { SimScheduler } from '../src/scheduler.ts';
import { SimNetwork } from '../src/sim-network.ts';
import { SimProcess } from '../src/sim-process.ts';

function harness(seed: number): NetworkHarness {
  const scheduler = new SimScheduler();
  const network = new SimNetwork({ prng: new Prng(seed) });
  const turn = async (): Promise<boolean> => {
    await Promise.resolve();
    return scheduler.step();
  };
  return {
    network: network.host('127.0.0.1', new SimProcess(scheduler, 'both')),
    host: '127.0.0.1',
    until: async (condition) => {
      for (let idle = 0; !condition(); ) {
        idle = (await turn()) ? 0 : idle + 1;
        if (idle > 10) throw new Error('Nothing happens any more, and it did not come to hold');
      }
    },
    settle: async () => {
      while (await turn());
    },
  };
}

describe('keeps the contract of a network', () => {
  test.each(networkCases)('$name', ({ run }) => run(harness(1)));
  test.each(peerLinkCases)('links: $name', ({ run }) => run(harness(2)));
});

describe('faults', () => {
  const setUp = () => {
    const scheduler = new SimScheduler();
    const network = new SimNetwork({ prng: new Prng(3) });
    const log: string[] = [];
    const recorder = (name: string) => ({
      connected: () => log.push(`${name} connected`),
      data: (bytes: Buffer, start: number, end: number) =>
        log.push(`${name} got ${bytes.toString('latin1', start, end)}`),
      drained: () => {},
      closed: (reason?: Error) =>
        log.push(`${name} closed ${(reason as { code?: string } | undefined)?.code ?? 'orderly'}`),
    });
    const server = new SimProcess(scheduler, 'server');
    const client = new SimProcess(scheduler, 'client');
    void network.host('10.0.0.1', server).listen({ port: 1 }, () => recorder('server'));
    const dialled = network
      .host('10.0.0.2', client)
      .dial({ host: '10.0.0.1', port: 1 }, recorder('client'));
    const send = (text: string) => dialled.write(Buffer.from(text), 0, text.length);
    return { scheduler, network, server, log, dialled, send };
  };

  test('what two hosts send while they are cut off arrives once they are not', () => {
    const { scheduler, network, log, send } = setUp();
    scheduler.run(10);
    network.cut('10.0.0.1', '10.0.0.2');
    send('a');
    scheduler.run(5_000);
    expect(log).toEqual(['client connected']);
    network.heal();
    scheduler.run(5_010);
    expect(log).toEqual(['client connected', 'server got a']);
  });

  test('an end that closed while it was cut off is heard of once it is not', () => {
    const { scheduler, network, log, dialled } = setUp();
    scheduler.run(10);
    network.cutOneWay('10.0.0.2', '10.0.0.1');
    dialled.destroy();
    scheduler.run(5_000);
    expect(log).toEqual(['client connected', 'client closed orderly']);
    network.heal();
    scheduler.run(5_010);
    expect(log.at(-1)).toBe('server closed orderly');
  });

  test('a reset drops what is under way, and both ends are told', () => {
    const { scheduler, network, log, send } = setUp();
    scheduler.run(10);
    send('a');
    for (const connection of [...network.connections]) network.reset(connection);
    scheduler.run(20);
    expect(log.sort()).toEqual([
      'client closed CONNECTION_RESET',
      'client connected',
      'server closed CONNECTION_RESET',
    ]);
  });

  test('a process that crashes is told nothing, its peers are reset, its port is free', () => {
    const { scheduler, network, server, log } = setUp();
    scheduler.run(10);
    server.kill();
    network.crash(server);
    scheduler.run(20);
    expect(log).toEqual(['client connected', 'client closed CONNECTION_RESET']);
    expect(network.listenerAt('10.0.0.1', 1)).toBeUndefined();
  });
});
