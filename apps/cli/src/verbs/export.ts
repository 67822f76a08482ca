// Writes a subtree into a file, line by line. It is no snapshot: each znode is as it was when it was read.

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
import { endLine, entryLine, headerLine } from '../export-file.ts';
import { readFailure, writeFailure } from '../file-failure.ts';
import { Progress } from '../progress.ts';
import { subtree } from '../subtree.ts';
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
    note(`${file} is complete: ${start.znodes} znodes`);
    return undefined;
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
  let znodes = start?.znodes ?? 0;
  progress.add(znodes, 0);
  try {
    if (start === undefined) await sink.line(headerLine(root));
    for await (const entry of subtree(zk, root, { signal, keepsAcl, after: start?.last })) {
      const { version, ctime, mtime } = entry;
      await sink.line(entryLine(entry, { version, ctime, mtime }));
      znodes += 1;
      progress.add(1, entry.data.length);
    }
    await sink.line(endLine(znodes));
  } finally {
    progress.end();
    await sink.close();
  }
  note(`${znodes} znodes${file === undefined || file === '-' ? '' : ` in ${file}`}`);
  return undefined;
};

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

/** Reads what an export has written, and cuts off a last line that is not whole. */
function whereItEnded(file: string, root: string): Ended | undefined {
  if (!existsSync(file)) return undefined;
  const length = statSync(file).size;
  const descriptor = openSync(file, 'r');
  const chunk = Buffer.allocUnsafe(256 * 1024);
  let rest: Buffer = Buffer.alloc(0);
  let wholeBytes = 0;
  let lines = 0;
  let lastLine = '';
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
        lines += 1;
        lastLine = line;
        wholeBytes += end + 1;
        bytes = bytes.subarray(end + 1);
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
  if (wholeBytes < length) truncateSync(file, wholeBytes);
  if (lines === 1) return { last: undefined, znodes: 0, isWhole: false };
  const last = lastEntry(lastLine, file);
  if (last.znodes !== undefined) return { last: undefined, znodes: last.znodes, isWhole: true };
  return { last: last.path, znodes: lines - 1, isWhole: false };
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
