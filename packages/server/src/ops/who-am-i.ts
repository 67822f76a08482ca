// whoAmI: nothing -> vector<ClientInfo { ustring authScheme, ustring user }>.

import { type ByteReader, type ByteWriter, writeWhoAmIResponse } from '@zebu/protocol';
import type { ClientConnection } from '../connection/client-connection.ts';

export function whoAmI(
  connection: ClientConnection,
  _request: ByteReader,
  reply: ByteWriter,
): number {
  writeWhoAmIResponse(reply, connection.node.access.clientInfos(connection.identities));
  return 0;
}
