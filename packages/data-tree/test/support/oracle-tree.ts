// The plain tree: a Map of objects, every rule written the obvious way. What data-tree does with
// records and links must come out the same.

import { Buffer } from 'node:buffer';
import { crc32 } from 'node:zlib';
import type { Acl, Txn, TxnBody } from '@zebu/protocol';

export interface OracleZnode {
  data: string | null;
  acl: string;
  czxid: number;
  mzxid: number;
  pzxid: number;
  ctime: number;
  mtime: number;
  version: number;
  cversion: number;
  aversion: number;
  owner: bigint;
}

export const CONTAINER_OWNER = 1n << 63n;
const TTL_OWNER = 0xffn << 56n;
export const OPEN_ACL = aclText([{ perms: 31, scheme: 'world', id: 'anyone' }]);

export function aclText(acl: readonly Acl[] | null): string {
  return (acl ?? [{ perms: 31, scheme: 'world', id: 'anyone' }])
    .map(({ perms, scheme, id }) => `${scheme}:${id}:${perms}`)
    .join(',');
}

export class OracleTree {
  readonly znodes = new Map<string, OracleZnode>();
  readonly sessions = new Set<bigint>();
  /** What happened, as `created /a`: the events a listener must see. */
  events: string[] = [];

  constructor() {
    for (const path of ['', '/zookeeper', '/zookeeper/quota', '/zookeeper/config']) {
      this.znodes.set(path, blank(0, 0, 0n, '', OPEN_ACL));
    }
    const config = this.znodes.get('/zookeeper/config') as OracleZnode;
    config.acl = 'world:anyone:1';
    config.aversion = -1;
  }

  has(path: string): boolean {
    return this.znodes.has(key(path));
  }

  get(path: string): OracleZnode {
    return this.znodes.get(key(path)) as OracleZnode;
  }

  children(path: string): string[] {
    const prefix = `${key(path)}/`;
    return [...this.znodes.keys()].filter(
      (other) => other.startsWith(prefix) && !other.slice(prefix.length).includes('/'),
    );
  }

  ephemeralsOf(session: bigint): string[] {
    return [...this.znodes].filter(([, znode]) => znode.owner === session).map(([path]) => path);
  }

  apply(txn: Txn): void {
    const { zxid, time, clientId } = txn.header;
    const { body } = txn;
    if (body.type === 14) {
      if (body.txns.some(({ type }) => type === -1)) return;
      for (const sub of body.txns) this.applyOne(sub, zxid, time, clientId);
    } else {
      this.applyOne(body, zxid, time, clientId);
    }
  }

  /** Modulo 2^64, from scratch. */
  digest(): bigint {
    let sum = 0n;
    for (const [path, znode] of this.znodes) {
      if (!path.startsWith('/zookeeper/')) sum += BigInt(znodeDigest(path, znode));
    }
    return BigInt.asUintN(64, sum);
  }

  private applyOne(body: TxnBody, zxid: number, time: number, session: bigint): void {
    switch (body.type) {
      case 1:
      case 15:
        this.create(body, body.ephemeral ? session : 0n, zxid, time);
        return;
      case 19:
        this.create(body, CONTAINER_OWNER, zxid, time);
        return;
      case 21:
        this.create(body, TTL_OWNER | BigInt(body.ttlMs), zxid, time);
        return;
      case 2:
      case 20:
        this.delete(body.path, zxid);
        return;
      case 5:
      case 16: {
        const znode = this.znodes.get(key(body.path));
        if (znode === undefined) return;
        znode.data = text(body.data);
        znode.version = body.version;
        znode.mzxid = zxid;
        znode.mtime = time;
        this.events.push(`changed ${body.path}`);
        return;
      }
      case 7: {
        const znode = this.znodes.get(key(body.path));
        if (znode === undefined) return;
        znode.acl = aclText(body.acl);
        znode.aversion = body.version;
        return;
      }
      case -11:
        for (const path of body.paths ?? []) this.delete(path, zxid);
        for (const path of this.ephemeralsOf(session)) this.delete(path, zxid);
        this.sessions.delete(session);
        return;
      case -10:
        this.sessions.add(session);
    }
  }

  private create(
    body: {
      path: string;
      data: Uint8Array | null;
      acl: readonly Acl[] | null;
      parentCVersion: number;
    },
    owner: bigint,
    zxid: number,
    time: number,
  ): void {
    const parent = this.znodes.get(parentOf(body.path));
    if (parent === undefined) return;
    if (body.parentCVersion > parent.cversion) {
      parent.cversion = body.parentCVersion;
      parent.pzxid = zxid;
    }
    const existing = this.znodes.get(body.path);
    if (existing !== undefined) {
      existing.acl = aclText(body.acl);
      return;
    }
    this.znodes.set(body.path, blank(zxid, time, owner, text(body.data), aclText(body.acl)));
    this.events.push(`created ${body.path}`);
  }

  private delete(path: string, zxid: number): void {
    const parent = this.znodes.get(parentOf(path));
    if (parent === undefined) return;
    if (zxid > parent.pzxid) parent.pzxid = zxid;
    if (!this.znodes.has(path)) return;
    for (const other of [...this.znodes.keys()]) {
      if (other.startsWith(`${path}/`)) this.znodes.delete(other);
    }
    this.znodes.delete(path);
    this.events.push(`deleted ${path}`);
  }
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function key(path: string): string {
  return path === '/' ? '' : path;
}

function text(data: Uint8Array | null): string | null {
  return data === null ? null : Buffer.from(data).toString('latin1');
}

function blank(
  zxid: number,
  time: number,
  owner: bigint,
  data: string | null,
  acl: string,
): OracleZnode {
  return {
    data,
    acl,
    czxid: zxid,
    mzxid: zxid,
    pzxid: zxid,
    ctime: time,
    mtime: time,
    version: 0,
    cversion: 0,
    aversion: 0,
    owner,
  };
}

function znodeDigest(path: string, znode: OracleZnode): number {
  const stat = Buffer.alloc(60);
  const longs = [znode.czxid, znode.mzxid, znode.pzxid, znode.ctime, znode.mtime];
  for (const [i, value] of longs.entries()) stat.writeBigInt64BE(BigInt(value), i * 8);
  stat.writeInt32BE(znode.version, 40);
  stat.writeInt32BE(znode.cversion, 44);
  stat.writeInt32BE(znode.aversion, 48);
  stat.writeBigInt64BE(BigInt.asIntN(64, znode.owner), 52);
  const data = Buffer.from(znode.data ?? '', 'latin1');
  return crc32(Buffer.concat([Buffer.from(path), data, stat]));
}
