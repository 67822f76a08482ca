/**
 * The audit log: one line for every change, with who asked for it (audit.enable, off by default).
 *
 *   session=0x1..  user=bob,127.0.0.1  ip=127.0.0.1  operation=create  znode=/a  znode_type=ephemeral
 *   result=success            fields separated by tabs, empty ones left out
 *
 * Same lines as Apache's AuditHelper. A request is noted when it is taken and told when its txn is
 * applied: of a success the paths are those of the txn, of a failure that of the request. Reads, auth
 * and check are not told.
 */

import {
  type Acl,
  ByteReader,
  decodeTxn,
  MarshallingError,
  OpCode,
  Perms,
  readCreateRequest,
  readMultiRequest,
  readPathRequest,
  readPathVersionRequest,
  readSetACLRequest,
  readSetDataRequest,
  type TxnBody,
} from '@zebu/protocol';

/** Where the lines go. */
export type AuditSink = (line: string, isFailure: boolean) => void;

/** Who asked. */
export interface Requester {
  readonly sessionId: bigint;
  /** As AccessControl.auditUsers says. */
  readonly users: string | undefined;
  readonly address: string;
}

/** A change that was asked for and is not decided. */
export interface AuditedRequest {
  readonly requester: Requester;
  readonly operation: Operation;
  readonly path: string | undefined;
  readonly acl: string | undefined;
  /** By path, since a multi has several. */
  readonly createModes: ReadonlyMap<string, string>;
}

type Operation = 'create' | 'delete' | 'setData' | 'setAcl' | 'multiOperation' | 'reconfig';

export class AuditLog {
  private readonly sink: AuditSink;
  private readonly serverUser: string;

  /** `serverUser`: on whose account the server runs. */
  constructor({ sink, serverUser }: { sink: AuditSink; serverUser: string }) {
    this.sink = sink;
    this.serverUser = serverUser;
  }

  serverStarted(): void {
    this.write({ user: this.serverUser, operation: 'serverStart' }, 'success');
  }

  serverStopped(): void {
    this.write({ user: this.serverUser, operation: 'serverStop' }, 'invoked');
  }

  /**
   * What is to be told of a request once it is decided; undefined when nothing is. `request` stands at
   * the body and stays there.
   */
  requested(type: number, request: ByteReader, requester: Requester): AuditedRequest | undefined {
    try {
      const reader = new ByteReader(request.bytes, request.offset, request.end);
      reader.maxLength = request.maxLength;
      return read(type, reader, requester);
    } catch (error) {
      // It is answered as what does not decode.
      if (error instanceof MarshallingError) return undefined;
      throw error;
    }
  }

  /** Tells how it went. `error` is the answer's, the bytes are the txn's. */
  applied(request: AuditedRequest, error: number, bytes: Buffer, start: number, end: number): void {
    const body = decodeTxn(bytes, start, end).body;
    if (error !== 0 || body.type === OpCode.error) this.tell(request, request.path, 'failure');
    else if (body.type === OpCode.multi) this.tellMulti(request, body.txns);
    else this.tell(request, 'path' in body ? body.path : request.path, 'success');
  }

  /** Tells which ephemerals went with a session; the bytes are those of its closeSession txn. */
  sessionClosed(bytes: Buffer, start: number, end: number): void {
    const { header, body } = decodeTxn(bytes, start, end);
    if (body.type !== OpCode.closeSession) return;
    const session = sessionText(header.clientId);
    const operation = 'ephemeralZNodeDeletionOnSessionCloseOrExpire';
    for (const znode of body.paths ?? []) {
      this.write({ session, user: this.serverUser, operation, znode }, 'success');
    }
  }

  private tellMulti(request: AuditedRequest, txns: readonly TxnBody[]): void {
    if (txns.some(({ type }) => type === OpCode.error)) {
      this.tell(request, undefined, 'failure');
      return;
    }
    for (const txn of txns) {
      const operation = operationOf(txn.type);
      if (operation === undefined || operation === 'setAcl' || !('path' in txn)) continue;
      this.tell({ ...request, operation }, txn.path, 'success');
    }
  }

  private tell(
    request: AuditedRequest,
    path: string | undefined,
    result: 'success' | 'failure',
  ): void {
    const { requester, operation, acl, createModes } = request;
    // A multi names its modes by the paths asked for, so that a sequential create has none.
    const mode = operation === 'create' ? modeOf(createModes, request.path ?? path) : undefined;
    this.write(
      {
        session: sessionText(requester.sessionId),
        user: requester.users,
        ip: requester.address,
        operation,
        znode: path,
        znode_type: mode,
        acl,
      },
      result,
    );
  }

  private write(fields: Record<string, string | undefined>, result: string): void {
    const pairs = Object.entries({ ...fields, result })
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}=${value}`);
    this.sink(pairs.join('\t'), result === 'failure');
  }
}

function modeOf(modes: ReadonlyMap<string, string>, path: string | undefined): string | undefined {
  return path === undefined ? undefined : modes.get(path);
}

function read(type: number, request: ByteReader, requester: Requester): AuditedRequest | undefined {
  const operation = operationOf(type);
  if (operation === undefined) return undefined;
  const plain = (path: string | null) => ({
    requester,
    operation,
    path: path ?? undefined,
    acl: undefined,
    createModes: NO_MODES,
  });
  switch (type) {
    case OpCode.delete:
      return plain(readPathVersionRequest(request).path);
    case OpCode.deleteContainer:
      return plain(readPathRequest(request));
    case OpCode.setData:
      return plain(readSetDataRequest(request).path);
    case OpCode.setACL: {
      const { path, acl } = readSetACLRequest(request);
      return { ...plain(path), acl: aclText(acl ?? []) };
    }
    case OpCode.multi:
      return { ...plain(null), createModes: modesOfMulti(request) };
    case OpCode.reconfig:
      return plain(null);
    default: {
      const { path, flags } = readCreateRequest(request);
      const mode = CREATE_MODES[flags];
      const isKnown = path !== null && mode !== undefined;
      return { ...plain(path), createModes: isKnown ? new Map([[path, mode]]) : NO_MODES };
    }
  }
}

const NO_MODES: ReadonlyMap<string, string> = new Map();

// createTTL is not among them in Apache either.
function modesOfMulti(request: ByteReader): Map<string, string> {
  const modes = new Map<string, string>();
  for (const op of readMultiRequest(request)) {
    if (
      op.type !== OpCode.create &&
      op.type !== OpCode.create2 &&
      op.type !== OpCode.createContainer
    )
      continue;
    const mode = CREATE_MODES[op.request.flags];
    if (op.request.path !== null && mode !== undefined) modes.set(op.request.path, mode);
  }
  return modes;
}

/** CreateMode's names, by flag. */
const CREATE_MODES: readonly (string | undefined)[] = [
  'persistent',
  'ephemeral',
  'persistent_sequential',
  'ephemeral_sequential',
  'container',
  'persistent_with_ttl',
  'persistent_sequential_with_ttl',
];

function operationOf(type: number): Operation | undefined {
  switch (type) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
      return 'create';
    case OpCode.delete:
    case OpCode.deleteContainer:
      return 'delete';
    case OpCode.setData:
      return 'setData';
    case OpCode.setACL:
      return 'setAcl';
    case OpCode.multi:
      return 'multiOperation';
    case OpCode.reconfig:
      return 'reconfig';
    default:
      return undefined;
  }
}

// ZKUtil.aclToString, which puts nothing between two entries.
function aclText(acl: readonly Acl[]): string {
  return acl.map(({ scheme, id, perms }) => `${scheme}:${id}:${permsText(perms)}`).join('');
}

function permsText(perms: number): string {
  const letters = [
    [Perms.CREATE, 'c'],
    [Perms.DELETE, 'd'],
    [Perms.READ, 'r'],
    [Perms.WRITE, 'w'],
    [Perms.ADMIN, 'a'],
  ] as const;
  return letters.map(([bit, letter]) => ((perms & bit) === 0 ? '' : letter)).join('');
}

function sessionText(id: bigint): string {
  return `0x${BigInt.asUintN(64, id).toString(16)}`;
}
