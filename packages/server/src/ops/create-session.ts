// createSession, of a handshake and never of a client's request: int timeOut ms.

import type { ByteReader } from '@zebu/protocol';
import type { Preparation } from '../txns/preparation.ts';

export function prepareCreateSession(preparation: Preparation, request: ByteReader): number {
  preparation.writer.int32(request.int32());
  return 0;
}
