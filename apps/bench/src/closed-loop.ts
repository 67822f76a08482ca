// The load: every connection keeps `window` requests in flight and sends the next one when an answer
// comes. Answers are matched by order, their xids and errors checked; the time between is recorded.
//
// A closed loop measures what a server can do when it is never idle. Its latencies are those of a
// server under that load; they leave out what an open loop would charge for the waiting before a
// request could be sent.

import { errorName } from '@zebu/protocol';
import { Histogram } from './histogram.ts';
import type { RawConnection, ReplySink, Scratch } from './raw-connection.ts';

/** Where the requests come from. */
export interface RequestSource {
  /** The kinds of request it makes, e.g. get and set; each has a histogram of its own. */
  readonly kinds: readonly string[];
  /**
   * Appends one whole frame with this xid to the writer. Returns its kind's index, or -1, with nothing
   * written, when there is nothing left to ask.
   */
  next(writer: Scratch['writer'], xid: number): number;
}

const DRAIN_TIMEOUT_MS = 60_000;

export class ClosedLoop {
  /** One for each kind of the source; they record between `startMeasuring` and `stopMeasuring`. */
  readonly latencies: readonly Histogram[];
  /** error code -> how often, since the start, measured or not. */
  readonly errors = new Map<number, number>();
  /** Answers since the start. */
  answered = 0;
  /** Answers with an error while measuring. */
  measuredErrors = 0;
  isMeasuring = false;
  isStopping = false;
  /** Time of the read event that is being handled. */
  now = 0;

  readonly source: RequestSource;
  readonly scratch: Scratch;
  readonly onReply: ((error: number, bodyBytes: number) => void) | undefined;
  private readonly lanes: Lane[];
  private readonly done: Promise<void>;
  private resolve: () => void = () => {};
  private reject: (reason: Error) => void = () => {};
  private busyLanes: number;

  constructor({
    connections,
    window,
    source,
    scratch,
    onReply,
  }: {
    connections: readonly RawConnection[];
    window: number;
    source: RequestSource;
    scratch: Scratch;
    /** Called for every answer, for preparations that must look at it. */
    onReply?: (error: number, bodyBytes: number) => void;
  }) {
    this.source = source;
    this.onReply = onReply;
    this.scratch = scratch;
    this.latencies = source.kinds.map(() => new Histogram());
    this.lanes = connections.map((connection) => new Lane(this, connection, window));
    this.busyLanes = this.lanes.length;
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.done.catch(() => {});
  }

  /** Fills every window. */
  start(): void {
    for (const lane of this.lanes) lane.start();
  }

  startMeasuring(): void {
    for (const histogram of this.latencies) histogram.reset();
    this.measuredErrors = 0;
    this.isMeasuring = true;
  }

  stopMeasuring(): void {
    this.isMeasuring = false;
  }

  /** Answers while measuring. */
  get measured(): number {
    return this.latencies.reduce((sum, { count }) => sum + count, 0);
  }

  /** Sends no more requests; resolves when all sent ones are answered. */
  async stop(): Promise<void> {
    this.isStopping = true;
    const timer = setTimeout(
      () => this.fail(new Error(`No answer within ${DRAIN_TIMEOUT_MS} ms`)),
      DRAIN_TIMEOUT_MS,
    );
    await this.done.finally(() => clearTimeout(timer));
  }

  /** Resolves when the source is exhausted and everything is answered; rejects when a connection is lost. */
  finished(): Promise<void> {
    return this.done;
  }

  laneIdle(): void {
    this.busyLanes -= 1;
    if (this.busyLanes === 0) this.resolve();
  }

  fail(reason: Error): void {
    this.isStopping = true;
    this.reject(reason);
  }

  countError(code: number): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
    if (this.isMeasuring) this.measuredErrors += 1;
  }

  /** e.g. "NONODE x 12", or an empty string. */
  errorText(): string {
    return [...this.errors].map(([code, times]) => `${errorName(code)} x ${times}`).join(', ');
  }
}

/** One connection of the loop. */
class Lane implements ReplySink {
  private readonly loop: ClosedLoop;
  private readonly connection: RawConnection;
  private readonly window: number;
  /** Rings of what is in flight, from head to tail. */
  private readonly sentAt: Float64Array;
  private readonly kinds: Uint8Array;
  private head = 0;
  private inFlight = 0;
  private expectedXid: number;
  private isIdle = false;

  constructor(loop: ClosedLoop, connection: RawConnection, window: number) {
    this.loop = loop;
    this.connection = connection;
    this.window = window;
    this.sentAt = new Float64Array(window);
    this.kinds = new Uint8Array(window);
    this.expectedXid = connection.xid + 1;
    connection.sink = this;
  }

  start(): void {
    this.loop.now = performance.now();
    for (let slot = 0; slot < this.window; slot++) this.ask();
    this.readEnd();
  }

  readStart(): void {
    this.loop.now = performance.now();
  }

  reply(xid: number, error: number, bodyBytes: number): void {
    if (xid < 0) return;
    const loop = this.loop;
    if (xid !== this.expectedXid) {
      loop.fail(new Error(`Answer ${xid} came where ${this.expectedXid} was due`));
      return;
    }
    this.expectedXid += 1;
    loop.answered += 1;
    if (error !== 0) loop.countError(error);
    if (loop.onReply !== undefined) loop.onReply(error, bodyBytes);
    if (loop.isMeasuring) {
      const kind = this.kinds[this.head] as number;
      (loop.latencies[kind] as Histogram).record(loop.now - (this.sentAt[this.head] as number));
    }
    this.head += 1;
    if (this.head === this.window) this.head = 0;
    this.inFlight -= 1;
    this.ask();
  }

  readEnd(): void {
    this.connection.send(this.loop.scratch.writer);
    if (this.inFlight === 0 && !this.isIdle) {
      this.isIdle = true;
      this.loop.laneIdle();
    }
  }

  closed(reason: Error): void {
    if (!this.isIdle) this.loop.fail(reason);
  }

  private ask(): void {
    const loop = this.loop;
    if (loop.isStopping) return;
    const kind = loop.source.next(loop.scratch.writer, this.connection.xid + 1);
    if (kind < 0) return;
    this.connection.xid += 1;
    let slot = this.head + this.inFlight;
    if (slot >= this.window) slot -= this.window;
    this.kinds[slot] = kind;
    this.sentAt[slot] = loop.now;
    this.inFlight += 1;
  }
}
