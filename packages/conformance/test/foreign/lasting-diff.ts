// A foreign client has threads of its own, whose races show in what it prints. A difference between the servers is
// there again in a second run; one that is not is told, and fails nothing.

export interface LastingDiff {
  /** Of the second run; '' when either run had none. */
  readonly diff: string;
  /** Of the first run, when the second had none; otherwise ''. */
  readonly passing: string;
}

/** Compares once, and once more where that finds a difference. A comparison that throws is not tried again. */
export async function lastingDiff(compare: () => Promise<string>): Promise<LastingDiff> {
  const first = await compare();
  if (first === '') return { diff: '', passing: '' };
  const second = await compare();
  return second === '' ? { diff: '', passing: first } : { diff: second, passing: '' };
}
