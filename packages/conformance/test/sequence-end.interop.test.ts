// A sequence counter that passes 2^31 - 1, on Apache's server and on ours. What a create in flight finds is the counter
// as the creates before it leave it (ChangeRecord); what is stored only rises (DataTree.setCversionPzxid). So
// creates in one multi, and creates that are sent together, go on at -2^31; one by one they meet a name that is there.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { startApache } from '../src/apache.ts';
import { writeEdgeData } from '../src/differential/edge-data.ts';
import { ERROR_NAMES, OP } from '../src/differential/wire.ts';
import { body, Probe, type Reply } from '../src/probe.ts';
import type { StartServer } from '../src/transcript.ts';
import { startZebu } from '../src/zebu.ts';
import { interopTest, isSelfTest } from './support.ts';

const zebu: StartServer = isSelfTest ? startApache : startZebu;

const SEQUENTIAL = 2;
const create = body.create('/a/n', null, SEQUENTIAL);
/** The first of these is the counter of /a in the edge data. */
const NAMES = ['2147483644', '2147483645', '2147483646', '2147483647', '-2147483648'].map(
  (counter) => `/a/n${counter}`,
);
const [, , , LAST_BY_ITSELF] = NAMES as [string, string, string, string];

describe('a sequence counter past 2^31 - 1', () => {
  for (const [name, start] of [
    ['Apache', startApache],
    ['zebu', zebu],
  ] as const) {
    interopTest(`${name}: one multi goes on at -2147483648`, ['apache'], 240_000, async () => {
      await onEdgeData(start, async (probe) => {
        const parts = NAMES.map((): [number, Buffer] => [OP.create, create]);
        const reply = await probe.ask(OP.multi, body.multi(parts));
        expect(reply.err).toBe(0);
        const made: unknown[] = [];
        for (let type = reply.body.int(); type !== -1; type = reply.body.int()) {
          reply.body.byte();
          reply.body.int();
          made.push(type === OP.create ? reply.body.string() : { type, err: reply.body.int() });
        }
        expect(made).toEqual(NAMES);
        expect(await children(probe)).toEqual(['b', ...NAMES.map((path) => path.slice(3))].sort());
      });
    });

    interopTest(`${name}: creates sent together go on there`, ['apache'], 240_000, async () => {
      await onEdgeData(start, async (probe) => {
        // Large enough that the creates after it are decided before it is on disk.
        const large = probe.ask(OP.setData, body.setData('/b', Buffer.alloc(900_000)));
        const replies = await Promise.all(NAMES.map(() => probe.ask(OP.create, create)));
        expect((await large).err).toBe(0);
        expect(replies.map(outcome)).toEqual(NAMES);
        // Nothing is in flight any more: the counter is where it stuck.
        expect(outcome(await probe.ask(OP.create, create))).toBe('NODEEXISTS');
      });
    });

    interopTest(`${name}: one by one it sticks at 2147483647`, ['apache'], 240_000, async () => {
      await onEdgeData(start, async (probe) => {
        const outcomes: string[] = [];
        for (let i = 0; i < 6; i++) outcomes.push(outcome(await probe.ask(OP.create, create)));
        expect(outcomes).toEqual([...NAMES.slice(0, 4), 'NODEEXISTS', 'NODEEXISTS']);
        // Without the name in its way it is given out again.
        expect((await probe.ask(OP.delete, body.delete(LAST_BY_ITSELF))).err).toBe(0);
        expect(outcome(await probe.ask(OP.create, create))).toBe(LAST_BY_ITSELF);
      });
    });
  }
});

/** The path that a create made, or the name of its error. */
function outcome({ err, body: answer }: Reply): string {
  return err === 0 ? (answer.string() as string) : (ERROR_NAMES.get(err) ?? String(err));
}

async function children(probe: Probe): Promise<string[]> {
  const { body: answer } = await probe.ask(OP.getChildren, body.read('/a'));
  return Array.from({ length: answer.int() }, () => answer.string() as string).sort();
}

async function onEdgeData(start: StartServer, use: (probe: Probe) => Promise<void>): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'zebu-sequence-'));
  try {
    const dataDir = join(home, 'data');
    writeEdgeData(dataDir);
    await using server = await start({ dataDir });
    const probe = await Probe.open(server.port);
    await use(probe);
    await probe.close();
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
