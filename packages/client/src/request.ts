// One call on its way: what to write, how to read the answer, and whom to tell.

import type { ByteReader, ByteWriter } from '@zebu/protocol';
import { type Outcome, ZkError } from './errors.ts';
import type { RetryPolicy } from './retry.ts';

/** What every call takes. */
export interface OpOptions {
  /** Rejects the call with ABORTED; a request that was sent may still be carried out. */
  readonly signal?: AbortSignal | undefined;
  /** Rejects the call with TIMEOUT. Default: the client's requestTimeoutMs. */
  readonly timeoutMs?: number | undefined;
  /**
   * When to try again what failed for a passing reason. False: never, and a read whose connection is lost fails,
   * instead of being asked again on the next one. Default: the client's.
   */
  readonly retry?: RetryPolicy | false | undefined;
}

export interface RequestSpec<T> {
  /** The protocol's op code. */
  readonly type: number;
  /** The call as the user knows it, and the path as the user gave it: for errors. */
  readonly op: string;
  readonly path?: string | undefined;
  /** Changes nothing, so it may be asked again when its reply was lost. */
  readonly isRead: boolean;
  /** Means something in this session only: an ephemeral znode, a watch. */
  readonly isSessionBound: boolean;
  /** An error number that `decode` takes as an answer; undefined for none. */
  readonly answerErrno?: number;
  /** What the message of an error with this number is to add. */
  readonly advice?: (errno: number) => string | undefined;
  readonly encode: (writer: ByteWriter) => void;
  readonly decode: (reader: ByteReader, errno: number, zxid: number) => T;
  /** Called when the server did it although the caller had given up. */
  readonly abandoned?: () => void;
  /**
   * Called when a request is made of this; what it returns, once that request can have no more effect: answered,
   * failed, or given up.
   */
  readonly expect?: () => () => void;
}

export class Request {
  readonly spec: RequestSpec<unknown>;
  readonly xid: number;
  /** Asked again on the next connection if its reply is lost. */
  readonly isResendable: boolean;
  /** The frame, while the request waits for a connection. */
  frame: Buffer | undefined;
  /** Where the frame lies in the connection's outgoing bytes, once written there. */
  frameStart: number;
  frameEnd: number;
  /** On how many connections it was written. */
  writes: number;
  /** When it was written last, by the environment's clock. */
  writtenAt: number;
  /** The connection that answered it; see Client.get with consistency 'synced'. */
  wireNumber: number;
  isSettled: boolean;
  /** See RequestSpec.expect; may be called more than once. */
  readonly finished: (() => void) | undefined;
  private readonly resolve: (value: unknown) => void;
  private readonly reject: (error: ZkError) => void;
  private release: (() => void) | undefined;

  constructor(
    spec: RequestSpec<unknown>,
    xid: number,
    options: {
      isResendable: boolean;
      resolve: (value: unknown) => void;
      reject: (error: ZkError) => void;
    },
  ) {
    this.spec = spec;
    this.xid = xid;
    this.isResendable = options.isResendable;
    this.frame = undefined;
    this.frameStart = 0;
    this.frameEnd = 0;
    this.writes = 0;
    this.writtenAt = 0;
    this.wireNumber = 0;
    this.isSettled = false;
    this.finished = spec.expect?.();
    this.resolve = options.resolve;
    this.reject = options.reject;
    this.release = undefined;
  }

  /** What must be undone when the request settles: its timer, its abort listener. */
  onSettled(release: () => void): void {
    this.release = release;
  }

  succeed(value: unknown): void {
    if (this.isSettled) return;
    this.settle();
    this.resolve(value);
  }

  fail(error: ZkError): void {
    if (this.isSettled) return;
    this.settle();
    this.reject(error);
  }

  /**
   * The caller waits no longer. The request keeps its place among those that wait for replies, or
   * the replies of all after it would be taken for one another's.
   */
  giveUp(code: 'ABORTED' | 'TIMEOUT', cause: unknown): void {
    const outcome: Outcome = this.frame === undefined ? 'unknown' : 'not-sent';
    const { op, path } = this.spec;
    this.fail(new ZkError(code, { op, path, outcome, cause }));
  }

  private settle(): void {
    this.isSettled = true;
    this.release?.();
    this.release = undefined;
  }
}
