// The znodes that a workload works on: `keys` of them with `size` bytes each, in folders of
// `perFolder`, so that a getChildren of one has a known length.
//
//   <base>/d0000/k000, <base>/d0000/k001, ... <base>/d0001/k000, ...
//
// All paths are equally long, so a request for any of them is one template with digits patched in.

import {
  type ByteWriter,
  CreateFlag,
  ErrorCode,
  type MultiRequestOp,
  OPEN_ACL_UNSAFE,
  OpCode,
  writeCreateRequest,
  writeMultiRequest,
  writePathVersionRequest,
  writeRequestHeader,
} from '@zebu/protocol';
import { askAll, type Target } from './ask-all.ts';

export interface DataSetOptions {
  readonly base: string;
  readonly keys: number;
  readonly size: number;
  readonly perFolder?: number;
}

/** Called with the progress of a long preparation. */
export type OnProgress = (what: string, done: number, total: number) => void;

const FOLDER_DIGITS = 4;
/** Creates or deletes in one multi: well below the frame limit of 1 MB, large enough to be quick. */
const BATCH = 100;
const BATCH_BYTES = 200_000;
const NO_BYTES = new Uint8Array(0);

export class DataSet {
  readonly base: string;
  readonly keys: number;
  readonly size: number;
  readonly perFolder: number;
  private readonly keyDigits: number;

  /** Throws RangeError when there are more folders than their names have digits for. */
  constructor({ base, keys, size, perFolder = 1000 }: DataSetOptions) {
    this.base = base;
    this.keys = keys;
    this.size = size;
    this.perFolder = perFolder;
    this.keyDigits = String(perFolder - 1).length;
    if (this.folders > 10 ** FOLDER_DIGITS) throw new RangeError(`Too many keys: ${keys}`);
  }

  get folders(): number {
    return Math.ceil(this.keys / this.perFolder);
  }

  folder(index: number): string {
    return `${this.base}/d${String(index).padStart(FOLDER_DIGITS, '0')}`;
  }

  path(key: number): string {
    const name = String(key % this.perFolder).padStart(this.keyDigits, '0');
    return `${this.folder(Math.floor(key / this.perFolder))}/k${name}`;
  }

  /** Turns a path of this set, which ends at `end`, into the path of `key`. */
  patchPath(bytes: Uint8Array, end: number, key: number): void {
    const folder = Math.floor(key / this.perFolder);
    patchDigits(bytes, end, key - folder * this.perFolder, this.keyDigits);
    patchDigits(bytes, end - this.keyDigits - 2, folder, FOLDER_DIGITS);
  }

  /** Creates what is missing. Znodes that exist are left as they are. */
  async create(target: Target, onProgress?: OnProgress): Promise<void> {
    const parents = ancestorsOf(this.base);
    for (let folder = 0; folder < this.folders; folder++) parents.push(this.folder(folder));
    await askAll(target, { count: parents.length, inOrder: true }, (writer, index) =>
      writeCreate(writer, parents[index] as string, NO_BYTES),
    );
    const data = new Uint8Array(this.size).fill(0x78);
    await this.forEachKey(target, onProgress, (key) => ({
      type: OpCode.create,
      request: { path: this.path(key), data, acl: OPEN_ACL_UNSAFE, flags: CreateFlag.persistent },
    }));
  }

  /** Deletes what `create` made, the base included unless something else lies below it. */
  async delete(target: Target, onProgress?: OnProgress): Promise<void> {
    await this.forEachKey(target, onProgress, (key) => ({
      type: OpCode.delete,
      request: { path: this.path(key), version: -1 },
    }));
    const parents = [this.base];
    for (let folder = 0; folder < this.folders; folder++) parents.push(this.folder(folder));
    parents.reverse();
    await askAll(target, { count: parents.length, inOrder: true }, (writer, index) =>
      writeDelete(writer, parents[index] as string),
    );
  }

  /** Sends multis. If one fails because some keys already are as wanted, repeats everything one by one. */
  private async forEachKey(
    target: Target,
    onProgress: OnProgress | undefined,
    opOf: (key: number) => CreateOp | DeleteOp,
  ): Promise<void> {
    const batch = Math.max(1, Math.min(BATCH, Math.floor(BATCH_BYTES / (this.size + 64))));
    const count = Math.ceil(this.keys / batch);
    const report = (perRequest: number) => (done: number) =>
      onProgress?.(`znodes of ${this.base}`, Math.min(this.keys, done * perRequest), this.keys);
    const failed = new Set([batch, this.keys - (count - 1) * batch].map(failedMultiBytes));
    let failures = 0;
    await askAll(
      target,
      {
        count,
        onProgress: report(batch),
        // A server without multi can still be measured.
        tolerated: ErrorCode.UNIMPLEMENTED,
        onReply: (error, bodyBytes) => {
          if (error !== 0 || failed.has(bodyBytes)) failures += 1;
        },
      },
      (writer, index) => {
        writeRequestHeader(writer, { xid: 0, type: OpCode.multi });
        const end = Math.min(this.keys, (index + 1) * batch);
        const ops: MultiRequestOp[] = [];
        for (let key = index * batch; key < end; key++) ops.push(opOf(key));
        writeMultiRequest(writer, ops);
      },
    );
    if (failures === 0) return;
    await askAll(target, { count: this.keys, onProgress: report(1) }, (writer, key) => {
      const op = opOf(key);
      writeRequestHeader(writer, { xid: 0, type: op.type });
      if (op.type === OpCode.create) writeCreateRequest(writer, op.request);
      else writePathVersionRequest(writer, op.request);
    });
  }
}

type CreateOp = Extract<MultiRequestOp, { type: 1 | 15 | 19 }> & { type: 1 };
type DeleteOp = Extract<MultiRequestOp, { type: 2 | 13 }> & { type: 2 };

/**
 * A multi that failed says so in its results only: each is a MultiHeader and an error, 13 bytes, and the
 * end 9. Creates and deletes that succeed have other lengths.
 */
function failedMultiBytes(ops: number): number {
  return 13 * ops + 9;
}

export function writeCreate(writer: ByteWriter, path: string, data: Uint8Array): void {
  writeRequestHeader(writer, { xid: 0, type: OpCode.create });
  const flags = CreateFlag.persistent;
  writeCreateRequest(writer, { path, data, acl: OPEN_ACL_UNSAFE, flags });
}

export function writeDelete(writer: ByteWriter, path: string): void {
  writeRequestHeader(writer, { xid: 0, type: OpCode.delete });
  writePathVersionRequest(writer, { path, version: -1 });
}

/** Writes the last `digits` decimal digits of `value` so that they end at `end`. */
export function patchDigits(bytes: Uint8Array, end: number, value: number, digits: number): void {
  let rest = value;
  for (let at = end - 1; at >= end - digits; at--) {
    const next = Math.floor(rest / 10);
    bytes[at] = 0x30 + rest - next * 10;
    rest = next;
  }
}

/** "/a/b" -> ["/a", "/a/b"] */
function ancestorsOf(path: string): string[] {
  const names = path.split('/').slice(1);
  return names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`);
}
