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

  send(to: number, leader: number): void {
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
  }

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
  // As the core does: again and again, until it is heard. A half-open link is found by the write after next.
  for (let round = 0; round < 20; round++) {
    for (const member of members) for (const to of SIDS) member.send(to, 1000 * round + member.sid);
    scheduler.run(scheduler.nowMs + 500);
  }
  scheduler.run(scheduler.nowMs + 10_000);
  for (const member of members) {
    const expected = SIDS.filter((sid) => sid !== member.sid).map((sid) => [sid, 19_000 + sid]);
    expect([...member.heard].sort(), `seed ${seed}, member ${member.sid}`).toEqual(expected);
  }
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
