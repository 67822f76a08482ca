import { expect, test } from 'vitest';
import { AbortSignals } from '../src/abort-signals.ts';
import type { State } from '../src/session.ts';
import { clientListeners, Listeners, statesOf } from '../src/states.ts';
import { watched } from './world.ts';

const CONNECTING: State = { status: 'connecting' };
const SUSPENDED: State = { status: 'suspended' };
const CLOSED: State = { status: 'closed' };

/** Lets everything that is ready run. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('listeners are called in order, in a turn of their own, each as often as it was added', async () => {
  const listeners = new Listeners<number>(new AbortSignals());
  const heard: string[] = [];
  const again = (value: number): number => heard.push(`again ${value}`);
  listeners.add((value) => heard.push(`first ${value}`));
  listeners.add(again);
  const second = listeners.add(again);
  listeners.emit(1);
  expect(heard).toEqual([]);
  await turn();
  expect(heard).toEqual(['first 1', 'again 1', 'again 1']);
  second[Symbol.dispose]();
  heard.length = 0;
  listeners.emit(2);
  await turn();
  expect(heard).toEqual(['first 2', 'again 2']);
});

test('a listener that is disposed before its turn hears nothing', async () => {
  const listeners = new Listeners<number>(new AbortSignals());
  const heard: number[] = [];
  const listening = listeners.add((value) => heard.push(value));
  listeners.emit(1);
  listening[Symbol.dispose]();
  await turn();
  expect(heard).toEqual([]);
});

/** A signal that counts its listeners. */
function countedSignal() {
  const controller = new AbortController();
  const { signal } = controller;
  let count = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    count++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    count--;
    removeEventListener.apply(signal, args);
  };
  return { controller, signal, listeners: () => count };
}

test('a listener ends with its signal, and leaves nothing on it when it is disposed', async () => {
  const listeners = new Listeners<number>(new AbortSignals());
  const heard: number[] = [];
  const { controller, signal, listeners: onSignal } = countedSignal();
  const first = listeners.add((value) => heard.push(value), { signal });
  expect(onSignal()).toBe(1);
  first[Symbol.dispose]();
  expect(onSignal()).toBe(0);
  listeners.add((value) => heard.push(value), { signal });
  listeners.emit(1);
  await turn();
  expect(heard).toEqual([1]);
  controller.abort();
  listeners.emit(2);
  await turn();
  expect(heard).toEqual([1]);
  const late = listeners.add((value) => heard.push(value), { signal });
  listeners.emit(3);
  await turn();
  expect(heard).toEqual([1]);
  late[Symbol.dispose]();
});

test('states, sessions and attempts have listeners of their own', async () => {
  const all = clientListeners(new AbortSignals());
  const heard: unknown[] = [];
  all.state.add((state) => heard.push(state));
  all.session.add((session) => heard.push(session));
  all.attempt.add((attempt) => heard.push(attempt));
  all.state.emit(CLOSED);
  const attempt = { server: 'zk:2181', error: new Error('refused'), attempt: 1 };
  all.attempt.emit(attempt);
  await turn();
  expect(heard).toEqual([CLOSED, attempt]);
});

/** An iterator over states that the test sets. */
function states(signal?: AbortSignal) {
  const now = { state: CONNECTING, isLast: false };
  const listeners = new Listeners<State>(new AbortSignals());
  const iterator = statesOf(() => now, listeners, signal === undefined ? undefined : { signal });
  const become = (state: State, isLast = false): void => {
    Object.assign(now, { state, isLast });
    listeners.emit(state);
  };
  return { iterator, become };
}

test('the state now comes first, then the latest of those that came since, then the last', async () => {
  const { iterator, become } = states();
  expect(await iterator.next()).toEqual({ done: false, value: CONNECTING });
  const next = watched(iterator.next());
  await turn();
  expect(next.isSettled).toBe(false);
  become(CONNECTING);
  await turn();
  expect(next.isSettled).toBe(false);
  become(SUSPENDED);
  await turn();
  expect(next.value).toEqual({ done: false, value: SUSPENDED });
  become(CONNECTING);
  become(CLOSED, true);
  await turn();
  expect(await iterator.next()).toEqual({ done: false, value: CLOSED });
  expect(await iterator.next()).toEqual({ done: true, value: undefined });
});

test('an abort ends the states, whether somebody waits for one or not', async () => {
  const { controller, signal, listeners } = countedSignal();
  const waiting = states(signal);
  await waiting.iterator.next();
  expect(listeners()).toBe(1);
  const next = watched(waiting.iterator.next());
  const idle = states(signal);
  await idle.iterator.next();
  await turn();
  expect(next.isSettled).toBe(false);
  controller.abort();
  await turn();
  expect(next.value).toEqual({ done: true, value: undefined });
  idle.become(SUSPENDED);
  expect(await idle.iterator.next()).toEqual({ done: true, value: undefined });
  expect(await states(signal).iterator.next()).toEqual({ done: true, value: undefined });
});

test('who stops asking leaves no listener behind', async () => {
  const { signal, listeners } = countedSignal();
  const { iterator } = states(signal);
  await iterator.next();
  expect(listeners()).toBe(1);
  await iterator.return();
  expect(listeners()).toBe(0);

  const all = new Listeners<State>(new AbortSignals());
  const counted = all as unknown as { all: Set<unknown> };
  const other = statesOf(() => ({ state: CONNECTING, isLast: false }), all, undefined);
  await other.next();
  expect(counted.all.size).toBe(1);
  await other.return();
  expect(counted.all.size).toBe(0);
});
