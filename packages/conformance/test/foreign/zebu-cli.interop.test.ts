// The same session through zkCli of 3.9.5 and through zebu, on Apache's server and on ours: the same answers, but for
// what the README of apps/cli lists as different on purpose.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { startApache } from '../../src/apache.ts';
import { cliDialogue, type Exchange } from '../../src/cli-dialogue.ts';
import { repositoryRoot } from '../../src/tools.ts';
import { startZebu } from '../../src/zebu.ts';
import { interopTest, SUPER } from '../support.ts';

interface Difference {
  /** The first cell of its row in the README. */
  readonly row: string;
  readonly covers: (zkcli: Exchange, zebu: Exchange) => boolean;
}

const said = (pattern: RegExp) => (exchange: Exchange) => pattern.test(exchange.answer.join('\n'));
const asked = (pattern: RegExp) => (exchange: Exchange) => pattern.test(exchange.command);

const DIFFERENCES: readonly Difference[] = [
  {
    row: 'an error',
    covers: (zkcli, zebu) =>
      zkcli.answer.length === zebu.answer.length &&
      zkcli.answer.every((line, index) =>
        /^(?:; |, it is \d+ now; | has \d+ child(?:ren)?; )/.test(
          (zebu.answer[index] as string).startsWith(line)
            ? (zebu.answer[index] as string).slice(line.length)
            : '',
        ),
      ),
  },
  {
    row: 'a znode without data',
    covers: (zkcli, zebu) =>
      zkcli.answer[0] === 'null' && zkcli.answer.slice(1).join() === zebu.answer.join(),
  },
  {
    row: 'an ACL that makes no sense',
    // One znode fewer is at the top: the next sequential one there has another number.
    covers: (zkcli, zebu) =>
      said(/scheme:id:perm;|Unknown perm type: z \(in/)(zebu) || asked(/ create -s \/ x$/)(zkcli),
  },
  {
    row: 'an ACL that the server refuses',
    covers: (zkcli) => said(/InvalidACL for .*\nAcl is not valid : /)(zkcli),
  },
  {
    row: 'a number that makes no sense',
    covers: (zkcli) => said(/NumberFormatException|^ttl must be positive/)(zkcli),
  },
  {
    row: 'a path that makes no sense',
    covers: (zkcli, zebu) =>
      said(/^Path must |^Invalid path string/)(zkcli) && said(/: \S+$/)(zebu),
  },
  {
    row: 'a missing argument, an unknown mode',
    covers: (_, zebu) => said(/^Too few arguments: |^There is no mode /)(zebu),
  },
  { row: 'an unknown option', covers: (_, zebu) => said(/^Unrecognized option: -z; /)(zebu) },
  { row: 'an unknown command', covers: (_, zebu) => said(/^Command not found: nosuch/)(zebu) },
  { row: '`help`', covers: asked(/> help$/) },
  { row: '`version`', covers: asked(/> version$/) },
];

for (const [by, start] of [
  ['zebu', startZebu],
  ['Apache', startApache],
] as const) {
  interopTest(
    `zebu answers as zkCli does on the server of ${by}, but for what its README lists`,
    ['apache'],
    600_000,
    async () => {
      const config = {
        tickTime: '500',
        extendedTypesEnabled: 'true',
        enforceQuota: 'true',
        'DigestAuthenticationProvider.superDigest': SUPER,
      };
      const dialogues: Exchange[][] = [];
      for (const kind of ['zkcli', 'zebu'] as const) {
        await using server = await start({ config });
        dialogues.push(await cliDialogue(kind, server.port));
      }
      const [zkcli, zebu] = dialogues as [Exchange[], Exchange[]];
      const used = new Set<string>();
      const unlisted: string[] = [];
      for (const [index, theirs] of zkcli.entries()) {
        const ours = zebu[index] as Exchange;
        expect(ours.command).toBe(theirs.command);
        if (isSame(theirs, ours)) continue;
        const difference = DIFFERENCES.find(({ covers }) => covers(theirs, ours));
        if (difference === undefined) unlisted.push(describe(theirs, ours));
        else used.add(difference.row);
      }
      expect(unlisted.join('\n')).toBe('');
      // What no longer differs is not listed either.
      expect(DIFFERENCES.map(({ row }) => row).filter((row) => !used.has(row))).toEqual([]);
      const readme = readFileSync(join(repositoryRoot, 'apps', 'cli', 'README.md'), 'utf8');
      for (const { row } of DIFFERENCES) expect(readme).toContain(`\n| ${row} | `);
      expect(zkcli.length).toBeGreaterThan(200);
    },
  );
}

function isSame(theirs: Exchange, ours: Exchange): boolean {
  return JSON.stringify(theirs) === JSON.stringify(ours);
}

function describe(theirs: Exchange, ours: Exchange): string {
  const lines = (exchange: Exchange, sign: string): string[] =>
    [...exchange.answer, ...exchange.events].map((line) => `  ${sign} ${line}`);
  return [theirs.command, ...lines(theirs, '-'), ...lines(ours, '+')].join('\n');
}
