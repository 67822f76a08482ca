// Shared by the interop tests: when they run, and what they print when they do not.

import { expect, test } from 'vitest';
import { hasTool, type Tool } from '../src/tools.ts';

/** True in `npm run interop`: everything runs, and a missing tool is a failure. */
const isInterop = process.env.ZEBU_INTEROP === '1';

/** `ZEBU_INTEROP_SUBJECT=apache` puts Apache in zebu's place: shows that a test is deterministic. */
export const isSelfTest = process.env.ZEBU_INTEROP_SUBJECT === 'apache';

/** DigestAuthenticationProvider.generateDigest("super:admin"). */
export const SUPER = 'super:xQJmxLMiHGwaqBvst5y6rkB6HQs=';

/**
 * Runs `body` in interop runs; otherwise says what was left out. `whyNot` names what this machine must allow and does
 * not, if anything: the test is left out for it. `retry` is how often a run that failed is made again, where Apache's
 * servers take their time on a busy machine; the report says so.
 */
export function interopTest(
  name: string,
  tools: readonly Tool[],
  timeoutMs: number,
  body: () => Promise<void>,
  whyNot: () => string | undefined = () => undefined,
  retry = 0,
): void {
  const reason = isInterop ? whyNot() : 'npm run interop';
  if (reason !== undefined) {
    console.log(`left out: ${name} (${reason})`);
    test.skip(name, () => {});
    return;
  }
  test(name, { timeout: timeoutMs, retry }, async () => {
    const missing = tools.filter((tool) => !hasTool(tool));
    expect(missing, 'run node packages/conformance/setup.mjs for these').toEqual([]);
    await body();
  });
}
