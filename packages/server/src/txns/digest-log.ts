// The digests of the tree at some of its txns, for the word `hash`: two members whose lists differ at
// a zxid have different data. One txn in 128, the last 1,024 of them (DataTree.logZxidDigest).

import type { Zxid } from '@zebu/protocol';

const INTERVAL = 128;
const LIMIT = 1024;

export interface LoggedDigest {
  readonly zxid: Zxid;
  readonly digest: bigint;
}

export class DigestLog {
  private readonly kept: LoggedDigest[] = [];
  private oldest = 0;

  /** Whether the digest after this txn is one to keep; ask before making it. */
  wants(zxid: Zxid): boolean {
    return zxid % INTERVAL === 0;
  }

  add(zxid: Zxid, digest: bigint): void {
    if (this.kept.length < LIMIT) this.kept.push({ zxid, digest });
    else {
      this.kept[this.oldest] = { zxid, digest };
      this.oldest = (this.oldest + 1) % LIMIT;
    }
  }

  /** Oldest first. */
  *[Symbol.iterator](): IterableIterator<LoggedDigest> {
    for (let i = 0; i < this.kept.length; i++) {
      yield this.kept[(this.oldest + i) % this.kept.length] as LoggedDigest;
    }
  }
}
