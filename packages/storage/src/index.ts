// @zebu/storage: txn logs, snapshots, epoch files and recovery, in Apache ZooKeeper's disk format.

export {
  type DataDirectory,
  type OpenDataDirectoryOptions,
  openDataDirectory,
  readMyId,
  takeInitializeMarker,
} from './data-directory.ts';
export type {
  Claimed,
  DirectoryClaim,
  Disk,
  DiskError,
  Done,
  FileKind,
  OpenReadOptions,
  OpenWriteOptions,
  ReadableFile,
  WritableFile,
} from './disk.ts';
export {
  EpochFiles,
  type EpochName,
  type Epochs,
  loadEpochs,
  prepareEpoch,
  prepareEpochAsync,
  readEpoch,
  writeEpoch,
  writeEpochAsync,
} from './epoch-file.ts';
export { TxnLogLives, type TxnLogLivesOptions } from './log-lives.ts';
export {
  DEFAULT_MAX_ENTRY_BYTES,
  type TornTail,
  TxnLogReader,
  type TxnLogReaderOptions,
} from './log-reader.ts';
export { TxnLogWriter, type TxnLogWriterOptions } from './log-writer.ts';
export { MemoryDisk, type MemoryDiskOptions } from './memory-disk.ts';
export { missingFile, type NeededFiles, neededFiles } from './needed-files.ts';
export { NodeDisk } from './node-disk.ts';
export { MIN_RETAIN_COUNT, type PurgePlan, planPurge, purge } from './purge.ts';
export {
  loadSnapshot,
  type RecoverOptions,
  type RecoveryProgress,
  type RecoveryResult,
  type RecoveryTarget,
  recover,
} from './recover.ts';
export {
  DEFAULT_PREALLOC_BYTES,
  follows,
  logFiles,
  logName,
  parseLogName,
  parseSnapshotName,
  type SegmentFile,
  type SnapshotCompression,
  type SnapshotName,
  snapshotFiles,
  snapshotName,
} from './segment.ts';
export { SnapshotWriter, type SnapshotWriterOptions } from './snapshot-file.ts';
export {
  looksValid,
  type SnapshotDigest,
  SnapshotInput,
  type SnapshotTrailer,
} from './snapshot-input.ts';
export { StorageError, type StorageErrorCode, type StorageErrorDetails } from './storage-error.ts';
export { discardHistoryExcept, truncateHistory } from './truncate-log.ts';
