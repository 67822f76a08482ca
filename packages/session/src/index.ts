// @zebu/session: sessions, their ids and when they expire.

export { ExpiryBuckets } from './expiry-buckets.ts';
export { Session } from './session.ts';
export { firstSessionId, formatSessionId, nextSessionId } from './session-id.ts';
export { SessionTable, type SessionTableOptions } from './session-table.ts';
