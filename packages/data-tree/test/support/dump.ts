// A tree as plain values, to compare one with another.

import { Buffer } from 'node:buffer';
import { ByteReader, crc32, readStat, type Stat } from '@zebu/protocol';
import { type DataTree, type PathId, ROOT_ID } from '../../src/index.ts';
import { Field } from '../../src/znode-store.ts';
import { aclText, type OracleTree, type OracleZnode } from './oracle-tree.ts';

export type Dump = Record<string, OracleZnode>;

/** Every znode by path; checks on the way that wire and stored fields agree. */
export function dumpTree(tree: DataTree): Dump {
  const dump: Dump = {};
  const visit = (id: PathId): number => {
    const path = id === ROOT_ID ? '' : tree.paths.pathString(id);
    dump[path] = znodeOf(tree, id);
    let children = 0;
    for (let child = tree.firstChild(id); child !== 0; child = tree.nextSibling(child)) {
      if (tree.paths.parent(child) !== id) throw new Error(`${path} has a child of another`);
      visit(child);
      children++;
    }
    if (children !== tree.numChildren(id)) throw new Error(`${path} miscounts its children`);
    return children;
  };
  visit(ROOT_ID);
  if (Object.keys(dump).length + 1 !== tree.znodeCount) throw new Error('The tree miscounts');
  return sorted(dump);
}

export function dumpOracle(oracle: OracleTree): Dump {
  return sorted(
    Object.fromEntries([...oracle.znodes].map(([path, znode]) => [path, { ...znode }])),
  );
}

export function statOf(tree: DataTree, id: PathId): Stat {
  const bytes = Buffer.alloc(68);
  tree.copyStat(id, bytes, 0);
  return readStat(new ByteReader(bytes));
}

export function dataOf(tree: DataTree, id: PathId): string | null {
  const bytes = Buffer.alloc(4 + tree.dataLength(id));
  if (tree.copyData(id, bytes, 0) !== bytes.length) throw new Error('copyData miscounts');
  return new ByteReader(bytes).buffer()?.toString('latin1') ?? null;
}

function znodeOf(tree: DataTree, id: PathId): OracleZnode {
  const stat = statOf(tree, id);
  const high = BigInt.asUintN(32, BigInt(tree.ownerHigh(id)));
  const owner = (high << 32n) | BigInt.asUintN(32, BigInt(tree.ownerLow(id)));
  const wireOwner = BigInt.asUintN(64, stat.ephemeralOwner);
  if (wireOwner !== (tree.kind(id) === 1 ? owner : 0n)) throw new Error('Owner on the wire');
  if (stat.cversion !== ((2 * tree.cversion(id) - tree.numChildren(id)) | 0)) {
    throw new Error('Cversion on the wire');
  }
  const data = dataOf(tree, id);
  const path = id === ROOT_ID ? '' : tree.paths.pathString(id);
  const summed = Buffer.concat([Buffer.from(path), Buffer.from(data ?? '', 'latin1')]);
  if (tree.store.slab.get(id, Field.CRC) >>> 0 !== crc32(summed, 0, summed.length)) {
    throw new Error(`The CRC kept for ${path} is not that of its path and data`);
  }
  return {
    data,
    acl: aclText(tree.acls.aclOf(tree.aclId(id))),
    czxid: stat.czxid,
    mzxid: stat.mzxid,
    pzxid: stat.pzxid,
    ctime: stat.ctime,
    mtime: stat.mtime,
    version: stat.version,
    cversion: tree.cversion(id),
    aversion: stat.aversion,
    owner,
  };
}

function sorted(dump: Dump): Dump {
  return Object.fromEntries(Object.entries(dump).sort(([a], [b]) => (a < b ? -1 : 1)));
}
