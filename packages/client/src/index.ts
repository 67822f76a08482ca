// @zebu/client: a ZooKeeper client. See README.md.

export { type Acl, OPEN_ACL_UNSAFE, Perms } from '@zebu/protocol';
export type { TlsOptions } from '@zebu/transport';
export type {
  Children,
  Client,
  CreateOptions,
  DeleteOptions,
  Existence,
  ReadOptions,
  ReconfigChange,
  VersionOptions,
  Watched,
  WatchedReadOptions,
  WatchOptions,
  Znode,
} from './client.ts';
export { type ConnectOptions, connect } from './connect.ts';
export type { EnsembleConfig } from './ensemble-config.ts';
export type { ClientEnvironment } from './environment.ts';
export {
  ConnectionLossError,
  type ErrorCode,
  MultiError,
  type Outcome,
  SessionExpiredError,
  ZkError,
} from './errors.ts';
export type { Created, CreateSettings, Data, Mode, Op, ResultOf, Results } from './multi.ts';
export type { OpOptions } from './request.ts';
export type { Session, SessionTicket, State } from './session.ts';
export { formatSessionId, type Stat } from './stat.ts';
export type {
  OneShot,
  Resync,
  WatchEvent,
  WatchEventType,
  WatchItem,
  WatchStream,
} from './watch-stream.ts';
