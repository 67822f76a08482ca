// The door of @zebu/transport: export from here what other packages may import.

export type {
  Acceptor,
  Connection,
  ConnectionHandler,
  DialHandler,
  DialOptions,
  FanOut,
  Listener,
  ListenOptions,
  Network,
  TlsOptions,
} from './connection.ts';
export { maxFileDescriptors } from './descriptors.ts';
export { formatAddress, TransportError, type TransportErrorCode } from './errors.ts';
export { FanOutAtOnce } from './fan-out.ts';
export { type MemoryNetworkOptions, memoryNetwork } from './memory-network.ts';
export { type NodeNetworkOptions, nodeNetwork } from './node-network.ts';
export {
  acceptPeer,
  dialPeer,
  GATHER_BYTES,
  PeerLink,
  PeerLinkError,
  type PeerLinkErrorCode,
  type PeerLinkHandler,
  type PeerLinkOptions,
  type SliceOwner,
} from './peer-link.ts';
export { SocketlessListener } from './socketless-listener.ts';
export { IncomingBytes, OutgoingBytes } from './stream-bytes.ts';
