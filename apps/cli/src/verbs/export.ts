// Writes a subtree into a file, line by line. It is no snapshot: each znode is as it was when it was read. What may not be
// read is named in the file and on the standard error, and the exit code says so.

import { once } from 'node:events';
import {
  closeSync,
  createWriteStream,
  existsSync,
  openSync,
  readSync,
  statSync,
  truncateSync,
} from 'node:fs';
import type { Writable } from 'node:stream';
import { CommandError, usage } from '../command-error.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { endLine, entryLine, headerLine, isLeftOut, leftOutLine } from '../export-file.ts';
import { readFailure, writeFailure } from '../file-failure.ts';
import { Progress } from '../progress.ts';
import { Refusals } from '../refusals.ts';
import { above, subtree } from '../subtree.ts';
import type { Call, Run } from '../verb.ts';

export const exportTree: Run = async (call) => {
  const { words, zk, signal, note } = call;
  const [root = '/'] = words.operands;
  const file = words.value('--file');
  const resumes = words.has('--resume');
  const keepsAcl = !words.has('--no-acl');
  if (resumes && (file === undefined || file === '-')) throw usage('--resume needs --file FILE');
  const start = resumes ? beginningIn(file as string, root) : undefined;
  if (start?.isWhole === true) {
    note(`${file} is complete: ${countsText(start.znodes, start.leftOut)}`);
    return start.leftOut === 0 ? undefined : EXIT_CODES['not-allowed'];
  }
  if (!resumes && file !== undefined && file !== '-' && existsSync(file)) {
    throw new CommandError('exists', `${file} is there already`, {
      hint: '--resume goes on where an export ended; another name begins a new one',
    });
  }
  // A resumed export without a whole line begins anew.
  const sink = openSink(file, start !== undefined ? 'a' : resumes ? 'w' : 'wx');
  const total = await estimate(call, root);
  const progress = new Progress('export', total);
  const refusals = new Refusals(note, progress);
  let znodes = start?.znodes ?? 0;
  let leftOut = start?.leftOut ?? 0;
  progress.add(znodes, 0);
  try {
    if (start === undefined) await sink.line(headerLine(root));
    for await (const entry of subtree(zk, root, { signal, keepsAcl, after: start?.last })) {
      if (isLeftOut(entry)) {
        await sink.line(leftOutLine(entry));
        leftOut += 1;
        refusals.add(above(root, entry.leftOut), entry.why);
        continue;
      }
      const { version, ctime, mtime } = entry;
      await sink.line(entryLine(entry, { version, ctime, mtime }));
      znodes += 1;
      progress.add(1, entry.data.length);
    }
    await sink.line(endLine(znodes, leftOut));
  } finally {
    progress.end();
    await sink.close();
  }
  const where = file === undefined || file === '-' ? '' : ` in ${file}`;
  note(`${countsText(znodes, leftOut)}${where}`);
  refusals.throwIfAny('could not be read: left out, with all below');
  // Named when the first part was written.
  return leftOut === 0 ? undefined : EXIT_CODES['not-allowed'];
};

function countsText(znodes: number, leftOut: number): string {
  return leftOut === 0 ? `${znodes} znodes` : `${znodes} znodes, ${leftOut} left out`;
}

async function estimate({ zk }: Call, root: string): Promise<number | undefined> {
  try {
    return (await zk.descendantsCount(root)) + 1;
  } catch {
    // Servers before 3.6 do not count; the walk itself says what is wrong with the path.
    return undefined;
  }
}

interface Sink {
  line(text: string): Promise<void>;
  close(): Promise<void>;
}

function openSink(file: string | undefined, flags: 'a' | 'w' | 'wx'): Sink {
  const isFile = file !== undefined && file !== '-';
  const stream: Writable = isFile
    ? createWriteStream(file, { flags, mode: 0o600 })
    : process.stdout;
  let failure: Error | undefined;
  stream.on('error', (error) => {
    failure ??= error;
  });
  const check = (): void => {
    if (failure !== undefined) {
      throw new CommandError(
        'failed',
        `Cannot write ${file ?? 'the output'}: ${writeFailure(file ?? '/', failure)}`,
        {
          cause: failure,
        },
      );
    }
  };
  return {
    async line(text) {
      check();
      if (!stream.write(`${text}\n`)) await roomIn(stream);
    },
    async close() {
      if (!isFile) return;
      if (!stream.destroyed) {
        stream.end();
        if (!stream.closed) await once(stream, 'close').catch(() => {});
      }
      check();
    },
  };
}

/** Resolves when a slow reader has room again, or has left. Takes both listeners back: an export waits often. */
function roomIn(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      stream.off('drain', go);
      stream.off('close', go);
      resolve();
    };
    stream.on('drain', go);
    stream.on('close', go);
  });
}

interface Ended {
  /** Undefined when not even the root was written. */
  readonly last: string | undefined;
  readonly znodes: number;
  /** Znodes that could not be read, before the last one that could. */
  readonly leftOut: number;
  readonly isWhole: boolean;
}

function beginningIn(file: string, root: string): Ended | undefined {
  try {
    return whereItEnded(file, root);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError('usage', `Cannot read ${file}: ${readFailure(file, error)}`, {
      cause: error,
    });
  }
}

/** Of a line that leftOutLine() made. */
const LEFT_OUT_PREFIX = '{"leftOut":';

/**
 * Reads what an export has written, and cuts off what comes after its last znode: a line that is not whole, and what
 * could not be read, which is tried again.
 */
function whereItEnded(file: string, root: string): Ended | undefined {
  if (!existsSync(file)) return undefined;
  const length = statSync(file).size;
  const descriptor = openSync(file, 'r');
  const chunk = Buffer.allocUnsafe(256 * 1024);
  let rest: Buffer = Buffer.alloc(0);
  let readBytes = 0;
  // Up to the last line that is kept.
  let keptBytes = 0;
  let lines = 0;
  let lastLine = '';
  let leftOut = 0;
  let leftOutSince = 0;
  let header = '';
  try {
    for (;;) {
      const count = readSync(descriptor, chunk, 0, chunk.length, null);
      if (count === 0) break;
      let bytes =
        rest.length === 0
          ? chunk.subarray(0, count)
          : Buffer.concat([rest, chunk.subarray(0, count)]);
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10)) {
        const line = bytes.toString('utf8', 0, end);
        if (lines === 0) header = line;
        readBytes += end + 1;
        bytes = bytes.subarray(end + 1);
        if (line.startsWith(LEFT_OUT_PREFIX)) {
          leftOutSince += 1;
          continue;
        }
        lines += 1;
        lastLine = line;
        keptBytes = readBytes;
        leftOut += leftOutSince;
        leftOutSince = 0;
      }
      rest = Buffer.from(bytes);
    }
  } finally {
    closeSync(descriptor);
  }
  if (lines === 0) {
    // Killed before its first line was whole, or somebody else's file: that one is left as it is.
    if (!headerLine(root).startsWith(rest.toString('utf8'))) {
      throw usage(`${file} is none of an export of ${root}`, 'it holds no whole line');
    }
    return undefined;
  }
  if (header !== headerLine(root)) {
    throw usage(`${file} is no export of ${root}`, `its first line is ${header.slice(0, 100)}`);
  }
  const last = lines === 1 ? {} : lastEntry(lastLine, file);
  if (keptBytes < length) truncateSync(file, keptBytes);
  if (last.znodes !== undefined) {
    return { last: undefined, znodes: last.znodes, leftOut, isWhole: true };
  }
  return { last: last.path, znodes: lines - 1, leftOut, isWhole: false };
}

function lastEntry(line: string, file: string): { path?: string; znodes?: number } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // Told below.
  }
  const last = value as { path?: unknown; znodes?: unknown } | null | undefined;
  if (typeof last?.path === 'string') return { path: last.path };
  if (typeof last?.znodes === 'number') return { znodes: last.znodes };
  throw usage(`The last line of ${file} is none of an export`, `it begins ${line.slice(0, 100)}`);
}
