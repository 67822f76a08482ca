// reconfig: changes the members of an ensemble. A server that is alone has none to change: it answers
// RECONFIGDISABLED or, where the feature is on, UNIMPLEMENTED, as Apache's does.

import { type ByteReader, ErrorCode, readReconfigRequest } from '@zebu/protocol';
import type { Preparation } from '../txns/preparation.ts';

export function prepareReconfig(preparation: Preparation, request: ByteReader): number {
  readReconfigRequest(request);
  return preparation.config.reconfigEnabled ? ErrorCode.UNIMPLEMENTED : ErrorCode.RECONFIGDISABLED;
}
