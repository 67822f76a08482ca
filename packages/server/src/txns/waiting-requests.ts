// The writes of this member's clients that are not answered yet, in the order in which they were taken.
//
// A txn and the request that it answers are two things: a leader has txns of other members' clients, a
// follower has requests whose txn it has not seen yet. The oldest request is the only one that a txn can
// answer, since every write becomes exactly one txn, in the order of the writes:
//
//   on the member that decides   by the zxid that the request was given
//   on a learner                 by session and cxid, if the txn came after the request was taken: a client
//                                that moved here may begin its xids again (ZOOKEEPER-2684)
//
// A ring of reused records. Nothing is allocated per request in the steady state.

import { strict as assert } from 'node:assert';
import { getInt32, type Zxid } from '@zebu/protocol';
import type { AuditedRequest } from '../audit.ts';
import type { Txn } from './txn-sequence.ts';
import type { Requestor } from './write-path.ts';

export class WaitingRequest {
  /** The zxid that the request was given; 0 where the leader is another member. */
  zxid: Zxid = 0;
  /** Where the leader is another member: only a later txn can be the answer. */
  afterZxid: Zxid = 0;
  sessionHigh = 0;
  sessionLow = 0;
  /** Who gets the reply. */
  connection: Requestor | undefined = undefined;
  xid = 0;
  /** Request type, which can differ from the txn's (an error txn answers any request). */
  requestType = 0;
  /** Monotonic ms when the request arrived. */
  receivedMs = 0;
  /** Bytes of a large request, to be given back to the budget; 0 for others. */
  largeBytes = 0;
  /** What the audit log is to tell of it; undefined while there is none. */
  audited: AuditedRequest | undefined = undefined;
}

export class WaitingRequests {
  private ring: WaitingRequest[];
  private mask: number;
  private head: number;
  private tail: number;

  constructor() {
    this.ring = Array.from({ length: 1024 }, () => new WaitingRequest());
    this.mask = this.ring.length - 1;
    this.head = 0;
    this.tail = 0;
  }

  get size(): number {
    return this.tail - this.head;
  }

  /** A record at the end of the queue. The caller fills in every field. */
  add(): WaitingRequest {
    if (this.size === this.ring.length) this.grow();
    const request = this.ring[this.tail & this.mask] as WaitingRequest;
    this.tail++;
    return request;
  }

  /** The request that this txn answers; undefined when it is another member's, or the server's own. */
  answeredBy(txn: Txn): WaitingRequest | undefined {
    if (this.head === this.tail) return undefined;
    const request = this.ring[this.head & this.mask] as WaitingRequest;
    if (request.zxid !== 0) return request.zxid === txn.zxid ? request : undefined;
    const { bytes, start } = txn;
    return txn.zxid > request.afterZxid &&
      getInt32(bytes, start) === request.sessionHigh &&
      getInt32(bytes, start + 4) === request.sessionLow &&
      getInt32(bytes, start + 8) === request.xid
      ? request
      : undefined;
  }

  /** The oldest request is answered. Its record will be reused: read nothing of it afterwards. */
  shift(): void {
    assert(this.head < this.tail, 'there is no request to shift');
    const request = this.ring[this.head & this.mask] as WaitingRequest;
    this.head++;
    request.connection = undefined;
    request.audited = undefined;
  }

  private grow(): void {
    const grown: WaitingRequest[] = [];
    for (let at = this.head; at < this.tail; at++) {
      grown.push(this.ring[at & this.mask] as WaitingRequest);
    }
    const size = grown.length;
    while (grown.length < 2 * size) grown.push(new WaitingRequest());
    this.ring = grown;
    this.mask = grown.length - 1;
    this.head = 0;
    this.tail = size;
  }
}
