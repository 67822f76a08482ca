// Finds txn logs and snapshots that recovery does not read, because their name or their place is not the
// one it looks for: `log.5.bak`, `snapshot.5~`, `log.5` in dataDir instead of version-2, or any file that
// starts as a txn log or a snapshot does. Serving without the newest of them would lose acknowledged txns
// and give out their zxids again.
//
// A file reaches beyond what was recovered when
//   - a log holds a txn of a higher zxid, or has a higher zxid in its name and cannot be read;
//   - a log cannot be read, or is damaged, and no log that is read starts after it;
//   - a snapshot has a higher zxid in its name, or at its end.
// Apache's server reads `log.5.bak` as if it were `log.5`, dies of a compressed one, and ignores the others.

import { formatZxid, type Zxid } from '@zebu/protocol';
import type { DataDirectory } from './data-directory.ts';
import type { BlockingFile, Disk, ReadableFile } from './disk.ts';
import { FILE_HEADER_BYTES, LOG_MAGIC, SNAPSHOT_MAGIC } from './file-header.ts';
import { aboutFile, type FileMessage } from './file-message.ts';
import {
  isCutName,
  isTemporaryName,
  logFiles,
  logName,
  parseLogName,
  parseSnapshotName,
  snapshotName,
} from './file-names.ts';
import { GunzipSource } from './inflate.ts';
import { LogFileReader } from './log-file-reader.ts';
import { StorageError } from './storage-error.ts';

export interface LeftOutFile {
  readonly path: string;
  /** What an operator reads after its path: its zxids as far as they are known, why it is left out. */
  readonly finding: string;
  /** True when serving without it may lose acknowledged txns. */
  readonly isBeyond: boolean;
  /** What to do to have it read: one sentence, without a full stop. */
  readonly remedy: string;
  /** The highest zxid known of it; -1 when none is. */
  readonly zxid: Zxid;
}

export interface LeftOutOptions {
  readonly disk: Disk;
  readonly directory: DataDirectory;
  /** Where the recovered data end. */
  readonly zxid: Zxid;
}

/** Yields a path between slices of a long log; returns the files in the order of their paths. Changes nothing. */
export function* findLeftOut(options: LeftOutOptions): Generator<string, LeftOutFile[], void> {
  const found: LeftOutFile[] = [];
  for (const path of strayPaths(options)) {
    const file = yield* judge(path, options);
    if (file !== undefined) found.push(file);
  }
  return found;
}

/** Names and remedies of the files that reach beyond the recovered data. */
export function leftOutError(files: readonly LeftOutFile[], zxid: Zxid): StorageError | undefined {
  const beyond = files.filter((file) => file.isBeyond).sort((a, b) => b.zxid - a.zxid);
  const first = beyond[0];
  if (first === undefined) return undefined;
  const others = beyond.slice(1).map(({ path, finding }) => `${path} ${finding}`);
  return new StorageError(
    'FILE_LEFT_OUT',
    `${first.path} ${first.finding}; without it the data end at ${formatZxid(zxid)}` +
      (others.length === 0 ? '' : `. The same holds for: ${others.join('; ')}`),
    {
      file: first.path,
      zxid: first.zxid,
      remedy: `${first.remedy}; to serve without its txns, move it out of the data directory`,
    },
  );
}

/** One warning for each file that does not reach beyond. */
export function leftOutWarnings(files: readonly LeftOutFile[], zxid: Zxid): FileMessage[] {
  return files
    .filter((file) => !file.isBeyond)
    .map(({ path, finding }) =>
      aboutFile(
        '',
        path,
        ` ${finding}; nothing in it is known to be beyond ${formatZxid(zxid)}, where the data end`,
      ),
    );
}

/** Paths of all that recovery does not read in the directories where logs and snapshots may be found. */
function* strayPaths({ disk, directory }: LeftOutOptions): Generator<string, void, void> {
  const { dataDir, dataLogDir, snapshotDirectory, logDirectory } = directory;
  const seen = new Set<string>();
  for (const place of [snapshotDirectory, logDirectory, dataDir, dataLogDir]) {
    const identity = disk.identity(place);
    if (identity === undefined || seen.has(identity)) continue;
    seen.add(identity);
    for (const name of disk.list(place)) {
      const isRead =
        (place === logDirectory && parseLogName(name) !== undefined) ||
        (place === snapshotDirectory && parseSnapshotName(name) !== undefined);
      if (!isRead && !isTemporaryName(name) && !isCutName(name)) yield `${place}/${name}`;
    }
  }
}

type Kind = 'log' | 'snapshot';

interface Stray {
  readonly path: string;
  readonly kind: Kind;
  /** The zxid in its name; undefined when it has another kind of name. */
  readonly nameZxid: Zxid | undefined;
  /** What follows the zxid in its name. */
  readonly suffix: string;
}

function* judge(
  path: string,
  options: LeftOutOptions,
): Generator<string, LeftOutFile | undefined, void> {
  const { disk } = options;
  const name = path.slice(path.lastIndexOf('/') + 1);
  const match = /^(log|snapshot)\.([0-9a-fA-F]+)(.*)$/s.exec(name);
  const fileKind = disk.kind(path);
  if (match !== null) {
    const zxid = Number.parseInt(match[2] as string, 16);
    const stray: Stray = {
      path,
      kind: match[1] as Kind,
      nameZxid: Number.isSafeInteger(zxid) ? zxid : undefined,
      suffix: match[3] as string,
    };
    if (fileKind !== 'file') return notAFile(stray, fileKind);
    return stray.kind === 'log' ? yield* judgeLog(stray, options) : judgeSnapshot(stray, options);
  }
  // A name of any other kind: what counts is how the file starts.
  if (fileKind !== 'file') return undefined;
  const { magic } = readStart(disk, path);
  const suffix = '';
  if (magic === LOG_MAGIC) {
    return yield* judgeLog({ path, kind: 'log', nameZxid: undefined, suffix }, options);
  }
  if (magic === SNAPSHOT_MAGIC) {
    return judgeSnapshot({ path, kind: 'snapshot', nameZxid: undefined, suffix }, options);
  }
  return undefined;
}

function* judgeLog(stray: Stray, options: LeftOutOptions): Generator<string, LeftOutFile, void> {
  const { path, nameZxid } = stray;
  const { disk, zxid } = options;
  const start = readStart(disk, path);
  if (start.isText) return outcome(stray, options, 'is text and no txn log', -1, false);
  const isCompressed = start.isGzip;
  const scan = yield* scanLog(disk, path, isCompressed);
  const { first, last, isWhole } = scan;
  const compressed = isCompressed ? ' once it is decompressed' : '';
  const known =
    first === undefined
      ? isWhole
        ? 'holds no txns'
        : 'cannot be read'
      : `holds txns ${formatZxid(first)} to ${formatZxid(last)}${compressed}` +
        (isWhole ? '' : ' and then cannot be read further');
  const highest = Math.max(last, isWhole ? -1 : (nameZxid ?? -1));
  const isBeyond = highest > zxid || (!isWhole && !isFollowed(stray, first, options));
  return outcome({ ...stray, nameZxid: first ?? nameZxid }, options, known, highest, isBeyond);
}

/** Logs follow one another: what a log holds ends where the next one starts. */
function isFollowed(
  { nameZxid }: Stray,
  first: Zxid | undefined,
  { disk, directory }: LeftOutOptions,
): boolean {
  const start = nameZxid ?? first;
  // Neither a name nor a txn that says where it belongs.
  if (start === undefined) return true;
  return logFiles(disk.list(directory.logDirectory), directory.logDirectory).some(
    (log) => log.zxid >= start,
  );
}

interface LogScan {
  readonly first: Zxid | undefined;
  /** -1 without any txn. */
  readonly last: Zxid;
  /** False when bytes are left that are no log's end. */
  readonly isWhole: boolean;
}

/** Records between two yields. */
const SLICE_RECORDS = 2_000;

function* scanLog(disk: Disk, path: string, isGzip: boolean): Generator<string, LogScan, void> {
  let first: Zxid | undefined;
  let last: Zxid = -1;
  let reader: LogFileReader | undefined;
  try {
    const source = isGzip ? { openRead: () => gunzipped(disk.openRead(path)) } : disk;
    if (disk.size(path) === 0) return { first, last, isWhole: true };
    reader = new LogFileReader(source, path);
    for (let n = 1; reader.next(); n += 1) {
      first ??= reader.zxid;
      last = Math.max(last, reader.zxid);
      if (n % SLICE_RECORDS === 0) yield path;
    }
    // Of a compressed log what follows the zeros is not looked at.
    if (!reader.endsInZeros) {
      if (isGzip) return { first, last, isWhole: false };
      reader.judgeEnd();
    }
    return { first, last, isWhole: true };
  } catch {
    return { first, last, isWhole: false };
  } finally {
    reader?.close();
  }
}

/** A gzip file as the log it holds. Reads forward only, which is how a log is scanned. */
function gunzipped(file: ReadableFile): BlockingFile {
  let taken = 0;
  const source = new GunzipSource({
    read: (target, offset, length) => {
      const got = file.read(target, offset, length, taken);
      taken += got;
      return got;
    },
  });
  let at = 0;
  return {
    size: Number.MAX_SAFE_INTEGER,
    allocatedBytes: file.allocatedBytes,
    read: (target, offset, length, position) => {
      if (position !== at) return 0;
      const got = source.read(target, offset, length);
      at += got;
      return got;
    },
    close: () => file.close(),
  };
}

function judgeSnapshot(stray: Stray, options: LeftOutOptions): LeftOutFile {
  const { path, nameZxid, suffix } = stray;
  const { disk, zxid } = options;
  if (readStart(disk, path).isText) {
    return outcome(stray, options, 'is text and no snapshot', -1, false);
  }
  const endZxid = lastProcessedZxid(disk, path);
  const highest = Math.max(nameZxid ?? -1, endZxid ?? -1);
  const known =
    highest < 0 ? 'names no zxid' : `is a snapshot with txns up to ${formatZxid(highest)}`;
  // Apache's server dies with such a file when a sync with its leader is cut short: nobody counted on it.
  const isUnfinished = suffix === '.tmp';
  return outcome(stray, options, known, highest, highest > zxid && !isUnfinished);
}

/** Seal B's mark, long lastProcessedZxid, seal C: the end of a plain snapshot as 3.9 writes it (disk.md 5.1). */
function lastProcessedZxid(disk: Disk, path: string): Zxid | undefined {
  const bytes = Buffer.alloc(5 + 8 + 13);
  try {
    const file = disk.openRead(path);
    try {
      if (file.size < FILE_HEADER_BYTES + bytes.length) return undefined;
      file.read(bytes, 0, bytes.length, file.size - bytes.length);
    } finally {
      file.close();
    }
  } catch {
    return undefined;
  }
  const isSealed = [0, 21].every((at) => bytes.readInt32BE(at) === 1 && bytes[at + 4] === 0x2f);
  if (!isSealed) return undefined;
  const zxid = bytes.readInt32BE(5) * 2 ** 32 + bytes.readUInt32BE(9);
  return Number.isSafeInteger(zxid) ? zxid : undefined;
}

interface FileStart {
  readonly magic: number;
  readonly isGzip: boolean;
  /** Nothing but printable characters and white space at its start: notes, a checksum. */
  readonly isText: boolean;
}

const START_BYTES = 512;

function readStart(disk: Disk, path: string): FileStart {
  const bytes = Buffer.alloc(START_BYTES);
  let length = 0;
  try {
    const file = disk.openRead(path);
    try {
      length = file.read(bytes, 0, START_BYTES, 0);
    } finally {
      file.close();
    }
  } catch {
    // Unreadable: then its name is all there is.
  }
  const head = bytes.subarray(0, length);
  return {
    magic: length < 4 ? 0 : head.readUInt32BE(0),
    isGzip: length > 2 && head[0] === 0x1f && head[1] === 0x8b,
    isText: length > 0 && head.every((byte) => byte >= 0x20 || (byte >= 9 && byte <= 13)),
  };
}

function notAFile(stray: Stray, kind: string | undefined): LeftOutFile {
  return {
    path: stray.path,
    finding: `is left out: it is ${kind === 'directory' ? 'a directory' : 'no file'}`,
    isBeyond: false,
    remedy: '',
    zxid: -1,
  };
}

function outcome(
  stray: Stray,
  { disk, directory }: LeftOutOptions,
  known: string,
  highest: Zxid,
  isBeyond: boolean,
): LeftOutFile {
  const { path, kind } = stray;
  const place = path.slice(0, path.lastIndexOf('/'));
  const wanted = kind === 'log' ? directory.logDirectory : directory.snapshotDirectory;
  const label = kind === 'log' ? 'log.<zxid>' : 'snapshot.<zxid>';
  const why =
    place === wanted ? `its name is not ${label}` : `it does not lie in ${wanted} as ${label}`;
  return {
    path,
    finding: `${known} and is left out: ${why}`,
    isBeyond,
    remedy: remedyOf(stray, wanted, disk),
    zxid: highest,
  };
}

function remedyOf({ kind, suffix, nameZxid }: Stray, wanted: string, disk: Disk): string {
  if (nameZxid === undefined) return `To have it read, move it to ${wanted} under its right name`;
  const target = `${wanted}/${kind === 'log' ? logName(nameZxid) : snapshotName(nameZxid)}`;
  if (disk.exists(target)) return `Find out which is right, this file or ${target}`;
  const isCompressed = kind === 'log' && /gz|bz|xz|zst|lz/.test(suffix);
  return `To have it read, ${isCompressed ? 'decompress' : 'move'} it to ${target}`;
}
