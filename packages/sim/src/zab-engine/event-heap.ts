// Events in order of (time, sequence), as numbers: a run schedules tens of thousands of them.

export class EventHeap {
  private readonly times: number[];
  private readonly sequences: number[];
  private readonly kinds: number[];
  private readonly arguments: number[];
  private readonly payloads: unknown[];
  private nextSequence: number;
  /** Of the event that pop() took last. */
  time: number;
  kind: number;
  argument: number;
  payload: unknown;

  constructor() {
    this.times = [];
    this.sequences = [];
    this.kinds = [];
    this.arguments = [];
    this.payloads = [];
    this.nextSequence = 0;
    this.time = 0;
    this.kind = 0;
    this.argument = 0;
    this.payload = undefined;
  }

  push(time: number, kind: number, argument: number, payload?: unknown): void {
    let at = this.times.length;
    const sequence = this.nextSequence++;
    // Sift up, moving the parents down.
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.isBefore(time, sequence, parent)) break;
      this.move(parent, at);
      at = parent;
    }
    this.set(at, time, sequence, kind, argument, payload);
  }

  /** Takes the first event into the public fields; false when there is none. */
  pop(): boolean {
    const last = this.times.length - 1;
    if (last < 0) return false;
    this.time = this.times[0] as number;
    this.kind = this.kinds[0] as number;
    this.argument = this.arguments[0] as number;
    this.payload = this.payloads[0];
    const time = this.times.pop() as number;
    const sequence = this.sequences.pop() as number;
    const kind = this.kinds.pop() as number;
    const argument = this.arguments.pop() as number;
    const payload = this.payloads.pop();
    if (last === 0) return true;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= last) break;
      if (
        child + 1 < last &&
        this.isBefore(this.times[child + 1] as number, this.sequences[child + 1] as number, child)
      ) {
        child++;
      }
      if (this.isBefore(time, sequence, child)) break;
      this.move(child, at);
      at = child;
    }
    this.set(at, time, sequence, kind, argument, payload);
    return true;
  }

  private isBefore(time: number, sequence: number, index: number): boolean {
    const other = this.times[index] as number;
    return time < other || (time === other && sequence < (this.sequences[index] as number));
  }

  private move(from: number, to: number): void {
    this.set(
      to,
      this.times[from] as number,
      this.sequences[from] as number,
      this.kinds[from] as number,
      this.arguments[from] as number,
      this.payloads[from],
    );
  }

  private set(
    at: number,
    time: number,
    sequence: number,
    kind: number,
    argument: number,
    payload: unknown,
  ): void {
    this.times[at] = time;
    this.sequences[at] = sequence;
    this.kinds[at] = kind;
    this.arguments[at] = argument;
    this.payloads[at] = payload;
  }
}
