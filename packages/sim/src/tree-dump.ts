// A DataTree compared with the plain history: every znode, every field, nothing more and nothing less.

import { type DataTree, type PathId, ROOT_ID } from '@zebu/data-tree';
import { ByteReader, readStat } from '@zebu/protocol';
import { demand } from './violation.ts';
import { describeStat, sameAcl, sameStat } from './wire.ts';
import { digestOf, statOf, type ZnodeHistory, type ZnodeState } from './znode-history.ts';

const MASK_64 = (1n << 64n) - 1n;

/** Throws a Violation in the name of `checker` at the first difference. */
export function compareTree(
  checker: string,
  tree: DataTree,
  history: ZnodeHistory,
  zxid: number,
): void {
  const wanted = history.paths(zxid);
  const found = new Map<string, PathId>();
  visit(tree, ROOT_ID, found);
  const extra = [...found.keys()].filter((path) => history.at(path, zxid) === undefined);
  const missing = wanted.filter((path) => !found.has(path));
  demand(
    extra.length === 0 && missing.length === 0,
    checker,
    () => `as of ${zxid}: too many are [${extra}], missing are [${missing}]`,
  );
  for (const path of wanted) {
    const id = found.get(path) as PathId;
    const znode = history.at(path, zxid) as ZnodeState;
    const stat = readStat(new ByteReader(copyStat(tree, id)));
    const where = (): string => `${path} as of ${zxid}`;
    demand(
      sameStat(stat, statOf(znode)),
      checker,
      () => `${where()}: ${describeStat(stat)} in place of ${describeStat(statOf(znode))}`,
    );
    demand(
      tree.cversion(id) === znode.cversion,
      checker,
      () => `${where()}: stored cversion ${tree.cversion(id)} in place of ${znode.cversion}`,
    );
    demand(
      ownerOf(tree, id) === znode.owner,
      checker,
      () => `${where()}: owner 0x${ownerOf(tree, id).toString(16)}`,
    );
    const data = dataOf(tree, id);
    demand(
      data === null || znode.data === null ? data === znode.data : data.equals(znode.data),
      checker,
      () => `${where()}: other data`,
    );
    const acl = tree.acls.aclOf(tree.aclId(id));
    demand(
      znode.acl.length === 0 || sameAcl(acl, znode.acl),
      checker,
      () => `${where()}: ACL ${JSON.stringify(acl)} in place of ${JSON.stringify(znode.acl)}`,
    );
  }
}

/** The tree digest, from the fields of every znode. */
export function digestFromScratch(tree: DataTree): bigint {
  const found = new Map<string, PathId>();
  visit(tree, ROOT_ID, found);
  let sum = 0n;
  for (const [path, id] of found) {
    const stat = readStat(new ByteReader(copyStat(tree, id)));
    sum += digestOf(path, {
      ...stat,
      cversion: tree.cversion(id),
      owner: ownerOf(tree, id),
      data: dataOf(tree, id),
    });
  }
  return sum & MASK_64;
}

function visit(tree: DataTree, id: PathId, found: Map<string, PathId>): void {
  found.set(tree.paths.pathString(id), id);
  for (let child = tree.firstChild(id); child !== 0; child = tree.nextSibling(child)) {
    visit(tree, child, found);
  }
}

function copyStat(tree: DataTree, id: PathId): Buffer {
  const bytes = Buffer.alloc(68);
  tree.copyStat(id, bytes, 0);
  return bytes;
}

function dataOf(tree: DataTree, id: PathId): Buffer | null {
  const bytes = Buffer.alloc(4 + tree.dataLength(id));
  tree.copyData(id, bytes, 0);
  return new ByteReader(bytes).buffer();
}

function ownerOf(tree: DataTree, id: PathId): bigint {
  return (BigInt(tree.ownerHigh(id) >>> 0) << 32n) | BigInt(tree.ownerLow(id) >>> 0);
}
