// Decides whether a recorded history of one register is linearizable: whether each operation can be given one moment
// between its call and its answer so that every read returns the last value written before it. The search is that of
// Wing and Gong with the memory of Lowe, as in porcupine. Every value must be written at most once.

export interface RegisterOperation {
  readonly kind: 'read' | 'write';
  readonly value: string;
  readonly calledAt: number;
  /** Undefined for a write whose answer never came: it may have happened at any time after its call, or never. */
  readonly answeredAt: number | undefined;
  /** Who called, for the description of a violation. */
  readonly by: string;
}

/** The search visited more states than it was allowed: the history is neither accepted nor refused. */
export class UndecidedHistory extends Error {
  override readonly name = 'UndecidedHistory';
}

/** An operation that has an interval. */
interface Placed extends RegisterOperation {
  readonly answeredAt: number;
}

/** The operations before `first` have their moment, and so have those of `done`, which are all after it. */
interface Node {
  readonly first: number;
  readonly done: readonly number[];
  readonly value: string;
}

/**
 * Undefined when the history of a register that starts as `initial` is linearizable, else a description of where it is
 * not. Writes that were refused must be left out: a read of their value is then a violation. Two operations of which
 * one is answered at the very moment at which the other is called count as concurrent. Throws UndecidedHistory after
 * `maxNodes` states.
 */
export function findViolation(
  initial: string,
  history: readonly RegisterOperation[],
  { maxNodes = 1_000_000 }: { maxNodes?: number } = {},
): string | undefined {
  const writes = new Map<string, RegisterOperation>();
  for (const operation of history) {
    if (operation.kind !== 'write') continue;
    if (operation.value === initial || writes.has(operation.value)) {
      throw new RangeError(`The value ${operation.value} is written twice`);
    }
    writes.set(operation.value, operation);
  }
  for (const read of history) {
    if (read.kind === 'write') continue;
    const write = writes.get(read.value);
    if (write === undefined ? read.value !== initial : !isBefore(write.calledAt, read.answeredAt)) {
      return `${describe(read)} returned a value that nobody had written`;
    }
  }
  return search(initial, placed(history), maxNodes);
}

function isBefore(calledAt: number, answeredAt: number | undefined): boolean {
  return answeredAt === undefined || calledAt <= answeredAt;
}

/**
 * By call. An unanswered write that nobody read makes no difference and goes; one that was read happened before the
 * end of the first read that saw it. Reads without an answer say nothing.
 */
function placed(history: readonly RegisterOperation[]): Placed[] {
  const firstSeen = new Map<string, number>();
  for (const { kind, value, answeredAt } of history) {
    if (kind !== 'read' || answeredAt === undefined) continue;
    firstSeen.set(value, Math.min(firstSeen.get(value) ?? Number.POSITIVE_INFINITY, answeredAt));
  }
  return history
    .flatMap((operation) => {
      const seenAt = operation.kind === 'write' ? firstSeen.get(operation.value) : undefined;
      const answeredAt = operation.answeredAt ?? seenAt;
      return answeredAt === undefined ? [] : [{ ...operation, answeredAt }];
    })
    .sort((a, b) => a.calledAt - b.calledAt);
}

function search(
  initial: string,
  operations: readonly Placed[],
  maxNodes: number,
): string | undefined {
  const stack: Node[] = [{ first: 0, done: [], value: initial }];
  const seen = new Set<string>();
  let furthest = stack[0] as Node;
  while (stack.length > 0) {
    const node = withReads(operations, stack.pop() as Node);
    if (node.first === operations.length) return undefined;
    const key = `${node.first} ${node.value} ${node.done.join()}`;
    if (seen.has(key)) continue;
    if (seen.size >= maxNodes) throw new UndecidedHistory(`No answer after ${maxNodes} states`);
    seen.add(key);
    if (node.first >= furthest.first) furthest = node;
    for (const index of candidates(operations, node)) {
      const { kind, value } = operations[index] as Placed;
      if (kind === 'write') stack.push(after(node, index, value));
    }
  }
  const stuck = candidates(operations, furthest).map((index) => operations[index] as Placed);
  return `Nothing can come after the value ${furthest.value}; next is one of: ${stuck.map(describe).join('; ')}`;
}

/** Reads of the value that is there may always come first: they change nothing. */
function withReads(operations: readonly Placed[], start: Node): Node {
  let node = start;
  for (;;) {
    const { value } = node;
    const next = candidates(operations, node).find((index) => {
      const operation = operations[index] as Placed;
      return operation.kind === 'read' && operation.value === value;
    });
    if (next === undefined) return node;
    node = after(node, next, value);
  }
}

/** The operations without a moment that were called before any of them was answered. */
function candidates(operations: readonly Placed[], { first, done }: Node): number[] {
  const found: number[] = [];
  let earliestAnswer = Number.POSITIVE_INFINITY;
  for (let index = first; index < operations.length; index++) {
    if (done.includes(index)) continue;
    const { calledAt, answeredAt } = operations[index] as Placed;
    if (calledAt > earliestAnswer) break;
    found.push(index);
    earliestAnswer = Math.min(earliestAnswer, answeredAt);
  }
  return found;
}

function after(node: Node, index: number, value: string): Node {
  const done = new Set([...node.done, index]);
  let { first } = node;
  while (done.delete(first)) first++;
  return { first, done: [...done].sort((a, b) => a - b), value };
}

function describe({ kind, value, calledAt, answeredAt, by }: RegisterOperation): string {
  const until = answeredAt === undefined ? 'no answer' : `${answeredAt.toFixed(1)} ms`;
  return `${kind} of ${value} by ${by} (${calledAt.toFixed(1)} ms to ${until})`;
}
