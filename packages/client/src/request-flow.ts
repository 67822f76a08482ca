// Requests on their way, in order, over one connection after another.
//
// They go through two queues: `waiting` while there is no connection, `pending` once written. At a
// loss, what was written and may have been carried out fails with outcome 'unknown'; reads, and
// what had not left this process yet, move back to `waiting` in their order.
//
// It never calls into user code: promises are settled, and run later.

import { type ByteReader, ByteWriter, beginFrame, ErrorCode, endFrame, Xid } from '@zebu/protocol';
import type { AbortSignals } from './abort-signals.ts';
import { Deadlines } from './deadlines.ts';
import type { ClientEnvironment } from './environment.ts';
import { ConnectionLossError, SessionExpiredError, serverError, ZkError } from './errors.ts';
import { PendingQueue } from './pending-queue.ts';
import { type OpOptions, Request, type RequestSpec } from './request.ts';
import type { Wire } from './wire.ts';

export interface FlowSettings {
  readonly maxPacketBytes: number;
  readonly maxQueuedBytes: number;
  /** For each request that does not say otherwise; 0 for none. */
  readonly requestTimeoutMs: number;
  /** Requests are numbered from here, and from 1 again after 2147483647. */
  readonly firstXid: number;
}

/** What the requests ask of the connection loop. */
export interface FlowOwner {
  /** Why no request is taken any more; undefined while they are. */
  refusal(op: string, path: string | undefined): ZkError | undefined;
  /** What was written then has been answered. */
  heard(writtenAt: number): void;
  /** Gives up the connection: what it sent makes no sense. */
  drop(reason: Error): void;
  /** The server hung up on a setWatches that was written to it. */
  lostSetWatches(): void;
}

/** A read that has lost so many connections may well be what breaks them: its reply too long, say. */
const MAX_WRITES = 3;
const MAX_XID = 0x7fffffff;

export class RequestFlow {
  /** Where requests are written; undefined while they have to wait. */
  wire: Wire | undefined;
  private readonly settings: FlowSettings;
  private readonly environment: ClientEnvironment;
  private readonly aborts: AbortSignals;
  private readonly owner: FlowOwner;
  private pending: PendingQueue<Request>;
  /** How many at the tail of `pending` still lie in the wire's outgoing bytes. */
  private unflushed: number;
  private waiting: Request[];
  private waitingBytes: number;
  private readonly scratch: ByteWriter;
  private nextXid: number;
  private readonly deadlines: Deadlines;
  /** Who waits for room in the queues. */
  private waitingForRoom: { resolve: () => void; reject: (error: ZkError) => void }[];

  constructor(
    settings: FlowSettings,
    environment: ClientEnvironment,
    aborts: AbortSignals,
    owner: FlowOwner,
  ) {
    this.wire = undefined;
    this.settings = settings;
    this.environment = environment;
    this.aborts = aborts;
    this.owner = owner;
    this.pending = new PendingQueue();
    this.unflushed = 0;
    this.waiting = [];
    this.waitingBytes = 0;
    this.scratch = new ByteWriter();
    this.nextXid = settings.firstXid;
    this.deadlines = new Deadlines(environment);
    this.waitingForRoom = [];
  }

  /** Sends a request in the order of the calls; the request is undefined if it was refused at once. */
  submit(
    spec: RequestSpec<unknown>,
    options: OpOptions | undefined,
    resolve: (value: unknown) => void,
    reject: (error: ZkError) => void,
  ): Request | undefined {
    const { op, path } = spec;
    const closed = this.owner.refusal(op, path);
    if (closed !== undefined) {
      reject(closed);
      return undefined;
    }
    if (options?.signal?.aborted) {
      reject(
        new ZkError('ABORTED', { op, path, outcome: 'not-sent', cause: options.signal.reason }),
      );
      return undefined;
    }
    const isResendable = spec.isRead && options?.retry !== false;
    const request = new Request(spec, this.takeXid(), { isResendable, resolve, reject });
    const refusal = this.send(request);
    if (refusal !== undefined) {
      request.finished?.();
      request.fail(refusal);
      return undefined;
    }
    this.limit(request, options);
    return request;
  }

  /** Writes the request, or keeps it for the next connection; returns why not. */
  send(request: Request): ZkError | undefined {
    return this.wire === undefined
      ? this.hold(request)
      : this.write(this.wire, request, this.settings.maxQueuedBytes);
  }

  /** Writes into the connection's next flush; returns why not. */
  write(
    wire: Wire,
    request: Request,
    maxQueuedBytes = Number.POSITIVE_INFINITY,
  ): ZkError | undefined {
    const { out } = wire;
    const mark = out.offset;
    const refusal =
      this.encode(out, request) ??
      (wire.queuedBytes > maxQueuedBytes ? this.queueFull(request) : undefined);
    if (refusal !== undefined) {
      out.offset = mark;
      return refusal;
    }
    request.frame = undefined;
    request.frameStart = mark;
    request.frameEnd = out.offset;
    request.writes++;
    request.writtenAt = this.environment.now();
    this.pending.push(request);
    this.unflushed++;
    wire.flushSoon();
    return undefined;
  }

  takeXid(): number {
    const xid = this.nextXid;
    this.nextXid = xid === MAX_XID ? 1 : xid + 1;
    return xid;
  }

  /** The wire has handed on all that was written. */
  flushed(): void {
    this.unflushed = 0;
    this.tellOfRoom();
  }

  /** Resolves when at most half of maxQueuedBytes waits to be sent. */
  async drained(signal: AbortSignal | undefined): Promise<void> {
    const closed = this.owner.refusal('drained', undefined);
    if (closed !== undefined) throw closed;
    if (this.hasRoom) return;
    await new Promise<void>((resolve, reject) => {
      const waiter = {
        resolve: () => {
          forget?.();
          resolve();
        },
        reject: (error: ZkError) => {
          forget?.();
          reject(error);
        },
      };
      this.waitingForRoom.push(waiter);
      const aborted = (): void => {
        this.waitingForRoom = this.waitingForRoom.filter((one) => one !== waiter);
        const details = { op: 'drained', outcome: 'not-sent', cause: signal?.reason } as const;
        reject(new ZkError('ABORTED', details));
      };
      if (signal?.aborted === true) aborted();
      const forget =
        signal === undefined || signal.aborted ? undefined : this.aborts.onAbort(signal, aborted);
    });
  }

  private get hasRoom(): boolean {
    const bytes = this.waitingBytes + (this.wire?.queuedBytes ?? 0);
    return bytes <= this.settings.maxQueuedBytes / 2;
  }

  /** Less waits than before. */
  tellOfRoom(): void {
    if (this.waitingForRoom.length === 0 || !this.hasRoom) return;
    for (const { resolve } of this.waitingForRoom.splice(0)) resolve();
  }

  answered(wire: Wire, xid: number, zxid: number, errno: number, reader: ByteReader): void {
    const request = this.pending.shift();
    if (request === undefined || request.xid !== xid) {
      // Replies come in the order of requests. If not, nobody knows which is whose.
      if (request !== undefined) this.unsureOf(request, undefined);
      const expected = request === undefined ? 'none' : `xid ${request.xid}`;
      this.owner.drop(new Error(`Reply for xid ${xid} came where ${expected} was due`));
      return;
    }
    const { spec } = request;
    this.owner.heard(request.writtenAt);
    request.wireNumber = wire.number;
    if (request.isSettled) {
      request.finished?.();
      // An `exists` of a missing znode leaves a watch, too.
      if (errno === ErrorCode.OK || errno === spec.answerErrno) spec.abandoned?.();
      return;
    }
    if (errno !== ErrorCode.OK && errno !== spec.answerErrno) {
      request.finished?.();
      const detail = spec.advice?.(errno);
      request.fail(serverError(errno, { op: spec.op, path: spec.path, zxid, detail }));
      return;
    }
    try {
      const value = spec.decode(reader, errno, zxid);
      request.finished?.();
      request.succeed(value);
    } catch (error) {
      if (error instanceof ZkError) {
        request.finished?.();
        request.fail(error);
        return;
      }
      this.unsureOf(request, error);
      this.owner.drop(error as Error);
    }
  }

  /** Sorts what was on its way into what failed and what can be sent again, in order. */
  recover(wire: Wire, reason: Error | undefined): void {
    this.wire = undefined;
    const { pending } = this;
    this.pending = new PendingQueue();
    const firstUnflushed = pending.length - this.unflushed;
    this.unflushed = 0;
    const again: Request[] = [];
    let hasLostWatches = false;
    const count = pending.length;
    for (let i = 0; i < count; i++) {
      const request = pending.shift() as Request;
      const isUnsent = i >= firstUnflushed;
      const isLost = !isUnsent && !wire.isDismissed;
      if (isLost && request.xid === Xid.setWatches && !hasLostWatches) {
        hasLostWatches = true;
        this.owner.lostSetWatches();
      }
      if (request.isSettled) {
        request.finished?.();
      } else if (isUnsent && request.xid !== Xid.setWatches) {
        request.writes--;
        request.frame = Buffer.from(wire.out.bytes.subarray(request.frameStart, request.frameEnd));
        again.push(request);
      } else if (request.xid !== Xid.setWatches && this.maySendAgain(request, isLost)) {
        const scratch = this.scratch.reset();
        this.encode(scratch, request);
        request.frame = Buffer.from(scratch.view());
        again.push(request);
      } else {
        this.unsureOf(request, reason);
      }
    }
    for (const request of again) this.waitingBytes += (request.frame as Buffer).length;
    this.waiting = [...again, ...this.waiting];
  }

  /** What was not carried out may always be sent again; what may have been, only where it does no harm twice. */
  private maySendAgain(request: Request, isLost: boolean): boolean {
    if (isLost) return request.isResendable && request.writes < MAX_WRITES;
    request.writes--;
    return true;
  }

  /** There is a connection: what waited goes first. */
  writeWaiting(wire: Wire): void {
    this.wire = wire;
    const { waiting } = this;
    this.waiting = [];
    this.waitingBytes = 0;
    const now = this.environment.now();
    for (const request of waiting) {
      if (request.isSettled) {
        request.finished?.();
        continue;
      }
      const frame = request.frame as Buffer;
      request.frame = undefined;
      request.frameStart = wire.out.offset;
      wire.out.raw(frame, 0, frame.length);
      request.frameEnd = wire.out.offset;
      request.writes++;
      request.writtenAt = now;
      this.pending.push(request);
      this.unflushed++;
    }
  }

  /** Of what waits, only plain reads mean the same in another session, if one follows (`goesOn`). */
  failWaiting(error: SessionExpiredError, goesOn: boolean): void {
    const kept: Request[] = [];
    this.waitingBytes = 0;
    for (const request of this.waiting) {
      const { op, path, isRead, isSessionBound } = request.spec;
      if (!request.isSettled && isRead && !isSessionBound && goesOn) {
        kept.push(request);
        this.waitingBytes += (request.frame as Buffer).length;
        continue;
      }
      request.finished?.();
      const details = { op, path, outcome: 'not-sent', cause: error } as const;
      request.fail(new SessionExpiredError(error.detectedBy, details));
    }
    this.waiting = kept;
    this.tellOfRoom();
  }

  /** Nothing more will be sent: fails all there is. */
  finish(errorFor: (outcome: 'not-sent' | 'unknown') => ZkError): void {
    const { pending, waiting } = this;
    this.wire = undefined;
    this.pending = new PendingQueue();
    this.waiting = [];
    this.deadlines.stop();
    for (const { reject } of this.waitingForRoom.splice(0)) reject(errorFor('not-sent'));
    while (pending.length > 0) fail(pending.shift() as Request, errorFor('unknown'));
    for (const request of waiting) fail(request, errorFor('not-sent'));
  }

  /** Keeps the request for the next connection; returns why not. */
  private hold(request: Request): ZkError | undefined {
    const scratch = this.scratch.reset();
    const refusal = this.encode(scratch, request);
    if (refusal !== undefined) return refusal;
    if (this.waitingBytes + scratch.offset > this.settings.maxQueuedBytes) {
      return this.queueFull(request);
    }
    request.frame = Buffer.from(scratch.view());
    this.waiting.push(request);
    this.waitingBytes += request.frame.length;
    return undefined;
  }

  private encode(writer: ByteWriter, request: Request): ZkError | undefined {
    const { spec, xid } = request;
    const { op, path } = spec;
    const mark = beginFrame(writer);
    writer.int32(xid);
    writer.int32(spec.type);
    try {
      spec.encode(writer);
    } catch (error) {
      const detail = (error as Error).message;
      return new ZkError('BAD_ARGUMENTS', { op, path, outcome: 'not-sent', detail, cause: error });
    }
    endFrame(writer, mark);
    const length = writer.offset - mark - 4;
    const limit = this.settings.maxPacketBytes;
    if (length <= limit) return undefined;
    // The server would close the connection without a word, and take all other requests along.
    const detail = `${length} bytes, limit ${limit}`;
    return new ZkError('TOO_LARGE', { op, path, outcome: 'not-sent', detail });
  }

  private queueFull(request: Request): ZkError {
    const { op, path } = request.spec;
    const detail = `limit ${this.settings.maxQueuedBytes} bytes`;
    return new ZkError('QUEUE_FULL', { op, path, outcome: 'not-sent', detail });
  }

  private limit(request: Request, options: OpOptions | undefined): void {
    const timeoutMs = options?.timeoutMs ?? this.settings.requestTimeoutMs;
    const signal = options?.signal;
    if (timeoutMs <= 0 && signal === undefined) return;
    const settledInTime =
      timeoutMs > 0
        ? this.deadlines.add(timeoutMs, () => request.giveUp('TIMEOUT', undefined))
        : undefined;
    const forget =
      signal && this.aborts.onAbort(signal, () => request.giveUp('ABORTED', signal.reason));
    request.onSettled(() => {
      settledInTime?.();
      forget?.();
    });
  }

  private unsureOf(request: Request, cause: unknown): void {
    const { op, path } = request.spec;
    request.finished?.();
    request.fail(new ConnectionLossError({ op, path, outcome: 'unknown', cause }));
  }
}

function fail(request: Request, error: ZkError): void {
  const { op, path } = request.spec;
  request.finished?.();
  request.fail(new ZkError(error.code, { op, path, outcome: error.outcome, cause: error.cause }));
}
