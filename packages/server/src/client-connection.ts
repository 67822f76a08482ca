// One client: handshake, frames in order, replies in order, and how much of either may wait.
//
//   preamble ──► asking (a four-letter word) ──► ending
//       │
//       └─► connect request ──► connecting ──► established ──► ending
//                               (until its createSession is applied)
//
// Order within a connection: a read that arrives while the connection has writes in flight is parked
// behind them, and runs right after the last write before it was applied, before any later txn is.
// Frames are taken only while there is room for their replies: a client that asks and does not read
// is not read from either.

import {
  ByteReader,
  type ByteWriter,
  type ConnectRequest,
  copyBytes,
  ErrorCode,
  FrameDecoder,
  getInt32,
  MarshallingError,
  OpCode,
  PASSWORD_BYTES,
  ProtocolError,
  putInt32,
  readConnectRequest,
  sessionPassword,
  writeConnectResponse,
  Xid,
  type Zxid,
} from '@zebu/protocol';
import { formatSessionId, type Session } from '@zebu/session';
import type { Connection, ConnectionHandler } from '@zebu/transport';
import { isAllowedBy } from './auth/access-control.ts';
import type { AuthContext } from './auth/auth-provider.ts';
import type { Identity } from './auth/identity.ts';
import { ConnectionStats } from './connection-stats.ts';
import { answerWord, firstBytes } from './four-letter-door.ts';
import { LongReply, type Slices } from './long-reply.ts';
import { labelOf, type Operation, operationOf } from './op-table.ts';
import type { Proposal } from './proposal-window.ts';
import type { ServerNode } from './server-node.ts';

const State = { preamble: 0, asking: 1, connecting: 2, established: 3, ending: 4 } as const;
type State = (typeof State)[keyof typeof State];

/** Reply bytes that may wait for a slow reader before its requests are left alone. */
const MAX_QUEUED_BYTES = 1 << 20;
/** Replies of one burst are handed to the socket whenever this many bytes have gathered. */
const FLUSH_BYTES = 128 * 1024;
/** Reads that may wait behind the connection's own writes; further frames are left unread. */
const MAX_PARKED = 32;
/** Watch events that a client does not read may take this much; then it is cut off. */
const MAX_QUEUED_EVENT_BYTES = 64 << 20;
/** Requests of one burst between two looks at the clock. */
const FRAMES_PER_LOOK = 32;
const REPLY_PREFIX_BYTES = 20;
const NO_BYTES = Buffer.alloc(0);

/** A read that waits for `writesBefore` of the connection's writes to be applied. */
interface ParkedRead {
  readonly frame: Buffer;
  readonly writesBefore: number;
  readonly receivedMs: number;
}

export class ClientConnection implements ConnectionHandler {
  readonly node: ServerNode;
  readonly transport: Connection;
  /** Slot number: what the watch table knows this connection by. */
  readonly slot: number;
  session: Session | undefined;
  /** What the client has proved to be; replaced, never changed, so a request can keep it. */
  identities: readonly Identity[];
  private state: State;
  private sendsReadOnly: boolean;
  /** The first bytes, while it is not clear what they are; empty once they are frames. */
  private preamble: Buffer | undefined;
  private readonly decoder: FrameDecoder;
  private readonly takeFrame: (bytes: Buffer, start: number, end: number) => boolean;
  /** Borrowed while replies of this turn gather. */
  private output: ByteWriter | undefined;
  private queuedForFlush: boolean;
  /** Being written over several turns; what comes after it waits in `output`. */
  private longReply: LongReply | undefined;
  /** Set by a read that wants its reply written so. */
  private slices: Slices | undefined;
  private endOfSlices: Buffer;
  /** No frame is taken while set; see resume(). */
  private stopped: boolean;
  /** Since when it has waited for the throttle; NOT_THROTTLED while it does not. */
  private throttledMs: number;
  /** While frames are taken that waited for the throttle: for how long. */
  private waitedMs: number;
  private parked: ParkedRead[];
  private writesSubmitted: number;
  private writesApplied: number;

  readonly acceptedMs: number;
  establishedWallMs: number;
  private counted: ConnectionStats;

  constructor(
    node: ServerNode,
    transport: Connection,
    slot: number,
    identities: readonly Identity[],
  ) {
    this.node = node;
    this.transport = transport;
    this.slot = slot;
    this.session = undefined;
    this.identities = identities;
    this.state = State.preamble;
    this.sendsReadOnly = true;
    this.preamble = undefined;
    this.decoder = new FrameDecoder(node.config.juteMaxBufferBytes);
    this.takeFrame = (bytes, start, end) => this.frame(bytes, start, end);
    this.output = undefined;
    this.queuedForFlush = false;
    this.longReply = undefined;
    this.slices = undefined;
    this.endOfSlices = NO_BYTES;
    this.stopped = false;
    this.throttledMs = NOT_THROTTLED;
    this.waitedMs = 0;
    this.parked = NOTHING_PARKED;
    this.writesSubmitted = 0;
    this.writesApplied = 0;
    this.acceptedMs = node.turns.nowMs;
    this.establishedWallMs = node.environment.clock.wallMs();
    this.counted = new ConnectionStats();
  }

  /** What the words `cons` and `stat` show. */
  get stats(): ConnectionStats {
    return this.counted;
  }

  /** For the word `crst`. */
  resetStats(): void {
    this.counted = new ConnectionStats();
  }

  get isClosed(): boolean {
    return this.state === State.ending;
  }

  /** Whether the client asked a four-letter word. */
  get isAsking(): boolean {
    return this.state === State.asking;
  }

  /** What authentication may know of the connection. */
  get authContext(): AuthContext {
    return this.transport;
  }

  /** Whether the client has one of the permission bits on a znode with this ACL. */
  isAllowed(aclId: number, perms: number): boolean {
    const { access, tree } = this.node;
    return isAllowedBy(aclId, tree.acls, access, perms, this.identities);
  }

  /** Requests taken and not answered. */
  get outstanding(): number {
    return this.writesSubmitted - this.writesApplied + this.parked.length;
  }

  // ---- Bytes in -----------------------------------------------------------------------------

  data(bytes: Buffer, start: number, end: number): void {
    if (this.state === State.ending || this.state === State.asking) return;
    this.node.turns.look();
    this.node.metrics.bytesReceived += end - start;
    if (this.session !== undefined) this.node.sessions.touch(this.session, this.node.turns.nowMs);
    if (this.preamble === NO_BYTES && (this.stopped || !this.node.turns.join())) {
      this.waitForTurn(bytes, start, end);
      return;
    }
    this.feed(bytes, start, end);
    this.node.turns.flush();
  }

  /** Takes no frame now: stopped, or others were served for long enough in this turn of the loop. */
  private waitForTurn(bytes: Buffer, start: number, end: number): void {
    this.decoder.hold(bytes, start, end);
    this.transport.pause();
    if (!this.stopped) this.stopForTurn();
  }

  private stopForTurn(): void {
    this.stopped = true;
    this.node.turns.wait(this);
  }

  /** Takes frames again after a stop, the ones already received first. */
  resume(): void {
    if (!this.stopped || this.state === State.ending || this.longReply !== undefined) return;
    // Whatever stopped it, a client that does not read must be waited for; drained() comes here again.
    if (this.transport.queuedBytes > MAX_QUEUED_BYTES || this.parked.length >= MAX_PARKED) return;
    this.stopped = false;
    if (this.throttledMs !== NOT_THROTTLED) {
      this.waitedMs = this.node.turns.nowMs - this.throttledMs;
      this.throttledMs = NOT_THROTTLED;
    }
    this.feed(NO_BYTES, 0, 0);
    this.waitedMs = 0;
    // feed() may have stopped again.
    if (!this.stopped && !this.isClosed) this.transport.resume();
  }

  drained(): void {
    this.node.turns.look();
    // A client that reads is alive: its requests may wait unread here only because it had not.
    if (this.session !== undefined) this.node.sessions.touch(this.session, this.node.turns.nowMs);
    this.runParkedReads();
    this.resume();
    this.node.turns.flush();
  }

  private feed(bytes: Buffer, start: number, end: number): void {
    try {
      if (this.preamble === NO_BYTES) this.decoder.push(bytes, start, end, this.takeFrame);
      else this.takeWord(bytes, start, end);
    } catch (error) {
      // A frame of an impossible length, or a handshake or authentication that does not decode: there
      // is no answer to it, and the stream is of no use any more. Anything else is a defect of ours,
      // which must not stop the others' server.
      if (!(error instanceof ProtocolError || error instanceof MarshallingError)) {
        this.node.noteDefect(error as Error);
      }
      this.end(error as Error);
    }
    if (this.stopped && !this.isClosed) this.transport.pause();
  }

  /**
   * A connection may begin with a four-letter word in place of a frame. The decoder gets whatever is none.
   */
  private takeWord(bytes: Buffer, start: number, end: number): void {
    // Words come whole in practice; the few bytes of one that does not are kept by themselves.
    const all =
      this.preamble === undefined
        ? bytes.subarray(start, end)
        : Buffer.concat([this.preamble, bytes.subarray(start, end)]);
    const first = firstBytes(all, 0, all.length, this.node.config);
    if (first === 'more') {
      this.preamble = Buffer.from(all);
      return;
    }
    this.preamble = NO_BYTES;
    if (first === 'frame') {
      this.decoder.push(all, 0, all.length, this.takeFrame);
      return;
    }
    this.node.metrics.packetsReceived++;
    this.counted.received++;
    if (first === 'telnet close') {
      this.end();
      return;
    }
    // It counts as a connection until it is answered: `stat` shows the one that asks too.
    this.state = State.asking;
    answerWord(this, first, all);
  }

  /** One whole frame. False stops the decoder until resume(). */
  private frame(bytes: Buffer, start: number, end: number): boolean {
    if (this.state === State.ending) return false;
    if (!this.node.isServing) {
      this.stopped = true;
      return false;
    }
    if (this.state !== State.established) {
      this.connect(bytes, start, end);
      return !this.stopped;
    }
    if (end - start < 8) {
      this.end(new MarshallingError(`Request of ${end - start} bytes is shorter than its header`));
      return false;
    }
    this.counted.received++;
    this.node.metrics.packetsReceived++;
    if (this.counted.received % FRAMES_PER_LOOK === 0) this.lookAtTheClock();
    const operation = operationOf(getInt32(bytes, start + 4));
    if (operation === undefined) {
      this.refuse(getInt32(bytes, start), bytes, start, end);
      return !this.stopped && !this.isClosed;
    }
    if (operation.run !== undefined) {
      operation.run(this, getInt32(bytes, start), this.body(bytes, start, end));
      return !this.stopped && !this.isClosed;
    }
    if (!this.node.access.mayRequest(this.identities)) {
      this.replyError(getInt32(bytes, start), 0, ErrorCode.SESSIONCLOSEDREQUIRESASLAUTH);
      this.finish();
      return false;
    }
    // A session whose end is decided takes nothing more, and nothing is answered.
    const session = this.session as Session;
    if (session.closing) return true;
    if (this.waitedMs > 0 && this.waitedTooLong(bytes, start, session)) return !this.isClosed;
    if (operation.read === undefined) this.submit(operation, bytes, start, end);
    else if (this.writesSubmitted !== this.writesApplied) this.park(bytes, start, end);
    else this.serveRead(operation, bytes, start, end, this.node.turns.nowMs);
    return !this.stopped && !this.isClosed;
  }

  /** A burst of costly requests ends here for this turn; cheap ones never take that long. */
  private lookAtTheClock(): void {
    this.node.turns.look();
    if (this.stopped || this.node.turns.join()) return;
    this.stopForTurn();
  }

  /** Deals with a request that waited for the throttle beyond what the configuration allows. */
  private waitedTooLong(bytes: Buffer, start: number, session: Session): boolean {
    const { throttle, metrics } = this.node;
    if (throttle.isStale(this.waitedMs, session.timeoutMs)) {
      metrics.staleRequestsDropped++;
      this.end(new Error(`A request waited ${Math.round(this.waitedMs)} ms and is stale`));
      return true;
    }
    if (!throttle.isThrottled(this.waitedMs, getInt32(bytes, start + 4))) return false;
    metrics.throttledOps++;
    const { lastProcessedZxid } = this.node.tree;
    this.replyError(getInt32(bytes, start), lastProcessedZxid, ErrorCode.THROTTLEDOP);
    return true;
  }

  private body(bytes: Buffer, start: number, end: number): ByteReader {
    return this.node.reader.reset(bytes, start + 8, end);
  }

  /** An operation that no client may ask for: answered, then the connection is closed. */
  private refuse(xid: number, bytes: Buffer, start: number, end: number): void {
    if (this.writesSubmitted !== this.writesApplied) this.park(bytes, start, end);
    else {
      this.replyError(xid, -1, ErrorCode.UNIMPLEMENTED);
      this.finish();
    }
  }

  // ---- Reads --------------------------------------------------------------------------------

  private serveRead(
    operation: Operation,
    bytes: Buffer,
    start: number,
    end: number,
    receivedMs: number,
  ): void {
    const xid = operation.type === OpCode.ping ? Xid.ping : getInt32(bytes, start);
    const { lastProcessedZxid } = this.node.tree;
    let output = this.writer();
    if (operation.sendsEvents) {
      // Its events go before its reply, which has no body.
      const error = this.read(operation, bytes, start, end, output);
      this.reply(xid, lastProcessedZxid, NO_BYTES, error);
      output = this.writer();
    } else {
      const mark = output.offset;
      output.ensure(REPLY_PREFIX_BYTES);
      output.offset += REPLY_PREFIX_BYTES;
      const error = this.read(operation, bytes, start, end, output);
      if (this.slices !== undefined) {
        this.beginLongReply(mark, xid, operation.label, receivedMs);
        return;
      }
      if (error !== 0) output.offset = mark + REPLY_PREFIX_BYTES;
      this.completeReply(output, mark, xid, lastProcessedZxid, error);
    }
    this.node.metrics.readLatency.add(this.note(operation.label, xid, receivedMs));
    if (output.offset >= FLUSH_BYTES) this.flushAndLook();
  }

  private read(
    operation: Operation,
    bytes: Buffer,
    start: number,
    end: number,
    output: ByteWriter,
  ): number {
    try {
      return operation.read?.(this, this.body(bytes, start, end), output) ?? 0;
    } catch (error) {
      // A read changes nothing, so whatever went wrong in it concerns its own reply alone.
      if (!(error instanceof MarshallingError)) this.node.noteDefect(error as Error);
      return ErrorCode.MARSHALLINGERROR;
    }
  }

  /** Whether a reply may be written over several turns; one at a time for each connection. */
  get mayReplyInSlices(): boolean {
    return this.longReply === undefined;
  }

  /**
   * For a read whose reply is too long for one turn: what it has written so far is followed by the
   * slices, and those by `end`.
   */
  replyInSlices(slices: Slices, end: Buffer): void {
    this.slices = slices;
    this.endOfSlices = end;
  }

  private beginLongReply(mark: number, xid: number, label: string, receivedMs: number): void {
    this.longReply = new LongReply({
      writer: this.output as ByteWriter,
      mark,
      xid,
      zxid: this.node.tree.lastProcessedZxid,
      label,
      receivedMs,
      slices: this.slices as Slices,
      end: this.endOfSlices,
    });
    this.slices = undefined;
    // What comes behind it gathers in a buffer of its own, and no further request is taken.
    this.output = undefined;
    this.stopped = true;
    this.node.environment.scheduler.afterTurn(this.continueLongReply);
  }

  private readonly continueLongReply = (): void => {
    const long = this.longReply;
    if (long === undefined) return;
    if (!long.step()) {
      this.node.environment.scheduler.afterTurn(this.continueLongReply);
      return;
    }
    this.node.turns.look();
    this.longReply = undefined;
    this.completeReply(long.writer, long.mark, long.xid, long.zxid, 0);
    this.note(long.label, long.xid, long.receivedMs);
    if (this.transport.write(long.writer.bytes, 0, long.writer.offset)) {
      this.node.outputs.giveBack(long.writer);
    }
    // Now what waited: in its buffer, parked, and unread.
    this.writer();
    this.runParkedReads();
    this.resume();
    this.node.turns.flush();
  };

  private park(bytes: Buffer, start: number, end: number): void {
    if (this.parked === NOTHING_PARKED) this.parked = [];
    const frame = Buffer.allocUnsafeSlow(end - start);
    bytes.copy(frame, 0, start, end);
    this.parked.push({
      frame,
      writesBefore: this.writesSubmitted,
      receivedMs: this.node.turns.nowMs,
    });
    if (this.parked.length >= MAX_PARKED) this.stopped = true;
  }

  /**
   * Runs what waited for writes that have now been applied: all of it, however slowly the client
   * reads, since the next write may be applied right after. MAX_PARKED bounds what that can take.
   */
  private runParkedReads(): void {
    let done = 0;
    while (done < this.parked.length && this.state === State.established) {
      const { frame, writesBefore, receivedMs } = this.parked[done] as ParkedRead;
      if (writesBefore > this.writesApplied) break;
      done++;
      const operation = operationOf(getInt32(frame, 4));
      if (operation === undefined) {
        this.replyError(getInt32(frame, 0), -1, ErrorCode.UNIMPLEMENTED);
        this.finish();
        break;
      }
      this.serveRead(operation, frame, 0, frame.length, receivedMs);
    }
    if (done === 0) return;
    if (done === this.parked.length) this.parked = NOTHING_PARKED;
    else this.parked.splice(0, done);
  }

  // ---- Writes -------------------------------------------------------------------------------

  private submit(operation: Operation, bytes: Buffer, start: number, end: number): void {
    const { node } = this;
    const largeBytes = node.throttle.largeSize(end - start);
    if (!node.throttle.admitLarge(largeBytes)) {
      node.metrics.largeRequestsRejected++;
      this.end(
        new Error(`Large requests would take more than ${node.config.largeRequestMaxBytes} bytes`),
      );
      return;
    }
    this.writesSubmitted++;
    const xid = getInt32(bytes, start);
    node.submit(operation, this, xid, this.body(bytes, start, end), node.turns.nowMs, largeBytes);
    if (node.throttle.isFull(node.window.size)) {
      this.stopped = true;
      this.throttledMs = node.turns.nowMs;
      node.throttle.wait(this);
    }
  }

  /** Answers a write that was applied, `body` being its response; then the reads that waited. */
  writeApplied(proposal: Proposal, zxid: Zxid, error: number, body: ByteWriter): void {
    this.writesApplied++;
    if (this.state !== State.established) return;
    const output = this.writer();
    const mark = output.offset;
    output.ensure(REPLY_PREFIX_BYTES + body.offset);
    output.offset += REPLY_PREFIX_BYTES;
    if (error === 0) output.raw(body.bytes, 0, body.offset);
    this.completeReply(output, mark, proposal.xid, zxid, error);
    // FinalRequestProcessor throws for an error txn before it knows the operation.
    const label = error === 0 ? labelOf(proposal.requestType) : 'NA';
    this.node.metrics.updateLatency.add(this.note(label, proposal.xid, proposal.receivedMs));
    if (output.offset >= FLUSH_BYTES) this.flushAndLook();
    if (this.parked.length > 0) {
      this.runParkedReads();
      if (this.stopped) this.node.resumeAfterBatch(this);
    }
  }

  // ---- Handshake ----------------------------------------------------------------------------

  private connect(bytes: Buffer, start: number, end: number): void {
    if (this.state !== State.preamble) return;
    const { node } = this;
    this.counted.received++;
    node.metrics.packetsReceived++;
    const request = readConnectRequest(new ByteReader(bytes, start, end));
    this.sendsReadOnly = request.readOnly !== undefined;
    node.metrics.connectionRequests++;
    if (!node.throttle.admitConnect(request.sessionId)) {
      node.metrics.connectionsRejected++;
      this.end(new Error('Connection requests come faster than the throttle allows'));
      return;
    }
    if (request.lastZxidSeen > BigInt(node.tree.lastProcessedZxid)) {
      // Refused without an answer: the client must find a server that knows what it has seen.
      node.environment.logger.info('Refusing a client that is ahead of this server', {
        client: this.transport.remoteAddress,
        lastZxidSeen: `0x${request.lastZxidSeen.toString(16)}`,
        lastZxid: `0x${node.tree.lastProcessedZxid.toString(16)}`,
      });
      this.end();
      return;
    }
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = node.config;
    const timeoutMs = Math.min(
      Math.max(request.timeoutMs, minSessionTimeoutMs),
      maxSessionTimeoutMs,
    );
    if (request.sessionId === 0n) {
      this.state = State.connecting;
      this.stopped = true;
      this.writesSubmitted++;
      node.createSession(this, timeoutMs);
    } else {
      this.reattach(request, timeoutMs);
    }
  }

  private reattach(request: ConnectRequest, timeoutMs: number): void {
    const { node } = this;
    const session = node.sessions.get(request.sessionId);
    const password = request.password ?? NO_BYTES;
    if (session === undefined || session.closing || !sessionPassword(session.id).equals(password)) {
      this.sendConnectResponse(0, 0n);
      this.finish();
      return;
    }
    // Only who knows the password takes the session from whoever has it now (decision 030).
    const owner = session.owner as ClientConnection | undefined;
    if (owner !== undefined && owner !== this) owner.end();
    session.timeoutMs = timeoutMs;
    node.sessions.touch(session, node.turns.nowMs);
    node.metrics.connectionRevalidations++;
    this.establish(session);
  }

  /** The session is decided: answers the handshake; frames behind it are taken from now on. */
  establish(session: Session): void {
    this.session = session;
    session.owner = this;
    this.state = State.established;
    this.establishedWallMs = this.node.environment.clock.wallMs();
    this.counted.lastOp = 'SESS';
    this.sendConnectResponse(session.timeoutMs, session.id);
    this.node.sessionEstablished(this);
  }

  /** A createSession of this connection was applied. */
  sessionCreated(session: Session): void {
    this.writesApplied++;
    if (this.isClosed) return;
    this.establish(session);
    this.node.resumeAfterBatch(this);
  }

  private sendConnectResponse(timeoutMs: number, sessionId: bigint): void {
    const output = this.writer();
    const mark = output.offset;
    output.int32(0);
    writeConnectResponse(output, {
      protocolVersion: 0,
      timeoutMs,
      sessionId,
      password: sessionId === 0n ? new Uint8Array(PASSWORD_BYTES) : sessionPassword(sessionId),
      readOnly: this.sendsReadOnly ? false : undefined,
    });
    output.patchInt32(mark, output.offset - mark - 4);
    this.counted.sent++;
    this.node.metrics.packetsSent++;
  }

  // ---- Bytes out ----------------------------------------------------------------------------

  /** Where replies and events of this turn gather, in order. */
  writer(): ByteWriter {
    if (this.output === undefined) this.output = this.node.outputs.borrow();
    if (!this.queuedForFlush) {
      this.queuedForFlush = true;
      this.node.turns.touch(this);
    }
    return this.output;
  }

  /** A reply of a header alone. */
  replyError(xid: number, zxid: Zxid, error: number): void {
    this.reply(xid, zxid, NO_BYTES, error);
  }

  /** A whole reply made elsewhere. */
  reply(xid: number, zxid: Zxid, body: Buffer, error = 0): void {
    const output = this.writer();
    const mark = output.offset;
    output.ensure(REPLY_PREFIX_BYTES);
    output.offset += REPLY_PREFIX_BYTES;
    output.raw(body, 0, body.length);
    this.completeReply(output, mark, xid, zxid, error);
  }

  private completeReply(
    output: ByteWriter,
    mark: number,
    xid: number,
    zxid: Zxid,
    error: number,
  ): void {
    const { bytes } = output;
    let at = putInt32(bytes, mark, output.offset - mark - 4);
    at = putInt32(bytes, at, xid);
    at = putInt32(bytes, at, Math.floor(zxid / 0x1_0000_0000));
    at = putInt32(bytes, at, zxid);
    putInt32(bytes, at, error);
    this.counted.sent++;
    const { metrics } = this.node;
    metrics.packetsSent++;
    metrics.responded(output.offset - mark - 4);
    metrics.responseBytes += output.offset - mark - 4;
  }

  /** A watch event, already framed; the same bytes may go to many connections. */
  sendEvent(frame: Buffer, length: number): void {
    if (this.state !== State.established) return;
    const output = this.writer();
    if (this.transport.queuedBytes + output.offset > MAX_QUEUED_EVENT_BYTES) {
      this.end(new Error(`Watch events of ${this.transport.queuedBytes} bytes were not read`));
      return;
    }
    output.ensure(length);
    copyBytes(frame, 0, length, output.bytes, output.offset);
    output.offset += length;
    this.counted.sent++;
    this.node.metrics.packetsSent++;
    this.node.metrics.watchBytes += length;
    if (output.offset >= FLUSH_BYTES) this.flush();
  }

  /** Notes that a request was answered; how long it took, in whole milliseconds. */
  private note(label: string, xid: number, receivedMs: number): number {
    const { metrics, tree } = this.node;
    const { nowMs } = this.node.turns;
    const latencyMs = Math.trunc(nowMs - receivedMs);
    metrics.answered(latencyMs);
    this.counted.answered(label, xid, tree.lastProcessedZxid, nowMs, latencyMs);
    return latencyMs;
  }

  /** Hands what has gathered to the socket. */
  flush(): void {
    const { output } = this;
    if (output === undefined || output.offset === 0 || this.longReply !== undefined) return;
    if (this.transport.write(output.bytes, 0, output.offset)) {
      output.reset();
      return;
    }
    // The transport owns those bytes now.
    this.output = undefined;
  }

  private flushAndLook(): void {
    this.flush();
    if (this.transport.queuedBytes > MAX_QUEUED_BYTES) this.stopped = true;
  }

  /** End of the turn: flush, and give the buffer back. Called by the node only. */
  endTurn(): void {
    this.queuedForFlush = false;
    if (this.longReply !== undefined) return;
    this.flush();
    if (this.output !== undefined) {
      this.node.outputs.giveBack(this.output);
      this.output = undefined;
    }
    if (this.state === State.ending) this.transport.end();
    else if (this.transport.queuedBytes > MAX_QUEUED_BYTES && !this.stopped) {
      this.stopped = true;
      this.transport.pause();
    }
  }

  // ---- The end ------------------------------------------------------------------------------

  /** Sends what is still to be sent, then closes. */
  finish(): void {
    if (this.state === State.ending) return;
    this.detach();
    // endTurn() flushes, then ends the transport.
    this.writer();
  }

  /** Closes, behind the replies that are whole; a long one that is not is dropped. The reason is logged. */
  end(reason?: Error): void {
    if (this.state === State.ending) return;
    if (reason !== undefined) {
      this.node.environment.logger.warn('Closing a connection', {
        client: `${this.transport.remoteAddress}:${this.transport.remotePort}`,
        session: this.session === undefined ? undefined : formatSessionId(this.session.id),
        reason: reason.message,
      });
    }
    this.dropLongReply();
    this.flush();
    this.detach();
    this.transport.end();
  }

  private dropLongReply(): void {
    this.longReply?.close();
    this.longReply = undefined;
  }

  /** The transport is gone, whoever closed it. */
  closed(reason?: Error): void {
    if (this.state === State.ending) {
      this.dropLongReply();
      return;
    }
    this.node.turns.look();
    if (reason !== undefined && this.node.environment.logger.debugEnabled) {
      this.node.environment.logger.debug('A client went away', { reason: reason.message });
    }
    this.dropLongReply();
    this.detach();
    this.output = undefined;
  }

  private detach(): void {
    this.state = State.ending;
    this.parked = NOTHING_PARKED;
    if (this.session !== undefined && this.session.owner === this) this.session.owner = undefined;
    this.node.connectionEnding(this);
  }
}

const NOTHING_PARKED: ParkedRead[] = [];
const NOT_THROTTLED = -1;
