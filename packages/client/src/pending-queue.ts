// Requests that were written and wait for their replies, in the order of writing: the protocol
// answers in that order, so the reply that comes is the head's or the stream is broken.

export class PendingQueue<R> {
  private slots: (R | undefined)[];
  private head: number;
  private count: number;

  constructor() {
    this.slots = new Array(16).fill(undefined);
    this.head = 0;
    this.count = 0;
  }

  get length(): number {
    return this.count;
  }

  push(request: R): void {
    if (this.count === this.slots.length) this.grow();
    this.slots[(this.head + this.count) & (this.slots.length - 1)] = request;
    this.count++;
  }

  shift(): R | undefined {
    if (this.count === 0) return undefined;
    const request = this.slots[this.head];
    this.slots[this.head] = undefined;
    this.head = (this.head + 1) & (this.slots.length - 1);
    this.count--;
    return request;
  }

  private grow(): void {
    const slots = new Array<R | undefined>(this.slots.length * 2).fill(undefined);
    for (let i = 0; i < this.count; i++) {
      slots[i] = this.slots[(this.head + i) & (this.slots.length - 1)];
    }
    this.slots = slots;
    this.head = 0;
  }
}
