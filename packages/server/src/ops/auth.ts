// auth: int type (0), ustring scheme, buffer auth -> nothing.
// Answered at once, with zxid 0, before requests of this connection that are still in flight. What fails is
// answered AUTHFAILED, then the connection is closed; its session lives on.

import { type ByteReader, ErrorCode, readAuthRequest } from '@zebu/protocol';
import { addIdentities, type Identity } from '../auth/identity.ts';
import type { RunContext } from './read-context.ts';

/** Identities of one connection. Each is compared with each entry of an ACL. */
const MAX_IDENTITIES = 100;
/** All of them together: they go along with each write that a member forwards to the leader. */
const MAX_IDENTITY_CHARS = 256 * 1024;

export function auth(context: RunContext, xid: number, request: ByteReader): void {
  const { access } = context;
  const { scheme, auth: data } = readAuthRequest(request);
  const result = access.authenticate(scheme ?? '', data, context.authContext);
  if (result.kind === 'ok' && context.identities.length < MAX_IDENTITIES) {
    const identities = addIdentities(context.identities, result.identities);
    if (charsOf(identities) <= MAX_IDENTITY_CHARS) {
      context.identities = identities;
      context.replyError(xid, 0, ErrorCode.OK);
      return;
    }
  }
  context.metrics.authFailed++;
  context.logger.warn('Authentication failed', {
    scheme,
    client: context.authContext.remoteAddress,
    known: access.schemes,
  });
  if (result.kind !== 'close') context.replyError(xid, 0, ErrorCode.AUTHFAILED);
  context.closeAfterFlush();
}

function charsOf(identities: readonly Identity[]): number {
  return identities.reduce((sum, { scheme, id }) => sum + scheme.length + id.length, 0);
}
