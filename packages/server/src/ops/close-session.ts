// closeSession: nothing -> nothing; then the connection is closed.
// The txn lists the session's ephemerals, as they will be by then; all go in this one txn.

import type { ByteReader } from '@zebu/protocol';
import type { Preparation } from '../txns/preparation.ts';

export function prepareCloseSession(preparation: Preparation, _request: ByteReader): number {
  const { tree, pending, writer, requester, zxid, config } = preparation;
  const ephemerals = pending.ephemeralsOf(requester.idHigh, requester.idLow);
  for (const id of ephemerals) pending.delete(zxid, id, tree.paths.parent(id));
  if (!config.closeSessionTxnEnabled) return 0;
  writer.int32(ephemerals.length);
  for (const id of ephemerals) {
    const length = tree.paths.byteLength(id);
    writer.int32(length);
    writer.ensure(length);
    tree.paths.copyPath(id, writer.bytes, writer.offset);
    writer.offset += length;
  }
  return 0;
}
