// What a server is doing at this moment, for a person who asks the process (SIGQUIT).

import { formatZxid, type Zxid } from '@zebu/protocol';
import type { ConnectionFacts } from './words/four-letter.ts';

/** One connection of a ServerActivity. */
export interface ConnectionActivity {
  /** `127.0.0.1:40112` */
  readonly client: string;
  /** `0x...`; undefined before there is a session. */
  readonly session: string | undefined;
  /** Requests taken and not answered. */
  readonly outstanding: number;
  readonly lastOp: string;
}

export interface ServerActivity {
  readonly mode: string;
  readonly zxid: string;
  readonly connections: number;
  readonly outstandingRequests: number;
  /** Those with the most outstanding requests, the most first; those without any are left out. */
  readonly waiting: readonly ConnectionActivity[];
}

const WAITING_LIMIT = 20;

/** What a server has at any time, also before it serves and while it looks for a leader. */
export interface ActivityFacts {
  readonly mode: string;
  readonly lastZxid: Zxid;
  readonly connectionCount: number;
  readonly outstandingRequests: number;
  readonly connections: Iterable<ConnectionFacts>;
}

/** Walks all connections once: about a microsecond for each. */
export function activityOf(facts: ActivityFacts): ServerActivity {
  let waiting: ConnectionFacts[] = [];
  for (const connection of facts.connections) {
    if (connection.outstanding === 0) continue;
    waiting.push(connection);
    if (waiting.length >= 2 * WAITING_LIMIT) waiting = busiest(waiting);
  }
  return {
    mode: facts.mode,
    zxid: formatZxid(facts.lastZxid),
    connections: facts.connectionCount,
    outstandingRequests: facts.outstandingRequests,
    waiting: busiest(waiting).map(describeConnection),
  };
}

function busiest(connections: ConnectionFacts[]): ConnectionFacts[] {
  return connections.sort((a, b) => b.outstanding - a.outstanding).slice(0, WAITING_LIMIT);
}

function describeConnection(facts: ConnectionFacts): ConnectionActivity {
  const { remoteAddress, remotePort, sessionHigh, sessionLow, outstanding, lastOp } = facts;
  const id = (BigInt(sessionHigh >>> 0) << 32n) | BigInt(sessionLow >>> 0);
  return {
    client: `${remoteAddress}:${remotePort}`,
    session: id === 0n ? undefined : `0x${id.toString(16)}`,
    outstanding,
    lastOp,
  };
}
