// Turns wishes into txns that a leader could have made of them, against the plain tree as it will be,
// and keeps PendingChanges informed the way the server does.

import { Buffer } from 'node:buffer';
import { type Acl, ByteWriter, encodeTxn, type TxnBody, writeAclVector } from '@zebu/protocol';
import fc from 'fast-check';
import { type DataTree, PendingChanges } from '../../src/index.ts';
import { OracleTree, parentOf } from './oracle-tree.ts';

/** What a client wishes for; fields that an operation has no use for are ignored. */
export interface Wish {
  readonly op: 'create' | 'container' | 'ttl' | 'delete' | 'setData' | 'setACL' | 'close';
  readonly path: string;
  readonly data: string | null;
  readonly acl: number;
  readonly session: number;
  readonly ephemeral: boolean;
}

const ACLS: readonly (readonly Acl[])[] = [
  [{ perms: 31, scheme: 'world', id: 'anyone' }],
  [{ perms: 1, scheme: 'world', id: 'anyone' }],
  [
    { perms: 31, scheme: 'digest', id: 'u:x' },
    { perms: 1, scheme: 'ip', id: '10.0.0.0/8' },
  ],
];

const name = fc.constantFrom('a', 'b', 'é');
export const path: fc.Arbitrary<string> = fc
  .array(name, { minLength: 1, maxLength: 3 })
  .map((names) => `/${names.join('/')}`);

export const wish: fc.Arbitrary<Wish> = fc.record({
  op: fc.constantFrom(
    'create',
    'create',
    'create',
    'container',
    'ttl',
    'delete',
    'delete',
    'setData',
    'setACL',
    'close',
  ),
  path,
  data: fc.option(fc.constantFrom('', 'x', 'longer than that', 'y'.repeat(70))),
  acl: fc.nat(2),
  session: fc.integer({ min: 1, max: 3 }),
  ephemeral: fc.boolean(),
}) as fc.Arbitrary<Wish>;

/** One wish, or several in a multi. */
export const wishes: fc.Arbitrary<Wish[]> = fc.oneof(
  { weight: 4, arbitrary: fc.array(wish, { minLength: 1, maxLength: 1 }) },
  { weight: 1, arbitrary: fc.array(wish, { minLength: 2, maxLength: 4 }) },
);

export interface Entry {
  readonly zxid: number;
  readonly bytes: Buffer;
}

export class ModelLeader {
  /** The tree after every entry made so far. */
  readonly ahead = new OracleTree();
  readonly pending: PendingChanges;
  readonly entries: Entry[] = [];
  private readonly tree: DataTree;
  private zxid = 2 ** 32;

  constructor(tree: DataTree) {
    this.tree = tree;
    this.pending = new PendingChanges(tree);
  }

  /** Makes the entry for a wish, or for several as a multi; undefined where a client gets an error. */
  propose(group: readonly Wish[]): Entry | undefined {
    const zxid = this.zxid + 1;
    const mark = this.pending.mark();
    const trial = new OracleTree();
    trial.znodes.clear();
    for (const [at, znode] of this.ahead.znodes) trial.znodes.set(at, { ...znode });
    const header = {
      cxid: 1,
      zxid,
      time: 1_700_000_000_000 + zxid,
      clientId: BigInt(this.sessionOf(group)),
    };
    const bodies: TxnBody[] = [];
    let failed = false;
    for (const one of group) {
      const body = failed ? undefined : bodyOf(one, trial, group.length > 1);
      if (body === undefined) {
        if (group.length === 1) return undefined;
        // The rest of a failed multi: nothing of it happens.
        bodies.push({ type: -1, error: failed ? -2 : -101 });
        failed = true;
        continue;
      }
      bodies.push(body);
      this.predict(body, zxid, header.time, header.clientId, trial);
      trial.apply({ header: { ...header, type: body.type }, body, digest: undefined });
    }
    if (failed) this.pending.rollback(mark);
    const body: TxnBody = group.length === 1 ? (bodies[0] as TxnBody) : { type: 14, txns: bodies };
    this.zxid = zxid;
    const txn = { header: { ...header, type: body.type }, body };
    this.ahead.apply({ ...txn, digest: undefined });
    const treeDigest = (BigInt(this.pending.digestHigh) << 32n) | BigInt(this.pending.digestLow);
    const entry = {
      zxid,
      bytes: encodeTxn({
        ...txn,
        digest: { version: 2, treeDigest: BigInt.asIntN(64, treeDigest) },
      }),
    };
    this.entries.push(entry);
    return entry;
  }

  private sessionOf(group: readonly Wish[]): number {
    return (group[0] as Wish).session;
  }

  /** Tells PendingChanges of a txn body, as the server does while preparing. */
  private predict(
    body: TxnBody,
    zxid: number,
    timeMs: number,
    session: bigint,
    before: OracleTree,
  ): void {
    const { tree, pending } = this;
    const find = (at: string): number => {
      const bytes = Buffer.from(at);
      return tree.paths.find(bytes, 0, bytes.length);
    };
    switch (body.type) {
      case 1:
      case 15:
      case 19:
      case 21: {
        const bytes = Buffer.from(body.path);
        const data = body.data ?? Buffer.alloc(0);
        const acl = new ByteWriter();
        writeAclVector(acl, body.acl);
        let owner = 0n;
        if (body.type === 19) owner = 1n << 63n;
        else if (body.type === 21) owner = (0xffn << 56n) | BigInt(body.ttlMs);
        else if (body.ephemeral) owner = session;
        pending.create({
          zxid,
          timeMs,
          id: tree.paths.intern(bytes, 0, bytes.length),
          parentId: find(parentOf(body.path)),
          parentCversion: body.parentCVersion,
          bytes: data,
          dataStart: 0,
          dataLength: body.data === null ? -1 : data.length,
          aclId: tree.acls.intern(acl.bytes, 0, acl.offset),
          ownerHigh: Number(BigInt.asIntN(32, owner >> 32n)),
          ownerLow: Number(BigInt.asIntN(32, owner)),
        });
        return;
      }
      case 2:
      case 20:
        pending.delete(zxid, find(body.path), find(parentOf(body.path)));
        return;
      case 5:
        pending.setData({
          zxid,
          timeMs,
          id: find(body.path),
          bytes: body.data ?? Buffer.alloc(0),
          dataStart: 0,
          dataLength: body.data === null ? -1 : body.data.length,
          version: body.version,
        });
        return;
      case 7:
        pending.setAcl(zxid, find(body.path), tree.acls.internAcl(body.acl), body.version);
        return;
      case -11: {
        const ids = pending.ephemeralsOf(Number(session >> 32n), Number(session));
        const paths = ids.map((id) => tree.paths.pathString(id)).sort();
        const expected = before.ephemeralsOf(session).sort();
        if (paths.join() !== expected.join()) {
          throw new Error(`Ephemerals ${paths.join()} should be ${expected.join()}`);
        }
        for (const id of ids) pending.delete(zxid, id, tree.paths.parent(id));
      }
    }
  }
}

/** The txn for a wish, or undefined where its checks fail. */
function bodyOf(one: Wish, tree: OracleTree, inMulti: boolean): TxnBody | undefined {
  const { path: at } = one;
  const data = one.data === null ? null : Buffer.from(one.data, 'latin1');
  const acl = ACLS[one.acl] as readonly Acl[];
  switch (one.op) {
    case 'create':
    case 'container':
    case 'ttl': {
      const parent = tree.znodes.get(parentOf(at));
      if (parent === undefined || tree.has(at)) return undefined;
      if (parent.owner > 0n && parent.owner < 1n << 62n) return undefined;
      const shared = { path: at, data, acl, parentCVersion: parent.cversion + 1 };
      if (one.op === 'container') return { type: 19, ...shared };
      if (one.op === 'ttl') return { type: 21, ...shared, ttlMs: 60_000 };
      return { type: one.session === 2 ? 15 : 1, ...shared, ephemeral: one.ephemeral };
    }
    case 'delete':
      if (!tree.has(at) || tree.children(at).length > 0) return undefined;
      return { type: 2, path: at };
    case 'setData':
      return tree.has(at)
        ? { type: 5, path: at, data, version: tree.get(at).version + 1 }
        : undefined;
    case 'setACL':
      if (!tree.has(at) || inMulti) return undefined;
      return { type: 7, path: at, acl, version: tree.get(at).aversion + 1 };
    case 'close':
      if (inMulti) return undefined;
      return { type: -11, paths: tree.ephemeralsOf(BigInt(one.session)) };
  }
}
