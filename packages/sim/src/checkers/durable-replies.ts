// Nothing is said that is not durable: no reply, no event and no session refers to a txn that the disk
// may still lose. Watched where the server writes, so that not even a reply that got lost may lie.

import { ByteReader, FrameDecoder, formatZxid, readConnectResponse } from '@zebu/protocol';
import type { SimConnection } from '../sim-network.ts';
import { demand } from '../violation.ts';
import type { MakeChecker } from './checker.ts';

const NAME = 'durable-replies';

export const durableReplies: MakeChecker = ({ oracle }) => {
  const streams = new WeakMap<SimConnection, { decoder: FrameDecoder; isEstablished: boolean }>();
  return {
    name: NAME,

    serverWrites(end, bytes) {
      let stream = streams.get(end);
      if (stream === undefined) {
        stream = { decoder: new FrameDecoder(1 << 24), isEstablished: false };
        streams.set(end, stream);
      }
      const known = stream;
      known.decoder.push(bytes, 0, bytes.length, (frame, start, stop) => {
        if (!known.isEstablished) {
          known.isEstablished = true;
          const response = readConnectResponse(new ByteReader(frame, start, stop));
          const id = BigInt.asUintN(64, response.sessionId);
          demand(
            id === 0n || oracle.tree.session(id, oracle.durableZxid) !== undefined,
            NAME,
            () => `session 0x${id.toString(16)} is given out before it is durable`,
          );
          return true;
        }
        const zxid = Number(frame.readBigInt64BE(start + 4));
        demand(
          zxid <= oracle.durableZxid,
          NAME,
          () =>
            `zxid ${formatZxid(zxid)} goes out when ${formatZxid(oracle.durableZxid)} is durable`,
        );
        return true;
      });
    },
  };
};
