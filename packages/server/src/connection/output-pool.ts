// Reply buffers: borrowed by a connection for one turn of the loop, given back once written.
//
// An idle connection holds none, so ten thousand of them cost nothing here. Most are given back before the next
// connection is served; only the writes of one batch are all answered at once.

import { ByteWriter } from '@zebu/protocol';

/** Usual size of a reply buffer, bytes. */
const OUTPUT_BYTES = 16 * 1024;
/** A buffer that grew beyond this for a large reply is dropped, not kept. */
const MAX_KEPT_BYTES = 256 * 1024;
const MAX_KEPT_WRITERS = 128;

export class OutputPool {
  private readonly writers: ByteWriter[] = [];

  borrow(): ByteWriter {
    return this.writers.pop() ?? new ByteWriter(OUTPUT_BYTES);
  }

  /** Takes back a writer whose bytes nobody reads any more. */
  giveBack(writer: ByteWriter): void {
    if (writer.bytes.length > MAX_KEPT_BYTES || this.writers.length >= MAX_KEPT_WRITERS) return;
    this.writers.push(writer.reset());
  }
}
