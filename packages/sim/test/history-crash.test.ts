import type { Disk } from '@zebu/storage';
import { describe, expect, test } from 'vitest';
import { Prng } from '../src/prng.ts';
import type { SimDisk } from '../src/sim-disk.ts';
import { check, crash, live, type Member, newMember } from './history-workload.ts';

const STEPS = 14;
type Plant = (sim: SimDisk) => Disk;
const honest: Plant = (sim) => sim;

/** Ends one life at `event`, the start after it a little later, and looks at what is found then. */
function crashAt(event: number, seed: number, plant: Plant): void {
  const member = newMember(seed, STEPS, plant);
  member.sim.crashAtEvent(event);
  live(member);
  crash(member, seed * 7919 + event);
  member.stepsLeft = 3;
  member.sim.crashAtEvent(member.sim.events + 1 + (event % 23));
  live(member);
  crash(member, seed + event);
  check(member);
}

function countEvents(seed: number): Member {
  const member = newMember(seed, STEPS);
  live(member);
  expect(member.stepsLeft).toBe(0);
  return member;
}

/** Of odd ones the logs have a directory of their own. */
const SEEDS = [1, 2];

test.each(SEEDS)(
  'a crash at every event of workload %i finds a history that was promised',
  (seed) => {
    const { events } = countEvents(seed).sim;
    expect(events).toBeGreaterThan(150);
    for (let event = 1; event <= events; event += 1) {
      try {
        crashAt(event, seed, honest);
      } catch (error) {
        throw new Error(`seed ${seed}, event ${event}: ${(error as Error).message}`, {
          cause: error,
        });
      }
    }
  },
);

test('every kind of step is taken', () => {
  const done = new Map<string, number>();
  for (let seed = 1; seed <= 12; seed += 1) {
    for (const [step, count] of countEvents(seed).done) {
      done.set(step, (done.get(step) ?? 0) + count);
    }
  }
  for (const step of ['append', 'snapshot', 'truncated', 'notInHistory', 'adopt', 'discard']) {
    expect(done.get(step), step).toBeGreaterThan(1);
  }
});

test('a member that crashes twenty times in a row keeps what it promised', () => {
  for (let seed = 100; seed < 125; seed += 1) {
    const member = newMember(seed, 400);
    const prng = new Prng(seed);
    for (let round = 0; round < 20; round += 1) {
      member.sim.crashAtEvent(member.sim.events + 1 + prng.below(round % 3 === 0 ? 12 : 200));
      try {
        live(member);
      } catch (error) {
        throw new Error(`seed ${seed}, round ${round}: ${(error as Error).message}`, {
          cause: error,
        });
      }
      crash(member, seed * 1000 + round);
    }
    check(member);
  }
});

/** Delegates to the simulated disk but for the given calls. */
function around(sim: SimDisk, changes: Partial<Disk>): Disk {
  return new Proxy(sim, {
    get: (target, key) => {
      const value = Reflect.get(changes, key) ?? Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  }) as unknown as Disk;
}

const MARKER = 'pending-replacement';

const plants: Record<string, Plant> = {
  'no moment: the file that lists what goes is never there': (sim) =>
    around(sim, {
      renameAsync: (from, to, done) => {
        if (to.endsWith(MARKER)) sim.unlinkAsync(from, done);
        else sim.renameAsync(from, to, done);
      },
      unlinkAsync: (path, done) =>
        sim.unlinkAsync(path, path.endsWith(MARKER) ? () => done() : done),
    }),
  'no sync of the directory in a truncation': (sim) => around(sim, { syncDirectory: () => {} }),
  'no sync of the directory in a replacement': (sim) =>
    around(sim, { syncDirectoryAsync: (_path, done) => sim.unlinkAsync('/data/no', () => done()) }),
};

describe('the checker notices a defect', () => {
  test.each(Object.keys(plants))('%s', (name) => {
    const isNoticed = (seed: number, event: number): boolean => {
      try {
        crashAt(event, seed, plants[name] as Plant);
        return false;
      } catch {
        return true;
      }
    };
    const prng = new Prng(1);
    const isFound = Array.from({ length: 80 }, (_, seed) => seed).some((seed) => {
      const { events } = countEvents(seed).sim;
      return Array.from({ length: 8 }, () => 1 + prng.below(events)).some((event) =>
        isNoticed(seed, event),
      );
    });
    expect(isFound).toBe(true);
  });
});
