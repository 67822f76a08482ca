// All tests of @zebu/recipes again, where they otherwise run on an embedded zebu: on Apache's server, and on an
// ensemble of three zebu members. They take twelve minutes, and so are run by a command of their own:
//
//   ZEBU_INTEROP_SUITES=1 npm run interop -- suites

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startApache } from '../../src/apache.ts';
import { repositoryRoot, type Tool } from '../../src/tools.ts';
import { interopTest } from '../support.ts';

const TIMEOUT_MS = 1_200_000;

async function runSuite(server: string): Promise<void> {
  const directory = join(repositoryRoot, 'packages', 'recipes');
  const folder = await mkdtemp(join(tmpdir(), 'zebu-recipes-'));
  const report = join(folder, 'report.json');
  try {
    await new Promise<void>((resolve) => {
      // One file at a time: each counts the watches of the whole server.
      const args = ['run', '--no-file-parallelism', `--outputFile.json=${report}`];
      execFile(
        join(directory, 'node_modules', '.bin', 'vitest'),
        args,
        { cwd: directory, env: { ...process.env, ZEBU_TEST_SERVER: server }, timeout: TIMEOUT_MS },
        () => resolve(),
      );
    });
    const { numTotalTests, testResults } = JSON.parse(await readFile(report, 'utf8'));
    const failures = testResults.flatMap(
      (file: { name: string; message: string; assertionResults: Assertion[] }) => [
        ...(file.message === '' ? [] : [`${file.name}: ${file.message}`]),
        ...file.assertionResults
          .filter(({ status }) => status === 'failed')
          .map((one) => `${one.fullName}: ${one.failureMessages.join('\n')}`),
      ],
    );
    expect(failures).toEqual([]);
    expect(numTotalTests).toBeGreaterThan(100);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Assertion {
  readonly status: string;
  readonly fullName: string;
  readonly failureMessages: readonly string[];
}

function suiteTest(name: string, tools: readonly Tool[], body: () => Promise<void>): void {
  if (process.env.ZEBU_INTEROP_SUITES === '1') {
    interopTest(name, tools, TIMEOUT_MS, body);
    return;
  }
  console.log(`left out: ${name} (ZEBU_INTEROP_SUITES=1 npm run interop -- suites)`);
  test.skip(name, () => {});
}

suiteTest('the recipes hold on Apache 3.9.5', ['apache'], async () => {
  await using server = await startApache({
    config: {
      tickTime: '500',
      maxSessionTimeout: '60000',
      maxClientCnxns: '0',
      extendedTypesEnabled: 'true',
      '4lw.commands.whitelist': '*',
    },
  });
  await runSuite(`127.0.0.1:${server.port}`);
});

suiteTest('the recipes hold on three zebu members', [], () => runSuite('ensemble'));
