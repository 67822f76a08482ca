// One client: its requests, in order, and its life.
//
//   opening ──► asking (a four-letter word) ──► ending
//      │
//      └──► handshaking (handshake.ts) ──► established ──► ending
//
// A read is answered at once, a write when it is applied. Order within a connection: a read that arrives
// while the connection has writes in flight is parked behind them, and runs right after the last write
// before it was applied, before any later txn is.
//
// connection-input.ts says when the next request is taken, connection-output.ts how replies go out.

import {
  type ByteReader,
  type ByteWriter,
  ErrorCode,
  getInt32,
  MarshallingError,
  OpCode,
  ProtocolError,
  Xid,
  type Zxid,
} from '@zebu/protocol';
import { formatSessionId, type Session } from '@zebu/session';
import type { Connection, ConnectionHandler } from '@zebu/transport';
import { isAllowedBy } from '../auth/access-control.ts';
import type { AuthContext } from '../auth/auth-provider.ts';
import type { Identity } from '../auth/identity.ts';
import { labelOf, type Operation, operationOf } from '../ops/op-table.ts';
import type { ServerNode } from '../server-node.ts';
import type { Proposal } from '../txns/proposal-window.ts';
import { answerWord, firstBytes } from '../words/four-letter-door.ts';
import { ConnectionInput, type FrameTaker, Stop } from './connection-input.ts';
import { beginReply, ConnectionOutput } from './connection-output.ts';
import { ConnectionStats } from './connection-stats.ts';
import { sendConnectResponse, shakeHands } from './handshake.ts';
import type { WatchEvent } from './watch-events.ts';

const State = { opening: 0, asking: 1, handshaking: 2, established: 3, ending: 4 } as const;
type State = (typeof State)[keyof typeof State];

/** Requests that may wait behind the connection's own writes; further frames are left unread. */
const MAX_PARKED = 32;
/** Requests of one burst between two looks at the clock. */
const FRAMES_PER_LOOK = 32;
const HEADER_BYTES = 8;
const NO_BYTES = Buffer.alloc(0);

/** A request that waits for `writesBefore` of the connection's writes to be applied. */
interface ParkedRequest {
  readonly frame: Buffer;
  /** THROTTLEDOP for one that is not carried out; 0 for a read. */
  readonly error: number;
  readonly writesBefore: number;
  readonly receivedMs: number;
}

export class ClientConnection implements ConnectionHandler, FrameTaker {
  readonly node: ServerNode;
  readonly transport: Connection;
  /** Slot number: what the watch table knows this connection by. */
  readonly slot: number;
  readonly input: ConnectionInput;
  readonly output: ConnectionOutput;
  /** What the words `cons` and `stat` show. */
  readonly stats: ConnectionStats;
  session: Session | undefined;
  /** What the client has proved to be; replaced, never changed, so a request can keep it. */
  identities: readonly Identity[];
  /** Whether the client knows of read-only servers: its connect request had that byte, so has the answer. */
  sendsReadOnly: boolean;
  private state: State;
  /** The first bytes, while they are too few to tell what they are. */
  private preamble: Buffer;
  private parked: ParkedRequest[];
  private writesSubmitted: number;
  private writesApplied: number;

  readonly acceptedMs: number;
  establishedWallMs: number;

  constructor(
    node: ServerNode,
    transport: Connection,
    slot: number,
    identities: readonly Identity[],
  ) {
    this.node = node;
    this.transport = transport;
    this.slot = slot;
    this.input = new ConnectionInput(this, transport, node.turns, node.config.juteMaxBufferBytes);
    this.stats = new ConnectionStats();
    this.output = new ConnectionOutput(node, transport, this.input, this.stats);
    this.session = undefined;
    this.identities = identities;
    this.sendsReadOnly = true;
    this.state = State.opening;
    this.preamble = NO_BYTES;
    this.parked = NOTHING_PARKED;
    this.writesSubmitted = 0;
    this.writesApplied = 0;
    this.acceptedMs = node.turns.nowMs;
    this.establishedWallMs = node.environment.clock.wallMs();
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

  private get hasWritesInFlight(): boolean {
    return this.writesSubmitted !== this.writesApplied;
  }

  /** Requests taken and not answered. */
  get outstanding(): number {
    return this.writesSubmitted - this.writesApplied + this.parked.length;
  }

  // ---- What the transport brings ------------------------------------------------------------

  data(bytes: Buffer, start: number, end: number): void {
    if (this.state === State.ending || this.state === State.asking) return;
    const { node } = this;
    node.turns.look();
    node.metrics.bytesReceived += end - start;
    this.touchSession();
    if (this.state === State.opening) this.open(bytes, start, end);
    else this.input.take(bytes, start, end);
    node.turns.flush();
  }

  drained(): void {
    this.node.turns.look();
    // A client that reads is alive: its requests may wait unread here only because it had not.
    this.touchSession();
    this.output.drained();
    this.node.turns.flush();
  }

  private touchSession(): void {
    if (this.session !== undefined) this.node.sessions.touch(this.session, this.node.turns.nowMs);
  }

  /** The transport is gone, whoever closed it. */
  closed(reason?: Error): void {
    const { logger } = this.node.environment;
    if (this.state !== State.ending) {
      this.node.turns.look();
      if (reason !== undefined && logger.debugEnabled) {
        logger.debug('A client went away', { reason: reason.message });
      }
      this.detach();
    }
    this.output.closed();
  }

  /** The first bytes tell what the connection is for: the answer to a four-letter word, or frames. */
  private open(bytes: Buffer, start: number, end: number): void {
    // Words come whole in practice; the few bytes of one that does not are kept by themselves.
    const all =
      this.preamble === NO_BYTES
        ? bytes.subarray(start, end)
        : Buffer.concat([this.preamble, bytes.subarray(start, end)]);
    const first = firstBytes(all, 0, all.length, this.node.config);
    if (first === 'more') {
      this.preamble = Buffer.from(all);
      return;
    }
    this.preamble = NO_BYTES;
    if (first === 'frame') {
      this.state = State.handshaking;
      this.input.feed(all, 0, all.length);
      return;
    }
    this.countReceived();
    if (first === 'telnet close') {
      this.end();
      return;
    }
    // It counts as a connection until it is answered: `stat` shows the one that asks too.
    this.state = State.asking;
    try {
      answerWord(this, first, all);
    } catch (error) {
      this.failed(error as Error);
    }
  }

  private countReceived(): void {
    this.stats.received++;
    this.node.metrics.packetsReceived++;
  }

  // ---- Requests -----------------------------------------------------------------------------

  frame(bytes: Buffer, start: number, end: number): void {
    const { node, input } = this;
    if (!node.isServing) {
      input.stop(Stop.shutdown);
      return;
    }
    if (this.state !== State.established) {
      this.countReceived();
      shakeHands(this, bytes, start, end);
      return;
    }
    if (end - start < HEADER_BYTES) {
      this.end(new MarshallingError(`Request of ${end - start} bytes is shorter than its header`));
      return;
    }
    this.countReceived();
    if (this.stats.received % FRAMES_PER_LOOK === 0) input.lookAtTheClock();
    const operation = operationOf(getInt32(bytes, start + 4));
    if (operation === undefined) {
      if (this.hasWritesInFlight) this.park(bytes, start, end);
      else this.refuse(bytes, start);
      return;
    }
    if (operation.run !== undefined) {
      operation.run(this, getInt32(bytes, start), this.body(bytes, start, end));
      return;
    }
    if (!node.access.mayRequest(this.identities)) {
      this.output.replyError(getInt32(bytes, start), 0, ErrorCode.SESSIONCLOSEDREQUIRESASLAUTH);
      this.finish();
      return;
    }
    // A session whose end is decided takes nothing more, and nothing is answered.
    const session = this.session as Session;
    if (session.closing) return;
    if (input.waitedMs > 0 && this.waitedTooLong(bytes, start, end, session)) return;
    if (operation.read === undefined) this.submit(operation, bytes, start, end);
    else if (this.hasWritesInFlight) this.park(bytes, start, end);
    else this.serveRead(operation, bytes, start, end, node.turns.nowMs);
  }

  failed(error: Error): void {
    // A frame of an impossible length, or a handshake or authentication that does not decode: there
    // is no answer to it, and the stream is of no use any more. Anything else is a defect of ours,
    // which must not stop the others' server.
    if (!(error instanceof ProtocolError || error instanceof MarshallingError)) {
      this.node.noteDefect(error);
    }
    this.end(error);
  }

  private body(bytes: Buffer, start: number, end: number): ByteReader {
    return this.node.reader.reset(bytes, start + HEADER_BYTES, end);
  }

  /** Deals with a request that waited for the throttle beyond what the configuration allows. */
  private waitedTooLong(bytes: Buffer, start: number, end: number, session: Session): boolean {
    const { throttle, metrics, tree } = this.node;
    const { waitedMs } = this.input;
    if (throttle.isStale(waitedMs, session.timeoutMs)) {
      metrics.staleRequestsDropped++;
      this.end(new Error(`A request waited ${Math.round(waitedMs)} ms and is stale`));
      return true;
    }
    if (!throttle.isThrottled(waitedMs, getInt32(bytes, start + 4))) return false;
    metrics.throttledOps++;
    // In its place among the answers: a client takes an xid out of order for a broken server.
    const error = ErrorCode.THROTTLEDOP;
    if (this.hasWritesInFlight) this.park(bytes, start, end, error);
    else this.output.replyError(getInt32(bytes, start), tree.lastProcessedZxid, error);
    return true;
  }

  /** An operation that no client may ask for: answered, then the connection is closed. */
  private refuse(bytes: Buffer, start: number): void {
    this.output.replyError(getInt32(bytes, start), -1, ErrorCode.UNIMPLEMENTED);
    this.finish();
  }

  // ---- Reads --------------------------------------------------------------------------------

  private serveRead(
    operation: Operation,
    bytes: Buffer,
    start: number,
    end: number,
    receivedMs: number,
  ): void {
    const { node, output } = this;
    const xid = operation.type === OpCode.ping ? Xid.ping : getInt32(bytes, start);
    const { lastProcessedZxid } = node.tree;
    const writer = output.writer();
    if (operation.sendsEvents) {
      // Its events go before its reply, which has no body.
      const error = this.read(operation, bytes, start, end, writer);
      output.reply(xid, lastProcessedZxid, NO_BYTES, error);
    } else {
      const mark = beginReply(writer);
      const bodyAt = writer.offset;
      const error = this.read(operation, bytes, start, end, writer);
      if (output.slices !== undefined) {
        output.beginLongReply(mark, xid, operation.label, receivedMs);
        return;
      }
      if (error !== 0) writer.offset = bodyAt;
      output.complete(writer, mark, xid, lastProcessedZxid, error);
    }
    node.metrics.readLatency.add(output.note(operation.label, xid, receivedMs));
    // Long replies take long to hand over: a turn may be used up by a few of them.
    if (output.flushIfMuch()) this.input.lookAtTheClock();
  }

  private read(
    operation: Operation,
    bytes: Buffer,
    start: number,
    end: number,
    writer: ByteWriter,
  ): number {
    try {
      return operation.read?.(this, this.body(bytes, start, end), writer) ?? 0;
    } catch (error) {
      // A read changes nothing, so whatever went wrong in it concerns its own reply alone.
      if (!(error instanceof MarshallingError)) this.node.noteDefect(error as Error);
      return ErrorCode.MARSHALLINGERROR;
    }
  }

  private park(bytes: Buffer, start: number, end: number, error = 0): void {
    if (this.parked === NOTHING_PARKED) this.parked = [];
    const frame = Buffer.allocUnsafeSlow(end - start);
    bytes.copy(frame, 0, start, end);
    this.parked.push({
      frame,
      error,
      writesBefore: this.writesSubmitted,
      receivedMs: this.node.turns.nowMs,
    });
    if (this.parked.length >= MAX_PARKED) this.input.stop(Stop.parked);
  }

  /**
   * Runs what waited for writes that have now been applied: all of it, however slowly the client
   * reads, since the next write may be applied right after. MAX_PARKED bounds what that can take.
   */
  private runParkedRequests(): void {
    let done = 0;
    while (done < this.parked.length && this.state === State.established) {
      const { frame, error, writesBefore, receivedMs } = this.parked[done] as ParkedRequest;
      if (writesBefore > this.writesApplied) break;
      done++;
      const operation = operationOf(getInt32(frame, 4));
      if (error !== 0) {
        this.output.replyError(getInt32(frame, 0), this.node.tree.lastProcessedZxid, error);
      } else if (operation === undefined) this.refuse(frame, 0);
      else this.serveRead(operation, frame, 0, frame.length, receivedMs);
    }
    if (done === 0) return;
    this.parked = done < this.parked.length ? this.parked.slice(done) : NOTHING_PARKED;
    // Frames are taken again when the whole batch is applied: none may come between its txns.
    if (this.input.lift(Stop.parked)) this.node.resumeAfterBatch(this);
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
    if (node.throttle.isFull(node.window.size)) this.input.waitForThrottle(node.throttle);
  }

  /** Answers a write that was applied, `body` being its response; then the reads that waited. */
  writeApplied(proposal: Proposal, zxid: Zxid, error: number, body: ByteWriter): void {
    this.writesApplied++;
    if (this.state !== State.established) return;
    const { output } = this;
    const writer = output.writer();
    const mark = beginReply(writer);
    if (error === 0) writer.raw(body.bytes, 0, body.offset);
    output.complete(writer, mark, proposal.xid, zxid, error);
    // FinalRequestProcessor throws for an error txn before it knows the operation.
    const label = error === 0 ? labelOf(proposal.requestType) : 'NA';
    this.node.metrics.updateLatency.add(output.note(label, proposal.xid, proposal.receivedMs));
    output.flushIfMuch();
    if (this.parked.length > 0) this.runParkedRequests();
  }

  /** Takes requests again, if nothing stops it: the batch that it waited for is applied. */
  resume(): void {
    this.input.resume();
  }

  // ---- Sessions and events ------------------------------------------------------------------

  /** For the handshake: frames behind the connect request wait until the session is created. */
  createSession(timeoutMs: number): void {
    this.input.stop(Stop.session);
    this.writesSubmitted++;
    this.node.createSession(this, timeoutMs);
  }

  /** A createSession of this connection was applied. */
  sessionCreated(session: Session): void {
    this.writesApplied++;
    if (this.isClosed) return;
    this.establish(session);
    this.input.lift(Stop.session);
    this.node.resumeAfterBatch(this);
  }

  /** The session is decided: answers the handshake; frames behind it are taken from now on. */
  establish(session: Session): void {
    this.session = session;
    session.owner = this;
    this.state = State.established;
    this.establishedWallMs = this.node.environment.clock.wallMs();
    this.stats.lastOp = 'SESS';
    sendConnectResponse(this, session.timeoutMs, session.id);
    this.node.sessionEstablished(this);
  }

  sendEvent(event: WatchEvent): void {
    if (this.state !== State.established || this.output.event(event)) return;
    this.end(new Error(`${this.transport.queuedBytes} bytes of replies and events were not read`));
  }

  // ---- The end ------------------------------------------------------------------------------

  /** Sends what is still to be sent, then closes. */
  finish(): void {
    if (this.state === State.ending) return;
    this.detach();
    this.output.finish();
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
    this.detach();
    this.output.end();
  }

  private detach(): void {
    this.state = State.ending;
    this.input.close();
    this.parked = NOTHING_PARKED;
    if (this.session !== undefined && this.session.owner === this) this.session.owner = undefined;
    this.node.connectionEnding(this);
  }
}

const NOTHING_PARKED: ParkedRequest[] = [];
