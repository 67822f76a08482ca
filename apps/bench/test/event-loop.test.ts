// A fixed workload on a zebu server in a process of its own, and what its event loop says of it. Replies are
// counted and judged; times are only printed, for a test must not depend on what else the machine does.
// `bench/bounded.ts` judges them.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { startServer, whyNot } from '../../../bench/servers.ts';
import { ClosedLoop, type RequestSource } from '../src/closed-loop.ts';
import { Crowd } from '../src/crowd.ts';
import { DataSet } from '../src/data-set.ts';
import { openConnections } from '../src/raw-connection.ts';
import { Requests } from '../src/requests.ts';
import { createWorkload } from '../src/workloads.ts';

const KEYS = 20_000;
const REQUESTS = 100_000;
const CLIENTS = 100;

const directory = mkdtempSync(join(tmpdir(), 'zebu-event-loop-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it.skipIf(whyNot('zebu') !== undefined)(
  'every request of a fixed load is answered; the longest pauses are printed',
  { timeout: 120_000 },
  async () => {
    const server = await startServer('zebu', {
      dataDir: join(directory, 'data'),
      isMonitored: true,
    });
    try {
      const { target, address } = server;
      const { scratch } = target;
      const pause = async (what: string) => {
        const { longestPauseMs, longestBusyMs, longestGcMs } = await server.loop();
        const [wall, busy, gc] = [longestPauseMs, longestBusyMs, longestGcMs].map((ms) =>
          ms.toFixed(1),
        );
        console.log(`${what}: longest pause ${wall} ms, of CPU ${busy} ms, of collection ${gc} ms`);
      };
      await pause('start');
      const shape = { path: '/event-loop', keys: KEYS, size: 100, children: 1, operations: 1 };
      const mixed = await createWorkload('70', shape).prepare(target);
      await pause(`${KEYS} creates`);

      let asked = 0;
      const source: RequestSource = {
        kinds: mixed.kinds,
        next: (writer, xid) => (asked++ < REQUESTS ? mixed.next(writer, xid) : -1),
      };
      const connections = await openConnections([address], 64, { scratch });
      const loop = new ClosedLoop({ connections, window: 4, source, scratch });
      loop.start();
      await loop.finished();
      expect(loop.answered).toBe(REQUESTS);
      expect(loop.errorText()).toBe('');
      await pause(`${REQUESTS} gets and sets, 70/30`);

      const znodes = new DataSet({ base: '/event-loop/keys', keys: KEYS, size: 100 });
      const requests = new Requests();
      const clients = await openConnections([address], CLIENTS, { scratch });
      const crowd = new Crowd(clients);
      const share = KEYS / CLIENTS;
      await crowd.expect('reply', () => {
        for (const [index, client] of clients.entries()) {
          const paths = Array.from({ length: share }, (_, key) => znodes.path(index * share + key));
          requests.setWatches(client, Number.MAX_SAFE_INTEGER, paths);
        }
      });
      await pause(`${CLIENTS} clients arm ${KEYS} watches at once`);

      const [writer] = connections as [(typeof connections)[0]];
      await crowd.expect('event', () => {
        for (let index = 0; index < CLIENTS; index++) {
          requests.set(writer, znodes.path(index * share), new Uint8Array(1));
        }
      });
      await pause(`a change for each of ${CLIENTS} clients`);
      await Promise.all([...connections, ...clients].map((connection) => connection.close()));
      await pause('all of them leave');
    } finally {
      await server.stop();
    }
  },
);
