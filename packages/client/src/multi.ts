// Many operations as one: what may be in a multi, what each gives back, and how a refusal is told.

import {
  type Acl,
  type ByteReader,
  type ByteWriter,
  CreateFlag,
  ErrorCode,
  OPEN_ACL_UNSAFE,
  OpCode,
  writeCreateRequest,
  writeCreateTTLRequest,
  writeMultiEnd,
  writeMultiHeader,
  writePathVersionRequest,
  writeSetDataRequest,
} from '@zebu/protocol';
import { adviceOn } from './advice.ts';
import { MultiError, serverError, type ZkError } from './errors.ts';
import type { Session } from './session.ts';
import { Stat } from './stat.ts';

/** Strings are written as UTF-8; null is ZooKeeper's null, which reads give back as no bytes. */
export type Data = Uint8Array | string | null;

export type Mode = 'persistent' | 'ephemeral' | 'container' | { readonly ttlMs: number };

export interface CreateSettings {
  /** Default 'persistent'. */
  readonly mode?: Mode | undefined;
  /** Appends ten digits, the parent's next number. */
  readonly sequential?: boolean | undefined;
  /** Default: everyone may do everything. */
  readonly acl?: readonly Acl[] | undefined;
}

export interface Created {
  /** With the sequence number, if one was asked for. */
  readonly path: string;
  readonly stat: Stat;
  /** Signed 32 bits: it wraps after 2147483647. */
  readonly sequence: number | undefined;
  /**
   * The session that made it, and that it ends with if it is ephemeral. Not always Client.session: a create that
   * waits while one session ends may be carried out in the next.
   */
  readonly session: Session;
}

export type Op =
  | {
      readonly op: 'create';
      readonly path: string;
      readonly data?: Data | undefined;
      readonly options?: CreateSettings | undefined;
    }
  | {
      readonly op: 'set';
      readonly path: string;
      readonly data: Data;
      readonly version?: number | undefined;
    }
  | { readonly op: 'delete'; readonly path: string; readonly version?: number | undefined }
  | { readonly op: 'check'; readonly path: string; readonly version?: number | undefined };

export type ResultOf<O> = O extends { readonly op: 'create' }
  ? Created
  : O extends { readonly op: 'set' }
    ? Stat
    : undefined;

/** One result per operation, of its own type. */
export type Results<T extends readonly Op[]> = { readonly [K in keyof T]: ResultOf<T[K]> };

/** Op code and flags of a create. Throws a TypeError, as a wrong type does. */
export function createKind(settings: CreateSettings | undefined): {
  type: number;
  flags: number;
  ttlMs: number | undefined;
} {
  const { mode = 'persistent', sequential = false } = settings ?? {};
  switch (mode) {
    case 'persistent':
      return {
        type: OpCode.create2,
        flags: sequential ? CreateFlag.persistentSequential : CreateFlag.persistent,
        ttlMs: undefined,
      };
    case 'ephemeral':
      return {
        type: OpCode.create2,
        flags: sequential ? CreateFlag.ephemeralSequential : CreateFlag.ephemeral,
        ttlMs: undefined,
      };
    case 'container':
      if (sequential) throw new TypeError('A container cannot be sequential');
      return { type: OpCode.createContainer, flags: CreateFlag.container, ttlMs: undefined };
    default:
      if (!(Number.isInteger(mode.ttlMs) && mode.ttlMs > 0 && mode.ttlMs <= MAX_TTL_MS)) {
        throw new TypeError(`ttlMs ${mode.ttlMs} is outside 1..${MAX_TTL_MS}`);
      }
      return {
        type: OpCode.createTTL,
        flags: sequential ? CreateFlag.persistentSequentialTTL : CreateFlag.persistentTTL,
        ttlMs: mode.ttlMs,
      };
  }
}

/** Source: EphemeralType.TTL (40 bits). */
const MAX_TTL_MS = 0xff_ffff_ffff;

export function writeCreate(
  writer: ByteWriter,
  path: string,
  data: Data | undefined,
  settings: CreateSettings | undefined,
): void {
  const { flags, ttlMs } = createKind(settings);
  const request = { path, data: toBytes(data), acl: settings?.acl ?? OPEN_ACL_UNSAFE, flags };
  if (ttlMs === undefined) writeCreateRequest(writer, request);
  else writeCreateTTLRequest(writer, { ...request, ttlMs: BigInt(ttlMs) });
}

/** `path` is what the caller gave, `created` what came of it. */
export function createdFrom(path: string, created: string, stat: Stat, session: Session): Created {
  const sequence =
    created.length > path.length ? parseSequence(created.slice(path.length)) : undefined;
  return { path: created, stat, sequence, session };
}

/** As "%010d" prints it: once the counter has wrapped, from "-2147483648" to "-000000001". */
function parseSequence(suffix: string): number | undefined {
  return /^(?:\d{10}|-\d{9,10})$/.test(suffix) ? Number(suffix) : undefined;
}

const NO_BYTES = new Uint8Array(0);

/** Undefined is no bytes; null stays null. */
export function toBytes(data: Data | undefined): Uint8Array | null {
  if (data === undefined) return NO_BYTES;
  return typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
}

/** Writes the body of a multi; `fullPath` gives the server's path of each. */
export function writeMulti(
  writer: ByteWriter,
  ops: readonly Op[],
  fullPath: (path: string) => string,
): void {
  for (const op of ops) {
    const path = fullPath(op.path);
    switch (op.op) {
      case 'create':
        writeMultiHeader(writer, createKind(op.options).type, false, -1);
        writeCreate(writer, path, op.data, op.options);
        break;
      case 'set':
        writeMultiHeader(writer, OpCode.setData, false, -1);
        writeSetDataRequest(writer, { path, data: toBytes(op.data), version: op.version ?? -1 });
        break;
      case 'delete':
        writeMultiHeader(writer, OpCode.delete, false, -1);
        writePathVersionRequest(writer, { path, version: op.version ?? -1 });
        break;
      case 'check':
        writeMultiHeader(writer, OpCode.check, false, -1);
        writePathVersionRequest(writer, { path, version: op.version ?? -1 });
        break;
      default:
        throw new TypeError(`No such operation in a multi: ${(op as { op: unknown }).op}`);
    }
  }
  writeMultiEnd(writer);
}

function adviceOnOp(errno: number, op: Op, chroot: string): string | undefined {
  const type = op.op === 'create' ? createKind(op.options).type : OpCode.check;
  return adviceOn(errno, { type, path: op.path, chroot });
}

/** Reads the body of a multi's reply. Throws MultiError if the multi was refused. */
export function readMulti(
  reader: ByteReader,
  ops: readonly Op[],
  view: { viewPath: (path: string) => string; chroot: string; zxid: number; session: Session },
): unknown[] {
  const results: unknown[] = [];
  const errors: (ZkError | undefined)[] = [];
  let failedAt = -1;
  for (let i = 0; ; i++) {
    const type = reader.int32();
    const done = reader.bool();
    reader.int32();
    if (done) break;
    const op = ops[i];
    switch (type) {
      case OpCode.create2: {
        const path = view.viewPath(reader.string() ?? '');
        results.push(createdFrom(op?.path ?? path, path, new Stat(reader), view.session));
        break;
      }
      case OpCode.setData:
        results.push(new Stat(reader));
        break;
      case OpCode.delete:
      case OpCode.check:
        results.push(undefined);
        break;
      case OpCode.error: {
        const errno = reader.int32();
        const isCause = errno !== ErrorCode.OK && errno !== ErrorCode.RUNTIMEINCONSISTENCY;
        if (isCause && failedAt < 0) failedAt = i;
        errors.push(
          errno === ErrorCode.OK
            ? undefined
            : serverError(errno, {
                op: op?.op,
                path: op?.path,
                zxid: view.zxid,
                detail: op === undefined ? undefined : adviceOnOp(errno, op, view.chroot),
              }),
        );
        break;
      }
      default:
        throw new Error(`A multi's reply holds a result of type ${type}`);
    }
  }
  if (errors.length === 0) return results;
  const index = failedAt < 0 ? errors.findIndex((error) => error !== undefined) : failedAt;
  throw new MultiError(index, errors, { op: 'multi', outcome: 'failed', zxid: view.zxid });
}

/** Whether any operation ties the multi to this session. */
export function isSessionBound(ops: readonly Op[]): boolean {
  return ops.some((op) => op.op === 'create' && op.options?.mode === 'ephemeral');
}
