// Short ways to write and apply txns in tables of cases.

import { Buffer } from 'node:buffer';
import {
  type Acl,
  type ByteWriter,
  encodeTxn,
  OPEN_ACL_UNSAFE,
  type TxnBody,
} from '@zebu/protocol';
import type { DataTree, TreeListener } from '../../src/index.ts';

export const READ_ONLY: readonly Acl[] = [{ perms: 1, scheme: 'world', id: 'anyone' }];

/** Applies bodies one by one, each with the next zxid; keeps what it applied. */
export class Applier {
  readonly tree: DataTree;
  zxid: number;
  lastEntry: Buffer = Buffer.alloc(0);
  session = 0n;
  listener: TreeListener | undefined = undefined;
  reply: ByteWriter | undefined = undefined;

  constructor(tree: DataTree, zxid = 0) {
    this.tree = tree;
    this.zxid = zxid;
  }

  apply(body: TxnBody, zxid: number = ++this.zxid): number {
    this.lastEntry = encodeTxn({
      header: { clientId: this.session, cxid: 1, zxid, time: 1000 + zxid, type: body.type },
      body,
      digest: undefined,
    });
    return this.tree.apply(this.lastEntry, 0, this.lastEntry.length, this.listener, this.reply);
  }

  /** Creates a persistent znode; the parent's cversion is counted up as a leader would. */
  create(path: string, data: string | null = '', parentCVersion?: number): number {
    return this.apply(createBody(path, data, parentCVersion ?? this.nextCversion(path)));
  }

  ephemeral(path: string): number {
    return this.apply({ ...createBody(path, '', this.nextCversion(path)), ephemeral: true });
  }

  delete(path: string): number {
    return this.apply({ type: 2, path });
  }

  setData(path: string, data: string | null, version = 1): number {
    return this.apply({ type: 5, path, data: bytesOf(data), version });
  }

  nextCversion(path: string): number {
    const parent = this.tree.findString(path.slice(0, path.lastIndexOf('/')));
    return parent === 0 ? 1 : this.tree.cversion(parent) + 1;
  }
}

export function createBody(
  path: string,
  data: string | null = '',
  parentCVersion = 1,
  acl: readonly Acl[] | null = OPEN_ACL_UNSAFE,
): TxnBody & { type: 1 | 15 } {
  return { type: 1, path, data: bytesOf(data), acl, ephemeral: false, parentCVersion };
}

export function bytesOf(data: string | null): Buffer | null {
  return data === null ? null : Buffer.from(data);
}
