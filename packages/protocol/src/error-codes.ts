// Every error code a server may answer with: number, Java's constant name, message.
// Source: org.apache.zookeeper.KeeperException.Code (3.9.5).

export const ErrorCode = {
  OK: 0,
  SYSTEMERROR: -1,
  RUNTIMEINCONSISTENCY: -2,
  DATAINCONSISTENCY: -3,
  CONNECTIONLOSS: -4,
  MARSHALLINGERROR: -5,
  UNIMPLEMENTED: -6,
  OPERATIONTIMEOUT: -7,
  BADARGUMENTS: -8,
  UNKNOWNSESSION: -12,
  NEWCONFIGNOQUORUM: -13,
  RECONFIGINPROGRESS: -14,
  APIERROR: -100,
  NONODE: -101,
  NOAUTH: -102,
  BADVERSION: -103,
  NOCHILDRENFOREPHEMERALS: -108,
  NODEEXISTS: -110,
  NOTEMPTY: -111,
  SESSIONEXPIRED: -112,
  INVALIDCALLBACK: -113,
  INVALIDACL: -114,
  AUTHFAILED: -115,
  SESSIONMOVED: -118,
  NOTREADONLY: -119,
  EPHEMERALONLOCALSESSION: -120,
  NOWATCHER: -121,
  REQUESTTIMEOUT: -122,
  RECONFIGDISABLED: -123,
  SESSIONCLOSEDREQUIRESASLAUTH: -124,
  QUOTAEXCEEDED: -125,
  THROTTLEDOP: -127,
} as const;

export type ErrorName = keyof typeof ErrorCode;
export type ErrorCode = (typeof ErrorCode)[ErrorName];

const MESSAGES: { readonly [N in ErrorName]: string } = {
  OK: 'Ok',
  SYSTEMERROR: 'System error',
  RUNTIMEINCONSISTENCY: 'Not run because an earlier operation of the multi failed',
  DATAINCONSISTENCY: 'Data inconsistency',
  CONNECTIONLOSS: 'Connection lost',
  MARSHALLINGERROR: 'The request could not be decoded',
  UNIMPLEMENTED: 'Unimplemented',
  OPERATIONTIMEOUT: 'Operation timed out',
  BADARGUMENTS: 'Bad arguments',
  UNKNOWNSESSION: 'Unknown session',
  NEWCONFIGNOQUORUM: 'No quorum of the new configuration is connected and up to date',
  RECONFIGINPROGRESS: 'Another reconfiguration is in progress',
  APIERROR: 'API error',
  NONODE: 'No such znode',
  NOAUTH: 'Not authorized',
  BADVERSION: 'Version does not match',
  NOCHILDRENFOREPHEMERALS: 'An ephemeral znode cannot have children',
  NODEEXISTS: 'Znode exists',
  NOTEMPTY: 'Znode has children',
  SESSIONEXPIRED: 'Session expired',
  INVALIDCALLBACK: 'Invalid callback',
  INVALIDACL: 'Invalid ACL',
  AUTHFAILED: 'Authentication failed',
  SESSIONMOVED: 'Session moved to another server',
  NOTREADONLY: 'The server is read-only',
  EPHEMERALONLOCALSESSION: 'A local session cannot create ephemeral znodes',
  NOWATCHER: 'No such watch',
  REQUESTTIMEOUT: 'Request timed out',
  RECONFIGDISABLED: 'Reconfiguration is disabled',
  SESSIONCLOSEDREQUIRESASLAUTH: 'The server requires authentication and closed the session',
  QUOTAEXCEEDED: 'Quota exceeded',
  THROTTLEDOP: 'Operation throttled',
};

const NAMES = new Map<number, ErrorName>(
  (Object.keys(ErrorCode) as ErrorName[]).map((name) => [ErrorCode[name], name]),
);

/** Java's constant name of a code, or `UNKNOWN(n)`. */
export function errorName(code: number): ErrorName | `UNKNOWN(${number})` {
  return NAMES.get(code) ?? `UNKNOWN(${code})`;
}

/** One line for people. */
export function errorMessage(code: number): string {
  const name = NAMES.get(code);
  return name === undefined ? `Unknown error ${code}` : MESSAGES[name];
}
