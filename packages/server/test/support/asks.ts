// Requests as tests speak of them: opcode and body.

import {
  type Acl,
  ByteWriter,
  CreateFlag,
  type MultiRequestOp,
  OPEN_ACL_UNSAFE,
  OpCode,
  type SetWatchesRequest,
  writeAuthRequest,
  writeCreateRequest,
  writeCreateTTLRequest,
  writeMultiRequest,
  writePathNumberRequest,
  writePathRequest,
  writePathVersionRequest,
  writePathWatchRequest,
  writeReconfigRequest,
  writeSetACLRequest,
  writeSetDataRequest,
  writeSetWatchesRequest,
} from '@zebu/protocol';

export interface Ask {
  readonly type: number;
  readonly body: Buffer;
}

type Path = string | null;

interface CreateOptions {
  readonly data?: string | null;
  readonly acl?: readonly Acl[] | null;
  readonly flags?: number;
}

export function ask(type: number, write?: (writer: ByteWriter) => void): Ask {
  const writer = new ByteWriter(64);
  write?.(writer);
  return { type, body: Buffer.from(writer.bytes.subarray(0, writer.offset)) };
}

/** The data that tests give as text; null stays null. */
export function bytesOf(data: string | null): Buffer | null {
  return data === null ? null : Buffer.from(data);
}

export function createFields(path: Path, options: CreateOptions = {}) {
  const { data = '', acl = OPEN_ACL_UNSAFE, flags = CreateFlag.persistent } = options;
  return { path, data: bytesOf(data), acl, flags };
}

function creating(type: number) {
  return (path: Path, options?: CreateOptions): Ask =>
    ask(type, (w) => writeCreateRequest(w, createFields(path, options)));
}

function reading(type: number) {
  return (path: Path, watch = false): Ask =>
    ask(type, (w) => writePathWatchRequest(w, { path, watch }));
}

function ofPath(type: number) {
  return (path: Path): Ask => ask(type, (w) => writePathRequest(w, path));
}

function ofNumber(type: number) {
  return (path: Path, value: number): Ask =>
    ask(type, (w) => writePathNumberRequest(w, { path, value }));
}

export const create = creating(OpCode.create);
export const create2 = creating(OpCode.create2);
export const createContainer = creating(OpCode.createContainer);
export const exists = reading(OpCode.exists);
export const getData = reading(OpCode.getData);
export const getChildren = reading(OpCode.getChildren);
export const getChildren2 = reading(OpCode.getChildren2);
export const getACL = ofPath(OpCode.getACL);
export const sync = ofPath(OpCode.sync);
export const getEphemerals = ofPath(OpCode.getEphemerals);
export const getAllChildrenNumber = ofPath(OpCode.getAllChildrenNumber);
export const addWatch = ofNumber(OpCode.addWatch);
export const checkWatches = ofNumber(OpCode.checkWatches);
export const removeWatches = ofNumber(OpCode.removeWatches);
export const ping = (): Ask => ask(OpCode.ping);
export const whoAmI = (): Ask => ask(OpCode.whoAmI);
export const closeSession = (): Ask => ask(OpCode.closeSession);

export function createTTL(path: Path, ttlMs: number, options: CreateOptions = {}): Ask {
  const fields = createFields(path, { flags: CreateFlag.persistentTTL, ...options });
  return ask(OpCode.createTTL, (w) =>
    writeCreateTTLRequest(w, { ...fields, ttlMs: BigInt(ttlMs) }),
  );
}

export function remove(path: Path, version = -1): Ask {
  return ask(OpCode.delete, (w) => writePathVersionRequest(w, { path, version }));
}

export function setData(path: Path, data: string | null, version = -1): Ask {
  return ask(OpCode.setData, (w) => writeSetDataRequest(w, { path, data: bytesOf(data), version }));
}

export function setACL(path: Path, acl: readonly Acl[] | null, version = -1): Ask {
  return ask(OpCode.setACL, (w) => writeSetACLRequest(w, { path, acl, version }));
}

export function auth(scheme: string, text: string): Ask {
  return ask(OpCode.auth, (w) => writeAuthRequest(w, { type: 0, scheme, auth: Buffer.from(text) }));
}

export function multi(...ops: MultiRequestOp[]): Ask {
  return ask(OpCode.multi, (w) => writeMultiRequest(w, ops));
}

export function multiRead(...ops: MultiRequestOp[]): Ask {
  return ask(OpCode.multiRead, (w) => writeMultiRequest(w, ops));
}

/** The parts of a multi. */
export const part = {
  create: (path: Path, options?: CreateOptions): MultiRequestOp => ({
    type: OpCode.create,
    request: createFields(path, options),
  }),
  create2: (path: Path, options?: CreateOptions): MultiRequestOp => ({
    type: OpCode.create2,
    request: createFields(path, options),
  }),
  createContainer: (path: Path): MultiRequestOp => ({
    type: OpCode.createContainer,
    request: createFields(path, { flags: CreateFlag.container }),
  }),
  createTTL: (path: Path, ttlMs: number, flags = 5): MultiRequestOp => ({
    type: OpCode.createTTL,
    request: { ...createFields(path, { flags }), ttlMs: BigInt(ttlMs) },
  }),
  remove: (path: Path, version = -1): MultiRequestOp => ({
    type: OpCode.delete,
    request: { path, version },
  }),
  check: (path: Path, version = -1): MultiRequestOp => ({
    type: OpCode.check,
    request: { path, version },
  }),
  setData: (path: Path, data: string | null, version = -1): MultiRequestOp => ({
    type: OpCode.setData,
    request: { path, data: bytesOf(data), version },
  }),
  getData: (path: Path): MultiRequestOp => ({
    type: OpCode.getData,
    request: { path, watch: true },
  }),
  getChildren: (path: Path): MultiRequestOp => ({
    type: OpCode.getChildren,
    request: { path, watch: true },
  }),
} as const;

export function setWatches(watches: Partial<SetWatchesRequest>): Ask {
  const request = { relativeZxid: 0, data: [], exist: [], child: [], ...watches };
  return ask(OpCode.setWatches, (w) => writeSetWatchesRequest(w, request));
}

export function setWatches2(watches: Partial<SetWatchesRequest>): Ask {
  return {
    type: OpCode.setWatches2,
    body: setWatches({ persistent: [], persistentRecursive: [], ...watches }).body,
  };
}

export function reconfig(): Ask {
  return ask(OpCode.reconfig, (w) =>
    writeReconfigRequest(w, {
      joiningServers: null,
      leavingServers: null,
      newMembers: null,
      curConfigId: -1n,
    }),
  );
}
