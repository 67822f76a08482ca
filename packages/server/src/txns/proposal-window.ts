// The txns that were prepared and not yet applied, oldest first, with the request each answers.
//
// A ring of reused records; the entry bytes lie one behind another in chunks, which are reused once
// all entries in them are applied. Nothing is allocated per txn in the steady state.

import { ByteWriter, type Zxid } from '@zebu/protocol';
import type { AuditedRequest } from '../audit.ts';
import type { ClientConnection } from '../connection/client-connection.ts';

/** One txn on its way: the bytes that are logged and applied, and who waits for it. */
export class Proposal {
  zxid: Zxid = 0;
  /** Entry bytes: bytes[start, end). */
  bytes: Buffer = NO_BYTES;
  start = 0;
  end = 0;
  /** Who gets the reply; undefined for expiries and container sweeps. */
  connection: ClientConnection | undefined = undefined;
  xid = 0;
  /** Request type, which can differ from the txn's (an error txn answers any request). */
  requestType = 0;
  /** Error decided when it was prepared; 0 for a txn that will be applied. */
  error = 0;
  /** Monotonic ms when the request arrived. */
  receivedMs = 0;
  /** Bytes of a large request, to be given back to the budget; 0 for others. */
  largeBytes = 0;
  /** What the audit log is to tell of it; undefined while there is none. */
  audited: AuditedRequest | undefined = undefined;
}

const NO_BYTES = Buffer.alloc(0);
const CHUNK_BYTES = 1 << 20;
/** Room kept for an entry beyond its request: header, digest, a sequence suffix, a few ACLs. */
const ENTRY_SLACK = 1024;
const MAX_SPARE_CHUNKS = 4;

export class ProposalWindow {
  /** Where the entry in preparation is written. Its buffer is the current chunk. */
  readonly writer: ByteWriter;
  private ring: Proposal[];
  private mask: number;
  private head: number;
  private tail: number;
  private readonly spare: Buffer[];

  constructor() {
    this.writer = new ByteWriter(CHUNK_BYTES);
    this.ring = Array.from({ length: 1024 }, () => new Proposal());
    this.mask = this.ring.length - 1;
    this.head = 0;
    this.tail = 0;
    this.spare = [];
  }

  get size(): number {
    return this.tail - this.head;
  }

  /** Makes room for an entry of a request of `requestBytes`; returns the offset it begins at. */
  begin(requestBytes: number): number {
    const needed = 2 * requestBytes + ENTRY_SLACK;
    if (this.writer.offset + needed > this.writer.bytes.length) {
      // The old chunk lives on in the proposals that point into it.
      this.writer.bytes =
        needed <= CHUNK_BYTES && this.spare.length > 0
          ? (this.spare.pop() as Buffer)
          : Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, needed));
      this.writer.offset = 0;
    }
    return this.writer.offset;
  }

  /** Adds the entry that begins at `start` and ends at the writer's offset. */
  push(zxid: Zxid, start: number): Proposal {
    if (this.size === this.ring.length) this.grow();
    const proposal = this.ring[this.tail & this.mask] as Proposal;
    this.tail++;
    proposal.zxid = zxid;
    proposal.bytes = this.writer.bytes;
    proposal.start = start;
    proposal.end = this.writer.offset;
    return proposal;
  }

  /** The oldest proposal; undefined when there is none. */
  first(): Proposal | undefined {
    return this.head === this.tail ? undefined : this.ring[this.head & this.mask];
  }

  /** Forgets the oldest proposal. Its record will be reused: read nothing of it afterwards. */
  shift(): void {
    const proposal = this.ring[this.head & this.mask] as Proposal;
    this.head++;
    proposal.connection = undefined;
    proposal.audited = undefined;
    const { bytes } = proposal;
    proposal.bytes = NO_BYTES;
    if (bytes === this.writer.bytes) {
      if (this.head === this.tail) this.rewind();
      return;
    }
    if (this.first()?.bytes !== bytes) this.recycle(bytes);
  }

  /** Nothing is in the works: the chunk begins anew. One made for a large entry is let go. */
  private rewind(): void {
    const { writer } = this;
    writer.offset = 0;
    if (writer.bytes.length === CHUNK_BYTES) return;
    writer.bytes = this.spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
  }

  private recycle(chunk: Buffer): void {
    if (chunk.length === CHUNK_BYTES && this.spare.length < MAX_SPARE_CHUNKS) {
      this.spare.push(chunk);
    }
  }

  private grow(): void {
    const grown: Proposal[] = [];
    for (let at = this.head; at < this.tail; at++) {
      grown.push(this.ring[at & this.mask] as Proposal);
    }
    const size = grown.length;
    while (grown.length < 2 * size) grown.push(new Proposal());
    this.ring = grown;
    this.mask = grown.length - 1;
    this.head = 0;
    this.tail = size;
  }
}
