// One of the two servers under comparison, with the client connections (slots) that a script speaks of.
// `perform` does a step and waits until everything that the step can cause has arrived: the reply, the
// close that follows some replies, and, after a ping on every other connection, their watch events.
// What came is kept as bytes; `describe` turns it into text afterwards, since an explained difference in
// zxids has to be known first.

import { connect as connectSocket, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import {
  describeConnectReply,
  describeEvent,
  describeReply,
  Names,
  type Reply,
} from './normalise.ts';
import { type Connect, encodeRequest, PLAIN_CONNECT, type Request, type Step } from './script.ts';
import { frame, OP, WireReader, WireWriter } from './wire.ts';

const REPLY_TIMEOUT_MS = 20_000;
const CLOSE_TIMEOUT_MS = 5_000;

/** Something that arrived on a slot. `op` is the request that the frame answers. */
type Arrival =
  | { kind: 'connectReply'; payload: Buffer }
  | { kind: 'reply'; op: number; payload: Buffer }
  | { kind: 'event'; payload: Buffer }
  | { kind: 'note'; text: string };

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What a step caused, normalised: the lines that are compared, and the replies for the generator. */
export interface Observation {
  readonly lines: string[];
  readonly replies: Reply[];
}

export class Target {
  readonly name: string;
  readonly names = new Names();
  /** The connection of the test itself, as super user, on which nothing random is sent. */
  readonly control: Slot;
  private readonly slots: Slot[];

  constructor(name: string, address: Address, slotCount: number) {
    this.name = name;
    this.control = new Slot(address);
    this.slots = Array.from({ length: slotCount }, () => new Slot(address));
  }

  /** Opens the control connection as super user; zxids are relative to this moment. */
  async open(superUser: string): Promise<void> {
    // Apache reports that it serves slightly before it does, and closes connections made in between.
    for (let attempt = 1; ; attempt++) {
      await this.control.connect(connectPayload(PLAIN_CONNECT, 0n, Buffer.alloc(16), 0n));
      if (this.control.takeArrivals().some((arrival) => arrival.kind === 'connectReply')) break;
      if (attempt === 50) throw new Error(`${this.name} refused the control connection`);
      await delay(100);
    }
    const auth = await this.ask(
      OP.auth,
      new WireWriter().int(0).string('digest').string(superUser).done(),
    );
    if (auth.err !== 0) throw new Error(`${this.name} refused the super user: ${auth.err}`);
    this.names.base = (await this.ask(OP.ping, Buffer.alloc(0))).zxid;
  }

  /** A request on the control connection: error, zxid and body of its reply. */
  async ask(op: number, body: Buffer): Promise<{ err: number; zxid: bigint; body: WireReader }> {
    this.control.send(
      new WireWriter()
        .int(op === OP.ping ? -2 : 1)
        .int(op)
        .raw(body)
        .done(),
      op,
    );
    await this.control.settle(REPLY_TIMEOUT_MS);
    const reply = this.control.takeArrivals().find((arrival) => arrival.kind === 'reply');
    if (reply?.kind !== 'reply') throw new Error(`${this.name} did not answer opcode ${op}`);
    const reader = new WireReader(reply.payload);
    reader.int();
    const zxid = reader.long();
    return { err: reader.int(), zxid, body: reader };
  }

  /** Does one step; its arrivals wait for `describe`. */
  async perform(step: Step): Promise<void> {
    const slot = this.slot(step.slot);
    switch (step.kind) {
      case 'drop':
        slot.drop();
        return;
      case 'garbage':
        await this.ensureOpen(slot);
        if (!slot.isOpen) return;
        slot.write(Buffer.from(step.bytes, 'hex'));
        await slot.untilClosed(CLOSE_TIMEOUT_MS);
        break;
      case 'connect':
        slot.drop();
        await this.connect(slot, step.connect);
        break;
      case 'request':
        await this.ensureOpen(slot);
        if (!slot.isOpen) return;
        await this.request(slot, [step.request]);
        if (isSilent(step.request.op)) return;
        break;
      case 'burst':
        await this.ensureOpen(slot);
        if (!slot.isOpen) return;
        await this.request(slot, step.requests);
        break;
    }
    await this.drain();
  }

  /** zxid of the last reply to `op` on the slot of the step that was just performed, for its explanation. */
  lastReplyZxid(slotIndex: number): bigint | undefined {
    const replies = this.slot(slotIndex).arrivals.filter((arrival) => arrival.kind === 'reply');
    const last = replies.at(0);
    return last?.kind === 'reply' ? last.payload.readBigInt64BE(4) : undefined;
  }

  /** What `perform` has gathered, as text, connection by connection; forgets it. */
  describe(step: Step): Observation {
    const lines: string[] = [];
    const replies: Reply[] = [];
    this.slots.forEach((slot, index) => {
      const described = slot
        .takeArrivals()
        .map((arrival) => this.describeArrival(arrival, replies));
      // Apache deletes a closing session's ephemerals in the order of a hash set.
      if (closesSession(step)) sortRunsOfEvents(described);
      for (const { text } of described) lines.push(`c${index}: ${text}`);
    });
    return { lines, replies };
  }

  close(): void {
    for (const slot of [...this.slots, this.control]) slot.drop();
  }

  private describeArrival(
    arrival: Arrival,
    replies: Reply[],
  ): { text: string; eventZxid?: bigint } {
    switch (arrival.kind) {
      case 'note':
        return { text: arrival.text };
      case 'connectReply':
        return { text: describeConnectReply(arrival.payload, this.names).text };
      case 'event': {
        const { text, zxid } = describeEvent(arrival.payload, this.names);
        return { text, eventZxid: zxid };
      }
      case 'reply': {
        const reply = describeReply(arrival.op, arrival.payload, this.names);
        if (arrival.op !== OP.ping) replies.push(reply);
        return { text: reply.text };
      }
    }
  }

  private slot(index: number): Slot {
    const slot = this.slots[index];
    if (slot === undefined)
      throw new RangeError(`Script uses slot ${index} of ${this.slots.length}`);
    return slot;
  }

  private async request(slot: Slot, requests: readonly Request[]): Promise<void> {
    const frames = requests.map((request) =>
      frame(encodeRequest(request, (relative) => this.names.absoluteZxid(relative))),
    );
    for (const { op } of requests) slot.expect(op);
    slot.write(Buffer.concat(frames));
    await slot.settle(REPLY_TIMEOUT_MS);
    if (slot.isAboutToClose()) await slot.untilClosed(CLOSE_TIMEOUT_MS);
    if (slot.hasClosedItsSession()) slot.sessionId = 0n;
  }

  private async ensureOpen(slot: Slot): Promise<void> {
    if (slot.isOpen) return;
    await this.connect(slot, PLAIN_CONNECT);
    // The session is gone: closed by another connection of it.
    if (!slot.isOpen && slot.sessionId === 0n) await this.connect(slot, PLAIN_CONNECT);
  }

  private async connect(slot: Slot, connect: Connect): Promise<void> {
    const holder = typeof connect.session === 'number' ? this.slot(connect.session) : slot;
    const isKnown = (connect.session === 'own' || holder !== slot) && holder.sessionId !== 0n;
    const sessionId =
      connect.session === 'unknown' ? UNKNOWN_SESSION : isKnown ? holder.sessionId : 0n;
    const password = passwordOf(connect, isKnown ? holder.password : Buffer.alloc(16));
    const lastZxid = connect.lastZxid === 'none' ? 0n : this.names.absoluteZxid(connect.lastZxid);
    const payload = connectPayload(connect, sessionId, password, lastZxid);
    const former = this.slots.filter((other) => other !== slot && other.sessionId === sessionId);
    slot.sessionId = 0n;
    await slot.connect(payload);
    for (const arrival of slot.arrivals) {
      if (arrival.kind !== 'connectReply') continue;
      const reply = describeConnectReply(arrival.payload, this.names);
      if (reply.sessionId === 0n) {
        await slot.untilClosed(CLOSE_TIMEOUT_MS);
      } else {
        slot.sessionId = reply.sessionId;
        slot.password = reply.password;
      }
    }
    // A session has one connection: the server closes the one before, even for a wrong password.
    if (sessionId !== 0n) {
      for (const other of former) if (other.isOpen) await other.untilClosed(CLOSE_TIMEOUT_MS);
    }
  }

  /** A ping on every connection: its answer comes after all events of what was done before. */
  private async drain(): Promise<void> {
    const open = this.slots.filter((slot) => slot.isOpen);
    for (const slot of open) slot.send(PING, OP.ping);
    await Promise.all(open.map((slot) => slot.settle(REPLY_TIMEOUT_MS)));
  }
}

const UNKNOWN_SESSION = 0x123456789abn;
const PING = new WireWriter().int(-2).int(OP.ping).done();

/** Reads cause nothing on other connections. */
function isSilent(op: number): boolean {
  return SILENT.has(op);
}

const SILENT: ReadonlySet<number> = new Set([
  OP.exists,
  OP.getData,
  OP.getACL,
  OP.getChildren,
  OP.getChildren2,
  OP.getAllChildrenNumber,
  OP.getEphemerals,
  OP.whoAmI,
  OP.multiRead,
  OP.ping,
  OP.checkWatches,
]);

function closesSession(step: Step): boolean {
  if (step.kind === 'request') return step.request.op === OP.closeSession;
  return step.kind === 'burst' && step.requests.some(({ op }) => op === OP.closeSession);
}

function sortRunsOfEvents(lines: { text: string; eventZxid?: bigint }[]): void {
  for (let start = 0; start < lines.length; ) {
    const zxid = lines[start]?.eventZxid;
    let end = start + 1;
    while (zxid !== undefined && end < lines.length && lines[end]?.eventZxid === zxid) end++;
    const run = lines.slice(start, end).sort((a, b) => (a.text < b.text ? -1 : 1));
    lines.splice(start, end - start, ...run);
    start = end;
  }
}

function passwordOf(connect: Connect, right: Buffer): Buffer | null {
  switch (connect.password) {
    case 'right':
      return right;
    case 'wrong':
      return Buffer.from(right.map((byte) => byte ^ 0x55));
    case 'empty':
      return Buffer.alloc(0);
    case 'null':
      return null;
  }
}

function connectPayload(
  connect: Connect,
  sessionId: bigint,
  password: Buffer | null,
  lastZxid: bigint,
): Buffer {
  const writer = new WireWriter().int(0).long(lastZxid).int(connect.timeoutMs).long(sessionId);
  writer.buffer(password);
  if (connect.readOnly !== undefined) writer.byte(connect.readOnly);
  return writer.done();
}

/** One client connection: splits frames, and knows which request each reply answers. */
class Slot {
  sessionId = 0n;
  password: Buffer = Buffer.alloc(16);
  isOpen = false;
  arrivals: Arrival[] = [];
  private readonly address: Address;
  private socket: Socket | undefined;
  private expected: number[] = [];
  private awaitsConnectReply = false;
  private tail: Buffer = Buffer.alloc(0);
  private wake: (() => void) | undefined;
  private writes = 0;

  constructor(address: Address) {
    this.address = address;
  }

  /** Opens a connection and waits for the answer to `payload`, or the close. */
  async connect(payload: Buffer): Promise<void> {
    const socket = connectSocket({ ...this.address, noDelay: true });
    this.socket = socket;
    this.isOpen = true;
    this.expected = [];
    this.tail = Buffer.alloc(0);
    this.awaitsConnectReply = true;
    socket.on('data', (chunk: Buffer) => {
      if (this.socket === socket) this.receive(chunk);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.socket !== socket) return;
      this.isOpen = false;
      this.socket = undefined;
      this.note('connection closed');
      this.wake?.();
    });
    socket.write(frame(payload));
    await this.until(
      () => !this.awaitsConnectReply || !this.isOpen,
      REPLY_TIMEOUT_MS,
      'no connect reply',
    );
  }

  /** Closes the client's end; what arrives afterwards is not recorded. */
  drop(): void {
    const { socket } = this;
    this.socket = undefined;
    this.isOpen = false;
    this.expected = [];
    socket?.destroy();
  }

  expect(op: number): void {
    this.expected.push(op);
  }

  send(payload: Buffer, op: number): void {
    this.expect(op);
    this.write(frame(payload));
  }

  /** Every fifth write comes in two pieces, cut anywhere. */
  write(bytes: Buffer): void {
    this.writes++;
    if (this.writes % 5 !== 0) {
      this.socket?.write(bytes);
      return;
    }
    const cut = (this.writes * 31) % (bytes.length + 1);
    this.socket?.write(bytes.subarray(0, cut));
    this.socket?.write(bytes.subarray(cut));
  }

  /** Waits for the replies to all that was sent, or the close. */
  settle(timeoutMs: number): Promise<void> {
    return this.until(() => this.expected.length === 0 || !this.isOpen, timeoutMs, 'no reply');
  }

  untilClosed(timeoutMs: number): Promise<void> {
    return this.until(() => !this.isOpen, timeoutMs, 'connection still open');
  }

  takeArrivals(): Arrival[] {
    const { arrivals } = this;
    this.arrivals = [];
    return arrivals;
  }

  /** True when the last reply is one that the server closes the connection after. */
  isAboutToClose(): boolean {
    const last = this.arrivals.findLast((arrival) => arrival.kind === 'reply');
    if (last?.kind !== 'reply') return false;
    const err = last.payload.readInt32BE(12);
    if (last.op === OP.auth || last.op === OP.sasl) return err !== 0;
    if (last.op === OP.closeSession) return true;
    return err === -6 && last.payload.readBigInt64BE(4) === -1n;
  }

  hasClosedItsSession(): boolean {
    return this.arrivals.some(
      (arrival) =>
        arrival.kind === 'reply' &&
        arrival.op === OP.closeSession &&
        arrival.payload.readInt32BE(12) === 0,
    );
  }

  private note(text: string): void {
    this.arrivals.push({ kind: 'note', text });
  }

  private async until(done: () => boolean, timeoutMs: number, otherwise: string): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!done()) {
      const left = deadline - performance.now();
      if (left <= 0) {
        this.note(`${otherwise} in ${timeoutMs} ms`);
        this.drop();
        return;
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.wake = undefined;
    }
  }

  private receive(chunk: Buffer): void {
    let bytes = this.tail.length === 0 ? chunk : Buffer.concat([this.tail, chunk]);
    while (bytes.length >= 4) {
      const length = bytes.readInt32BE(0);
      if (length < 0) {
        this.note(`frame of length ${length}`);
        this.drop();
        break;
      }
      if (bytes.length < 4 + length) break;
      this.accept(Buffer.from(bytes.subarray(4, 4 + length)));
      bytes = bytes.subarray(4 + length);
    }
    this.tail = Buffer.from(bytes);
    this.wake?.();
  }

  private accept(payload: Buffer): void {
    if (this.awaitsConnectReply) {
      this.awaitsConnectReply = false;
      this.arrivals.push({ kind: 'connectReply', payload });
    } else if (payload.length < 16) {
      this.note(`short frame ${payload.toString('hex')}`);
    } else if (payload.readInt32BE(0) === -1) {
      this.arrivals.push({ kind: 'event', payload });
    } else {
      const op = this.expected.shift();
      if (op === undefined) this.note(`reply nobody asked for ${payload.toString('hex')}`);
      else this.arrivals.push({ kind: 'reply', op, payload });
    }
  }
}
