// The plain tree that checkers compare the server with: every znode with all that it ever was, so that
// the state at any zxid can be asked for. Written from spec/disk.md sections 3, 4 and 6 alone; shares
// no code with data-tree, and is as simple as it can be.
//
// Txns are added in order, from the first, and each must be one that a right server can have decided:
// whatever does not fit the state before it (a second create, a delete of a parent, a version that
// skips one) is a Violation.

import { crc32 } from 'node:zlib';
import { type Acl, OpCode, Perms, type Stat, type Txn, type TxnBody } from '@zebu/protocol';
import { demand, Violation } from './violation.ts';

const CHECKER = 'decided-right';
const CONTAINER_OWNER = 0x8000000000000000n;
const TTL_OWNER = 0xff00000000000000n;
const MASK_64 = (1n << 64n) - 1n;

/** A znode between two changes. */
export interface ZnodeState {
  readonly data: Buffer | null;
  readonly acl: readonly Acl[];
  readonly czxid: number;
  readonly mzxid: number;
  readonly pzxid: number;
  readonly ctime: number;
  readonly mtime: number;
  readonly version: number;
  /** As stored: creates below it. */
  readonly cversion: number;
  readonly aversion: number;
  /** As stored: session, container or TTL mark; 0. Unsigned. */
  readonly owner: bigint;
  readonly numChildren: number;
}

/** One thing that happened to one znode, as watchers are told of it. */
export interface Change {
  readonly kind: 'created' | 'deleted' | 'dataChanged';
  readonly path: string;
  /** Whether anybody may read the znode, and its parent, at that moment. */
  readonly readable: boolean;
  readonly parentReadable: boolean;
}

/** What a txn did. */
export interface Effect {
  readonly changes: readonly Change[];
  /** The Stat of the znode of each part, after that part; one part unless it was a multi. */
  readonly stats: readonly (Stat | undefined)[];
  readonly digest: bigint;
}

interface Versions<T> {
  readonly zxids: number[];
  readonly values: (T | undefined)[];
}

export class ZnodeHistory {
  /** Tree digest after the last txn. */
  digest: bigint;
  private readonly znodes: Map<string, Versions<ZnodeState>>;
  /** Timeouts by session id (unsigned). */
  private readonly sessions: Map<bigint, Versions<number>>;
  private readonly nodeDigests: Map<string, bigint>;

  constructor() {
    this.digest = 0n;
    this.znodes = new Map();
    this.sessions = new Map();
    this.nodeDigests = new Map();
    const base = (numChildren: number): ZnodeState => ({ ...EMPTY_ZNODE, numChildren });
    this.put('/', base(1), 0);
    this.put('/zookeeper', base(2), 0);
    this.put('/zookeeper/quota', base(0), 0);
    const acl = [{ perms: Perms.READ, scheme: 'world', id: 'anyone' }];
    this.put('/zookeeper/config', { ...base(0), acl, aversion: -1 }, 0);
  }

  /** The znode as of this zxid; undefined when there is none. */
  at(path: string, zxid = Number.POSITIVE_INFINITY): ZnodeState | undefined {
    return valueAt(this.znodes.get(path), zxid);
  }

  /** All paths that are znodes as of this zxid, sorted. */
  paths(zxid = Number.POSITIVE_INFINITY): string[] {
    return [...this.znodes.keys()].filter((path) => this.at(path, zxid) !== undefined).sort();
  }

  /** Names of the children as of this zxid, sorted. */
  children(path: string, zxid = Number.POSITIVE_INFINITY): string[] {
    return this.paths(zxid)
      .filter((other) => other !== '/' && parentOf(other) === path)
      .map((other) => other.slice(other.lastIndexOf('/') + 1));
  }

  /** Timeout in ms of a session that is alive as of this zxid. */
  session(id: bigint, zxid = Number.POSITIVE_INFINITY): number | undefined {
    return valueAt(this.sessions.get(id), zxid);
  }

  sessionIds(zxid = Number.POSITIVE_INFINITY): bigint[] {
    return [...this.sessions.keys()].filter((id) => this.session(id, zxid) !== undefined);
  }

  /** Paths of the ephemerals of a session as of this zxid. */
  ephemerals(id: bigint, zxid = Number.POSITIVE_INFINITY): string[] {
    return this.paths(zxid).filter((path) => this.at(path, zxid)?.owner === id);
  }

  stat(path: string, zxid = Number.POSITIVE_INFINITY): Stat | undefined {
    const znode = this.at(path, zxid);
    return znode === undefined ? undefined : statOf(znode);
  }

  /** Adds the next txn. */
  add(txn: Txn): Effect {
    const changes: Change[] = [];
    const stats: (Stat | undefined)[] = [];
    const { body } = txn;
    if (body.type !== OpCode.multi) {
      stats.push(this.apply(txn, body, changes));
    } else if (!body.txns.some((part) => part.type === OpCode.error)) {
      for (const part of body.txns) stats.push(this.apply(txn, part, changes));
    }
    return { changes, stats, digest: this.digest };
  }

  /** Forgets everything after `zxid`: those txns never were. */
  truncate(zxid: number): void {
    for (const [path, versions] of this.znodes) {
      if (!cut(versions, zxid)) continue;
      const znode = this.at(path);
      this.account(path, znode);
      if (versions.zxids.length === 0) this.znodes.delete(path);
    }
    for (const [id, versions] of this.sessions) {
      if (cut(versions, zxid) && versions.zxids.length === 0) this.sessions.delete(id);
    }
  }

  private apply(txn: Txn, body: TxnBody, changes: Change[]): Stat | undefined {
    const { header } = txn;
    const { zxid, time } = header;
    const owner = BigInt.asUintN(64, header.clientId);
    switch (body.type) {
      case OpCode.create:
      case OpCode.create2:
        return this.create(txn, body, body.ephemeral ? owner : 0n, changes);
      case OpCode.createContainer:
        return this.create(txn, body, CONTAINER_OWNER, changes);
      case OpCode.createTTL:
        return this.create(txn, body, TTL_OWNER | BigInt(body.ttlMs), changes);
      case OpCode.deleteContainer:
        this.checkSweep(body.path, time);
        this.delete(zxid, body.path, changes);
        return undefined;
      case OpCode.delete:
        this.delete(zxid, body.path, changes);
        return undefined;
      case OpCode.setData: {
        const znode = this.existing(body.path, 'setData');
        demand(
          body.version === znode.version + 1,
          CHECKER,
          () => `setData of ${body.path} from version ${znode.version} to ${body.version}`,
        );
        const { version } = body;
        const data = body.data === null ? null : Buffer.from(body.data);
        this.put(body.path, { ...znode, data, version, mzxid: zxid, mtime: time }, zxid);
        changes.push(this.change('dataChanged', body.path, znode));
        return this.stat(body.path);
      }
      case OpCode.setACL: {
        const znode = this.existing(body.path, 'setACL');
        demand(
          body.version === znode.aversion + 1,
          CHECKER,
          () => `setACL of ${body.path} from version ${znode.aversion} to ${body.version}`,
        );
        this.put(body.path, { ...znode, acl: body.acl ?? [], aversion: body.version }, zxid);
        return this.stat(body.path);
      }
      case OpCode.check:
        this.existing(body.path, 'check');
        return undefined;
      case OpCode.createSession:
        putVersion(this.sessions, owner, zxid, body.timeoutMs);
        return undefined;
      case OpCode.closeSession: {
        demand(
          this.session(owner) !== undefined,
          CHECKER,
          () => `closeSession of 0x${owner.toString(16)}, which is not alive`,
        );
        const listed = [...(body.paths ?? [])].sort();
        const owned = this.ephemerals(owner);
        demand(
          listed.join() === owned.join(),
          CHECKER,
          () => `closeSession lists [${listed}], the session owns [${owned}]`,
        );
        for (const path of body.paths ?? []) this.delete(zxid, path, changes);
        putVersion(this.sessions, owner, zxid, undefined);
        return undefined;
      }
      case OpCode.error:
        return undefined;
      default:
        throw new Violation(CHECKER, `txn of type ${body.type}`);
    }
  }

  private create(
    txn: Txn,
    body: Extract<TxnBody, { parentCVersion: number }>,
    owner: bigint,
    changes: Change[],
  ): Stat | undefined {
    const { zxid, time } = txn.header;
    const { path } = body;
    const parentPath = parentOf(path);
    const parent = this.existing(parentPath, `create of ${path} below`);
    demand(this.at(path) === undefined, CHECKER, () => `create of ${path}, which exists`);
    demand(
      parent.owner === 0n || parent.owner === CONTAINER_OWNER || parent.owner >= TTL_OWNER,
      CHECKER,
      () => `create of ${path} below an ephemeral`,
    );
    demand(
      body.parentCVersion === parent.cversion + 1,
      CHECKER,
      () => `create of ${path}: parent from cversion ${parent.cversion} to ${body.parentCVersion}`,
    );
    this.put(
      parentPath,
      {
        ...parent,
        cversion: body.parentCVersion,
        pzxid: zxid,
        numChildren: parent.numChildren + 1,
      },
      zxid,
    );
    const znode: ZnodeState = {
      ...EMPTY_ZNODE,
      data: body.data === null ? null : Buffer.from(body.data),
      acl: body.acl ?? [],
      czxid: zxid,
      mzxid: zxid,
      pzxid: zxid,
      ctime: time,
      mtime: time,
      owner,
    };
    this.put(path, znode, zxid);
    changes.push(this.change('created', path, znode));
    return this.stat(path);
  }

  private delete(zxid: number, path: string, changes: Change[]): void {
    const znode = this.existing(path, 'delete');
    demand(znode.numChildren === 0, CHECKER, () => `delete of ${path}, which has children`);
    const parentPath = parentOf(path);
    const parent = this.existing(parentPath, `delete of ${path} below`);
    this.put(path, undefined, zxid);
    this.put(parentPath, { ...parent, pzxid: zxid, numChildren: parent.numChildren - 1 }, zxid);
    changes.push(this.change('deleted', path, znode));
  }

  /** Only an empty container that had a child, or a TTL znode whose time is up, may be swept. */
  private checkSweep(path: string, timeMs: number): void {
    const znode = this.existing(path, 'deleteContainer');
    const wasContainer = znode.owner === CONTAINER_OWNER && znode.cversion > 0;
    const isOver =
      znode.owner >= TTL_OWNER && timeMs - znode.mtime >= Number(znode.owner & 0xff_ffff_ffffn);
    demand(
      wasContainer || isOver,
      CHECKER,
      () => `${path} was swept: owner 0x${znode.owner.toString(16)}, cversion ${znode.cversion}`,
    );
  }

  private change(kind: Change['kind'], path: string, znode: ZnodeState): Change {
    const parent = path === '/' ? undefined : this.at(parentOf(path));
    return {
      kind,
      path,
      readable: isReadable(znode),
      parentReadable: parent === undefined || isReadable(parent),
    };
  }

  private existing(path: string, what: string): ZnodeState {
    const znode = this.at(path);
    if (znode === undefined) throw new Violation(CHECKER, `${what} ${path}, which does not exist`);
    return znode;
  }

  private put(path: string, znode: ZnodeState | undefined, zxid: number): void {
    putVersion(this.znodes, path, zxid, znode);
    this.account(path, znode);
  }

  private account(path: string, znode: ZnodeState | undefined): void {
    const before = this.nodeDigests.get(path) ?? 0n;
    const after = znode === undefined ? 0n : digestOf(path, znode);
    this.nodeDigests.set(path, after);
    this.digest = (this.digest + after - before) & MASK_64;
  }
}

/** Whether clients that proved nothing may read it: watch events are filtered by that. */
export function isReadable(znode: ZnodeState): boolean {
  return allows(znode, Perms.READ);
}

export function allows(znode: ZnodeState, perms: number): boolean {
  return (
    znode.acl.length === 0 ||
    znode.acl.some((entry) => entry.scheme === 'world' && (entry.perms & perms) !== 0)
  );
}

/** As clients see it. */
export function statOf(znode: ZnodeState): Stat {
  const isEphemeral = znode.owner !== 0n && znode.owner < CONTAINER_OWNER;
  return {
    czxid: znode.czxid,
    mzxid: znode.mzxid,
    ctime: znode.ctime,
    mtime: znode.mtime,
    version: znode.version,
    cversion: (2 * znode.cversion - znode.numChildren) | 0,
    aversion: znode.aversion,
    ephemeralOwner: isEphemeral ? BigInt.asIntN(64, znode.owner) : 0n,
    dataLength: znode.data?.length ?? 0,
    numChildren: znode.numChildren,
    pzxid: znode.pzxid,
  };
}

/** A znode's part of the tree digest (disk.md 6); 0 for those that are left out. */
export function digestOf(path: string, znode: Omit<ZnodeState, 'acl' | 'numChildren'>): bigint {
  if (path.startsWith('/zookeeper/')) return 0n;
  const stat = Buffer.alloc(60);
  [znode.czxid, znode.mzxid, znode.pzxid, znode.ctime, znode.mtime].forEach((long, i) => {
    stat.writeBigInt64BE(BigInt(long), 8 * i);
  });
  stat.writeInt32BE(znode.version, 40);
  stat.writeInt32BE(znode.cversion, 44);
  stat.writeInt32BE(znode.aversion, 48);
  stat.writeBigUInt64BE(znode.owner, 52);
  const crc = crc32(path === '/' ? '' : path);
  return BigInt(crc32(stat, znode.data === null ? crc : crc32(znode.data, crc)));
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

const EMPTY_ZNODE: ZnodeState = {
  data: Buffer.alloc(0),
  acl: [],
  czxid: 0,
  mzxid: 0,
  pzxid: 0,
  ctime: 0,
  mtime: 0,
  version: 0,
  cversion: 0,
  aversion: 0,
  owner: 0n,
  numChildren: 0,
};

function valueAt<T>(versions: Versions<T> | undefined, zxid: number): T | undefined {
  if (versions === undefined) return undefined;
  let at = versions.zxids.length - 1;
  while (at >= 0 && (versions.zxids[at] as number) > zxid) at--;
  return at < 0 ? undefined : versions.values[at];
}

function putVersion<K, T>(
  map: Map<K, Versions<T>>,
  key: K,
  zxid: number,
  value: T | undefined,
): void {
  let versions = map.get(key);
  if (versions === undefined) {
    versions = { zxids: [], values: [] };
    map.set(key, versions);
  }
  if (versions.zxids.at(-1) === zxid) {
    versions.values[versions.values.length - 1] = value;
  } else {
    versions.zxids.push(zxid);
    versions.values.push(value);
  }
}

function cut<T>(versions: Versions<T>, zxid: number): boolean {
  const before = versions.zxids.length;
  while (versions.zxids.length > 0 && (versions.zxids.at(-1) as number) > zxid) {
    versions.zxids.pop();
    versions.values.pop();
  }
  return versions.zxids.length < before;
}
