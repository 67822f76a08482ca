import type { Disk } from '@zebu/storage';
import { describe, expect, test } from 'vitest';
import { Prng } from '../src/prng.ts';
import type { SimDisk } from '../src/sim-disk.ts';
import { check, crash, type Life, live, newLife } from './storage-workload.ts';

/** Makes storage see another disk than the simulated one: a defect planted in it. */
type Plant = (sim: SimDisk) => Disk;
const honest: Plant = (sim) => sim;

/** Runs one life, crashes it at `event`, and checks what the next life finds. */
function crashAt(event: number, seed: number, plant: Plant, entries = 60): Life {
  const life = newLife(seed, entries, plant);
  life.sim.crashAtEvent(event);
  live(life);
  crash(life, seed * 7919 + event);
  check(life);
  // A second start finds the same.
  const { zxid } = check(life);
  expect(zxid).toBe(life.promises.durableZxid);
  return life;
}

function countEvents(seed: number): number {
  const life = newLife(seed, 60);
  live(life);
  expect(life.promises.durableZxid).toBe(60);
  return life.sim.events;
}

describe('a crash at every event', () => {
  test.each([1, 2, 3])('of workload %i loses nothing that was acknowledged', (seed) => {
    const events = countEvents(seed);
    expect(events).toBeGreaterThan(100);
    for (let event = 1; event <= events; event += 1) {
      try {
        crashAt(event, seed, honest);
      } catch (error) {
        throw new Error(`seed ${seed}, event ${event}: ${(error as Error).message}`, {
          cause: error,
        });
      }
    }
  });
});

test('a member that crashes twenty times in a row, in recovery too, keeps what it promised', () => {
  for (let seed = 0; seed < 25; seed += 1) {
    const life = newLife(seed, 40);
    const prng = new Prng(seed + 99);
    for (let round = 0; round < 20; round += 1) {
      life.sim.crashAtEvent(life.sim.events + 1 + prng.below(round % 3 === 0 ? 12 : 200));
      try {
        live(life);
      } catch (error) {
        throw new Error(`seed ${seed}, round ${round}: ${(error as Error).message}`, {
          cause: error,
        });
      }
      crash(life, seed * 1000 + round);
    }
    check(life);
  }
});

describe('a disk that fails', () => {
  test.each(['writeDurable', 'sync', 'open', 'rename', 'syncDirectory'] as const)(
    'in a %s of the log stops the writer, and what was acknowledged is kept',
    (operation) => {
      let failures = 0;
      for (let seed = 0; seed < 80; seed += 1) {
        const life = newLife(seed, 60);
        life.time.schedule(3 + (seed % 10), () => {
          life.sim.injectFault({
            operation,
            path: operation === 'syncDirectory' ? 'version-2' : 'log.',
          });
        });
        live(life);
        if (life.promises.durableZxid < 60) failures += 1;
        life.sim.clearFaults();
        crash(life, seed);
        check(life);
      }
      expect(failures).toBeGreaterThan(2);
    },
  );

  test('by being full stops the writer, and what was acknowledged is kept', () => {
    for (let seed = 0; seed < 40; seed += 1) {
      const life = newLife(seed, 60);
      life.time.schedule(2 + seed / 10, () => {
        life.sim.freeBytes = 1024 * (seed % 5);
      });
      live(life);
      life.sim.freeBytes = Number.POSITIVE_INFINITY;
      crash(life, seed);
      const { zxid } = check(life);
      // With room again it goes on from there.
      live(life);
      expect(life.promises.durableZxid).toBe(zxid + 60);
    }
  });
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

const plants: Record<string, Plant> = {
  'acknowledging before the sync': (sim) =>
    around(sim, {
      openWrite: (path, options) => {
        const file = sim.openWrite(path, options);
        return { ...file, writeDurable: file.write };
      },
    }),
  'no sync of the directory': (sim) =>
    around(sim, {
      syncDirectoryAsync: (_path, done) => {
        sim.exists('/');
        queue(sim, () => done());
      },
    }),
  'no sync of a file before its rename': (sim) =>
    around(sim, {
      openWrite: (path, options) => {
        const file = sim.openWrite(path, options);
        return { ...file, sync: (done) => file.write(Buffer.alloc(0), 0, 0, done) };
      },
    }),
  'going on after a failed write': (sim) =>
    around(sim, {
      openWrite: (path, options) => {
        const file = sim.openWrite(path, options);
        return {
          ...file,
          writeDurable: (buffer, length, position, done) =>
            file.writeDurable(buffer, length, position, () => done()),
        };
      },
    }),
};

function queue(sim: SimDisk, fn: () => void): void {
  // An operation that does nothing, so that the callback comes later.
  sim.unlinkAsync('/data/nothing', () => fn());
}

test.each(Object.keys(plants))('the checker notices a defect: %s', (name) => {
  const plant = plants[name] as Plant;
  let noticed = 0;
  for (let seed = 1; seed <= 3; seed += 1) {
    const events = countEvents(seed);
    for (let event = 1; event <= events; event += 3) {
      try {
        if (name.startsWith('going on')) crashAfterFault(event, seed, plant);
        else crashAt(event, seed, plant);
      } catch {
        noticed += 1;
      }
    }
  }
  expect(noticed).toBeGreaterThan(0);
});

function crashAfterFault(event: number, seed: number, plant: Plant): void {
  const life = newLife(seed, 60, plant);
  life.sim.crashAtEvent(event + 40);
  life.time.schedule(event / 20, () => {
    life.sim.injectFault({ operation: 'writeDurable', path: 'log.' });
  });
  live(life);
  crash(life, seed * 7919 + event);
  check(life);
}
