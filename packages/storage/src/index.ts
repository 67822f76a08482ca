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
export { baseName, diskError, normalPath, parentPath } from './disk-paths.ts';
export {
  EpochFiles,
  type EpochName,
  type Epochs,
  isMarkedDiscarded,
  loadEpochs,
  markDiscarded,
  prepareEpoch,
  prepareEpochAsync,
  readEpoch,
  writeEpoch,
  writeEpochAsync,
} from './epoch-file.ts';
export {
  type HistoryFile,
  logFiles,
  logName,
  parseLogName,
  parseSnapshotName,
  type SnapshotCompression,
  type SnapshotName,
  snapshotFiles,
  snapshotName,
} from './file-names.ts';
export { DEFAULT_MAX_ENTRY_BYTES } from './log-file-reader.ts';
export { TxnLogLives, type TxnLogLivesOptions } from './log-lives.ts';
export { DEFAULT_PREALLOC_BYTES } from './log-padding.ts';
export { type TornTail, TxnLogReader, type TxnLogReaderOptions } from './log-reader.ts';
export { TxnLogWriter, type TxnLogWriterOptions } from './log-writer.ts';
export { MemoryDisk, type MemoryDiskOptions } from './memory-disk.ts';
export { missingFile, type NeededFiles, neededFiles } from './needed-files.ts';
export { NodeDisk } from './node-disk.ts';
export { type Pin, Pins } from './pins.ts';
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
  type AdoptSnapshotOptions,
  adoptSnapshot,
  type DiscardHistoryOptions,
  discardHistory,
} from './replace-history.ts';
export { SnapshotWriter, type SnapshotWriterOptions } from './snapshot-file.ts';
export {
  NO_TRAILER,
  SNAPSHOT_SIGNATURE,
  type SnapshotDigest,
  type SnapshotHandler,
  SnapshotReader,
  type SnapshotReaderOptions,
  type SnapshotTrailer,
} from './snapshot-reader.ts';
export { looksValid } from './snapshot-source.ts';
export { SnapshotSpool, type SnapshotSpoolOptions } from './snapshot-spool.ts';
export { StorageError, type StorageErrorCode, type StorageErrorDetails } from './storage-error.ts';
export { type TruncateOptions, type TruncateResult, truncateHistory } from './truncate-history.ts';
export {
  openTxnFeed,
  type TxnFeed,
  type TxnFeedChunk,
  type TxnFeedOptions,
  type TxnFeedOutcome,
} from './txn-feed.ts';
export { follows } from './zxid-order.ts';
