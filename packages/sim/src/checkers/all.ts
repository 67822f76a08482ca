// Every checker that a simulation of one server runs.

import { acknowledged } from './acknowledged.ts';
import type { MakeChecker } from './checker.ts';
import { digests } from './digests.ts';
import { durableReplies } from './durable-replies.ts';
import { readView } from './read-view.ts';
import { recoveredState } from './recovered-state.ts';
import { replay } from './replay.ts';
import { sessionOrder } from './session-order.ts';
import { sessions } from './sessions.ts';
import { watchEvents } from './watch-events.ts';

export const ALL_CHECKERS: readonly MakeChecker[] = [
  acknowledged,
  durableReplies,
  sessionOrder,
  watchEvents,
  readView,
  sessions,
  recoveredState,
  digests,
  replay,
];
