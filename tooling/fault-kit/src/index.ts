// @zebu/fault-kit: see README.md.

export { type CutPoint, cutPoints, type FaultKind } from './cut-points.ts';
export { expireSession, type Ticket } from './expire-session.ts';
export {
  type Direction,
  FaultProxy,
  type ProxiedEvent,
  type ProxiedReply,
  type ProxiedRequest,
  type ReplyFate,
  type RequestFate,
} from './fault-proxy.ts';
export { allWatchCount, fourLetterWord, watchCount } from './four-letter-word.ts';
export { stopProcess } from './stop-process.ts';
