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

import type { DataTree, WatchTable } from '@zebu/data-tree';
import {
  type ByteReader,
  type ByteWriter,
  type ConnectRequest,
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
import { type AccessControl, isAllowedBy } from '../auth/access-control.ts';
import type { AuthContext } from '../auth/auth-provider.ts';
import type { Identity } from '../auth/identity.ts';
import type { Logger } from '../logger.ts';
import type { ServerMetrics } from '../metrics/metrics.ts';
import type { NamespaceTraffic } from '../metrics/namespace-traffic.ts';
import { labelOf, type Operation, operationOf } from '../ops/op-table.ts';
import type { ReadContext, RunContext } from '../ops/read-context.ts';
import type { WaitingRequest } from '../txns/waiting-requests.ts';
import { FORMER_OWNER, type Requestor } from '../txns/write-path.ts';
import { firstBytes } from '../words/four-letter-door.ts';
import { ConnectionInput, type FrameTaker, Stop } from './connection-input.ts';
import { beginReply, ConnectionOutput } from './connection-output.ts';
import type {
  ConnectionServices,
  ServedConnection,
  ServedState,
  WordAsker,
} from './connection-services.ts';
import { ConnectionStats } from './connection-stats.ts';
import { type ConnectingClient, sendConnectResponse, shakeHands } from './handshake.ts';
import type { WatchEvent } from './watch-event.ts';
import type { Watcher } from './watch-events.ts';

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

export class ClientConnection
  implements
    ConnectionHandler,
    FrameTaker,
    ReadContext,
    RunContext,
    Requestor,
    Watcher,
    WordAsker,
    ConnectingClient,
    ServedConnection
{
  readonly services: ConnectionServices;
  /** The life of serving in which it got, or asked for, its session; set by its connect request. */
  serving: ServedState | undefined;
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
    services: ConnectionServices,
    transport: Connection,
    slot: number,
    identities: readonly Identity[],
  ) {
    this.services = services;
    this.serving = undefined;
    this.transport = transport;
    this.slot = slot;
    this.input = new ConnectionInput(
      this,
      transport,
      services.turns,
      services.config.juteMaxBufferBytes,
    );
    this.stats = new ConnectionStats();
    this.output = new ConnectionOutput(services, transport, this.input, this.stats);
    this.session = undefined;
    this.identities = identities;
    this.sendsReadOnly = true;
    this.state = State.opening;
    this.preamble = NO_BYTES;
    this.parked = NOTHING_PARKED;
    this.writesSubmitted = 0;
    this.writesApplied = 0;
    this.acceptedMs = services.turns.nowMs;
    this.establishedWallMs = services.environment.clock.wallMs();
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

  get remoteAddress(): string {
    return this.transport.remoteAddress;
  }

  get access(): AccessControl {
    return this.services.access;
  }

  get metrics(): ServerMetrics {
    return this.services.metrics;
  }

  get logger(): Logger {
    return this.services.environment.logger;
  }

  /** What is served to it. Only a connection whose connect request was taken up has one. */
  private get served(): ServedState {
    return this.serving as ServedState;
  }

  get tree(): DataTree {
    return this.served.tree;
  }

  get watches(): WatchTable {
    return this.served.watches;
  }

  get traffic(): NamespaceTraffic {
    return this.served.traffic;
  }

  isAllowed(aclId: number, perms: number): boolean {
    return isAllowedBy(aclId, this.tree.acls, this.access, perms, this.identities);
  }

  private get hasWritesInFlight(): boolean {
    return this.writesSubmitted !== this.writesApplied;
  }

  /** Requests taken and not answered. */
  get outstanding(): number {
    return this.writesSubmitted - this.writesApplied + this.parked.length;
  }

  replyError(xid: number, zxid: Zxid, error: number): void {
    this.output.replyError(xid, zxid, error);
  }

  reply(xid: number, zxid: Zxid, body: Buffer): void {
    this.output.reply(xid, zxid, body);
  }

  // ---- What the transport brings ------------------------------------------------------------

  data(bytes: Buffer, start: number, end: number): void {
    if (this.state === State.ending || this.state === State.asking) return;
    const { services } = this;
    services.turns.readClock();
    services.metrics.bytesReceived += end - start;
    this.touchSession();
    if (this.state === State.opening) this.open(bytes, start, end);
    else this.input.take(bytes, start, end);
    services.turns.flush();
  }

  drained(): void {
    this.services.turns.readClock();
    // A client that reads is alive: its requests may wait unread here only because it had not.
    this.touchSession();
    this.output.drained();
    this.services.turns.flush();
  }

  private touchSession(): void {
    if (this.session !== undefined) this.served.touch(this.session);
  }

  /** The transport is gone, closed by either side. */
  closed(reason?: Error): void {
    const { logger } = this;
    if (this.state !== State.ending) {
      this.metrics.connectionsDropped++;
      this.services.turns.readClock();
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
    const first = firstBytes(all, 0, all.length, this.services.config);
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
      this.abort();
      return;
    }
    // It counts as a connection until it is answered: `stat` shows the one that asks too.
    this.state = State.asking;
    try {
      this.services.answerWord(this, first, all);
    } catch (error) {
      this.failed(error as Error);
    }
  }

  private countReceived(): void {
    this.stats.received++;
    this.metrics.packetsReceived++;
  }

  // ---- Requests -----------------------------------------------------------------------------

  frame(bytes: Buffer, start: number, end: number): void {
    const { services, input } = this;
    if (this.state !== State.established) {
      this.takeConnectRequest(bytes, start, end);
      return;
    }
    const { served } = this;
    if (!served.isOpen) {
      input.stop(Stop.shutdown);
      return;
    }
    if (end - start < HEADER_BYTES) {
      this.abort(
        new MarshallingError(`Request of ${end - start} bytes is shorter than its header`),
      );
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
    if (!services.access.mayRequest(this.identities)) {
      this.output.replyError(getInt32(bytes, start), 0, ErrorCode.SESSIONCLOSEDREQUIRESASLAUTH);
      this.closeAfterFlush();
      return;
    }
    // A session whose end is decided takes nothing more, and nothing is answered.
    const session = this.session as Session;
    if (session.closing) return;
    if (input.waitedMs > 0 && this.waitedTooLong(bytes, start, end, session)) return;
    if (operation.read === undefined) this.submit(operation, bytes, start, end);
    else if (operation.isBarrier && served.writes.sync !== undefined) {
      this.writesSubmitted++;
      input.stop(Stop.sync);
      const xid = getInt32(bytes, start);
      served.writes.sync(this, xid, this.body(bytes, start, end), services.turns.nowMs);
    } else if (this.hasWritesInFlight) this.park(bytes, start, end);
    else this.serveRead(operation, bytes, start, end, services.turns.nowMs);
  }

  /** The first frame: a connection that comes while nothing is served is closed without an answer. */
  private takeConnectRequest(bytes: Buffer, start: number, end: number): void {
    this.countReceived();
    const { openServing } = this.services;
    if (openServing === undefined) {
      this.abort();
      return;
    }
    this.serving = openServing;
    shakeHands(this, bytes, start, end);
  }

  failed(error: Error): void {
    // A frame of an impossible length, or a handshake or authentication that does not decode: there
    // is no answer to it, and the stream is of no use any more. Anything else is a defect of ours,
    // which must not stop the others' server.
    if (!(error instanceof ProtocolError || error instanceof MarshallingError)) {
      this.services.noteDefect(error);
    }
    this.abort(error);
  }

  private body(bytes: Buffer, start: number, end: number): ByteReader {
    return this.services.reader.reset(bytes, start + HEADER_BYTES, end);
  }

  /** Deals with a request that waited for the throttle beyond what the configuration allows. */
  private waitedTooLong(bytes: Buffer, start: number, end: number, session: Session): boolean {
    const { throttle, metrics } = this.services;
    const { waitedMs } = this.input;
    metrics.throttleQueueTime.add(Math.trunc(waitedMs));
    const isStale = throttle.isStale(waitedMs, session.timeoutMs);
    if (isStale && throttle.dropsStale) {
      metrics.staleRequestsDropped++;
      this.abort(new Error(`A request waited ${Math.round(waitedMs)} ms and is stale`));
      return true;
    }
    if (isStale) metrics.staleRequests++;
    if (!throttle.isThrottled(waitedMs, getInt32(bytes, start + 4))) return false;
    metrics.throttledOps++;
    // In its place among the answers: a client takes an xid out of order for a broken server.
    const error = ErrorCode.THROTTLEDOP;
    if (this.hasWritesInFlight) this.park(bytes, start, end, error);
    else this.output.replyError(getInt32(bytes, start), this.tree.lastProcessedZxid, error);
    return true;
  }

  /** An operation that no client may ask for: answered, then the connection is closed. */
  private refuse(bytes: Buffer, start: number): void {
    this.output.replyError(getInt32(bytes, start), -1, ErrorCode.UNIMPLEMENTED);
    this.closeAfterFlush();
  }

  // ---- Reads --------------------------------------------------------------------------------

  private serveRead(
    operation: Operation,
    bytes: Buffer,
    start: number,
    end: number,
    receivedMs: number,
  ): void {
    const { output } = this;
    const xid = operation.type === OpCode.ping ? Xid.ping : getInt32(bytes, start);
    const { lastProcessedZxid } = this.tree;
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
        output.beginLongReply(mark, xid, lastProcessedZxid, operation.label, receivedMs);
        return;
      }
      if (error !== 0) writer.offset = bodyAt;
      output.complete(writer, mark, xid, lastProcessedZxid, error);
    }
    this.metrics.readLatency.add(output.note(operation.label, xid, lastProcessedZxid, receivedMs));
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
      if (!(error instanceof MarshallingError)) this.services.noteDefect(error as Error);
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
      receivedMs: this.services.turns.nowMs,
    });
    this.metrics.parkedRequests.add(this.parked.length);
    if (this.parked.length >= MAX_PARKED) this.input.stop(Stop.parked);
  }

  /**
   * Runs what waited for writes that have now been applied: all of it, however slowly the client
   * reads, since the next write may be applied right after. MAX_PARKED bounds what that can take.
   */
  private runParkedRequests(): void {
    const { metrics, turns } = this.services;
    let done = 0;
    while (done < this.parked.length && this.state === State.established) {
      const { frame, error, writesBefore, receivedMs } = this.parked[done] as ParkedRequest;
      if (writesBefore > this.writesApplied) break;
      done++;
      metrics.parkedTime.add(Math.trunc(turns.nowMs - receivedMs));
      const operation = operationOf(getInt32(frame, 4));
      if (error !== 0) {
        this.output.replyError(getInt32(frame, 0), this.tree.lastProcessedZxid, error);
      } else if (operation === undefined) this.refuse(frame, 0);
      else this.serveRead(operation, frame, 0, frame.length, receivedMs);
    }
    if (done === 0) return;
    metrics.requestsRunAfterWrite.add(done);
    this.parked = done < this.parked.length ? this.parked.slice(done) : NOTHING_PARKED;
    // Frames are taken again when the whole batch is applied: none may come between its txns.
    if (this.input.lift(Stop.parked)) this.served.resumeAfterBatch(this);
  }

  // ---- Writes -------------------------------------------------------------------------------

  private submit(operation: Operation, bytes: Buffer, start: number, end: number): void {
    const { throttle, metrics, config, turns } = this.services;
    const largeBytes = throttle.largeSize(end - start);
    if (!throttle.admitLarge(largeBytes)) {
      metrics.largeRequestsRejected++;
      this.abort(
        new Error(`Large requests would take more than ${config.largeRequestMaxBytes} bytes`),
      );
      return;
    }
    this.writesSubmitted++;
    const { writes } = this.served;
    const xid = getInt32(bytes, start);
    writes.write(operation, this, xid, this.body(bytes, start, end), turns.nowMs, largeBytes);
    if (throttle.isFull(writes.outstanding)) {
      this.metrics.throttleWaits++;
      this.input.waitForThrottle(throttle);
    }
  }

  /** Answers a write that was applied, `body` being its response; then the reads that waited. */
  writeApplied(request: WaitingRequest, zxid: Zxid, error: number, body: ByteWriter): void {
    this.writesApplied++;
    if (this.state !== State.established) {
      this.metrics.staleReplies++;
      return;
    }
    if (error === ErrorCode.SESSIONMOVED) {
      // It may answer a request of the same xid that the client sent to the member before, with its own request
      // still to come (ZOOKEEPER-710, 2684): only a connection that ends leaves the outcome open.
      this.closeAfterFlush();
      return;
    }
    const { output } = this;
    const writer = output.writer();
    const mark = beginReply(writer);
    if (error === 0) writer.raw(body.bytes, 0, body.offset);
    output.complete(writer, mark, request.xid, zxid, error);
    // FinalRequestProcessor throws for an error txn before it knows the operation.
    const label = error === 0 ? labelOf(request.requestType) : 'NA';
    this.metrics.updateLatency.add(output.note(label, request.xid, zxid, request.receivedMs));
    output.flushIfMuch();
    if (this.parked.length > 0) this.runParkedRequests();
  }

  syncReleased(xid: number, path: Buffer, receivedMs: number): void {
    this.writesApplied++;
    if (this.state !== State.established) return;
    const { lastProcessedZxid } = this.tree;
    this.output.reply(xid, lastProcessedZxid, path);
    const label = labelOf(OpCode.sync);
    this.metrics.readLatency.add(this.output.note(label, xid, lastProcessedZxid, receivedMs));
    this.input.lift(Stop.sync);
    this.served.resumeAfterBatch(this);
  }

  /** Takes requests again, if nothing stops it: the batch that it waited for is applied. */
  resume(): void {
    this.input.resume();
  }

  // ---- Sessions and events ------------------------------------------------------------------

  /** For the handshake: frames after the connect request wait until the session is created. */
  createSession(timeoutMs: number): void {
    this.input.stop(Stop.session);
    this.writesSubmitted++;
    this.served.writes.createSession(this, timeoutMs);
  }

  /** For the handshake: the same until it is decided whether the session is the client's. */
  reattach(request: ConnectRequest, timeoutMs: number): void {
    this.input.stop(Stop.session);
    this.served.writes.reattach(this, request, timeoutMs);
  }

  sessionDecided(session: Session | undefined): void {
    if (this.isClosed) return;
    if (session === undefined) {
      sendConnectResponse(this, 0, 0n);
      this.closeAfterFlush();
      return;
    }
    this.metrics.connectionRevalidations++;
    this.establish(session);
    this.input.lift(Stop.session);
    this.served.resumeAfterBatch(this);
  }

  /** A createSession of this connection was applied. */
  sessionCreated(session: Session): void {
    this.writesApplied++;
    if (this.isClosed) return;
    this.establish(session);
    this.input.lift(Stop.session);
    this.served.resumeAfterBatch(this);
  }

  /** The session is decided: answers the handshake; frames after it are taken from now on. */
  private establish(session: Session): void {
    this.session = session;
    session.owner = this;
    this.state = State.established;
    this.establishedWallMs = this.services.environment.clock.wallMs();
    this.stats.lastOp = 'SESS';
    sendConnectResponse(this, session.timeoutMs, session.id);
    this.services.sessionEstablished(this);
  }

  sessionMoved(): void {
    this.abort();
  }

  sessionClosed(): void {
    this.closeAfterFlush();
  }

  sendMissedEvent(type: number, path: string): void {
    this.served.events.sendTo(this, type, path);
  }

  sendEvent(event: WatchEvent): void {
    if (this.state !== State.established || this.output.event(event)) return;
    this.abort(
      new Error(`${this.transport.queuedBytes} bytes of replies and events were not read`),
    );
  }

  // ---- The end ------------------------------------------------------------------------------

  /** Sends what is still to be sent, then closes. */
  closeAfterFlush(): void {
    if (this.state === State.ending) return;
    this.detach();
    this.output.closeAfterFlush();
  }

  /**
   * As closeAfterFlush(), and tells the client that nothing of what is unanswered by then was carried out, or will be: an answer to
   * a ping with the error CONNECTIONLOSS, which clients that do not know it take for any answer to a ping. Only for a
   * member that stops in order, after the last reply.
   */
  dismiss(): void {
    if (this.state === State.established) {
      this.output.replyError(Xid.ping, 0, ErrorCode.CONNECTIONLOSS);
    }
    this.closeAfterFlush();
  }

  /** Closes after the replies that are whole; a long one that is not is dropped. The reason is logged. */
  abort(reason?: Error): void {
    if (this.state === State.ending) return;
    if (reason !== undefined) {
      this.logger.warn('Closing a connection', {
        client: `${this.transport.remoteAddress}:${this.transport.remotePort}`,
        session: this.session === undefined ? undefined : formatSessionId(this.session.id),
        reason: reason.message,
      });
    }
    this.detach();
    this.output.abort();
  }

  private detach(): void {
    this.state = State.ending;
    this.input.close();
    this.parked = NOTHING_PARKED;
    if (this.session?.owner === this) this.session.owner = FORMER_OWNER;
    this.services.connectionEnding(this);
  }
}

const NOTHING_PARKED: ParkedRequest[] = [];
