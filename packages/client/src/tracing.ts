// What the client does, told through node:diagnostics_channel to those who subscribed. If nobody did: one
// look at a flag.
//
//   zebu:request   a TracingChannel: each call, from when it is made until it settles
//   zebu:state     the state of a client has changed
//   zebu:session   a client has a new session
//   zebu:attempt   a server could not be reached
//   zebu:watch     an event of a watch has come

import { channel, tracingChannel } from 'node:diagnostics_channel';
import type { Session, State } from './session.ts';
import type { FailedAttempt } from './states.ts';

/** The context of `zebu:request`; `result` or `error` is there at its end. */
export interface RequestTrace {
  /** As in "get". */
  readonly op: string;
  /** As it was given to the call. */
  readonly path: string | undefined;
  /** How often it was tried; more than once by a retry policy. */
  tries: number;
  /** At first the session and the server when the call was made, at its end those at that moment. */
  session: Session | undefined;
  server: string | undefined;
  result?: unknown;
  error?: unknown;
}

/** Of `zebu:state`. */
export interface StateTrace {
  readonly state: State;
  readonly session: Session | undefined;
}

/** Of `zebu:watch`: the path as the server knows it, whatever the chroot of the view that watches. */
export interface WatchTrace {
  readonly type: 'created' | 'deleted' | 'changed' | 'children';
  readonly path: string;
  readonly zxid: number | undefined;
  readonly session: Session | undefined;
}

const requests = tracingChannel<RequestTrace>('zebu:request');
const channels = {
  state: channel('zebu:state'),
  session: channel('zebu:session'),
  attempt: channel('zebu:attempt'),
  watch: channel('zebu:watch'),
};

interface Messages {
  readonly state: StateTrace;
  readonly session: Session;
  readonly attempt: FailedAttempt;
  readonly watch: WatchTrace;
}

export function isTraced(name: keyof Messages): boolean {
  return channels[name].hasSubscribers;
}

/** In a turn of its own: subscribers may call the client. */
export function publish<N extends keyof Messages>(name: N, message: Messages[N]): void {
  if (channels[name].hasSubscribers) queueMicrotask(() => channels[name].publish(message));
}

export function areRequestsTraced(): boolean {
  // Bun's TracingChannel has no such property (1.4.5).
  return requests.hasSubscribers ?? requests.start.hasSubscribers;
}

export function traceRequest<T>(trace: RequestTrace, call: () => Promise<T>): Promise<T> {
  return requests.tracePromise(call, trace);
}
