// @zebu/client: a ZooKeeper client. See README.md.

export { type Acl, type ClientInfo, OPEN_ACL_UNSAFE, Perms } from '@zebu/protocol';
export type { TlsOptions } from '@zebu/transport';
export { CREATOR_ALL_ACL, digestAcl, READ_ACL_UNSAFE } from './acl.ts';
export type { BulkOptions } from './bulk.ts';
export type {
  Children,
  Client,
  CloseOptions,
  CreateOptions,
  DeleteOptions,
  Existence,
  ReadOptions,
  ReconfigChange,
  UnwatchedReadOptions,
  VersionOptions,
  WatchableReadOptions,
  Watched,
  WatchedReadOptions,
  WatchOptions,
  Znode,
} from './client.ts';
export { type ConnectOptions, connect } from './connect.ts';
export { type DigestMd5Credentials, digestMd5 } from './digest-md5.ts';
export type { EnsembleConfig } from './ensemble-config.ts';
export type { ClientEnvironment } from './environment.ts';
export {
  ConnectionLossError,
  type ErrorCode,
  MultiError,
  type Outcome,
  SessionExpiredError,
  ZkError,
  type ZkErrorDetails,
} from './errors.ts';
export type { Host, HostProvider, ResolveSrv } from './host-provider.ts';
export type { Created, CreateSettings, Data, Mode, Op, ResultOf, Results } from './multi.ts';
export type { OpOptions } from './request.ts';
export { backoff, type RetryPolicy } from './retry.ts';
export type { SaslExchange, SaslMechanism } from './sasl.ts';
export type { Servers } from './servers.ts';
export type { Session, SessionTicket, State } from './session.ts';
export { formatSessionId, type Stat } from './stat.ts';
export type { FailedAttempt, ListenOptions } from './states.ts';
export type { TlsSource } from './targets.ts';
export { type TlsFiles, tlsFiles } from './tls-files.ts';
export type { RequestTrace, StateTrace, WatchTrace } from './tracing.ts';
export type {
  OneShot,
  Resync,
  WatchEvent,
  WatchEventType,
  WatchItem,
  WatchStream,
} from './watch-stream.ts';
