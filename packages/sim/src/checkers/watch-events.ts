// Every connection gets exactly the events that it is due, in the order of the txns, each before any
// answer that shows its txn or a later one; a one-shot watch fires once. What is due is worked out
// from the log and from what the connection watched.

import { EventType, formatZxid, type WatcherEvent } from '@zebu/protocol';
import { type Conversation, watchSetBy } from '../sim-client.ts';
import { demand } from '../violation.ts';
import { type DueEvent, WatchBook } from '../watch-book.ts';
import { type Ask, describeAsk } from '../wire.ts';
import type { MakeChecker } from './checker.ts';

const NAME = 'watch-events';

interface Listening {
  readonly book: WatchBook;
  /** Due and not arrived. */
  due: DueEvent[];
  /** Events of setWatches, which come before its answer. */
  caughtUp: DueEvent[];
  /** Txns up to this one have been looked at. */
  zxid: number;
}

export const watchEvents: MakeChecker = ({ oracle }) => {
  const listening = new WeakMap<Conversation, Listening>();
  const of = (conversation: Conversation): Listening => {
    let one = listening.get(conversation);
    if (one === undefined) {
      one = { book: new WatchBook(), due: [], caughtUp: [], zxid: 0 };
      listening.set(conversation, one);
    }
    return one;
  };
  const advance = (one: Listening, zxid: number): void => {
    for (; one.zxid < zxid; one.zxid++) {
      if (one.book.size === 0) {
        one.zxid = zxid;
        return;
      }
      const entry = oracle.entry(one.zxid + 1);
      for (const change of entry?.effect.changes ?? []) {
        one.due.push(...one.book.changed(change, one.zxid + 1));
      }
    }
  };
  const setAgain = (one: Listening, ask: Ask, zxid: number): DueEvent[] => {
    const { tree } = oracle;
    const { watches } = ask;
    if (watches === undefined) return [];
    const since = watches.relativeZxid;
    const missed: DueEvent[] = [];
    const miss = (type: number, path: string): void => {
      missed.push({ type, path, zxid: -1 });
    };
    for (const path of watches.data ?? []) {
      const znode = tree.at(path, zxid);
      if (znode === undefined) miss(EventType.nodeDeleted, path);
      else if (znode.mzxid > since) miss(EventType.nodeDataChanged, path);
      else one.book.add('data', path);
    }
    for (const path of watches.exist ?? []) {
      if (tree.at(path, zxid) !== undefined) miss(EventType.nodeCreated, path);
      else one.book.add('exist', path);
    }
    for (const path of watches.child ?? []) {
      const znode = tree.at(path, zxid);
      if (znode === undefined) miss(EventType.nodeDeleted, path);
      else if (znode.pzxid > since) miss(EventType.nodeChildrenChanged, path);
      else one.book.add('child', path);
    }
    for (const path of watches.persistent ?? []) one.book.add('persistent', path);
    for (const path of watches.persistentRecursive ?? []) one.book.add('recursive', path);
    return missed;
  };
  return {
    name: NAME,

    event(conversation, event, zxid) {
      const one = of(conversation);
      if (zxid === -1) {
        one.caughtUp.push({ type: event.type, path: event.path, zxid });
        return;
      }
      advance(one, zxid);
      const due = one.due.shift();
      demand(
        due !== undefined && isSame(due, event, zxid),
        NAME,
        () =>
          `${conversation.client.name} got ${text({ ...event, zxid })}; due was ` +
          (due === undefined ? 'nothing' : text(due)),
      );
    },

    answered(conversation, ask, answer) {
      const one = of(conversation);
      advance(one, answer.zxid);
      const { name } = conversation.client;
      const due = one.due[0];
      demand(
        due === undefined,
        NAME,
        () => `${name} got the answer to ${describeAsk(ask)} before ${text(due as DueEvent)}`,
      );
      const missed = setAgain(one, ask, answer.zxid).map(text);
      const caughtUp = one.caughtUp.map(text);
      one.caughtUp = [];
      demand(
        missed.join() === caughtUp.join(),
        NAME,
        () => `${name} set its watches again and got [${caughtUp}], due was [${missed}]`,
      );
      const kind = watchSetBy(ask, answer);
      if (kind !== undefined) one.book.add(kind, ask.path);
    },
  };
};

function isSame(due: DueEvent, event: WatcherEvent, zxid: number): boolean {
  return due.type === event.type && due.path === event.path && due.zxid === zxid;
}

function text(event: DueEvent): string {
  return `event ${event.type} on ${event.path} of ${event.zxid < 0 ? '-1' : formatZxid(event.zxid)}`;
}
