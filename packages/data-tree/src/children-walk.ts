// The names of a znode's children, in slices: 500,000 of them are too many for one turn.
//
// What comes out is the list as it was when the walk began, though children come and go between the
// slices. Children are listed in the order they came, each with a number that grows in that order:
// the walk ends after the number that was the last, and a child that is deleted before its turn is
// carried over. getChildren promises no order.

import { ByteWriter } from '@zebu/protocol';
import type { DataTree } from './data-tree.ts';
import type { PathId } from './path-table.ts';
import { Field } from './znode-store.ts';

export class ChildrenWalk {
  readonly parent: PathId;
  /** Children when the walk began: how many names `fill` writes in all. */
  readonly count: number;
  private readonly tree: DataTree;
  private readonly ended: () => void;
  private readonly lastOrder: number;
  /**
   * The child to write next, 0 when all are written. Invariant between calls: never one that came
   * after the walk began, whose deletion would not concern the walk.
   */
  private cursor: PathId;
  /** Names of children that were deleted before their turn. */
  private carried: ByteWriter | undefined = undefined;
  private isOpen = true;

  /** Use DataTree.startChildrenWalk. */
  constructor(tree: DataTree, parent: PathId, ended: () => void) {
    this.tree = tree;
    this.parent = parent;
    this.ended = ended;
    this.count = tree.numChildren(parent);
    this.cursor = tree.firstChild(parent);
    const { slab } = tree.store;
    const youngest = this.cursor === 0 ? 0 : slab.get(this.cursor, Field.PREV_SIBLING);
    this.lastOrder = youngest === 0 ? 0 : slab.get(youngest, Field.ORDER);
  }

  /**
   * Appends names as ustrings (int length, bytes) until about `maxBytes` were added or all is written.
   * Returns true when done; the walk is closed then.
   */
  fill(writer: ByteWriter, maxBytes: number): boolean {
    const limit = writer.offset + maxBytes;
    if (this.carried !== undefined) {
      writer.raw(this.carried.bytes, 0, this.carried.offset);
      this.carried = undefined;
    }
    while (this.isAhead(this.cursor)) {
      if (writer.offset >= limit) return false;
      this.write(writer, this.cursor);
      this.cursor = this.tree.nextSibling(this.cursor);
    }
    this.close();
    return true;
  }

  /** Gives an unfinished walk up, so that deletions need not look at it any more. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.ended();
  }

  /** A child is about to be deleted. For the tree's own use. */
  deleting(id: PathId): void {
    const { slab } = this.tree.store;
    if (this.cursor === 0 || !this.isAhead(id)) return;
    // Before the cursor it was written already.
    if (((slab.get(id, Field.ORDER) - slab.get(this.cursor, Field.ORDER)) | 0) < 0) return;
    this.carried ??= new ByteWriter(256);
    this.write(this.carried, id);
    if (id !== this.cursor) return;
    const next = this.tree.nextSibling(id);
    this.cursor = this.isAhead(next) ? next : 0;
  }

  /** Whether a child was there when the walk began. */
  private isAhead(id: PathId): boolean {
    if (id === 0) return false;
    return ((this.lastOrder - this.tree.store.slab.get(id, Field.ORDER)) | 0) >= 0;
  }

  private write(writer: ByteWriter, id: PathId): void {
    const { paths } = this.tree;
    const length = paths.nameLength(id);
    writer.int32(length);
    writer.ensure(length);
    writer.offset += paths.copyName(id, writer.bytes, writer.offset);
  }
}
