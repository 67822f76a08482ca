// Config texts, as Apache's own parser of both releases reads and prints them. A text of ours that raises anything in it
// but the exceptions that it expects would end a member's part in elections for good.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  parseQuorumConfig,
  printQuorumConfig,
  type QuorumConfig,
  QuorumConfigError,
} from '@zebu/protocol';
import { expect } from 'vitest';
import { logbackFile } from '../../src/apache.ts';
import { apacheClassPath, conformanceRoot } from '../../src/tools.ts';
import { interopTest } from '../support.ts';

const COUNT = 6000;

for (const version of ['3.9.5', '3.8.6'] as const) {
  interopTest(
    `config texts are read and printed as Apache ${version} does`,
    ['apache'],
    120_000,
    async () => {
      const random = lehmer(20_261_130);
      const texts = Array.from({ length: COUNT }, (_, i) =>
        i % 4 === 3 ? garbled(random) : wellFormed(random),
      );
      const answers = javaAnswers(version, texts);
      expect(answers).toHaveLength(texts.length);
      let taken = 0;
      let exact = 0;
      for (const [i, text] of texts.entries()) {
        const answer = answers[i] as Answer;
        const ours = parsed(text);
        if (ours === undefined) continue;
        taken++;
        // Stricter than Apache we may be, more lenient never: what we take we print.
        const printed = printQuorumConfig(ours);
        if (hasSharedBucket(ours)) {
          expect(answer.printed?.split('\n').sort(), text).toEqual(printed.split('\n').sort());
        } else {
          exact++;
          expect(answer, text).toEqual({ printed });
        }
      }
      expect(taken).toBeGreaterThan(COUNT / 2);
      expect(exact).toBeGreaterThan(COUNT / 4);
      // Every text that Apache's parser takes and ours does not, by the reason.
      const stricter = new Set(
        texts
          .filter((text, i) => answers[i]?.printed !== undefined && parsed(text) === undefined)
          .map(reasonOf),
      );
      const unexpected = [...stricter].filter(
        (reason) => !STRICTER.some((one) => one.test(reason)),
      );
      expect(unexpected).toEqual([]);
    },
  );
}

/** What we refuse although Apache takes it. */
const STRICTER = [
  // Apache dials the local host then.
  /is no host name/,
  // Apache mixes up which election port belongs to which quorum port.
  /has the host "[^"]+" with several ports/,
  // Apache accepts a key with blanks or control characters around it, and does not look at its value.
  /^Unrecognised parameter ".?version.?"/,
  // A sid, group or weight below zero.
  /^"-\d+" is not a (sid|group|weight)/,
];

/** Whether two sids, or groups, lie in one bucket of Java's map: which of them comes first we do not know. */
function hasSharedBucket({ members, hierarchy }: QuorumConfig): boolean {
  return [
    members.map(({ sid }) => sid),
    hierarchy?.groups.map(({ gid }) => gid) ?? [],
    [...(hierarchy?.weights.keys() ?? [])],
    hierarchy?.groups.flatMap(({ sids }) => sids) ?? [],
  ].some((keys) => {
    let buckets = 16;
    while (keys.length > 0.75 * buckets) buckets *= 2;
    return new Set(keys.map((key) => key % buckets)).size < keys.length;
  });
}

interface Answer {
  readonly printed?: string;
  readonly exception?: string;
}

function javaAnswers(version: '3.9.5' | '3.8.6', texts: readonly string[]): Answer[] {
  const folder = mkdtempSync(join(tmpdir(), 'zebu-config-text-'));
  try {
    const classPath = apacheClassPath(version);
    const source = join(conformanceRoot, 'foreign', 'config-text', 'ConfigText.java');
    execFileSync('javac', ['-cp', classPath, '-d', folder, source]);
    // No name is looked up.
    const hosts = join(folder, 'hosts');
    writeFileSync(hosts, '');
    const output = execFileSync(
      'java',
      [
        `-Djdk.net.hosts.file=${hosts}`,
        `-Dlogback.configurationFile=${logbackFile}`,
        '-Dzebu.log=OFF',
        '-Dzookeeper.multiAddress.enabled=true',
        '-cp',
        `${folder}:${classPath}`,
        'ConfigText',
      ],
      {
        input: texts.map((text) => `${Buffer.from(text).toString('base64')}\n`).join(''),
        encoding: 'utf8',
        maxBuffer: 1 << 28,
        stdio: ['pipe', 'pipe', 'ignore'],
      },
    );
    return output
      .split('\n')
      .filter((line) => line.startsWith('@@ '))
      .map((line): Answer => {
        const [, verdict, value = ''] = line.split(' ');
        return verdict === 'ok'
          ? { printed: Buffer.from(value, 'base64').toString('utf8') }
          : { exception: value };
      });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function parsed(text: string): QuorumConfig | undefined {
  try {
    return parseQuorumConfig(text);
  } catch (error) {
    if (error instanceof QuorumConfigError) return undefined;
    throw error;
  }
}

function reasonOf(text: string): string {
  try {
    parseQuorumConfig(text);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('It is one');
}

type Random = (below: number) => number;

function lehmer(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

const HOSTS = [
  'zk-1.example',
  'Under_Score',
  '127.0.0.1',
  '10.0.0.300',
  '[::1]',
  '[2001:DB8::ff]',
  '[1:2:3:4:5:6:7:8]',
  '[::ffff:10.1.2.3]',
  '[fe80::1:0:0:2]',
  '[::]',
  '0.0.0.0',
];

function wellFormed(random: Random): string {
  const pick = <T>(list: readonly T[]) => list[random(list.length)] as T;
  const count = 1 + random(random(4) === 0 ? 40 : 6);
  const sids = new Set<number>();
  while (sids.size < count) sids.add(random(random(5) === 0 ? 1000 : 2 * count + 1));
  const isHierarchical = random(5) === 0;
  const lines: string[] = [];
  const groups = new Map<number, number[]>();
  for (const sid of sids) {
    const isObserver = lines.length > 0 && random(4) === 0;
    const ports = 1 + random(60_000);
    const addresses = Array.from({ length: random(10) === 0 ? 2 : 1 }, (_, i) => {
      const role = isObserver
        ? pick([':observer', ':OBSERVER'])
        : pick(['', ':participant', ': Participant ']);
      // The role at one address is the role at all of them.
      return `${HOSTS[(random(HOSTS.length - 1) + i) % HOSTS.length]}:${ports}:${ports + 1}${role}`;
    });
    const client = pick(['', '', ';2181', ';0.0.0.0:2181', ';[::1]:2182', ';zk-1.example:1']);
    lines.push(`server.${sid}=${addresses.join('|')}${client}`);
    if (isHierarchical && !isObserver) {
      const gid = 1 + random(3);
      groups.set(gid, [...(groups.get(gid) ?? []), sid]);
      if (random(3) === 0) lines.push(`weight.${sid}=${random(4)}`);
    }
  }
  for (const [gid, members] of groups) lines.push(`group.${gid}=${members.join(':')}`);
  if (random(3) > 0) lines.push(`version=${pick(['0', 'a', '100000003', '1fffffffffffff', '+F'])}`);
  for (let i = lines.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [lines[i], lines[j]] = [lines[j] as string, lines[i] as string];
  }
  return lines.join(pick(['\n', '\r\n', '\n\n', '\n# a comment\n']));
}

const PIECES = [
  ...[
    'server.',
    'server.1=',
    'group.1=',
    'weight.1=',
    'version=',
    'peerType=',
    '=',
    ':',
    ';',
    '|',
    '\n',
  ],
  ...[
    '1',
    '2',
    '3',
    '65535',
    '65536',
    '-1',
    '+1',
    'a',
    'observer',
    'participant',
    ' ',
    '[',
    ']',
    '::',
    '.',
  ],
  ...[
    '\\',
    '\\u0031',
    '\\u12',
    '#',
    '!',
    'é',
    '\u0000',
    'server.1=a:1:2\n',
    'server.2=b:3:4;5\n',
    ';;2281',
  ],
];

/** A well-formed text with a few pieces put in, taken out or exchanged. */
function garbled(random: Random): string {
  let text = wellFormed(random);
  for (let i = 1 + random(3); i > 0; i--) {
    const at = random(text.length + 1);
    const piece = PIECES[random(PIECES.length)] as string;
    text = text.slice(0, at) + (random(3) > 0 ? piece : '') + text.slice(at + random(3));
  }
  return text;
}
