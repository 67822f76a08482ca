// The whole tree of a server, read as super user, and the digest that such a tree must have.

import { crc32 } from 'node:zlib';
import { aclText, statText } from './normalise.ts';
import type { Target } from './target.ts';
import { OP, WireReader, WireWriter } from './wire.ts';

/** A znode as its digest sees it. */
export interface ZnodeState {
  data: Buffer | null;
  czxid: bigint;
  mzxid: bigint;
  pzxid: bigint;
  ctime: bigint;
  mtime: bigint;
  version: number;
  /** As stored: creates below. The wire has twice that, less the children. */
  cversion: number;
  aversion: number;
  /** As stored, with the marks of containers and TTL znodes. */
  owner: bigint;
}

export interface TreeWalk {
  /** A line a znode, normalised. */
  readonly lines: string[];
  readonly znodes: ReadonlyMap<string, ZnodeState>;
}

/** Reads every znode over the target's control connection. */
export async function walkTree(target: Target): Promise<TreeWalk> {
  const lines: string[] = [];
  const znodes = new Map<string, ZnodeState>();
  const pending = ['/'];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const byPath = new WireWriter().string(path);
    const withoutWatch = new WireWriter().string(path).byte(0).done();
    const data = await target.ask(OP.getData, withoutWatch);
    const acl = await target.ask(OP.getACL, byPath.done());
    const children = await target.ask(OP.getChildren, withoutWatch);
    const total = await target.ask(OP.getAllChildrenNumber, byPath.done());
    if (data.err !== 0 || acl.err !== 0 || children.err !== 0) {
      lines.push(`${path}: errors ${data.err} ${acl.err} ${children.err}`);
      continue;
    }
    const bytes = data.body.buffer();
    const stat = statText(data.body, target.names);
    const list = aclText(acl.body);
    const aclStat = statText(acl.body, target.names);
    const names: string[] = [];
    for (let count = children.body.int(); count > 0; count--) {
      names.push(children.body.string() ?? '');
    }
    names.sort();
    lines.push(
      `${JSON.stringify(path)} data=${dataText(bytes)} ${stat} acl=${list} ` +
        `below=${total.body.int()} children=${JSON.stringify(names)}${aclStat === stat ? '' : ` but getACL has ${aclStat}`}`,
    );
    znodes.set(path, stateOf(data.body, bytes));
    for (const name of names.reverse()) pending.push(path === '/' ? `/${name}` : `${path}/${name}`);
  }
  return { lines, znodes };
}

function dataText(data: Buffer | null): string {
  if (data === null) return 'null';
  if (data.length <= 64) return data.toString('hex');
  return `${data.length} bytes, crc ${crc32(data).toString(16)}`;
}

/** The fields of the stat that `reader` has just passed. */
function stateOf(reader: WireReader, data: Buffer | null): ZnodeState {
  const stat = new WireReader(reader.bytes, reader.offset - 68, reader.offset);
  const czxid = stat.long();
  const mzxid = stat.long();
  const ctime = stat.long();
  const mtime = stat.long();
  const version = stat.int();
  const wireCversion = stat.int();
  const aversion = stat.int();
  const owner = stat.long();
  stat.int();
  const numChildren = stat.int();
  const pzxid = stat.long();
  const cversion = Math.floor((wireCversion + numChildren) / 2) | 0;
  return { data, czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, owner };
}

/**
 * The tree digest, version 2 (spec/disk.md section 6). A stat hides the owner of containers and TTL znodes,
 * and the top bit of cversion, since it has twice that; `replayed` gives them where it agrees otherwise.
 */
export function treeDigest(
  znodes: ReadonlyMap<string, ZnodeState>,
  replayed: ReadonlyMap<string, ZnodeState> = new Map(),
): bigint {
  let digest = 0n;
  for (const [path, znode] of znodes) {
    const known = replayed.get(path);
    const full = { ...znode };
    if (known !== undefined && znode.owner === 0n && known.owner < 0n) full.owner = known.owner;
    if (known !== undefined && ((known.cversion ^ znode.cversion) & 0x7fffffff) === 0) {
      full.cversion = known.cversion;
    }
    digest += znodeDigest(path, full);
  }
  return BigInt.asUintN(64, digest);
}

/** One znode's share; 0 below /zookeeper. */
export function znodeDigest(path: string, znode: ZnodeState): bigint {
  if (path.startsWith('/zookeeper/')) return 0n;
  let crc = crc32(Buffer.from(path === '/' ? '' : path, 'utf8'));
  if (znode.data !== null) crc = crc32(znode.data, crc);
  const writer = new WireWriter();
  writer.long(znode.czxid).long(znode.mzxid).long(znode.pzxid).long(znode.ctime).long(znode.mtime);
  writer.int(znode.version).int(znode.cversion).int(znode.aversion).long(znode.owner);
  return BigInt(crc32(writer.done(), crc));
}
