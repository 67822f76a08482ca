// One test for each foreign client: its script against Apache's server and against ours, the same output.

import { describe, expect } from 'vitest';
import { startApache } from '../../src/apache.ts';
import type { ServerOptions } from '../../src/server-process.ts';
import type { Tool } from '../../src/tools.ts';
import {
  type Script,
  type StartServer,
  transcriptDiff,
  transcriptOf,
} from '../../src/transcript.ts';
import { hasZebu, startZebu } from '../../src/zebu.ts';
import { interopTest, isSelfTest, SUPER } from '../support.ts';
import { lastingDiff } from './lasting-diff.ts';

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
        const compare = async (): Promise<string> => {
          const reference = normalize(await transcriptOf(startApache, options, script));
          const ours = normalize(await transcriptOf(subject.start, options, script));
          return transcriptDiff(
            client,
            { by: 'apache', text: reference },
            { by: subject.by, text: ours },
          );
        };
        const { diff, passing } = await lastingDiff(compare);
        if (passing !== '')
          console.warn(`${client}: once in two runs, transcripts differed:\n${passing}`);
        if (diff !== '') expect.fail(`transcripts differ (- Apache, + ${subject.by}):\n${diff}`);
      },
    );
  });
}
