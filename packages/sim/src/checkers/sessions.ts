// Sessions live as long as they were promised: through crashes, with their timeout and their password,
// until they were silent for it; and not much longer.

import { ByteReader, OpCode, readConnectResponse } from '@zebu/protocol';
import type { SimConnection } from '../sim-network.ts';
import { demand } from '../violation.ts';
import type { Checker, MakeChecker } from './checker.ts';

const NAME = 'sessions';
/** A sweep comes every half tick, deadlines are rounded up to a tick. */
const LATE_TICKS = 2.5;
const SLACK_MS = 50;
/** Virtual time is a sum of fractions. */
const ROUNDING_MS = 0.001;

interface Heard {
  timeoutMs: number;
  atMs: number;
}

export const sessions: MakeChecker = ({ oracle, nowMs, tickMs, stalledMs }): Checker => {
  const heard = new Map<bigint, Heard>();
  /** Sessions that the server decided to end, or whose client asked for it. */
  const ending = new Set<bigint>();
  let ends = new WeakMap<SimConnection, bigint>();
  let stalledBeforeMs = 0;
  return {
    name: NAME,

    serving({ serving, zxid }) {
      heard.clear();
      ends = new WeakMap();
      stalledBeforeMs = stalledMs();
      const alive = oracle.tree.sessionIds(zxid);
      for (const id of alive) {
        const timeoutMs = oracle.tree.session(id, zxid) as number;
        const session = serving.sessions.get(id);
        demand(
          session !== undefined && session.timeoutMs === timeoutMs,
          NAME,
          () =>
            `0x${id.toString(16)} had ${timeoutMs} ms, after recovery it has ` +
            `${session === undefined ? 'vanished' : `${session.timeoutMs}`}`,
        );
        ending.delete(id);
        heard.set(id, { timeoutMs, atMs: nowMs() });
      }
      demand(
        serving.sessions.size === alive.length,
        NAME,
        () => `${serving.sessions.size} sessions after recovery, ${alive.length} should be`,
      );
    },

    /** Its client may never hear of it. */
    issued({ txn }) {
      if (txn.body.type !== OpCode.createSession) return;
      const id = BigInt.asUintN(64, txn.header.clientId);
      heard.set(id, { timeoutMs: txn.body.timeoutMs, atMs: nowMs() });
    },

    serverWrites(end, bytes) {
      if (ends.has(end)) return;
      const response = readConnectResponse(new ByteReader(bytes, 4, bytes.length));
      const id = BigInt.asUintN(64, response.sessionId);
      ends.set(end, id);
      if (id !== 0n) heard.set(id, { timeoutMs: response.timeoutMs, atMs: nowMs() });
    },

    serverHears(end) {
      const one = heard.get(ends.get(end) ?? 0n);
      if (one !== undefined) one.atMs = nowMs();
    },

    sent({ sessionId }, ask) {
      if (ask.type === OpCode.closeSession) ending.add(sessionId);
    },

    expired(sessionId) {
      const one = heard.get(sessionId);
      ending.add(sessionId);
      demand(
        one !== undefined && nowMs() - one.atMs >= one.timeoutMs - ROUNDING_MS,
        NAME,
        () =>
          `0x${sessionId.toString(16)} expired after ${nowMs() - (one?.atMs ?? 0)} ms of silence, ` +
          `it was promised ${one?.timeoutMs}`,
      );
    },

    refused(client, sessionId) {
      demand(
        ending.has(sessionId),
        NAME,
        () => `${client.name} is told that 0x${sessionId.toString(16)} is over, but it is not`,
      );
    },

    look() {
      const slackMs = LATE_TICKS * tickMs + SLACK_MS + stalledMs() - stalledBeforeMs;
      for (const id of oracle.tree.sessionIds()) {
        const one = heard.get(id);
        if (one === undefined || ending.has(id)) continue;
        demand(
          nowMs() - one.atMs <= one.timeoutMs + slackMs,
          NAME,
          () =>
            `0x${id.toString(16)} still lives after ${nowMs() - one.atMs} ms of silence, ` +
            `it was promised ${one.timeoutMs}`,
        );
      }
    },
  };
};
