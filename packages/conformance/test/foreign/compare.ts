// One test for each foreign client: its script against Apache's server and against ours, the same output.

import { describe, expect, test } from 'vitest';
import { startApache } from '../../src/apache.ts';
import type { ServerOptions } from '../../src/server-process.ts';
import { hasTool, type Tool } from '../../src/tools.ts';
import {
  type Script,
  type StartServer,
  transcriptDiff,
  transcriptOf,
} from '../../src/transcript.ts';
import { hasZebu, startZebu } from '../../src/zebu.ts';

/** True in `npm run interop`: everything runs, and what is missing is a failure. */
const isInterop = process.env.ZEBU_INTEROP === '1';

/** `ZEBU_INTEROP_SUBJECT=apache` compares Apache with itself: that a script is deterministic. */
const isSelfTest = process.env.ZEBU_INTEROP_SUBJECT === 'apache';

/** Runs `body` in interop runs; otherwise, or when a tool is missing, says what was left out. */
export function interopTest(
  name: string,
  tools: readonly Tool[],
  timeoutMs: number,
  body: () => Promise<void>,
): void {
  const missing = tools.filter((tool) => !hasTool(tool));
  if (!isInterop) {
    console.log(`left out: ${name} (npm run interop)`);
    test.skip(name, () => {});
    return;
  }
  test(name, { timeout: timeoutMs }, async () => {
    expect(missing, 'run node packages/conformance/setup.mjs for these').toEqual([]);
    await body();
  });
}

export interface Comparison {
  tool: Tool;
  script: (port: number) => Script;
  server?: ServerOptions;
  /** Replaces in a transcript what must differ from run to run. */
  normalize?: (transcript: string) => string;
}

/** Defines the test of one client. Fails with a unified diff; Apache's lines are the ones with a minus. */
export function compareServers(client: string, comparison: Comparison): void {
  const { tool, script, server = {}, normalize = (text) => text } = comparison;
  const options = {
    ...server,
    config: {
      tickTime: '500',
      extendedTypesEnabled: 'true',
      'DigestAuthenticationProvider.superDigest': SUPER,
      ...server.config,
    },
  };
  const subject: { by: string; start: StartServer } = isSelfTest
    ? { by: 'apache', start: startApache }
    : { by: 'zebu', start: startZebu };
  describe(client, () => {
    interopTest(
      `${client} prints the same with ${subject.by} as with Apache`,
      ['apache', tool],
      600_000,
      async () => {
        if (!isSelfTest) expect(hasZebu(), 'apps/server is there').toBe(true);
        const reference = normalize(await transcriptOf(startApache, options, script));
        const ours = normalize(await transcriptOf(subject.start, options, script));
        const diff = transcriptDiff(
          client,
          { by: 'apache', text: reference },
          { by: subject.by, text: ours },
        );
        if (diff !== '') expect.fail(`transcripts differ (- Apache, + ${subject.by}):\n${diff}`);
      },
    );
  });
}

// DigestAuthenticationProvider.generateDigest("super:admin").
const SUPER = 'super:xQJmxLMiHGwaqBvst5y6rkB6HQs=';
