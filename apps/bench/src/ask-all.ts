// Preparations: a known number of requests, sent many at a time, all answers awaited.

import { type ByteWriter, beginFrame, ErrorCode, endFrame } from '@zebu/protocol';
import { ClosedLoop, type RequestSource } from './closed-loop.ts';
import { openConnections, type Scratch } from './raw-connection.ts';
import type { Address } from './server-info.ts';

/** The servers to prepare, and what a driver needs for that. */
export interface Target {
  readonly addresses: readonly Address[];
  readonly scratch: Scratch;
}

export interface AskOptions {
  readonly count: number;
  /** One connection, so that the server takes the requests in their order. */
  readonly inOrder?: boolean;
  readonly onProgress?: ((done: number) => void) | undefined;
  readonly onReply?: (error: number, bodyBytes: number) => void;
  /** An error that the caller handles. */
  readonly tolerated?: number;
}

const CONNECTIONS = 4;
const WINDOW = 4;
const HARMLESS = new Set<number>([ErrorCode.NODEEXISTS, ErrorCode.NONODE, ErrorCode.NOTEMPTY]);

/**
 * Sends `count` requests; `write` writes the header (any xid) and the body of one. NODEEXISTS and NONODE are
 * not failures; any other error is thrown after all requests are answered.
 */
export async function askAll(
  { addresses, scratch }: Target,
  { count, inOrder = false, onProgress, onReply, tolerated }: AskOptions,
  write: (writer: ByteWriter, index: number) => void,
): Promise<void> {
  if (count === 0) return;
  let index = 0;
  const source: RequestSource = {
    kinds: ['request'],
    next(writer, xid) {
      if (index === count) return -1;
      const mark = beginFrame(writer);
      write(writer, index++);
      writer.patchInt32(mark + 4, xid);
      endFrame(writer, mark);
      return 0;
    },
  };
  // The first server only: the members of an ensemble may each be at a different zxid.
  const connections = await openConnections(addresses.slice(0, 1), inOrder ? 1 : CONNECTIONS, {
    scratch,
  });
  const options = { connections, window: inOrder ? 64 : WINDOW, source, scratch };
  const loop = new ClosedLoop(onReply === undefined ? options : { ...options, onReply });
  const timer = setInterval(() => onProgress?.(loop.answered), 200);
  try {
    loop.start();
    await loop.finished();
  } finally {
    clearInterval(timer);
    await Promise.all(connections.map((connection) => connection.close()));
  }
  for (const code of HARMLESS) loop.errors.delete(code);
  if (tolerated !== undefined) loop.errors.delete(tolerated);
  if (loop.errors.size > 0) throw new Error(`Preparing the znodes failed: ${loop.errorText()}`);
}
