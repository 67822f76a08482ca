// A ZooKeeper tree in the plainest form: a map from path to znode, built by replaying a txn log. It is the
// oracle for digests, the only thing of the tree that cannot be compared across servers, since it has times.

import { treeDigest, type ZnodeState, znodeDigest } from './tree-walk.ts';
import { type LogEntry, TXN } from './txn-log.ts';
import { WireReader } from './wire.ts';

export interface Replayed {
  readonly znodes: ReadonlyMap<string, ZnodeState>;
  readonly digest: bigint;
  /** Entries whose own digest is another than their replay's. */
  readonly mismatches: readonly string[];
}

const CONTAINER_OWNER = -0x8000000000000000n;
const TTL_OWNER = -0x100000000000000n;

/** Replays `entries` over `base`, by default the tree of an empty server. */
export function replay(
  entries: readonly LogEntry[],
  base: ReadonlyMap<string, ZnodeState> = EMPTY_TREE,
): Replayed {
  const tree = new PlainTree(base);
  const mismatches: string[] = [];
  for (const entry of entries) {
    tree.apply(entry.type, entry.body, entry);
    if (entry.digest !== undefined && entry.digest !== tree.digest) {
      mismatches.push(
        `zxid 0x${entry.zxid.toString(16)} type ${entry.type} ${entry.body.toString('hex').slice(0, 80)}`,
      );
    }
  }
  if (tree.digest !== treeDigest(tree.znodes))
    throw new Error('The replay lost count of its digest');
  return { znodes: tree.znodes, digest: tree.digest, mismatches };
}

const EMPTY_TREE: ReadonlyMap<string, ZnodeState> = new Map(
  ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config'].map((path) => [
    path,
    {
      data: Buffer.alloc(0),
      czxid: 0n,
      mzxid: 0n,
      pzxid: 0n,
      ctime: 0n,
      mtime: 0n,
      version: 0,
      cversion: 0,
      aversion: 0,
      owner: 0n,
    },
  ]),
);

class PlainTree {
  readonly znodes = new Map<string, ZnodeState>();
  digest = 0n;

  constructor(base: ReadonlyMap<string, ZnodeState>) {
    for (const [path, znode] of base) this.change(path, znode);
  }

  apply(type: number, body: Buffer, header: LogEntry): void {
    const reader = new WireReader(body);
    switch (type) {
      case TXN.create:
      case TXN.create2:
      case TXN.createContainer:
      case TXN.createTTL:
        this.create(type, reader, header);
        break;
      case TXN.delete:
      case TXN.deleteContainer:
        this.delete(reader.string() ?? '', header.zxid);
        break;
      case TXN.setData:
      case TXN.reconfig: {
        const path = reader.string() ?? '';
        const data = copyOf(reader.buffer());
        const version = reader.int();
        this.update(path, { data, version, mzxid: header.zxid, mtime: header.time });
        break;
      }
      case TXN.setACL: {
        const path = reader.string() ?? '';
        skipAcl(reader);
        this.update(path, { aversion: reader.int() });
        break;
      }
      case TXN.closeSession:
        for (let count = reader.int(); count > 0; count--) {
          this.delete(reader.string() ?? '', header.zxid);
        }
        break;
      case TXN.multi: {
        const items: { type: number; body: Buffer }[] = [];
        for (let count = reader.int(); count > 0; count--) {
          items.push({ type: reader.int(), body: reader.buffer() ?? Buffer.alloc(0) });
        }
        if (items.some((item) => item.type === TXN.error)) break;
        for (const item of items) this.apply(item.type, item.body, header);
        break;
      }
    }
  }

  private create(type: number, reader: WireReader, header: LogEntry): void {
    const path = reader.string() ?? '';
    const data = copyOf(reader.buffer());
    skipAcl(reader);
    const isEphemeral = (type === TXN.create || type === TXN.create2) && reader.byte() !== 0;
    const cversion = reader.int();
    let owner = isEphemeral ? header.session : 0n;
    if (type === TXN.createContainer) owner = CONTAINER_OWNER;
    if (type === TXN.createTTL) owner = TTL_OWNER | reader.long();
    const { zxid, time } = header;
    // A cversion past 2^31 is lower than the one before: it stays, and so does pzxid.
    const parent = this.znodes.get(parentOf(path));
    if (parent !== undefined && cversion > parent.cversion) {
      this.update(parentOf(path), { cversion, pzxid: zxid });
    }
    this.change(path, {
      data,
      czxid: zxid,
      mzxid: zxid,
      pzxid: zxid,
      ctime: time,
      mtime: time,
      version: 0,
      cversion: 0,
      aversion: 0,
      owner,
    });
  }

  private delete(path: string, zxid: bigint): void {
    if (!this.znodes.has(path)) return;
    this.update(parentOf(path), { pzxid: zxid });
    this.change(path, undefined);
  }

  private update(path: string, changes: Partial<ZnodeState>): void {
    const znode = this.znodes.get(path);
    if (znode !== undefined) this.change(path, { ...znode, ...changes });
  }

  private change(path: string, after: ZnodeState | undefined): void {
    const before = this.znodes.get(path);
    if (before !== undefined) this.digest -= znodeDigest(path, before);
    if (after === undefined) {
      this.znodes.delete(path);
    } else {
      this.digest += znodeDigest(path, after);
      this.znodes.set(path, after);
    }
    this.digest = BigInt.asUintN(64, this.digest);
  }
}

function parentOf(path: string): string {
  return path.lastIndexOf('/') <= 0 ? '/' : path.slice(0, path.lastIndexOf('/'));
}

function copyOf(data: Buffer | null): Buffer | null {
  return data === null ? null : Buffer.from(data);
}

function skipAcl(reader: WireReader): void {
  for (let count = reader.int(); count > 0; count--) {
    reader.int();
    reader.buffer();
    reader.buffer();
  }
}
