// What is read and written under each first name of a path: `/app/a/b` counts for `app`, the root for none.
// A reader or writer has the znode's interned path, so finding the name is a walk up its parents: no bytes are
// compared, and nothing is allocated but once for each name.

import { type PathId, type PathTable, ROOT_ID } from '@zebu/data-tree';
import type { ServerMetrics } from './metrics.ts';
import { OTHER_KEY, type Summary, type SummarySet } from './summary.ts';

/** What Apache adds to a read for the Stat (DataTree.STAT_OVERHEAD_BYTES). */
const STAT_OVERHEAD_BYTES = 68;

export class NamespaceTraffic {
  private readonly paths: PathTable;
  private readonly reads: NamespaceSummaries;
  private readonly writes: NamespaceSummaries;

  constructor(
    paths: PathTable,
    metrics: Pick<ServerMetrics, 'readPerNamespace' | 'writePerNamespace'>,
  ) {
    this.paths = paths;
    this.reads = new NamespaceSummaries(paths, metrics.readPerNamespace);
    this.writes = new NamespaceSummaries(paths, metrics.writePerNamespace);
  }

  /** A read of the znode answered `bytes` of data, or of names of children. */
  read(id: PathId, bytes: number): void {
    this.reads.of(id)?.add(this.paths.byteLength(id) + bytes + STAT_OVERHEAD_BYTES);
  }

  /** A txn made, changed or deleted the znode; `bytes` of data went in. */
  wrote(id: PathId, bytes: number): void {
    this.writes.of(id)?.add(this.paths.byteLength(id) + bytes);
  }

  /** For a read whose size is known later, when the znode may be gone. */
  openRead(id: PathId): OpenRead {
    const summary = this.reads.of(id);
    const ownBytes = this.paths.byteLength(id) + STAT_OVERHEAD_BYTES;
    return { end: (bytes) => summary?.add(ownBytes + bytes) };
  }
}

export interface OpenRead {
  /** The read answered `bytes` of names or data. */
  end(bytes: number): void;
}

class NamespaceSummaries {
  private readonly paths: PathTable;
  private readonly summaries: SummarySet;
  /** By the interned path of the first name, which keeps a use: the id stays that of this path. */
  private readonly byTop = new Map<PathId, Summary>();
  /** The one that was asked for last: most traffic is under few names. */
  private lastTop: PathId = 0;
  private last: Summary | undefined;

  constructor(paths: PathTable, summaries: SummarySet) {
    this.paths = paths;
    this.summaries = summaries;
    // Names that a tree before this one had go on under the same keys.
    for (const [name, summary] of summaries.entries()) {
      const path = Buffer.from(`/${name}`);
      this.byTop.set(paths.intern(path, 0, path.length), summary);
    }
  }

  of(id: PathId): Summary | undefined {
    const { paths } = this;
    if (id === ROOT_ID) return undefined;
    let top = id;
    for (let at = paths.parent(top); at !== ROOT_ID; at = paths.parent(top)) {
      if (at === 0) return undefined;
      top = at;
    }
    if (top === this.lastTop) return this.last;
    const summary = this.byTop.get(top) ?? this.addName(top);
    // The id of a path that keeps no use may be another path's later.
    if (summary === undefined) return this.summaries.of(OTHER_KEY);
    this.lastTop = top;
    this.last = summary;
    return summary;
  }

  private addName(top: PathId): Summary | undefined {
    const { paths, summaries, byTop } = this;
    if (summaries.isFull) return undefined;
    const summary = summaries.of(paths.nameString(top));
    paths.retain(top);
    byTop.set(top, summary);
    return summary;
  }
}
