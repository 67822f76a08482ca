// What clients are promised, whichever member they talk to: every answer is held against what is decided.
//
//   order of answers     in the order of the requests
//   linearizable writes  a write comes after all that was acknowledged to anybody when it was asked for
//   refusals             a write that finds no znode, or finds one, is right about that
//   linearizable sync    so does a sync, and a read after it
//   client zxid          never falls, over all connections of a session
//   read view            a read shows the tree as of the zxid that it names
//   watches              an event comes before any answer that knows of the change, over all connections of a session
//   sessions             one that a client is told is gone was closed, and none is before its timeout

import {
  ErrorCode,
  EventType,
  formatZxid,
  OpCode,
  type WatcherEvent,
  type Zxid,
} from '@zebu/protocol';
import { type Conversation, type SimClient, watchSetBy } from '../sim-client.ts';
import { demand } from '../violation.ts';
import { type Answer, type Ask, isWrite, sameStat } from '../wire.ts';
import { statOf } from '../znode-history.ts';
import { type Decided, errorOf, type History } from './history.ts';

/** What an expiry may be early by: the leader hears of a client with the next PING, twice a tick. */
const EXPIRY_SLACK_MS = 160;

/** A request that a client waits for. */
interface InFlight {
  /** What had been acknowledged to anybody when it was sent. */
  readonly acknowledgedBefore: Zxid;
}

/** What is known of one session. */
interface SessionLife {
  timeoutMs: number;
  /** When its member answered its client last. */
  heardMs: number;
  zxid: Zxid;
  /** One-shot watches by kind and path, with the zxid up to which the client knows its znode. */
  readonly watches: Map<string, Zxid>;
}

export class ClientChecks {
  private readonly history: History;
  private readonly nowMs: () => number;
  private readonly count: (what: string) => void;
  private readonly inFlight: Map<string, InFlight>;
  /** Who waits for the answer to a request, by session and xid. */
  private readonly waiting: Map<string, SimClient>;
  /** Answered sync requests by client: a read that was sent after one must see what was acknowledged before it. */
  private readonly syncedAt: Map<SimClient, Zxid>;
  private readonly sessions: Map<bigint, SessionLife>;
  /** Sessions whose end some leader has prepared: it may tell their clients before that is decided. */
  private readonly closing: Set<bigint>;
  /** Expiries that a leader has prepared, by zxid. */
  private readonly expiries: Map<Zxid, { readonly silentMs: number; readonly timeoutMs: number }>;

  constructor(history: History, nowMs: () => number, count: (what: string) => void) {
    this.history = history;
    this.nowMs = nowMs;
    this.count = count;
    this.inFlight = new Map();
    this.waiting = new Map();
    this.syncedAt = new Map();
    this.sessions = new Map();
    this.closing = new Set();
    this.expiries = new Map();
  }

  established({ sessionId, timeoutMs }: Conversation): void {
    const life = this.sessions.get(sessionId);
    if (life === undefined) {
      this.sessions.set(sessionId, {
        timeoutMs,
        heardMs: this.nowMs(),
        zxid: 0,
        watches: new Map(),
      });
      return;
    }
    life.timeoutMs = timeoutMs;
    life.heardMs = this.nowMs();
  }

  /**
   * A leader prepares the end of a session. Only where nothing but pauses and moving clients may have kept it from
   * hearing of them is it known whether an expiry is too early.
   */
  closes(sessionId: bigint, zxid: Zxid, isExpiry: boolean, isUndisturbed: boolean): void {
    this.closing.add(sessionId);
    const life = this.sessions.get(sessionId);
    if (life === undefined || !isExpiry || !isUndisturbed) return;
    const silentMs = this.nowMs() - life.heardMs;
    this.expiries.set(zxid, { silentMs, timeoutMs: life.timeoutMs });
  }

  /** What a leader prepares that is cut off from the others never happens. */
  decided(txn: Decided): void {
    const { zxid, sessionId, cxid, type } = txn;
    if (errorOf(txn) === ErrorCode.SESSIONMOVED) this.checkMoved(sessionId, cxid);
    if (type !== OpCode.closeSession || cxid !== 0) return;
    this.count('session expired');
    const expiry = this.expiries.get(zxid);
    if (expiry === undefined) return;
    this.count('session expired, members undisturbed');
    const { silentMs, timeoutMs } = expiry;
    demand(
      silentMs > timeoutMs - EXPIRY_SLACK_MS,
      'sessions',
      () =>
        `session 0x${sessionId.toString(16)} with a timeout of ${timeoutMs} ms expires after ${silentMs.toFixed(0)} ms`,
    );
  }

  /** Only what comes by a member that the client has left is refused as moved. */
  private checkMoved(sessionId: bigint, cxid: number): void {
    this.count('request refused as moved');
    const client = this.waiting.get(`${sessionId} ${cxid}`);
    demand(
      client === undefined || client.abandoned > 0,
      'sessions',
      () => `request ${cxid} of ${client?.name} is refused as moved: it waits where it asked`,
    );
  }

  refused(sessionId: bigint): void {
    demand(
      this.closing.has(sessionId),
      'sessions',
      () => `a client is told that session 0x${sessionId.toString(16)} is gone: nobody closed it`,
    );
  }

  sent(conversation: Conversation, ask: Ask): void {
    this.inFlight.set(keyOf(conversation, ask), {
      acknowledgedBefore: this.history.acknowledgedZxid,
    });
    this.waiting.set(`${conversation.sessionId} ${ask.xid}`, conversation.client);
  }

  ended(conversation: Conversation, unanswered: readonly Ask[]): void {
    for (const ask of unanswered) {
      this.inFlight.delete(keyOf(conversation, ask));
      this.waiting.delete(`${conversation.sessionId} ${ask.xid}`);
    }
    this.syncedAt.delete(conversation.client);
  }

  event({ sessionId }: Conversation, { type, path }: WatcherEvent): void {
    this.count('watch event');
    const life = this.sessions.get(sessionId);
    // An event is no answer: the server sends it whether or not it hears of the client.
    if (life === undefined || type === EventType.nodeChildrenChanged) return;
    life.watches.delete(`data ${path}`);
    life.watches.delete(`exist ${path}`);
  }

  answered(conversation: Conversation, ask: Ask, answer: Answer): void {
    const key = keyOf(conversation, ask);
    const sent = this.inFlight.get(key);
    this.inFlight.delete(key);
    this.waiting.delete(`${conversation.sessionId} ${ask.xid}`);
    demand(
      answer.xid === ask.xid,
      'order of answers',
      () => `the answer to request ${ask.xid} is that of ${answer.xid}`,
    );
    const life = this.sessions.get(conversation.sessionId);
    if (sent === undefined || life === undefined) return;
    life.heardMs = this.nowMs();
    this.checkZxid(conversation, answer, life);
    this.checkWatches(conversation, ask, answer, life);
    if (isWrite(ask.type)) this.checkWrite(conversation, ask, answer, sent);
    else if (answer.error === ErrorCode.OK || answer.error === ErrorCode.NONODE) {
      this.checkRead(conversation, ask, answer, sent);
    }
  }

  private checkZxid({ client }: Conversation, { zxid }: Answer, life: SessionLife): void {
    // An answer to a ping has the zxid of the moment, like all others.
    demand(
      zxid >= life.zxid,
      'client zxid',
      () => `${client.name} is answered at ${formatZxid(zxid)} after ${formatZxid(life.zxid)}`,
    );
    life.zxid = zxid;
  }

  /** A client that still waits for the event must not see what comes after the change. */
  private checkWatches(
    { client }: Conversation,
    ask: Ask,
    answer: Answer,
    { watches }: SessionLife,
  ): void {
    if (ask.type === OpCode.setWatches2) this.count('watches set again');
    for (const [watch, known] of watches) {
      const [kind = '', path = ''] = watch.split(' ');
      let changed = this.history.changedAfter(path, known);
      if (changed === undefined || changed > answer.zxid) continue;
      if (ask.type === OpCode.setWatches2 && kind === 'exist') {
        // A znode that came and went while the client was away is nothing that it is told.
        if (this.history.model.at(path, answer.zxid) === undefined) changed = undefined;
        watches.set(watch, answer.zxid);
      }
      const zxid = changed;
      demand(
        zxid === undefined,
        'watches',
        () =>
          `${client.name} watches ${path}, which changed at ${formatZxid(zxid ?? 0)}, and is answered at ${formatZxid(answer.zxid)} without an event`,
      );
    }
    const kind = watchSetBy(ask, answer);
    if (kind === 'data' || kind === 'exist') {
      this.count('watch set');
      watches.set(`${kind} ${ask.path}`, answer.zxid);
    }
  }

  private checkWrite(
    { sessionId, client }: Conversation,
    ask: Ask,
    answer: Answer,
    sent: InFlight,
  ): void {
    demand(
      answer.error !== ErrorCode.SESSIONMOVED || client.abandoned > 0,
      'sessions',
      () => `${client.name} is told that its session has moved, which it has not`,
    );
    const isDone = answer.error === 0 && answer.zxid > 0;
    if (!isDone) {
      this.checkRefusal(client, ask, answer);
      return;
    }
    this.count('write acknowledged');
    demand(
      answer.zxid > sent.acknowledgedBefore,
      'linearizable writes',
      () =>
        `a write at ${formatZxid(answer.zxid)} was asked for after ${formatZxid(sent.acknowledgedBefore)} was acknowledged`,
    );
    this.history.acknowledged(sessionId, ask.xid, answer.zxid);
  }

  /** A write that found no znode, or found one, is right about that: the tree before its txn is the one after it. */
  private checkRefusal(client: SimClient, { type, path }: Ask, { error, zxid }: Answer): void {
    const isCreate = type === OpCode.create2;
    if (error !== (isCreate ? ErrorCode.NODEEXISTS : ErrorCode.NONODE)) return;
    this.count('write refused');
    demand(
      (this.history.model.at(path, zxid) !== undefined) === isCreate,
      'refusals',
      () =>
        `${client.name} is told at ${formatZxid(zxid)} that ${path} is ${isCreate ? '' : 'not '}there, which is wrong`,
    );
  }

  private checkRead({ client }: Conversation, ask: Ask, answer: Answer, sent: InFlight): void {
    if (ask.type === OpCode.sync) {
      this.count('sync answered');
      this.syncedAt.set(client, Math.max(this.syncedAt.get(client) ?? 0, sent.acknowledgedBefore));
      demand(
        answer.zxid >= sent.acknowledgedBefore,
        'linearizable sync',
        () =>
          `a sync answered at ${formatZxid(answer.zxid)} was asked for after ${formatZxid(sent.acknowledgedBefore)} was acknowledged`,
      );
    }
    if (ask.type !== OpCode.getData && ask.type !== OpCode.exists) return;
    this.count('read answered');
    const least = this.syncedAt.get(client) ?? 0;
    demand(
      answer.zxid >= least,
      'linearizable sync',
      () => `a read at ${formatZxid(answer.zxid)} after a sync that saw ${formatZxid(least)}`,
    );
    const znode = this.history.model.at(ask.path, answer.zxid);
    const stat = znode === undefined ? undefined : statOf(znode);
    const isSame =
      sameStat(answer.stat, stat) &&
      (ask.type === OpCode.exists ||
        (answer.data ?? EMPTY).equals(znode === undefined ? EMPTY : (znode.data ?? EMPTY)));
    demand(
      isSame,
      'read view',
      () =>
        `${client.name} reads of ${ask.path} at ${formatZxid(answer.zxid)} ${print(answer.data)}, which is ${print(znode?.data)} then`,
    );
  }
}

const EMPTY = Buffer.alloc(0);

function keyOf({ client, number }: Conversation, { xid }: Ask): string {
  return `${client.name} ${number} ${xid}`;
}

function print(data: Buffer | null | undefined): string {
  return data === undefined ? 'nothing' : JSON.stringify(data?.toString() ?? null);
}
