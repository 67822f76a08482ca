// @zebu/protocol: the bytes of Apache ZooKeeper, and nothing else.

export { type Acl, OPEN_ACL_UNSAFE, Perms, readAclVector, writeAclVector } from './acl.ts';
export { adler32 } from './adler32.ts';
export { ByteReader, DEFAULT_MAX_BUFFER } from './byte-reader.ts';
export { ByteWriter, copyBytes, getInt32, putInt32 } from './byte-writer.ts';
export * from './connect-records.ts';
export { crc32 } from './crc32.ts';
export * from './election-records.ts';
export { ErrorCode, type ErrorName, errorMessage, errorName } from './error-codes.ts';
export { MarshallingError, ProtocolError, type ProtocolErrorCode } from './errors.ts';
export { FrameDecoder, type FrameSink } from './frame-decoder.ts';
export * from './headers.ts';
export {
  formatHostAndPort,
  type HostAndPort,
  isWildcardAddress,
  parseHostAndPort,
} from './host-and-port.ts';
export { assertInvariant, InvariantError } from './invariant.ts';
export {
  type PropertyEntry,
  PropertySyntaxError,
  parseJavaProperties,
} from './java-properties.ts';
export { decodeJavaUtf8, encodeJavaUtf8, javaUtf8Length } from './java-utf8.ts';
export * from './multi-records.ts';
export {
  AddWatchMode,
  CreateFlag,
  EventType,
  KeeperState,
  OpCode,
  WatcherType,
  Xid,
} from './op-codes.ts';
export { isValidPathBytes, parentPath, validatePath } from './path.ts';
export * from './peer-packets.ts';
export * from './peer-records.ts';
export * from './quorum-config.ts';
export * from './requests.ts';
export * from './responses.ts';
export { PASSWORD_BYTES, sessionPassword } from './session-password.ts';
export { readStat, STAT_BYTES, type Stat, StatOffset, writeStat } from './stat.ts';
export * from './txn-records.ts';
export {
  counterOf,
  epochOf,
  formatZxid,
  MAX_COUNTER,
  MAX_EPOCH,
  makeZxid,
  type Zxid,
} from './zxid.ts';
