// What comes in from one client: its bytes cut into frames, and when they are left unread.

import { FrameDecoder, MarshallingError, ProtocolError } from '@zebu/protocol';
import type { Connection } from '@zebu/transport';
import type { ClientConnection } from './client-connection.ts';
import { MAX_QUEUED_BYTES } from './connection-output.ts';
import type { ServerNode } from './server-node.ts';

const NO_BYTES = Buffer.alloc(0);

export class ConnectionInput {
  /** No frame is taken while set; see resume(). */
  stopped: boolean;
  /** While frames are taken that waited for the throttle: for how long. */
  waitedMs: number;
  private readonly connection: ClientConnection;
  private readonly node: ServerNode;
  private readonly transport: Connection;
  private readonly decoder: FrameDecoder;
  private readonly takeFrame: (bytes: Buffer, start: number, end: number) => boolean;
  /** Since when it has waited for the throttle; NOT_THROTTLED while it does not. */
  private throttledMs: number;

  constructor(connection: ClientConnection) {
    this.stopped = false;
    this.waitedMs = 0;
    this.connection = connection;
    this.node = connection.node;
    this.transport = connection.transport;
    this.decoder = new FrameDecoder(connection.node.config.juteMaxBufferBytes);
    this.takeFrame = (bytes, start, end) => this.connection.frame(bytes, start, end);
    this.throttledMs = NOT_THROTTLED;
  }

  take(bytes: Buffer, start: number, end: number): void {
    if (this.stopped || !this.node.turns.join()) this.waitForTurn(bytes, start, end);
    else this.feed(bytes, start, end);
  }

  /** Takes no frame now: stopped, or others were served for long enough in this turn of the loop. */
  private waitForTurn(bytes: Buffer, start: number, end: number): void {
    this.decoder.hold(bytes, start, end);
    this.transport.pause();
    if (!this.stopped) this.stopForTurn();
  }

  private stopForTurn(): void {
    this.stopped = true;
    this.node.turns.wait(this.connection);
  }

  /** A burst of costly requests ends here for this turn; cheap ones never take that long. */
  lookAtTheClock(): void {
    this.node.turns.look();
    if (this.stopped || this.node.turns.join()) return;
    this.stopForTurn();
  }

  waitForThrottle(): void {
    this.stopped = true;
    this.throttledMs = this.node.turns.nowMs;
    this.node.throttle.wait(this.connection);
  }

  /** Takes frames again after a stop, the ones already received first. */
  resume(): void {
    const { connection } = this;
    if (!this.stopped || connection.isClosed || !connection.output.mayReplyInSlices) return;
    // Whatever stopped it, a client that does not read must be waited for; drained() comes here again.
    if (this.transport.queuedBytes > MAX_QUEUED_BYTES || connection.isFullOfReads) return;
    this.stopped = false;
    if (this.throttledMs !== NOT_THROTTLED) {
      this.waitedMs = this.node.turns.nowMs - this.throttledMs;
      this.throttledMs = NOT_THROTTLED;
    }
    this.feed(NO_BYTES, 0, 0);
    this.waitedMs = 0;
    // feed() may have stopped again.
    if (!this.stopped && !connection.isClosed) this.transport.resume();
  }

  feed(bytes: Buffer, start: number, end: number): void {
    try {
      this.decoder.push(bytes, start, end, this.takeFrame);
    } catch (error) {
      // A frame of an impossible length, or a handshake or authentication that does not decode: there
      // is no answer to it, and the stream is of no use any more. Anything else is a defect of ours,
      // which must not stop the others' server.
      if (!(error instanceof ProtocolError || error instanceof MarshallingError)) {
        this.node.noteDefect(error as Error);
      }
      this.connection.end(error as Error);
    }
    if (this.stopped && !this.connection.isClosed) this.transport.pause();
  }
}

const NOT_THROTTLED = -1;
