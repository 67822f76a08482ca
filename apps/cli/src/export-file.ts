// The file of an export: lines of JSON, in the order of the walk.
//
//   {"zebu":"export/1","root":"/app"}
//   {"path":"/","data":"text","version":0,"ctime":...,"mtime":...}
//   {"path":"/logo","base64":"iVBORw0...","acl":[["digest","alice:aYX...","cdrwa"]],"version":3,...}
//   {"path":"/workers/1","owner":"0x100...",...}
//   {"leftOut":"/secret","why":"insufficient permission"}
//   {"znodes":3,"leftOut":1}
//
// Paths are below the root, which is "/". An ACL that lets everyone do everything is left out, and so is a znode that
// could not be read, with all below it: a line in its place says so. The last line says that the export came to its end.

import { createReadStream } from 'node:fs';
import { type Acl, Perms } from '@zebu/client';
import { CommandError } from './command-error.ts';
import { readFailure } from './file-failure.ts';
import { dataFields, permsText } from './format.ts';
import { readLines } from './lines.ts';

export interface Entry {
  readonly path: string;
  readonly data: Buffer;
  readonly acl: readonly Acl[];
  /** The session of an ephemeral znode. */
  readonly owner: string | undefined;
}

export interface EntryTimes {
  readonly version: number;
  readonly ctime: number;
  readonly mtime: number;
}

/** A znode that could not be read: neither it nor what is below it follows. */
export interface LeftOut {
  readonly leftOut: string;
  readonly why: string;
}

export function isLeftOut(item: Entry | LeftOut): item is LeftOut {
  return 'leftOut' in item;
}

export function pathOf(item: Entry | LeftOut): string {
  return isLeftOut(item) ? item.leftOut : item.path;
}

const FORMAT = 'export/1';
const LETTERS: readonly (readonly [string, number])[] = [
  ['c', Perms.CREATE],
  ['d', Perms.DELETE],
  ['r', Perms.READ],
  ['w', Perms.WRITE],
  ['a', Perms.ADMIN],
];

export function headerLine(root: string): string {
  return JSON.stringify({ zebu: FORMAT, root });
}

export function endLine(znodes: number, leftOut: number): string {
  return JSON.stringify({ znodes, ...(leftOut === 0 ? {} : { leftOut }) });
}

export function leftOutLine({ leftOut, why }: LeftOut): string {
  return JSON.stringify({ leftOut, why });
}

export function entryLine({ path, data, acl, owner }: Entry, times: EntryTimes): string {
  const fields = dataFields(data);
  const { version, ctime, mtime } = times;
  return JSON.stringify({
    path,
    ...('data' in fields ? (data.length === 0 ? {} : fields) : { base64: fields.dataBase64 }),
    ...(isOpen(acl)
      ? {}
      : { acl: acl.map(({ scheme, id, perms }) => [scheme, id, permsText(perms)]) }),
    owner,
    version,
    ctime,
    mtime,
  });
}

export function isOpen(acl: readonly Acl[]): boolean {
  const [only] = acl;
  return (
    acl.length === 1 && only?.scheme === 'world' && only.id === 'anyone' && only.perms === Perms.ALL
  );
}

export interface ExportFile {
  readonly root: string;
  /** Of the last line; undefined until it is read, and after all was read if it is missing. */
  readonly znodes: number | undefined;
  entries(): AsyncIterable<Entry | LeftOut>;
}

/** Reads a file, or the standard input for `-`. Throws CommandErrors that name the line. */
export async function openExport(file: string): Promise<ExportFile & AsyncDisposable> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  const lines = readLines(input);
  const name = file === '-' ? 'the standard input' : file;
  let number = 0;
  let znodes: number | undefined;
  const next = async (): Promise<Record<string, unknown> | undefined> => {
    for (;;) {
      const { value, done } = await lines.next().catch((error: NodeJS.ErrnoException) => {
        throw new CommandError('usage', `Cannot read ${name}: ${readFailure(file, error)}`, {
          hint: error.code === 'ENOENT' ? 'zebu export PATH --file FILE makes one' : undefined,
          cause: error,
        });
      });
      if (done === true) return undefined;
      number += 1;
      if (value.trim() !== '') return parseLine(value, name, number);
    }
  };
  const header = await next().catch((error: unknown) => {
    // The other end of a pipe may stay open: it must not keep us.
    input.destroy();
    throw error;
  });
  if (header?.zebu !== FORMAT || typeof header.root !== 'string') {
    input.destroy();
    throw new CommandError('usage', `${name} is no export of zebu: its first line is another one`);
  }
  return {
    root: header.root,
    get znodes() {
      return znodes;
    },
    async *entries() {
      let count = 0;
      let leftOut = 0;
      for (;;) {
        const line = await next();
        if (line === undefined) return;
        if (typeof line.znodes === 'number') {
          znodes = line.znodes;
          const says = countsText(znodes, line.leftOut);
          const holds = countsText(count, leftOut);
          if (says !== holds) {
            throw new CommandError(
              'usage',
              `${name} is damaged: it says ${says} and holds ${holds}`,
            );
          }
          return;
        }
        if (typeof line.leftOut === 'string' && line.leftOut.startsWith('/')) {
          leftOut += 1;
          yield { leftOut: line.leftOut, why: String(line.why) };
          continue;
        }
        count += 1;
        yield entryOf(line, name, number);
      }
    },
    async [Symbol.asyncDispose]() {
      // Not lines.return(): it would wait for a read of a terminal or a pipe that is under way.
      input.destroy();
    },
  };
}

function countsText(znodes: number, leftOut: unknown): string {
  return leftOut === undefined || leftOut === 0
    ? `${znodes} znodes`
    : `${znodes} znodes and ${String(leftOut)} left out`;
}

function parseLine(text: string, name: string, number: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Told below, with its number.
  }
  throw new CommandError('usage', `${name}, line ${number}, is not a JSON object`, {
    hint: 'the last line of an export that was cut off is not whole: export --resume goes on from there',
  });
}

function entryOf(line: Record<string, unknown>, name: string, number: number): Entry {
  const { path, data, base64, acl, owner } = line;
  const isWhole =
    typeof path === 'string' &&
    path.startsWith('/') &&
    (data === undefined || typeof data === 'string') &&
    (base64 === undefined || isBase64(base64)) &&
    (owner === undefined || typeof owner === 'string');
  const rights = acl === undefined ? OPEN : aclOf(acl);
  if (!isWhole || rights === undefined) {
    throw new CommandError('usage', `${name}, line ${number}, is no znode of an export`);
  }
  const bytes =
    base64 === undefined
      ? Buffer.from((data as string | undefined) ?? '')
      : Buffer.from(base64 as string, 'base64');
  return { path, data: bytes, acl: rights, owner: owner as string | undefined };
}

/** Buffer.from() skips what is no base64. */
function isBase64(value: unknown): boolean {
  return typeof value === 'string' && Buffer.from(value, 'base64').toString('base64') === value;
}

const OPEN: readonly Acl[] = [{ scheme: 'world', id: 'anyone', perms: Perms.ALL }];

function aclOf(value: unknown): Acl[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const acl: Acl[] = [];
  for (const entry of value) {
    if (!Array.isArray(entry) || !entry.every((one) => typeof one === 'string')) return undefined;
    const [scheme, id, letters] = entry as string[];
    if (scheme === undefined || id === undefined || letters === undefined) return undefined;
    // Left out, a letter would be a right that nobody has any more.
    if (!/^[cdrwa]*$/.test(letters)) return undefined;
    const perms = LETTERS.reduce(
      (sum, [letter, bit]) => (letters.includes(letter) ? sum | bit : sum),
      0,
    );
    acl.push({ scheme, id, perms });
  }
  return acl;
}
