// What one end of a connection without a socket holds, in the memory network and in the simulator's.
//
//   write ─▶ [OutgoingBytes] ─▶ window ─▶ [IncomingBytes of the peer] ─▶ handler.data

/** Writes that wait for room in the window. They stay in their writers' buffers, uncopied. */
export class OutgoingBytes {
  count: number;
  private readonly writes: Buffer[];

  constructor() {
    this.count = 0;
    this.writes = [];
  }

  /** Of the first write, or what is left of it; 0 without any. */
  get nextLength(): number {
    return this.writes[0]?.length ?? 0;
  }

  push(bytes: Buffer): void {
    this.writes.push(bytes);
    this.count += bytes.length;
  }

  /** A copy of the first write, of at most `room` bytes; there must be one. */
  take(room: number): Buffer {
    const next = this.writes[0] as Buffer;
    const taken = Buffer.from(next.subarray(0, room));
    this.count -= taken.length;
    if (taken.length === next.length) this.writes.shift();
    else this.writes[0] = next.subarray(taken.length);
    return taken;
  }

  clear(): void {
    this.count = 0;
    this.writes.length = 0;
  }
}

/** Bytes that have arrived and were not read yet. */
export class IncomingBytes {
  count: number;
  private parts: Buffer[];

  constructor() {
    this.count = 0;
    this.parts = [];
  }

  push(bytes: Buffer): void {
    this.parts.push(bytes);
    this.count += bytes.length;
  }

  /**
   * Hands the first `length` bytes to `read`, which may use them during the call only: they are overwritten after it,
   * so that code that keeps them is noticed.
   */
  take(length: number, read: (bytes: Buffer) => void): void {
    const all = this.parts.length === 1 ? (this.parts[0] as Buffer) : Buffer.concat(this.parts);
    const rest = all.subarray(length);
    this.parts = rest.length === 0 ? [] : [rest];
    this.count -= length;
    const bytes = Buffer.from(all.subarray(0, length));
    read(bytes);
    bytes.fill(0xdb);
  }

  clear(): void {
    this.count = 0;
    this.parts = [];
  }
}
