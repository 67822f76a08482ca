// A foreign client has threads of its own, whose races show in what it prints, or end it. What the servers do differently
// is there again in a second run; what is not is told, and fails nothing.

export interface LastingDiff {
  /** Of the second run; '' when either run had none. What a run threw counts as its difference. */
  readonly diff: string;
  /** Of the first run, when the second had none; otherwise ''. */
  readonly passing: string;
}

/** Compares once, and once more where that finds a difference, or throws. Throws what the second run does. */
export async function lastingDiff(compare: () => Promise<string>): Promise<LastingDiff> {
  const first = await compare().catch((error: Error) => error.message);
  if (first === '') return { diff: '', passing: '' };
  const second = await compare();
  return second === '' ? { diff: '', passing: first } : { diff: second, passing: '' };
}
