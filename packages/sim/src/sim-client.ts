// One client of the workload: raw frames over one connection at a time, a session that it keeps across
// connections, requests that it pipelines, watches that it sets again after a reconnect.
//
// It judges nothing: it reports to its observer what it sent and what it received. A request that has no
// answer when its connection ends has an unknown outcome for ever.

import {
  ByteReader,
  ByteWriter,
  beginFrame,
  ErrorCode,
  endFrame,
  FrameDecoder,
  OpCode,
  readConnectResponse,
  readReplyHeader,
  readWatcherEvent,
  type WatcherEvent,
  writeConnectRequest,
  Xid,
} from '@zebu/protocol';
import type { Connection, DialHandler, Network } from '@zebu/transport';
import type { SimProcess } from './sim-process.ts';
import { WatchBook, type WatchKind } from './watch-book.ts';
import { type Answer, type Ask, decodeAnswer, encodeAsk } from './wire.ts';

/** One connection with a session, as the observers know it. */
export interface Conversation {
  readonly client: SimClient;
  /** Counts the connections of this client. */
  readonly number: number;
  /** Unsigned. */
  readonly sessionId: bigint;
  readonly timeoutMs: number;
  /** The session was there before. */
  readonly isReattached: boolean;
}

export interface ClientObserver {
  established(conversation: Conversation): void;
  /** The server says that the session is no more. */
  refused(client: SimClient, sessionId: bigint): void;
  sent(conversation: Conversation, ask: Ask): void;
  answered(conversation: Conversation, ask: Ask, answer: Answer): void;
  event(conversation: Conversation, event: WatcherEvent, zxid: number): void;
  /** `unanswered` are those whose outcome is unknown. */
  ended(conversation: Conversation, unanswered: readonly Ask[]): void;
}

export interface SimClientOptions {
  readonly name: string;
  readonly network: Network;
  readonly process: SimProcess;
  readonly server: { readonly host: string; readonly port: number };
  readonly timeoutMs: number;
  readonly observer: ClientObserver;
  /** Called when a request may be sent: returns it, or undefined for not now. */
  readonly next: (client: SimClient) => Omit<Ask, 'xid'> | undefined;
}

const RECONNECT_MS = 20;

export class SimClient implements DialHandler {
  readonly name: string;
  /** Unsigned; 0 without one. */
  sessionId: bigint;
  /** Session timeout that the next connection asks for. */
  timeoutMs: number;
  lastZxid: number;
  /** Watches that the session has, as far as this client knows. */
  readonly watches: WatchBook;
  /** False stops it from connecting again. */
  wantsConnection: boolean;
  /** How many requests it may have in flight. */
  depth: number;
  /** Connections that ended while it waited for a session: who hears of them late takes the session for moved. */
  abandoned: number;
  private readonly options: SimClientOptions;
  private connection: Connection | undefined;
  private conversation: Conversation | undefined;
  private decoder: FrameDecoder;
  private pending: Ask[];
  private lastXid: number;
  private conversations: number;
  private password: Uint8Array;
  private heardMs: number;
  private awayUntilMs: number;
  private hasAsked: boolean;

  constructor(options: SimClientOptions) {
    this.name = options.name;
    this.sessionId = 0n;
    this.timeoutMs = options.timeoutMs;
    this.lastZxid = 0;
    this.watches = new WatchBook();
    this.wantsConnection = true;
    this.depth = 1;
    this.abandoned = 0;
    this.options = options;
    this.connection = undefined;
    this.conversation = undefined;
    this.decoder = new FrameDecoder(1 << 20);
    this.pending = [];
    this.lastXid = 0;
    this.conversations = 0;
    this.password = new Uint8Array(16);
    this.heardMs = 0;
    this.awayUntilMs = 0;
    this.hasAsked = false;
  }

  get isEstablished(): boolean {
    return this.conversation !== undefined;
  }

  get inFlight(): number {
    return this.pending.length;
  }

  connect(): void {
    const { network, process, server } = this.options;
    if (this.connection !== undefined || !this.wantsConnection) return;
    if (process.scheduler.nowMs < this.awayUntilMs) return;
    this.decoder = new FrameDecoder(1 << 20);
    this.connection = network.dial({ ...server, connectTimeoutMs: 500 }, this);
  }

  /** Breaks the connection off, as a client that loses its network does, and stays away for a while. */
  breakOff(awayMs = RECONNECT_MS): void {
    this.awayUntilMs = this.options.process.scheduler.nowMs + awayMs;
    this.connection?.destroy();
  }

  /** Does not read for a while. */
  dawdle(forMs: number): void {
    const { connection } = this;
    if (connection === undefined) return;
    connection.pause();
    this.options.process.schedule(forMs, () => connection.resume());
  }

  /** Sends as many requests as it may. */
  pump(): void {
    while (this.conversation !== undefined && this.pending.length < this.depth) {
      const ask = this.options.next(this);
      if (ask === undefined) return;
      this.send({ ...ask, xid: ++this.lastXid });
    }
  }

  /** Pings when idle, and leaves a server that has been silent for the session timeout. */
  beat(): void {
    const { conversation } = this;
    if (conversation === undefined) {
      this.connect();
      return;
    }
    const { nowMs } = this.options.process.scheduler;
    if (nowMs - this.heardMs > conversation.timeoutMs) this.breakOff();
    else if (nowMs - this.heardMs > conversation.timeoutMs / 4) this.send(PING);
  }

  // ---- DialHandler ----

  connected(): void {
    const writer = new ByteWriter(64);
    const mark = beginFrame(writer);
    writeConnectRequest(writer, {
      protocolVersion: 0,
      lastZxidSeen: BigInt(this.lastZxid),
      timeoutMs: this.timeoutMs,
      sessionId: this.sessionId,
      password: this.password,
      readOnly: false,
    });
    endFrame(writer, mark);
    this.hasAsked = true;
    this.write(Buffer.from(writer.view()));
  }

  data(bytes: Buffer, start: number, end: number): void {
    const { connection } = this;
    this.heardMs = this.options.process.scheduler.nowMs;
    this.decoder.push(bytes, start, end, (frame, from, to) => {
      // Frames that arrive after the end of a connection are not read.
      if (this.connection === connection) this.frame(Buffer.from(frame.subarray(from, to)));
      return true;
    });
    this.pump();
  }

  drained(): void {}

  closed(): void {
    const { conversation, pending } = this;
    this.connection = undefined;
    this.conversation = undefined;
    this.pending = [];
    if (conversation !== undefined) this.options.observer.ended(conversation, pending);
    else if (this.hasAsked) this.abandoned++;
    this.hasAsked = false;
    this.options.process.schedule(RECONNECT_MS, () => this.connect());
  }

  // ---- frames ----

  private frame(frame: Buffer): void {
    if (this.conversation === undefined) {
      this.handshake(frame);
      return;
    }
    const header = readReplyHeader(new ByteReader(frame, 0, frame.length));
    if (header.zxid > this.lastZxid) this.lastZxid = header.zxid;
    if (header.xid === Xid.notification) {
      const event = readWatcherEvent(new ByteReader(frame, 16, frame.length));
      this.watches.use(event.type, event.path);
      this.options.observer.event(this.conversation, event, header.zxid);
      return;
    }
    // The goodbye of a server that stops. What is pending was not carried out; the checkers allow for either.
    if (header.xid === Xid.ping && header.error === ErrorCode.CONNECTIONLOSS) return;
    const ask = this.pending.shift();
    // An answer although no request is pending: pass it on with an impossible xid, and the checkers fail it.
    const asked = ask ?? { ...PING, xid: Number.NaN };
    const answer = decodeAnswer(frame, ask?.xid === header.xid ? asked.type : OpCode.ping);
    this.options.observer.answered(this.conversation, asked, answer);
    this.keepWatches(asked, answer);
  }

  private handshake(frame: Buffer): void {
    const response = readConnectResponse(new ByteReader(frame, 0, frame.length));
    const sessionId = BigInt.asUintN(64, response.sessionId);
    const { observer } = this.options;
    if (response.timeoutMs === 0) {
      observer.refused(this, this.sessionId);
      this.forgetSession();
      this.connection?.end();
      return;
    }
    const isReattached = this.sessionId !== 0n;
    this.sessionId = sessionId;
    this.password = Buffer.from(response.password);
    this.conversation = {
      client: this,
      number: ++this.conversations,
      sessionId,
      timeoutMs: response.timeoutMs,
      isReattached,
    };
    observer.established(this.conversation);
    if (isReattached && this.watches.size > 0) this.setWatches();
    else this.watches.clear();
  }

  /** The session is over: the next connection begins a new one. */
  forgetSession(): void {
    this.sessionId = 0n;
    this.password = new Uint8Array(16);
    this.watches.clear();
  }

  private setWatches(): void {
    const { data, exist, child, persistent, recursive } = this.watches;
    const watches = {
      relativeZxid: this.lastZxid,
      data: [...data],
      exist: [...exist],
      child: [...child],
      persistent: [...persistent],
      persistentRecursive: [...recursive],
    };
    this.send({ ...PING, xid: Xid.setWatches, type: OpCode.setWatches2, watches });
  }

  private keepWatches(ask: Ask, answer: Answer): void {
    if (ask.type === OpCode.closeSession) this.forgetSession();
    const kind = watchSetBy(ask, answer);
    if (kind !== undefined) this.watches.add(kind, ask.path);
  }

  private send(ask: Ask): void {
    const { conversation } = this;
    if (conversation === undefined) return;
    this.pending.push(ask);
    this.options.observer.sent(conversation, ask);
    this.write(encodeAsk(ask));
  }

  private write(bytes: Buffer): void {
    this.connection?.write(bytes, 0, bytes.length);
  }
}

/** The watch that the server keeps because of an answered request, if any. */
export function watchSetBy(ask: Ask, answer: Answer): WatchKind | undefined {
  if (ask.type === OpCode.addWatch) {
    if (answer.error !== 0) return undefined;
    return ask.number === 0 ? 'persistent' : 'recursive';
  }
  if (!ask.watch) return undefined;
  if (ask.type === OpCode.exists && answer.error === ErrorCode.NONODE) return 'exist';
  if (answer.error !== 0) return undefined;
  return ask.type === OpCode.getChildren2 ? 'child' : 'data';
}

export const PING: Ask = {
  xid: Xid.ping,
  type: OpCode.ping,
  path: '',
  data: null,
  acl: [],
  number: 0,
  ttlMs: 0,
  watch: false,
  parts: [],
  watches: undefined,
};
