// Sets the watches again on a new connection, ahead of the requests that wait, in requests that the
// server's jute.maxbuffer has room for.

import { OpCode, type SetWatchesRequest, writeSetWatchesRequest, Xid } from '@zebu/protocol';
import type { ZkError } from './errors.ts';
import { Request, type RequestSpec } from './request.ts';
import type { RequestFlow } from './request-flow.ts';
import { BATCH_BYTES, BATCH_OVERHEAD_BYTES, type WatchRegistry } from './watch-registry.ts';
import type { Wire } from './wire.ts';

/** A setWatches of so few bytes of paths is not what a server hangs up on. */
const SMALLEST_BATCH_BYTES = 1024;

export class WatchRearming {
  private readonly watches: WatchRegistry;
  private readonly flow: RequestFlow;
  private readonly maxPacketBytes: number;
  /** Of paths in one setWatches; less where a server hung up on more. */
  private batchBytes: number;

  constructor(watches: WatchRegistry, flow: RequestFlow, maxPacketBytes: number) {
    this.watches = watches;
    this.flow = flow;
    this.maxPacketBytes = maxPacketBytes;
    this.batchBytes = BATCH_BYTES;
  }

  /** A server whose jute.maxbuffer is smaller than what was sent to it hangs up without a word, time and again. */
  sendLess(): void {
    this.batchBytes = Math.max(this.batchBytes / 2, SMALLEST_BATCH_BYTES);
  }

  /**
   * The requests do not count against maxQueuedBytes: they are no calls of the user, who could do nothing
   * about a refusal. Streams say `resync` once all is set.
   */
  rearm(wire: Wire, { lastZxid, isNewSession }: { lastZxid: number; isNewSession: boolean }): void {
    const room = this.maxPacketBytes - BATCH_OVERHEAD_BYTES;
    const batchBytes = Math.min(this.batchBytes, room);
    const batches = this.watches.batches(lastZxid, isNewSession, batchBytes);
    const reason = isNewSession ? 'new-session' : 'reconnected';
    let left = batches.length;
    const settled = (): void => {
      left--;
      if (left === 0) this.watches.announce({ type: 'resync', reason });
    };
    for (const batch of batches) {
      const failed = (error: ZkError): void => {
        // Lost with the connection: the next one sets them again.
        if (error.code === 'CONNECTION_LOSS' || error.code === 'CLOSED') return;
        this.watches.failBatch(batch, error);
        settled();
      };
      const request = new Request(setWatchesSpec(batch), Xid.setWatches, {
        isResendable: false,
        resolve: settled,
        reject: failed,
      });
      const refusal = this.flow.write(wire, request);
      if (refusal !== undefined) failed(refusal);
    }
  }
}

function setWatchesSpec(request: SetWatchesRequest): RequestSpec<unknown> {
  return {
    type: request.persistent === undefined ? OpCode.setWatches : OpCode.setWatches2,
    op: 'setWatches',
    isRead: false,
    isSessionBound: true,
    encode: (writer) => writeSetWatchesRequest(writer, request),
    decode: () => undefined,
  };
}
