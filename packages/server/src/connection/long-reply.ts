// A reply that takes several turns to write: the names of half a million children would hold up
// everybody else for tens of milliseconds.
//
// What it lists is the state at the moment it was asked for. Whatever the connection is to get after
// it, events included, waits behind it.

import type { ByteWriter } from '@zebu/protocol';

/** What still has to be written, in pieces. */
export interface Slices {
  /** Appends about `maxBytes`; true once all is written. */
  fill(writer: ByteWriter, maxBytes: number): boolean;
  /** Gives up what is left. */
  close(): void;
}

/** Written in one turn: well under a millisecond. */
const SLICE_BYTES = 64 * 1024;

export class LongReply {
  /** Holds what was to be sent before, then the reply from `mark` on. */
  readonly writer: ByteWriter;
  readonly mark: number;
  readonly xid: number;
  readonly zxid: number;
  readonly label: string;
  readonly receivedMs: number;
  private readonly slices: Slices;
  /** Comes after the slices: a Stat, of the moment it was asked for. */
  private readonly end: Buffer;

  constructor(options: {
    writer: ByteWriter;
    mark: number;
    xid: number;
    zxid: number;
    label: string;
    receivedMs: number;
    slices: Slices;
    end: Buffer;
  }) {
    this.writer = options.writer;
    this.mark = options.mark;
    this.xid = options.xid;
    this.zxid = options.zxid;
    this.label = options.label;
    this.receivedMs = options.receivedMs;
    this.slices = options.slices;
    this.end = options.end;
  }

  /** Writes some more; true when the body is whole. */
  step(): boolean {
    if (!this.slices.fill(this.writer, SLICE_BYTES)) return false;
    this.writer.raw(this.end, 0, this.end.length);
    return true;
  }

  close(): void {
    this.slices.close();
  }
}
