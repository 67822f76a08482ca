// The memory that txns lie in: buffers of a megabyte, each filled with one entry after the other.
//
// Several parts of the server use a txn's bytes, for different times: the sequence until the txn is
// applied, the committed log until 500 later ones are there, a peer link until it has sent them. Each
// counts as a user of the chunk. A chunk without users is filled again.
//
// Every entry has room around it for the frame of a PROPOSAL packet (protocol's peer-records.ts), so that
// consecutive txns in one chunk are the byte stream that goes to a learner.

import { strict as assert } from 'node:assert';
import { ByteWriter } from '@zebu/protocol';

const CHUNK_BYTES = 1 << 20;
/** Room kept for an entry beyond its request: header, digest, a sequence suffix, a few ACLs. */
const ENTRY_SLACK = 1024;
const MAX_SPARE_CHUNKS = 4;
/** The longest chunk that is kept, for one request of jute.maxbuffer's default. */
const MAX_LONG_CHUNK_BYTES = 3 << 20;

/** Bytes of a packet's frame before and after an entry. */
export const FRAME_BEFORE_BYTES = 16;
export const FRAME_AFTER_BYTES = 4;

export class TxnChunk {
  readonly bytes: Buffer;
  /** Invariant: >= 0. The bytes are written again only when it is 0. */
  users: number;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.users = 0;
  }
}

export class TxnChunks {
  /** Where the entry in preparation is written. Its buffer is the current chunk's until it outgrows that. */
  readonly writer: ByteWriter;
  private current: TxnChunk;
  private readonly spare: TxnChunk[];
  /** One that was made for a long entry: new memory is slow to write to. */
  private spareLong: TxnChunk | undefined;

  constructor() {
    this.current = new TxnChunk(Buffer.allocUnsafeSlow(CHUNK_BYTES));
    this.writer = new ByteWriter(0);
    this.writer.bytes = this.current.bytes;
    this.spare = [];
    this.spareLong = undefined;
  }

  /** Makes room for an entry of a request of `requestBytes`. Returns the offset at which the entry begins. */
  begin(requestBytes: number): number {
    const { writer } = this;
    const needed = 2 * requestBytes + ENTRY_SLACK + FRAME_BEFORE_BYTES + FRAME_AFTER_BYTES;
    if (writer.offset + needed > writer.bytes.length) {
      // The old chunk lives on for those who use entries in it.
      this.use(needed <= CHUNK_BYTES ? this.fresh() : this.long(needed));
    }
    writer.offset += FRAME_BEFORE_BYTES;
    return writer.offset;
  }

  /** The entry in preparation ends at the writer's offset. Returns its chunk, with one user more. */
  end(): TxnChunk {
    const { writer } = this;
    // An entry that outgrew its chunk lies at the same offset of a larger buffer.
    if (writer.bytes !== this.current.bytes) this.current = new TxnChunk(writer.bytes);
    const { current } = this;
    current.users++;
    writer.ensure(FRAME_AFTER_BYTES);
    // Growing for the frame alone: the entry stays where it is, the next one begins elsewhere.
    if (writer.bytes !== current.bytes) this.use(this.fresh());
    else writer.offset += FRAME_AFTER_BYTES;
    return current;
  }

  /** One user less. A chunk without users is filled again, the current one from its start. */
  release(chunk: TxnChunk): void {
    chunk.users--;
    assert(chunk.users >= 0, 'a chunk of txns was released more often than it was used');
    if (chunk.users > 0) return;
    if (chunk === this.current) this.rewind();
    else this.keep(chunk);
  }

  /** Nothing is in flight: the chunk begins anew. One made for a long entry makes way for one of the usual length. */
  private rewind(): void {
    if (this.current.bytes.length === CHUNK_BYTES) {
      this.writer.offset = 0;
      return;
    }
    this.keep(this.current);
    this.use(this.fresh());
  }

  /** Of those without users a few are kept. */
  private keep(chunk: TxnChunk): void {
    const { length } = chunk.bytes;
    if (length === CHUNK_BYTES) {
      if (this.spare.length < MAX_SPARE_CHUNKS) this.spare.push(chunk);
    } else if (length <= MAX_LONG_CHUNK_BYTES) {
      if (this.spareLong === undefined || this.spareLong.bytes.length < length) {
        this.spareLong = chunk;
      }
    }
  }

  private long(needed: number): TxnChunk {
    const { spareLong } = this;
    if (spareLong === undefined || spareLong.bytes.length < needed) {
      return new TxnChunk(Buffer.allocUnsafeSlow(needed));
    }
    this.spareLong = undefined;
    return spareLong;
  }

  private fresh(): TxnChunk {
    return this.spare.pop() ?? new TxnChunk(Buffer.allocUnsafeSlow(CHUNK_BYTES));
  }

  private use(chunk: TxnChunk): void {
    this.current = chunk;
    this.writer.bytes = chunk.bytes;
    this.writer.offset = 0;
  }
}
