// What a call can fail with. One class carries every outcome; a few outcomes carry more.
//
// `outcome` answers the question that recipes live by: may the request have been carried out?

import { errorMessage } from '@zebu/protocol';

/** Codes and their numbers in the protocol; 0 for what only this side knows. */
const ERRNO = {
  SYSTEM_ERROR: -1,
  RUNTIME_INCONSISTENCY: -2,
  DATA_INCONSISTENCY: -3,
  CONNECTION_LOSS: -4,
  MARSHALLING_ERROR: -5,
  UNIMPLEMENTED: -6,
  TIMEOUT: -7,
  BAD_ARGUMENTS: -8,
  NEW_CONFIG_NO_QUORUM: -13,
  RECONFIG_IN_PROGRESS: -14,
  NO_NODE: -101,
  NO_AUTH: -102,
  BAD_VERSION: -103,
  NO_CHILDREN_FOR_EPHEMERALS: -108,
  NODE_EXISTS: -110,
  NOT_EMPTY: -111,
  SESSION_EXPIRED: -112,
  INVALID_ACL: -114,
  AUTH_FAILED: -115,
  SESSION_MOVED: -118,
  NOT_READONLY: -119,
  EPHEMERAL_ON_LOCAL_SESSION: -120,
  NO_WATCHER: -121,
  RECONFIG_DISABLED: -123,
  SASL_REQUIRED: -124,
  QUOTA_EXCEEDED: -125,
  THROTTLED: -127,
  /** A code that this client has no name for; see `errno`. */
  SERVER_OTHER: 0,
  /** The client was closed, or detached. */
  CLOSED: 0,
  /** The call's signal was aborted; `cause` is its reason. */
  ABORTED: 0,
  /** The request is longer than `maxPacketBytes`; nothing was sent. */
  TOO_LARGE: 0,
  /** `maxQueuedBytes` of requests wait for a connection; nothing was sent. */
  QUEUE_FULL: 0,
  /** An operation of a multi failed, so none was carried out: see MultiError. */
  MULTI_FAILED: 0,
  /** Of recipes: what was held is held no longer; `cause` says why. */
  LOCK_LOST: 0,
} as const;

export type ErrorCode = keyof typeof ERRNO;

/**
 * What became of the request: 'failed' it was judged and not carried out, 'not-sent' nobody saw it,
 * 'unknown' it was sent and its reply is missing.
 */
export type Outcome = 'failed' | 'not-sent' | 'unknown';

export interface ZkErrorDetails {
  readonly outcome: Outcome;
  readonly errno?: number | undefined;
  /** The call, as in `get`. */
  readonly op?: string | undefined;
  readonly path?: string | undefined;
  /** The server's zxid when it answered. */
  readonly zxid?: number | undefined;
  readonly detail?: string | undefined;
  readonly cause?: unknown;
}

const BRAND = Symbol.for('zebu.ZkError');

export class ZkError extends Error {
  readonly code: ErrorCode;
  /** The number in the protocol; 0 for codes of this side. */
  readonly errno: number;
  readonly outcome: Outcome;
  readonly op: string | undefined;
  readonly path: string | undefined;
  readonly zxid: number | undefined;
  readonly [BRAND]: true;

  constructor(code: ErrorCode, details: ZkErrorDetails) {
    super(
      describe(code, details),
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.name = 'ZkError';
    this.code = code;
    this.errno = details.errno ?? ERRNO[code];
    this.outcome = details.outcome;
    this.op = details.op;
    this.path = details.path;
    this.zxid = details.zxid;
    this[BRAND] = true;
  }

  /** Tells a ZkError, of any copy of this package, with one of the codes (or any, without codes). */
  static is<C extends ErrorCode>(
    error: unknown,
    ...codes: readonly C[]
  ): error is ZkError & { readonly code: C } {
    return (
      error instanceof Error &&
      BRAND in error &&
      (codes.length === 0 || codes.includes((error as ZkError).code as C))
    );
  }
}

/** The connection was lost before the reply came; see `outcome`. */
export class ConnectionLossError extends ZkError {
  declare readonly code: 'CONNECTION_LOSS';
  declare readonly outcome: 'not-sent' | 'unknown';

  constructor(details: ZkErrorDetails & { readonly outcome: 'not-sent' | 'unknown' }) {
    super('CONNECTION_LOSS', details);
    this.name = 'ConnectionLossError';
  }
}

/** The session is over: its ephemeral znodes and watches are gone, or will be in a moment. */
export class SessionExpiredError extends ZkError {
  declare readonly code: 'SESSION_EXPIRED';
  /** Whether a server said so, or we had no answer for so long that it must be. */
  readonly detectedBy: 'server' | 'local';

  constructor(detectedBy: 'server' | 'local', details: ZkErrorDetails) {
    super('SESSION_EXPIRED', details);
    this.name = 'SessionExpiredError';
    this.detectedBy = detectedBy;
  }
}

/** A multi was refused as a whole because of the operation at `index`. */
export class MultiError extends ZkError {
  declare readonly code: 'MULTI_FAILED';
  readonly index: number;
  /**
   * One per operation: the cause at `index`, undefined before it, RUNTIME_INCONSISTENCY after. Not enumerable: a
   * multi of 1,000 operations that is printed shows its cause, not a thousand errors.
   */
  declare readonly opErrors: readonly (ZkError | undefined)[];

  constructor(index: number, opErrors: readonly (ZkError | undefined)[], details: ZkErrorDetails) {
    const cause = opErrors[index];
    super('MULTI_FAILED', {
      ...details,
      errno: cause?.errno,
      path: cause?.path,
      detail: `operation ${index}: ${cause?.message}`,
      cause,
    });
    this.name = 'MultiError';
    this.index = index;
    Object.defineProperty(this, 'opErrors', { value: opErrors });
  }
}

/**
 * Lets the error's stack name the line that awaits the call. Replies are read in a turn of the socket, whose stack
 * says nothing; called in the continuation of an async function, V8 follows the promises to their awaits.
 */
export function atCaller(error: unknown): unknown {
  if (error instanceof Error) Error.captureStackTrace?.(error, atCaller);
  return error;
}

const CODES = new Map<number, ErrorCode>(
  (Object.keys(ERRNO) as ErrorCode[])
    .filter((code) => ERRNO[code] !== 0)
    .map((code) => [ERRNO[code], code]),
);

const REQUEST_TIMEOUT_ERRNO = -122;

/** The error of a reply. A number that nobody knows is an error like any other. */
export function serverError(
  errno: number,
  about: {
    op?: string | undefined;
    path?: string | undefined;
    zxid?: number | undefined;
    detail?: string | undefined;
  },
): ZkError {
  const details = { ...about, outcome: 'failed', errno } as const;
  if (errno === ERRNO.SESSION_EXPIRED) return new SessionExpiredError('server', details);
  if (errno === REQUEST_TIMEOUT_ERRNO) return new ZkError('TIMEOUT', details);
  return new ZkError(CODES.get(errno) ?? 'SERVER_OTHER', details);
}

const OWN_MESSAGES: { readonly [C in ErrorCode]?: string } = {
  CLOSED: 'The client is closed',
  ABORTED: 'Aborted',
  TOO_LARGE: 'Request too large',
  QUEUE_FULL: 'Too many requests wait for a connection',
  MULTI_FAILED: 'Nothing of the multi was carried out',
  LOCK_LOST: 'No longer held',
};

function describe(code: ErrorCode, details: ZkErrorDetails): string {
  const { op, path, detail, outcome } = details;
  let text = OWN_MESSAGES[code] ?? errorMessage(details.errno ?? ERRNO[code]);
  if (detail !== undefined) text += `: ${detail}`;
  const subject = [op, path].filter((part) => part !== undefined).join(' ');
  if (subject !== '') text += ` (${subject})`;
  return outcome === 'unknown' ? `${text}; it may have been carried out` : text;
}
