// whoAmI: nothing -> vector<ClientInfo { ustring authScheme, ustring user }>.

import { type ByteReader, type ByteWriter, writeWhoAmIResponse } from '@zebu/protocol';
import type { ReadContext } from './read-context.ts';

export function whoAmI(context: ReadContext, _request: ByteReader, reply: ByteWriter): number {
  writeWhoAmIResponse(reply, context.access.clientInfos(context.identities));
  return 0;
}
