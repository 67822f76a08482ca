// What both ends of a link between a leader and a learner send alike: messages, and packets of a type and a zxid.

import {
  ByteWriter,
  PACKET_HEAD_BYTES,
  PACKET_TAIL_BYTES,
  type PeerMessage,
  putBarePacket,
  writePeerMessage,
  type Zxid,
} from '@zebu/protocol';
import type { PeerLink, SliceOwner } from '@zebu/transport';

const WRITER_BYTES = 1024;

/** A packet without data. */
export const BARE_BYTES = PACKET_HEAD_BYTES + PACKET_TAIL_BYTES;

/** Of bytes that nobody waits for: they are copied, or are given away with the slice. */
export const NOBODY: SliceOwner = Object.freeze({ sliceReleased() {} });

export class PacketSender {
  /** Undefined until the link is made: what is sent before is dropped. */
  link: PeerLink | undefined;
  private readonly writer: ByteWriter;

  constructor() {
    this.link = undefined;
    this.writer = new ByteWriter(WRITER_BYTES);
  }

  /** Writes to the socket so far. */
  get writes(): number {
    return this.link?.writes ?? 0;
  }

  message(message: PeerMessage): void {
    this.writer.reset();
    writePeerMessage(this.writer, message);
    const { bytes, offset } = this.writer;
    const isCopied = this.link?.send(bytes, 0, offset, NOBODY) ?? true;
    // What is longer than a gather buffer is not copied: the link has the bytes then.
    if (!isCopied) this.writer.bytes = Buffer.allocUnsafeSlow(WRITER_BYTES);
  }

  bare(type: number, zxid: Zxid): void {
    const { link } = this;
    if (link === undefined) return;
    const at = link.reserve(BARE_BYTES);
    putBarePacket(link.gather, at, type, zxid);
  }

  flush(): void {
    this.link?.flush();
  }

  /** Without a reason in order, after what was sent; with one at once. */
  close(reason?: Error): void {
    if (reason === undefined) this.link?.end();
    else this.link?.close(reason);
  }
}
