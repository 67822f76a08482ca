// File descriptors that clients must leave to the rest of the process: without one the next log file cannot be
// made, nor a snapshot.

import { closeSync, openSync, readFileSync } from 'node:fs';

/** Fewer where the process may have few in all. */
const RESERVED = 64;
const RESERVED_SHARE = 0.25;

/** How many descriptors the process may have open; undefined where the system does not say (not Linux). */
export function maxFileDescriptors(): number | undefined {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/**
 * The first descriptor that a client may not have. The kernel gives the lowest that is free, so from here on
 * all but the reserve are in use.
 */
export function firstReservedDescriptor(): number {
  const max = maxFileDescriptors();
  if (max === undefined) return Number.POSITIVE_INFINITY;
  return max - Math.min(RESERVED, Math.ceil(max * RESERVED_SHARE));
}

/**
 * Whether the next descriptor would be one of the reserve, by asking for one. The documented way, for connections
 * whose own descriptor Node does not tell: some 5 us each.
 */
export function isReserveReached(firstReserved: number): boolean {
  if (firstReserved === Number.POSITIVE_INFINITY) return false;
  try {
    const fd = openSync('/dev/null', 'r');
    closeSync(fd);
    return fd >= firstReserved;
  } catch {
    return true;
  }
}
