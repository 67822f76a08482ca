// auth: int type (0), ustring scheme, buffer auth -> nothing.
// Answered at once, with zxid 0, and before requests that are still in the works. What fails is
// answered AUTHFAILED, then the connection is closed; its session lives on.

import { type ByteReader, ErrorCode, readAuthRequest } from '@zebu/protocol';
import { addIdentities } from '../auth/identity.ts';
import type { ClientConnection } from '../connection/client-connection.ts';

/** Identities of one connection. Each is compared with each entry of an ACL. */
const MAX_IDENTITIES = 100;

export function auth(connection: ClientConnection, xid: number, request: ByteReader): void {
  const { access, environment } = connection.node;
  const { scheme, auth: data } = readAuthRequest(request);
  const result = access.authenticate(scheme ?? '', data, connection.authContext);
  if (result.kind === 'ok' && connection.identities.length < MAX_IDENTITIES) {
    connection.identities = addIdentities(connection.identities, result.identities);
    connection.output.replyError(xid, 0, ErrorCode.OK);
    return;
  }
  connection.node.metrics.authFailed++;
  environment.logger.warn('Authentication failed', {
    scheme,
    client: connection.authContext.remoteAddress,
    known: access.schemes,
  });
  if (result.kind !== 'close') connection.output.replyError(xid, 0, ErrorCode.AUTHFAILED);
  connection.finish();
}
