// The links between election ports on a network that delays, cuts, resets, and on members that crash: once all is well,
// everybody hears everybody's last message.

import { ElectionState } from '@zebu/protocol';
import { silentLogger } from '@zebu/server';
import { ElectionLinks } from '@zebu/server/internal';
import { expect, test } from 'vitest';
import { Prng } from '../src/prng.ts';
import { SimScheduler } from '../src/scheduler.ts';
import { SimNetwork } from '../src/sim-network.ts';
import { SimProcess } from '../src/sim-process.ts';

const PORT = 3888;
const SIDS = [1, 2, 3, 4, 5];
const hostOf = (sid: number) => `10.0.0.${sid}`;

class SimMember {
  links: ElectionLinks;
  process: SimProcess;
  /** The last message of each other member in this life. */
  heard: Map<number, number>;
  readonly sid: number;
  private readonly scheduler: SimScheduler;
  private readonly network: SimNetwork;

  constructor(sid: number, scheduler: SimScheduler, network: SimNetwork) {
    this.sid = sid;
    this.scheduler = scheduler;
    this.network = network;
    this.heard = new Map();
    this.process = new SimProcess(scheduler, `member ${sid}`);
    this.links = this.start();
  }

  crash(): void {
    this.process.kill();
    this.network.crash(this.process);
    this.process = new SimProcess(this.scheduler, `member ${this.sid}`);
    this.links = this.start();
  }

  readonly send = (to: number, leader: number): void => {
    this.process.schedule(0, () =>
      this.links.send(to, {
        state: ElectionState.LOOKING,
        leader,
        zxid: 0,
        electionEpoch: 1,
        peerEpoch: 0,
        configText: 'version=0',
      }),
    );
  };

  private start(): ElectionLinks {
    const { process, sid } = this;
    const network = this.network.host(hostOf(sid), process);
    this.heard = new Map();
    const { heard } = this;
    const links = new ElectionLinks(
      {
        sid,
        announced: { host: hostOf(sid), port: PORT },
        addressesOf: (one) =>
          SIDS.includes(one) ? [{ host: hostOf(one), port: PORT }] : undefined,
        network,
        scheduler: {
          afterTurn: (task) => process.schedule(0, task),
          every: (intervalMs, task) => process.every(intervalMs, task),
          after: (delayMs, task) => process.after(delayMs, task),
        },
        logger: silentLogger,
        preambleTimeoutMs: 2500,
      },
      {
        notification: (from, { leader }) => {
          heard.set(from, leader);
        },
        unreachable: () => {},
      },
    );
    void network.listen({ port: PORT }, links.accept);
    return links;
  }
}

function run(seed: number): { resets: number; crashes: number; cuts: number } {
  const prng = new Prng(seed);
  const scheduler = new SimScheduler();
  const network = new SimNetwork({
    prng: new Prng(seed + 1),
    latencyMs: [0.1, 20],
    cutChance: 0.5,
  });
  const members = SIDS.map((sid) => new SimMember(sid, scheduler, network));
  const faults = { resets: 0, crashes: 0, cuts: 0 };
  const pick = <T>(list: readonly T[]) => list[prng.below(list.length)] as T;
  let message = 0;
  for (let step = 0; step < 150; step++) {
    scheduler.run(scheduler.nowMs + prng.below(60));
    for (let i = prng.below(4); i > 0; i--) pick(members).send(pick(SIDS), message++);
    if (prng.chance(0.1)) {
      const open = [...network.connections];
      if (open.length > 0) {
        network.reset(pick(open));
        faults.resets++;
      }
    }
    if (prng.chance(0.05)) {
      pick(members).crash();
      faults.crashes++;
    }
    if (prng.chance(0.08)) {
      network.cut(hostOf(pick(SIDS)), hostOf(pick(SIDS)));
      faults.cuts++;
    }
    if (prng.chance(0.08)) network.heal();
  }
  network.heal();
  scheduler.run(scheduler.nowMs + 10_000);

  // The smaller sids speak once, and are dialled back; then the larger ones.
  const sendAll = (say: number, towards: (from: number, to: number) => boolean) => {
    for (const { sid, send } of members) {
      for (const to of SIDS) if (towards(sid, to)) send(to, say + sid);
    }
  };
  const expectHeard = (say: number, towards: (from: number, to: number) => boolean) => {
    for (const { sid, heard } of members) {
      for (const from of SIDS) {
        if (towards(from, sid)) {
          expect(heard.get(from), `seed ${seed}, ${from} to ${sid}`).toBe(say + from);
        }
      }
    }
  };
  const upwards = (from: number, to: number) => from < to;
  const downwards = (from: number, to: number) => from > to;
  sendAll(10_000, upwards);
  scheduler.run(scheduler.nowMs + 1000);
  expectHeard(10_000, upwards);
  sendAll(20_000, downwards);
  scheduler.run(scheduler.nowMs + 1000);
  expectHeard(20_000, downwards);

  // Links that end while messages are under way; nobody repeats them, but the next link begins with them.
  sendAll(30_000, upwards);
  scheduler.run(scheduler.nowMs + prng.below(20));
  for (const connection of [...network.connections]) network.reset(connection);
  scheduler.run(scheduler.nowMs + 1000);
  sendAll(40_000, downwards);
  scheduler.run(scheduler.nowMs + 1000);
  expectHeard(40_000, downwards);
  expectHeard(30_000, upwards);

  // One link for each pair, and nothing else.
  expect(network.connections.size, `seed ${seed}`).toBe(SIDS.length * (SIDS.length - 1));
  return faults;
}

test('after resets, crashes and cuts everybody hears everybody, over one link for each pair', () => {
  const sum = { resets: 0, crashes: 0, cuts: 0 };
  for (let seed = 1; seed <= 150; seed++) {
    const { resets, crashes, cuts } = run(seed);
    sum.resets += resets;
    sum.crashes += crashes;
    sum.cuts += cuts;
  }
  // The interesting things did happen.
  expect(Math.min(sum.resets, sum.crashes, sum.cuts)).toBeGreaterThan(200);
});
