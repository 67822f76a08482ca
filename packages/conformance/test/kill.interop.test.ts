// kill -9 of a server process under load, several times over. Writers on connections of their own note what
// was acknowledged. After each restart every acknowledged write is there with the zxid it was given, what
// was sent after it is there up to a point and then not at all, and nothing half-done is. Ephemerals of live
// sessions are still there; those of a session that no client attaches to again go when it expires, not before.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { startApache } from '../src/apache.ts';
import { OP } from '../src/differential/wire.ts';
import { fourLetterWord } from '../src/four-letter.ts';
import { mulberry32 } from '../src/load.ts';
import { body, Probe, readStat, type SessionKey, walkExactly } from '../src/probe.ts';
import type { ServerProcess } from '../src/server-process.ts';
import { hasTool } from '../src/tools.ts';
import { startZebu } from '../src/zebu.ts';
import { interopTest, isSelfTest, SUPER } from './support.ts';

const ROUNDS = 6;
const WRITERS = 4;
const SESSION_TIMEOUT_MS = 12_000;
const seed = Number(process.env.ZEBU_KILL_SEED ?? Date.now() % 100_000);

describe('kill -9 under load', () => {
  interopTest('loses no acknowledged write, and no ephemeral of a live session', [], 240_000, run);
});

/** What one writer sent and what was acknowledged; one create a step, /wN/nSTEP, then a set of /wN to STEP. */
interface Writer {
  session: SessionKey;
  name: string;
  sent: number;
  /** Zxid of the acknowledged create of each step, as the reply header had it. */
  acknowledged: Map<number, bigint>;
  lastSetAcknowledged: number;
  /** First step that a kill left in doubt in each round, and the last one sent then. */
  inDoubt: Array<{ from: number; to: number }>;
}

async function run(): Promise<void> {
  const random = mulberry32(seed);
  const home = mkdtempSync(join(tmpdir(), 'zebu-kill-'));
  const dataDir = join(home, 'data');
  const config = {
    tickTime: '600',
    snapCount: '2000',
    preAllocSize: '256',
    extendedTypesEnabled: 'true',
    'DigestAuthenticationProvider.superDigest': SUPER,
  };
  const start = () => (isSelfTest ? startApache : startZebu)({ dataDir, config });
  let server = await start();
  try {
    const writers: Writer[] = [];
    for (let n = 0; n < WRITERS; n++) writers.push(await makeWriter(server.port, n));
    let total = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const note = `seed ${seed}, round ${round}`;
      const loads = await Promise.all(writers.map((writer) => resume(server.port, writer, note)));
      const stopped = Promise.all(loads.map((load, n) => write(load, writers[n] as Writer)));
      await delay(150 + random() * 900);
      await server.stop('SIGKILL');
      await stopped;
      server = await start();
      for (const writer of writers) await verify(server.port, writer, note);
      total = writers.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0);
    }
    expect(total, 'there was a load at all').toBeGreaterThan(100);
    await expireOne(server, writers[0] as Writer);
    // Their ephemerals would go by the clock while the trees are read.
    for (const { session } of writers) await (await Probe.open(server.port, { session })).close();
    await compareWithApache(server, dataDir, config, async (next) => {
      server = next;
    });
  } finally {
    await server.stop('SIGKILL');
    rmSync(home, { recursive: true, force: true });
  }
}

async function makeWriter(port: number, n: number): Promise<Writer> {
  const probe = await Probe.open(port, { timeoutMs: SESSION_TIMEOUT_MS });
  const name = `/w${n}`;
  expect((await probe.ask(OP.create, body.create(name, Buffer.from('-1')))).err).toBe(0);
  expect((await probe.ask(OP.create, body.create(`${name}-alive`, null, 1))).err).toBe(0);
  probe.drop();
  return {
    session: probe.session,
    name,
    sent: 0,
    acknowledged: new Map(),
    lastSetAcknowledged: -1,
    inDoubt: [],
  };
}

async function resume(port: number, writer: Writer, note: string): Promise<Probe> {
  const probe = await Probe.open(port, { session: writer.session, timeoutMs: SESSION_TIMEOUT_MS });
  expect(probe.timeoutMs, `${note}: session of ${writer.name} is taken up`).toBe(
    SESSION_TIMEOUT_MS,
  );
  return probe;
}

/** Writes steps, 16 in flight, until the connection is lost. */
async function write(probe: Probe, writer: Writer): Promise<void> {
  const first = writer.sent;
  let isLost = false;
  const step = async (): Promise<void> => {
    while (!isLost) {
      const n = writer.sent++;
      const data = Buffer.alloc(100 + (n % 7) * 300, `${n} `);
      const created = probe.ask(OP.create, body.create(`${writer.name}/n${n}`, data));
      const set = probe.ask(
        OP.multi,
        // Both or neither: the marker and its znode.
        body.multi([
          [OP.setData, body.setData(writer.name, Buffer.from(String(n)))],
          [OP.create, body.create(`${writer.name}/m${n}`, null)],
        ]),
      );
      try {
        const { err, zxid } = await created;
        expect(err).toBe(0);
        writer.acknowledged.set(n, zxid);
        expect((await set).err).toBe(0);
        writer.lastSetAcknowledged = Math.max(writer.lastSetAcknowledged, n);
      } catch (error) {
        await set.catch(() => {});
        if ((error as Error).name !== 'ConnectionLost') throw error;
        isLost = true;
      }
    }
  };
  await Promise.all(Array.from({ length: 16 }, step));
  let from = first;
  while (writer.acknowledged.has(from)) from++;
  writer.inDoubt.push({ from, to: writer.sent });
}

async function verify(port: number, writer: Writer, note: string): Promise<void> {
  const probe = await resume(port, writer, note);
  const { name } = writer;
  const exists = async (path: string) => {
    const { err, body: answer } = await probe.ask(OP.exists, body.read(path));
    return err === 0 ? readStat(answer) : undefined;
  };
  expect(await exists(`${name}-alive`), `${note}: ephemeral of ${name}`).toBeDefined();

  const steps = Array.from({ length: writer.sent }, (_, n) => n);
  const stats = await Promise.all(steps.map((n) => exists(`${name}/n${n}`)));
  const lost = [...writer.acknowledged].filter(([n]) => stats[n] === undefined).map(([n]) => n);
  expect(lost, `${note}: acknowledged creates of ${name} that are gone`).toEqual([]);
  const moved = [...writer.acknowledged].filter(([n, zxid]) => stats[n]?.czxid !== zxid);
  expect(moved, `${note}: creates of ${name} under another zxid`).toEqual([]);

  // What was in doubt is there up to a point: requests of one session are carried out in order.
  const { from, to } = writer.inDoubt.at(-1) as { from: number; to: number };
  const tail = stats.slice(from, to).map((stat) => stat !== undefined);
  expect(
    tail.indexOf(false) === -1 || !tail.slice(tail.indexOf(false)).includes(true),
    `${note}: ${name} has holes in ${from} to ${to}: ${tail}`,
  ).toBe(true);
  const present = stats.flatMap((stat, n) => (stat === undefined ? [] : [n]));
  const zxids = present.map((n) => stats[n]?.czxid as bigint);
  expect(
    zxids.every((zxid, n) => n === 0 || zxid > (zxids[n - 1] as bigint)),
    `${note}: zxids of ${name} in order`,
  ).toBe(true);

  // The pair of a multi: the marker is the last one whose znode is there.
  const markers = await Promise.all(steps.map((n) => exists(`${name}/m${n}`)));
  const lastMarker = markers.findLastIndex((stat) => stat !== undefined);
  const { body: answer } = await probe.ask(OP.getData, body.read(name));
  const marker = Number(answer.buffer());
  expect(marker, `${note}: marker of ${name} and its znode`).toBe(lastMarker);
  expect(marker, `${note}: acknowledged marker of ${name}`).toBeGreaterThanOrEqual(
    writer.lastSetAcknowledged,
  );
  probe.drop();
}

/** A session that no client attaches to again expires on time, and its ephemeral goes with it. */
async function expireOne({ port }: ServerProcess, writer: Writer): Promise<void> {
  const since = performance.now();
  const watcher = await Probe.open(port);
  const path = `${writer.name}-alive`;
  const isThere = async () => (await watcher.ask(OP.exists, body.read(path))).err === 0;
  await delay(SESSION_TIMEOUT_MS * 0.75);
  expect(await isThere(), 'an ephemeral within its session timeout').toBe(true);
  while (await isThere()) {
    expect(performance.now() - since, 'ms until expiry').toBeLessThan(SESSION_TIMEOUT_MS * 2);
    await delay(100);
  }
  await watcher.close();
}

/** Where Apache's server is installed: it reads what the kills left, and serves the same tree. */
async function compareWithApache(
  server: ServerProcess,
  dataDir: string,
  config: Record<string, string>,
  onNext: (next: ServerProcess) => Promise<void>,
): Promise<void> {
  if (!hasTool('apache')) return;
  const walk = async (port: number) => {
    const probe = await Probe.open(port);
    await probe.addAuth('digest', 'super:admin');
    const lines = await walkExactly(probe);
    await probe.close();
    return lines;
  };
  const ours = await walk(server.port);
  await server.stop('SIGKILL');
  const apache = await startApache({ dataDir, config });
  await onNext(apache);
  const theirs = new Set(await walk(apache.port));
  const differing = ours.filter((line) => !theirs.has(line));
  expect(differing.slice(0, 5), 'znodes that Apache serves differently').toEqual([]);
  expect(theirs.size).toBe(ours.length);
  expect(await fourLetterWord(apache.port, 'mntr')).toMatch(/^zk_digest_mismatches_count\t0$/m);
}
