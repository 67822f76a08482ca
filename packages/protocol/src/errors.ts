// What can be wrong with bytes that a peer sent or a file held.

/** The bytes end too early or hold an impossible length. Carries numbers, not the bytes. */
export class MarshallingError extends Error {
  override readonly name = 'MarshallingError';
}

export type ProtocolErrorCode =
  | 'FRAME_TOO_LONG'
  | 'FRAME_NEGATIVE'
  | 'FRAME_TOO_SHORT'
  | 'PACKET_DATA_LENGTH'
  | 'PACKET_AUTHINFO_LENGTH';

/** A peer broke the protocol in a way that has no answer: its connection must be closed. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code: ProtocolErrorCode;
  readonly data: { readonly length: number; readonly limit: number };

  constructor(code: ProtocolErrorCode, data: { length: number; limit: number }) {
    super(`${PROTOCOL_MESSAGES[code]} (length ${data.length}, limit ${data.limit})`);
    this.code = code;
    this.data = data;
  }
}

const PROTOCOL_MESSAGES: { readonly [C in ProtocolErrorCode]: string } = {
  FRAME_TOO_LONG: 'Frame longer than jute.maxbuffer',
  FRAME_NEGATIVE: 'Frame with a negative length',
  FRAME_TOO_SHORT: 'Frame too short for a request header',
  PACKET_DATA_LENGTH: 'Quorum packet whose data is longer than the limit or has a negative length',
  PACKET_AUTHINFO_LENGTH:
    'Quorum packet whose authinfo is longer than the limit or has a negative length',
};
