// A run: the same steps on two fresh servers, one step at a time, until a step differs or the script ends;
// then the trees, the four-letter words' counts and, where the data directories are at hand, the txn logs.

import { fourLetterWord } from '../four-letter.ts';
import { Generator, SLOT_COUNT } from './generator.ts';
import { SUPER_USER } from './profile.ts';
import type { Script, Step } from './script.ts';
import { type Address, type Observation, Target } from './target.ts';
import { treeDigest, walkTree, type ZnodeState } from './tree-walk.ts';
import { readTxnLogs } from './txn-log.ts';
import { replay } from './txn-replay.ts';
import { OP } from './wire.ts';

/** A server to compare. With its data directory its txn log is compared too. */
export interface Subject extends Address {
  readonly name: string;
  readonly dataDir?: string;
}

export interface Pair {
  readonly reference: Subject;
  readonly subject: Subject;
  /** What both held before they started; an empty server's tree when left out. */
  readonly baseTree?: ReadonlyMap<string, ZnodeState>;
}

/** A difference: where, and what either server said. */
export interface Difference {
  /** Number of the step, or the number of steps for what is looked at when all are done. */
  readonly index: number;
  readonly where: string;
  readonly reference: readonly string[];
  readonly subject: readonly string[];
}

export interface Outcome {
  readonly script: Script;
  /** What the reference said to each step. */
  readonly transcript: readonly (readonly string[])[];
  readonly requests: number;
  readonly difference?: Difference;
  /** Things worth a line that are no difference. */
  readonly notes: readonly string[];
  /** Replies by opcode and error, of the reference. */
  readonly replies: ReadonlyMap<string, number>;
}

/** Makes steps from `seed` until `requests` requests were sent; leaves out those of the opcodes `without`. */
export function runSeed(
  pair: Pair,
  seed: number,
  requests: number,
  without: ReadonlySet<number> = new Set(),
): Promise<Outcome> {
  const generator = new Generator(seed);
  let sent = 0;
  const isLeftOut = (step: Step) =>
    step.kind === 'request'
      ? without.has(step.request.op)
      : step.kind === 'burst' && step.requests.some(({ op }) => without.has(op));
  return run(pair, {
    next: () => {
      if (sent >= requests) return undefined;
      let step = generator.next();
      while (isLeftOut(step)) step = generator.next();
      sent += requestCount(step);
      return step;
    },
    saw: (observation, lastZxid) => {
      generator.lastZxid = lastZxid;
      for (const { createdPath } of observation.replies) {
        if (createdPath !== undefined) generator.created(createdPath);
      }
    },
  });
}

/** Does the steps of `script`. */
export function runScript(pair: Pair, script: Script): Promise<Outcome> {
  const steps = script[Symbol.iterator]();
  return run(pair, { next: () => steps.next().value as Step | undefined, saw: () => {} });
}

interface Source {
  next(): Step | undefined;
  saw(reference: Observation, lastZxid: number): void;
}

async function run(pair: Pair, source: Source): Promise<Outcome> {
  const reference = new Target(pair.reference.name, pair.reference, SLOT_COUNT);
  const subject = new Target(pair.subject.name, pair.subject, SLOT_COUNT);
  const script: Step[] = [];
  const transcript: string[][] = [];
  const replies = new Map<string, number>();
  const notes: string[] = [];
  let requests = 0;
  const outcome = (difference?: Difference): Outcome => ({
    script,
    transcript,
    requests,
    notes,
    replies,
    ...(difference === undefined ? {} : { difference }),
  });
  try {
    await Promise.all([reference.open(SUPER_USER), subject.open(SUPER_USER)]);
    for (let step = source.next(); step !== undefined; step = source.next()) {
      script.push(step);
      requests += requestCount(step);
      await Promise.all([reference.perform(step), subject.perform(step)]);
      reconcileZxids(step, reference, subject);
      const expected = reference.describe(step);
      const actual = subject.describe(step);
      transcript.push(expected.lines);
      for (const { text } of expected.replies)
        count(replies, text.replace(/ reply .*?err=(\S+).*$/s, ' $1'));
      if (!isSame(expected.lines, actual.lines)) {
        return outcome({
          index: script.length - 1,
          where: 'step',
          reference: expected.lines,
          subject: actual.lines,
        });
      }
      source.saw(expected, lastRelativeZxid(expected));
    }
    const difference = await compareEnds(pair, reference, subject, notes);
    return outcome(difference === undefined ? undefined : { index: script.length, ...difference });
  } finally {
    reference.close();
    subject.close();
  }
}

function requestCount(step: Step): number {
  return step.kind === 'burst' ? step.requests.length : 1;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, index) => line === b[index]);
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** The highest zxid that the step's replies show. */
function lastRelativeZxid({ lines }: Observation): number {
  let last = 0;
  for (const line of lines) {
    const zxid = / reply .*?zxid=\+(\d+)/.exec(line)?.[1];
    if (zxid !== undefined) last = Math.max(last, Number(zxid));
  }
  return last;
}

/**
 * A write whose body ends too early takes a zxid in ours and none in Apache (`KNOWN_DIFFERENCES`). Where
 * that just happened, the subject's zxid is taken out of all that follows.
 */
function reconcileZxids(step: Step, reference: Target, subject: Target): void {
  if (step.kind !== 'request') return;
  const { op, cut, text } = step.request;
  const isUndecodable = cut !== undefined && PLAIN_WRITES.has(op);
  if (!isUndecodable && !(op === OP.multi && text.includes('acl=null'))) return;
  const expected = reference.lastReplyZxid(step.slot);
  const actual = subject.lastReplyZxid(step.slot);
  if (expected === undefined || actual === undefined) return;
  const ahead = subject.names.relativeZxid(actual) - reference.names.relativeZxid(expected);
  if (ahead === 1) subject.names.addExtraZxid(actual);
}

const PLAIN_WRITES: ReadonlySet<number> = new Set([
  OP.create,
  OP.create2,
  OP.createContainer,
  OP.createTTL,
  OP.delete,
  OP.setData,
  OP.setACL,
  OP.reconfig,
]);

type EndDifference = Omit<Difference, 'index'>;

async function compareEnds(
  pair: Pair,
  reference: Target,
  subject: Target,
  notes: string[],
): Promise<EndDifference | undefined> {
  const [expectedTree, actualTree] = await Promise.all([walkTree(reference), walkTree(subject)]);
  const trees = compareLines('tree', expectedTree.lines, actualTree.lines);
  if (trees !== undefined) return trees;
  const [expectedCounts, actualCounts] = await Promise.all([
    serverCounts(pair.reference),
    serverCounts(pair.subject),
  ]);
  // Apache counts the letters of a path, ours its bytes.
  if ([...expectedTree.znodes.keys()].some((path) => /[^ -~]/.test(path))) {
    for (const lines of [expectedCounts, actualCounts]) {
      lines.splice(0, lines.length, ...lines.filter((line) => !line.includes('data_size')));
    }
  }
  const counts = compareLines('mntr', expectedCounts, actualCounts);
  if (counts !== undefined) return counts;
  if (pair.reference.dataDir === undefined || pair.subject.dataDir === undefined) {
    notes.push('txn logs not compared: no data directories');
    return undefined;
  }
  const expectedLog = readTxnLogs(pair.reference.dataDir);
  const actualLog = readTxnLogs(pair.subject.dataDir);
  const logs = compareLines(
    'txn log',
    expectedLog.map((entry) => entry.describe(reference.names)),
    actualLog.map((entry) => entry.describe(subject.names)),
  );
  if (logs !== undefined) return logs;
  for (const [target, log, tree] of [
    [reference, expectedLog, expectedTree],
    [subject, actualLog, actualTree],
  ] as const) {
    const replayed = replay(log, pair.baseTree);
    const digest = treeDigest(tree.znodes, replayed.znodes);
    if (replayed.mismatches.length > 0) {
      const what =
        `${replayed.mismatches.length} txns of ${log.length} foretell another digest than their replay ` +
        `has, the first ${replayed.mismatches[0]}`;
      // Apache does where an opcode and its flags disagree: create with the flags of a container.
      if (!target.name.startsWith('apache')) {
        return { where: `digests of ${target.name}`, reference: ['none'], subject: [what] };
      }
      notes.push(`${target.name}: ${what}`);
    }
    if (digest !== replayed.digest) {
      return {
        where: `digest of ${target.name}`,
        reference: [`of the txn log's replay: ${replayed.digest}`],
        subject: [`of the tree walk: ${digest}`],
      };
    }
  }
  return undefined;
}

/** Only the lines that differ, with their numbers, and only the first few. */
function compareLines(
  where: string,
  expected: readonly string[],
  actual: readonly string[],
): EndDifference | undefined {
  const differing: [string, string][] = [];
  for (let i = 0; i < Math.max(expected.length, actual.length) && differing.length < 10; i++) {
    if (expected[i] === actual[i]) continue;
    differing.push([`${i}: ${expected[i] ?? 'nothing'}`, `${i}: ${actual[i] ?? 'nothing'}`]);
  }
  if (differing.length === 0) return undefined;
  return {
    where,
    reference: differing.map(([line]) => line),
    subject: differing.map(([, line]) => line),
  };
}

/** The counts of `mntr` that depend on the requests alone. */
async function serverCounts({ host, port }: Address): Promise<string[]> {
  const text = await fourLetterWord(port, 'mntr', { host });
  const keys = [
    'zk_znode_count',
    'zk_ephemerals_count',
    'zk_approximate_data_size',
    'zk_watch_count',
  ];
  return text
    .split('\n')
    .filter((line) => keys.some((key) => line.startsWith(`${key}\t`)))
    .sort();
}

/** The lines that one server answers `script` with, step by step. */
export async function transcribe(server: Subject, script: Script): Promise<string[][]> {
  const target = new Target(server.name, server, SLOT_COUNT);
  try {
    await target.open(SUPER_USER);
    const transcript: string[][] = [];
    for (const step of script) {
      await target.perform(step);
      transcript.push(target.describe(step).lines);
    }
    return transcript;
  } finally {
    target.close();
  }
}
