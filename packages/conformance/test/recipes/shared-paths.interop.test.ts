// One lock path, and one election path, with contenders of @zebu/recipes, Curator and kazoo at once. Each turn reads a
// counter and writes it back under the version that was read, which fails if anybody else is in. Each also notes the
// lowest number in the line: as long as only the first ever has a turn, these grow with every turn.

import { type Client, connect } from '@zebu/client';
import { election } from '@zebu/recipes/election';
import { mutex } from '@zebu/recipes/lock';
import { startServer } from '@zebu/server';
import { expect } from 'vitest';
import { startApache } from '../../src/apache.ts';
import { interopTest } from '../support.ts';
import { curatorProgram, type ForeignProgram, kazooProgram } from './foreign-program.ts';

const ROUNDS = 60;

type Mode = 'lock' | 'election' | 'latch';

function curator(port: number, mode: Mode, who: string): ForeignProgram {
  return curatorProgram(who, 'Contender.java', argsFor(port, mode, who));
}

function kazoo(port: number, mode: Mode, who: string): ForeignProgram {
  return kazooProgram(who, 'contender.py', argsFor(port, mode, who));
}

function argsFor(port: number, mode: Mode, who: string): string[] {
  return [`127.0.0.1:${port}`, mode, '/line', who, String(ROUNDS)];
}

async function contend(zk: Client, mode: Mode, who: string): Promise<void> {
  const turn = async (): Promise<void> => {
    const { names } = await zk.children('/line');
    const first = Math.min(...names.map((name) => Number(name.slice(-10))));
    const { data, stat } = await zk.get('/counter');
    const { version } = stat;
    await zk.set('/counter', String(Number(data.toString()) + 1), { version });
    await zk.create('/turns/t-', `${who} ${first}`, { sequential: true });
  };
  if (mode === 'lock') {
    const lock = mutex(zk, '/line', { identity: who });
    for (let i = 0; i < ROUNDS; i++) await lock.run(turn);
  } else {
    const layout = mode === 'latch' ? 'latch' : 'lock';
    const candidate = election(zk, '/line', { identity: who, layout });
    for (let i = 0; i < ROUNDS; i++) await candidate.run(turn);
  }
}

async function share(port: number, mode: Mode): Promise<void> {
  await using zk = await connect(`127.0.0.1:${port}`);
  await zk.create('/counter', '0');
  await zk.create('/turns');
  await zk.create('/line');
  const foreign = [curator(port, mode, 'curator')];
  // kazoo has nothing that shares a path with Curator's LeaderLatch.
  if (mode !== 'latch') foreign.push(kazoo(port, mode, 'kazoo'));
  try {
    await Promise.all(foreign.map(({ ready }) => ready));
    await zk.create('/go');
    const ours = ['zebu 1', 'zebu 2'];
    await Promise.all([
      ...ours.map((who) => contend(zk, mode, who)),
      ...foreign.map(({ done }) => done),
    ]);
    const expected = (ours.length + foreign.length) * ROUNDS;
    expect((await zk.get('/counter')).data.toString()).toBe(String(expected));
    const { names } = await zk.children('/turns');
    expect(names).toHaveLength(expected);
    const turns: { who: string; first: number }[] = [];
    for (const name of names.toSorted()) {
      const text = (await zk.get(`/turns/${name}`)).data.toString();
      const space = text.lastIndexOf(' ');
      turns.push({ who: text.slice(0, space), first: Number(text.slice(space + 1)) });
    }
    const firsts = turns.map(({ first }) => first);
    expect(new Set(firsts).size).toBe(expected);
    expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
    for (const who of [...ours, ...foreign.map((one) => one.who)]) {
      expect(turns.filter((turn) => turn.who === who)).toHaveLength(ROUNDS);
    }
    // They were there at the same time: somebody's turn stands between two of everybody else's.
    const changes = turns.filter(({ who }, i) => i > 0 && turns[i - 1]?.who !== who).length;
    expect(changes).toBeGreaterThan(ROUNDS / 2);
  } finally {
    for (const one of foreign) one.kill();
  }
}

for (const mode of ['lock', 'election', 'latch'] as const) {
  interopTest(
    `zebu, Curator and kazoo share one path, on zebu: ${mode}`,
    ['curator', 'kazoo'],
    300_000,
    async () => {
      const server = await startServer({ port: 0 });
      try {
        await share(server.port, mode);
      } finally {
        await server.close();
      }
    },
  );
}

interopTest(
  'zebu, Curator and kazoo share one path, on Apache: lock',
  ['apache', 'curator', 'kazoo'],
  300_000,
  async () => {
    await using server = await startApache();
    await share(server.port, 'lock');
  },
);
