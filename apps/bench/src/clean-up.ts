// Work on servers, and cleaning up after it, whichever of the two fails.

/**
 * Does the work, then cleans each of `targets` up, as many as there are by then. Throws the first failure: a
 * server that died in the work cannot be cleaned up either, and that it died is what matters.
 */
export async function thenCleanUp<T>(
  work: () => Promise<void>,
  targets: readonly T[],
  cleanUp: (target: T) => Promise<void>,
): Promise<void> {
  const failures: Error[] = [];
  const attempt = async (step: () => Promise<void>): Promise<void> => {
    try {
      await step();
    } catch (error) {
      failures.push(error as Error);
    }
  };
  await attempt(work);
  for (const target of targets) await attempt(() => cleanUp(target));
  const [first] = failures;
  if (first !== undefined) throw first;
}
