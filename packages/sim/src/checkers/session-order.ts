// What one connection hears: an answer to each request in the order of the requests, with zxids that
// never fall, and nothing else.

import { formatZxid, Xid } from '@zebu/protocol';
import type { Conversation } from '../sim-client.ts';
import { demand } from '../violation.ts';
import { describeAsk } from '../wire.ts';
import type { Checker, MakeChecker } from './checker.ts';

const NAME = 'session-order';

export const sessionOrder: MakeChecker = (): Checker => {
  const seen = new WeakMap<Conversation, number>();
  const rises = (conversation: Conversation, zxid: number, what: () => string): void => {
    const before = seen.get(conversation) ?? 0;
    demand(
      zxid >= before,
      NAME,
      () => `${what()} with zxid ${formatZxid(zxid)} after ${formatZxid(before)}`,
    );
    seen.set(conversation, zxid);
  };
  return {
    name: NAME,

    answered(conversation, ask, answer) {
      const { name } = conversation.client;
      demand(
        answer.xid === ask.xid,
        NAME,
        () => `${name} waits for ${describeAsk(ask)} and hears #${answer.xid}`,
      );
      rises(conversation, answer.zxid, () => `${name} gets the answer to ${describeAsk(ask)}`);
    },

    event(conversation, event, zxid) {
      // Those that setWatches makes up are of no txn.
      if (zxid === Xid.notification) return;
      rises(conversation, zxid, () => `${conversation.client.name} gets an event on ${event.path}`);
    },
  };
};
