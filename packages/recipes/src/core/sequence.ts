// The number that the server appends to the name of a sequential znode: the parent's counter as a signed 32-bit
// integer, printed with "%010d". After 2147483647 comes -2147483648, so neither text nor plain numbers compare in
// the order of creation.

/** From "-2147483648" (eleven characters) to "-000000001" (ten, as the sign counts). */
const SEQUENCE = /^(?:\d{10}|-\d{9,10})$/;

/**
 * The number of `name`, which ends with one of `labels` ("lock-", "__lock__") and the number; undefined if it does not.
 */
export function parseSequence(name: string, labels: readonly string[]): number | undefined {
  for (const label of labels) {
    const at = name.lastIndexOf(label);
    if (at < 0) continue;
    const digits = name.slice(at + label.length);
    if (SEQUENCE.test(digits)) return Number(digits);
  }
  return undefined;
}

/**
 * Negative if `a` was created before `b`. Serial number arithmetic (RFC 1982): right for numbers less than 2^31 apart,
 * also where the counter has wrapped between them.
 */
export function compareSequences(a: number, b: number): number {
  return (a - b) | 0;
}
