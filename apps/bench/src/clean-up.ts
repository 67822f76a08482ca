// Runs work on servers and then cleans up, even when one of the two fails.

/**
 * Does the work, then cleans up each of `targets`, which the work may have added to. Throws the first failure:
 * when a server dies during the work its clean-up fails too, and the first error is the one that explains.
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
