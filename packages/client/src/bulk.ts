// A stream of operations as a series of multis: each multi is all or nothing, the series is not.

import type { Op } from './multi.ts';
import type { OpOptions } from './request.ts';

export interface BulkOptions extends OpOptions {
  /** Operations in one multi. Default 500. */
  readonly maxOps?: number | undefined;
  /** Bytes of one multi. Default 524,288, or maxPacketBytes where that is less. */
  readonly maxBytes?: number | undefined;
  /** Multis on their way at a time. Default 4; with 1 nothing is sent after one that was refused. */
  readonly inFlight?: number | undefined;
}

const DEFAULT_MAX_OPS = 500;
export const DEFAULT_MAX_BYTES = 512 * 1024;
const DEFAULT_IN_FLIGHT = 4;

/**
 * Sends the operations in their order and yields the results of each multi in turn. It is driven by its reader: nothing
 * is taken from `ops` that the reader has not made room for. Throws what a multi was refused with;
 * those that were sent after it may have been carried out.
 */
export async function* sendInBulk(
  ops: Iterable<Op> | AsyncIterable<Op>,
  options: BulkOptions,
  calls: { sizeOf: (op: Op) => number; send: (ops: readonly Op[]) => Promise<readonly unknown[]> },
): AsyncGenerator<readonly unknown[], void, void> {
  const { maxOps = DEFAULT_MAX_OPS, maxBytes = DEFAULT_MAX_BYTES } = options;
  const inFlight = options.inFlight ?? DEFAULT_IN_FLIGHT;
  const sent: Promise<readonly unknown[]>[] = [];
  let next: Op[] = [];
  let bytes = 0;
  const send = (): void => {
    const sending = calls.send(next);
    // Its failure is told when its turn comes, or never if one before it failed.
    sending.catch(() => {});
    sent.push(sending);
    next = [];
    bytes = 0;
  };
  for await (const op of ops) {
    const size = calls.sizeOf(op);
    if (next.length > 0 && (next.length >= maxOps || bytes + size > maxBytes)) {
      while (sent.length >= inFlight) yield await (sent.shift() as Promise<readonly unknown[]>);
      send();
    }
    next.push(op);
    bytes += size;
  }
  if (next.length > 0) {
    while (sent.length >= inFlight) yield await (sent.shift() as Promise<readonly unknown[]>);
    send();
  }
  while (sent.length > 0) yield await (sent.shift() as Promise<readonly unknown[]>);
}
