// What can be asked: each workload names the znodes it needs and makes the source of its requests.
//
// A request is a template, written once, that is copied and patched: its xid, and the digits of the key.

import {
  ByteWriter,
  beginFrame,
  CreateFlag,
  endFrame,
  type MultiRequestOp,
  OPEN_ACL_UNSAFE,
  OpCode,
  writeCreateRequest,
  writeMultiRequest,
  writePathWatchRequest,
  writeRequestHeader,
  writeSetDataRequest,
} from '@zebu/protocol';
import { askAll, type Target } from './ask-all.ts';
import type { RequestSource } from './closed-loop.ts';
import { DataSet, type OnProgress, patchDigits, writeCreate } from './data-set.ts';
import { deleteTree } from './delete-tree.ts';
import { Random } from './random.ts';

export interface WorkloadSettings {
  /** Everything is created below this path, and deleted again. */
  readonly path: string;
  readonly keys: number;
  /** Bytes of each znode's data, and of each set and create. */
  readonly size: number;
  /** Children of the parent that `children` lists. */
  readonly children: number;
  /** Operations in a `multi`. */
  readonly operations: number;
}

export interface Workload {
  readonly name: string;
  readonly summary: string;
  /** Prepares the server and answers with what to send. */
  prepare(target: Target, onProgress?: OnProgress): Promise<RequestSource>;
  /** Deletes all that `prepare` and the load made. */
  cleanUp(target: Target, onProgress?: OnProgress): Promise<void>;
}

/** The names that `createWorkload` knows, besides NN for NN % get and the rest set. */
export const WORKLOAD_NAMES = ['get', 'exists', 'set', 'create', 'mixed', 'children', 'multi'];

/** Throws SyntaxError on an unknown name. */
export function createWorkload(name: string, settings: WorkloadSettings): Workload {
  const share = name === 'mixed' ? 90 : Number(name);
  if (/^\d+$/.test(name) || name === 'mixed') {
    if (share > 100) throw new SyntaxError(`No share of gets in percent: ${name}`);
    const summary = `${share} % getData, the rest setData, of ${settings.size} bytes`;
    return new KeyWorkload(name, summary, settings, (keys) => new MixedSource(keys, share));
  }
  switch (name) {
    case 'get':
      return new KeyWorkload(
        name,
        `getData of ${settings.size} bytes`,
        settings,
        (keys) => new TemplateSource(name, keys, readTemplate(OpCode.getData, keys)),
      );
    case 'exists':
      return new KeyWorkload(
        name,
        'exists',
        settings,
        (keys) => new TemplateSource(name, keys, readTemplate(OpCode.exists, keys)),
      );
    case 'set':
      return new KeyWorkload(
        name,
        `setData of ${settings.size} bytes`,
        settings,
        (keys) => new TemplateSource(name, keys, setTemplate(keys)),
      );
    case 'multi': {
      const summary = `multi of ${settings.operations} setData of ${settings.size} bytes`;
      return new KeyWorkload(
        name,
        summary,
        settings,
        (keys) => new TemplateSource(name, keys, multiTemplate(keys, settings.operations)),
      );
    }
    case 'children':
      return new ChildrenWorkload(settings);
    case 'create':
      return new CreateWorkload(settings);
    default:
      throw new SyntaxError(`No such workload: ${name}`);
  }
}

/** Any workload whose requests go to the keys of one data set. */
class KeyWorkload implements Workload {
  readonly name: string;
  readonly summary: string;
  private readonly keys: DataSet;
  private readonly sourceOf: (keys: DataSet) => RequestSource;

  constructor(
    name: string,
    summary: string,
    { path, keys, size }: WorkloadSettings,
    sourceOf: (keys: DataSet) => RequestSource,
  ) {
    this.name = name;
    this.summary = `${summary}, ${keys} keys`;
    this.keys = new DataSet({ base: `${path}/keys`, keys, size });
    this.sourceOf = sourceOf;
  }

  async prepare(target: Target, onProgress?: OnProgress): Promise<RequestSource> {
    await this.keys.create(target, onProgress);
    return this.sourceOf(this.keys);
  }

  cleanUp(target: Target, onProgress?: OnProgress): Promise<void> {
    return this.keys.delete(target, onProgress);
  }
}

class ChildrenWorkload implements Workload {
  readonly name = 'children';
  readonly summary: string;
  private readonly parent: DataSet;

  constructor({ path, children }: WorkloadSettings) {
    this.summary = `getChildren of ${children}`;
    const base = `${path}/children`;
    this.parent = new DataSet({ base, keys: children, size: 0, perFolder: children });
  }

  async prepare(target: Target, onProgress?: OnProgress): Promise<RequestSource> {
    await this.parent.create(target, onProgress);
    const template = requestTemplate(OpCode.getChildren, (writer) =>
      writePathWatchRequest(writer, { path: this.parent.folder(0), watch: false }),
    );
    return new TemplateSource(this.name, this.parent, { bytes: template, pathEnds: [] });
  }

  cleanUp(target: Target, onProgress?: OnProgress): Promise<void> {
    return this.parent.delete(target, onProgress);
  }
}

/** Creates numbered znodes under one parent. */
class CreateWorkload implements Workload {
  readonly name = 'create';
  readonly summary: string;
  private readonly base: string;
  private readonly size: number;

  constructor({ path, size }: WorkloadSettings) {
    this.summary = `create with ${size} bytes, all under one parent`;
    this.base = `${path}/created`;
    this.size = size;
  }

  async prepare(target: Target): Promise<RequestSource> {
    const parent = this.base.slice(0, this.base.lastIndexOf('/'));
    const parents = [parent, this.base];
    await askAll(target, { count: 2, inOrder: true }, (writer, index) =>
      writeCreate(writer, parents[index] as string, new Uint8Array(0)),
    );
    return new CreateSource(this.base, this.size);
  }

  cleanUp(target: Target, onProgress?: OnProgress): Promise<void> {
    return deleteTree(target, this.base, onProgress);
  }
}

/** A request as bytes, and where each of its paths ends. */
interface Template {
  readonly bytes: Uint8Array;
  readonly pathEnds: readonly number[];
}

/** The same request again and again, each time for other keys. */
class TemplateSource implements RequestSource {
  readonly kinds: readonly string[];
  private readonly keys: DataSet;
  private readonly template: Template;
  private readonly random = new Random();

  constructor(kind: string, keys: DataSet, template: Template) {
    this.kinds = [kind];
    this.keys = keys;
    this.template = template;
  }

  next(writer: ByteWriter, xid: number): number {
    putTemplate(writer, xid, this.template, this.keys, this.random);
    return 0;
  }
}

class MixedSource implements RequestSource {
  readonly kinds = ['get', 'set'];
  private readonly keys: DataSet;
  private readonly getPercent: number;
  private readonly get: Template;
  private readonly set: Template;
  private readonly random = new Random();

  constructor(keys: DataSet, getPercent: number) {
    this.keys = keys;
    this.getPercent = getPercent;
    this.get = readTemplate(OpCode.getData, keys);
    this.set = setTemplate(keys);
  }

  next(writer: ByteWriter, xid: number): number {
    const isGet = this.random.below(100) < this.getPercent;
    putTemplate(writer, xid, isGet ? this.get : this.set, this.keys, this.random);
    return isGet ? 0 : 1;
  }
}

const CREATED_DIGITS = 10;

class CreateSource implements RequestSource {
  readonly kinds = ['create'];
  private created = 0;
  private readonly template: Uint8Array;
  private readonly pathEnd: number;

  constructor(base: string, size: number) {
    const path = `${base}/n${'0'.repeat(CREATED_DIGITS)}`;
    this.pathEnd = firstPathEnd(path);
    this.template = requestTemplate(OpCode.create, (writer) =>
      writeCreateRequest(writer, {
        path,
        data: payload(size),
        acl: OPEN_ACL_UNSAFE,
        flags: CreateFlag.persistent,
      }),
    );
  }

  next(writer: ByteWriter, xid: number): number {
    const at = writer.offset;
    writer.raw(this.template, 0, this.template.length);
    writer.patchInt32(at + 4, xid);
    patchDigits(writer.bytes, at + this.pathEnd, this.created++, CREATED_DIGITS);
    return 0;
  }
}

function putTemplate(
  writer: ByteWriter,
  xid: number,
  { bytes, pathEnds }: Template,
  keys: DataSet,
  random: Random,
): void {
  const at = writer.offset;
  writer.raw(bytes, 0, bytes.length);
  writer.patchInt32(at + 4, xid);
  for (const end of pathEnds) keys.patchPath(writer.bytes, at + end, random.below(keys.keys));
}

function readTemplate(type: number, keys: DataSet): Template {
  const path = keys.path(0);
  const bytes = requestTemplate(type, (writer) =>
    writePathWatchRequest(writer, { path, watch: false }),
  );
  return { bytes, pathEnds: [firstPathEnd(path)] };
}

function setTemplate(keys: DataSet): Template {
  const path = keys.path(0);
  const bytes = requestTemplate(OpCode.setData, (writer) =>
    writeSetDataRequest(writer, { path, data: payload(keys.size), version: -1 }),
  );
  return { bytes, pathEnds: [firstPathEnd(path)] };
}

function multiTemplate(keys: DataSet, operations: number): Template {
  const path = keys.path(0);
  const op: MultiRequestOp = {
    type: OpCode.setData,
    request: { path, data: payload(keys.size), version: -1 },
  };
  const ops = Array.from({ length: operations }, () => op);
  const bytes = requestTemplate(OpCode.multi, (writer) => writeMultiRequest(writer, ops));
  // Each is a MultiHeader (9), the path, the data and the version.
  const stride = 9 + 4 + path.length + 4 + keys.size + 4;
  const pathEnds = ops.map((_, index) => FRAME_HEADER_BYTES + index * stride + 9 + 4 + path.length);
  return { bytes, pathEnds };
}

/** The length prefix, xid and type that are in front of every request's body. */
const FRAME_HEADER_BYTES = 12;

/** Where the path ends in a request that begins with one. Paths here are ASCII. */
function firstPathEnd(path: string): number {
  return FRAME_HEADER_BYTES + 4 + path.length;
}

function requestTemplate(type: number, writeBody: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  const mark = beginFrame(writer);
  writeRequestHeader(writer, { xid: 0, type });
  writeBody(writer);
  endFrame(writer, mark);
  return new Uint8Array(writer.view());
}

function payload(size: number): Uint8Array {
  return new Uint8Array(size).fill(0x79);
}
