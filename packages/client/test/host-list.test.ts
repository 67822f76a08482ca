import { expect, test } from 'vitest';
import { HostList } from '../src/host-list.ts';

const hosts = ['a', 'b', 'c'].map((host) => ({ host, port: 2181 }));

test('each server once in a round, in shuffled order, without a pause', () => {
  const list = new HostList(hosts, () => 0);
  const round = [list.next(), list.next(), list.next()].map((found) => found?.host);
  expect([...round].sort()).toEqual(['a', 'b', 'c']);
  expect(round).not.toEqual(['a', 'b', 'c']);
});

test('pauses come between rounds, double, are jittered and bounded', () => {
  const pauses = (random: number, timeoutMs = 30_000): number[] => {
    const list = new HostList(hosts.slice(0, 1), () => random);
    return Array.from({ length: 8 }, () => {
      list.next();
      return list.pauseMs(timeoutMs);
    });
  };
  expect(pauses(0)).toEqual([50, 100, 200, 400, 800, 1500, 1500, 1500]);
  expect(pauses(1)).toEqual([100, 200, 400, 800, 1600, 3000, 3000, 3000]);
  // A session of 8 s must not sleep through the second in which a server is there.
  expect(pauses(1, 8000)).toEqual([100, 200, 400, 800, 800, 800, 800, 800]);
  expect(pauses(1, 200)).toEqual([100, 100, 100, 100, 100, 100, 100, 100]);
});

test('after a time of service the next round starts at once', () => {
  const list = new HostList(hosts.slice(0, 1), () => 0);
  list.next();
  list.pauseMs(30_000);
  list.next();
  list.served();
  expect(list.pauseMs(30_000)).toBe(0);
  list.next();
  expect(list.pauseMs(30_000)).toBe(50);
});

test('the list is told of, round by round', () => {
  const list = new HostList(hosts, () => 0.99);
  expect(list.size).toBe(3);
  expect(list.startsRound).toBe(true);
  // Nothing is swapped with this random number.
  expect(list.next()).toEqual(hosts[0]);
  expect(list.startsRound).toBe(false);
  expect(list.pauseMs(30_000)).toBe(0);
  list.next();
  expect(list.pauseMs(30_000)).toBe(0);
  list.next();
  expect(list.startsRound).toBe(true);
  expect(list.pauseMs(30_000)).toBeGreaterThan(0);
});

test('has() knows a server by its name and port', () => {
  const list = new HostList(hosts.slice(0, 2), () => 0);
  expect(list.has({ host: 'a', port: 2181 })).toBe(true);
  expect(list.has({ host: 'b', port: 2181 })).toBe(true);
  expect(list.has({ host: 'a', port: 2182 })).toBe(false);
  expect(list.has({ host: 'c', port: 2181 })).toBe(false);
});

test('a list that replaces another begins a round at once, and keeps the length of the next pause', () => {
  const list = new HostList(hosts.slice(0, 1), () => 1);
  list.next();
  expect(list.pauseMs(30_000)).toBe(100);
  list.next();
  list.replace(hosts.slice(1, 2));
  expect(list.startsRound).toBe(true);
  expect(list.pauseMs(30_000)).toBe(0);
  expect(list.next()).toEqual(hosts[1]);
  expect(list.pauseMs(30_000)).toBe(200);

  list.replace(hosts);
  list.next();
  list.replace(hosts.slice(0, 1));
  expect(list.startsRound).toBe(true);
  expect(list.next()).toEqual(hosts[0]);
  expect(list.startsRound).toBe(true);
});

test('time of service begins a round of all servers', () => {
  const list = new HostList(hosts, () => 0.99);
  list.next();
  list.served();
  expect(list.startsRound).toBe(true);
  expect([list.next(), list.next(), list.next()]).toEqual(hosts);
});

test('without servers there is none to try, and a pause', () => {
  const list = new HostList([], () => 0);
  expect(list.size).toBe(0);
  expect(list.pauseMs(30_000)).toBe(0);
  expect(list.next()).toBeUndefined();
  expect(list.pauseMs(30_000)).toBe(50);
});
