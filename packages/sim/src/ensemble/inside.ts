// What the engine and its plants reach of a member although it is private in it. Nothing here is checked by the
// compiler against the server: a test that nothing counts, or that no plant is found, shows that a name has changed.

import type { Member } from '@zebu/server/internal';

// biome-ignore lint/suspicious/noExplicitAny: private parts have no types outside.
export type Open = any;

/** What drives the core of a member of an ensemble (ZabDriver). */
export function driverOf(member: Member): Open {
  return (member.ensemble as unknown as { driver: Open }).driver;
}

/** The state that the parts of the core share (Core). */
export function coreOf(member: Member): Open {
  return driverOf(member).core.core;
}

/** Puts `around` in place of a method: it is given the method, and the arguments of a call. */
export function wrap(
  object: Open,
  method: string,
  around: (original: (...args: Open[]) => Open, ...args: Open[]) => Open,
): void {
  const original = object[method].bind(object);
  object[method] = (...args: Open[]) => around(original, ...args);
}
