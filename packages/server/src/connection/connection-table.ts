// The connections of a server, by slot: the small number that the watch table knows each by.
//
// A slot is given again only after the watches of its last holder are gone, so that no event reaches
// somebody who never asked for it.

interface SlotHolder {
  readonly slot: number;
  readonly remoteAddress: string;
}

export class ConnectionTable<C extends SlotHolder> {
  private readonly slots: (C | undefined)[] = [];
  private readonly free: number[] = [];
  private readonly perAddress = new Map<string, number>();
  private live = 0;

  /** Open connections. */
  get size(): number {
    return this.live;
  }

  countOf(address: string): number {
    return this.perAddress.get(address) ?? 0;
  }

  bySlot(slot: number): C | undefined {
    return this.slots[slot];
  }

  /** Takes a slot for the connection that `make` builds with it. */
  add(address: string, make: (slot: number) => C): C {
    const slot = this.free.pop() ?? this.slots.length;
    const connection = make(slot);
    this.slots[slot] = connection;
    this.live++;
    this.perAddress.set(address, this.countOf(address) + 1);
    return connection;
  }

  /** The connection is closed; its slot stays taken until releaseSlot(). */
  remove(connection: C): void {
    const { slot } = connection;
    if (this.slots[slot] !== connection) return;
    this.slots[slot] = undefined;
    this.live--;
    const address = connection.remoteAddress;
    const left = this.countOf(address) - 1;
    if (left > 0) this.perAddress.set(address, left);
    else this.perAddress.delete(address);
  }

  releaseSlot(slot: number): void {
    this.free.push(slot);
  }

  *[Symbol.iterator](): IterableIterator<C> {
    for (const connection of this.slots) if (connection !== undefined) yield connection;
  }
}
