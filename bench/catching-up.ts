// A follower that was away, and what the clients of the others notice while it comes back: for bench/ensembles.ts.

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Address, formatAddress, fourLetterWord } from '../apps/bench/src/server-info.ts';
import { type Client, connect, MultiError, ZkError } from '../packages/client/src/index.ts';

/** Requests of the client that fills an ensemble, in flight. */
const IN_FLIGHT = 200;
const KEYS = 1000;
const VALUE = Buffer.alloc(128, 'v');
const CHILDREN = 1000;
const MULTIS_IN_FLIGHT = 4;
const SESSION_TIMEOUT_MS = 40_000;

/** As many txns as told: sets of the znodes that zkload has made. */
export async function writeTxns(addresses: readonly Address[], count: number): Promise<void> {
  await using client = await connect(addresses.map(formatAddress).join(','));
  let next = 0;
  const write = async (): Promise<void> => {
    while (next < count) await client.set(`/zkload/k${next++ % KEYS}`, VALUE);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, write));
}

/** Makes znodes with values of 128 bytes, a thousand below each parent. */
export async function fillTree(addresses: readonly Address[], count: number): Promise<void> {
  const servers = addresses.map(formatAddress).join(',');
  await using client = await connect({ servers, sessionTimeoutMs: SESSION_TIMEOUT_MS });
  await client.create('/tree');
  let made = 0;
  const makeParents = async (): Promise<void> => {
    while (made < count) {
      const first = made;
      made += CHILDREN;
      await makeParent(client, first, Math.min(CHILDREN, count - first));
    }
  };
  await Promise.all(Array.from({ length: MULTIS_IN_FLIGHT }, makeParents));
}

/** One multi, again and again where its answer is lost: a busy machine's ensemble may elect anew. */
async function makeParent(client: Client, first: number, count: number): Promise<void> {
  const parent = `/tree/p${first}`;
  const ops = Array.from({ length: count }, (_, n) => {
    return { op: 'create', path: n === 0 ? parent : `${parent}/n${n}`, data: VALUE } as const;
  });
  for (;;) {
    try {
      await client.multi(ops);
      return;
    } catch (error) {
      // Made by the attempt whose answer was lost.
      if (error instanceof MultiError && ZkError.is(error.cause, 'NODE_EXISTS')) return;
      if (!ZkError.is(error, 'CONNECTION_LOSS')) throw error;
    }
  }
}

/** A figure of the word mntr. */
export async function figureOf(address: Address, name: string): Promise<number> {
  const answer = await fourLetterWord(address, 'mntr', 30_000);
  const found = new RegExp(`^zk_${name}\\t(\\S+)$`, 'm').exec(answer);
  if (found === null) throw new Error(`No zk_${name} in:\n${answer.slice(0, 500)}`);
  return Number(found[1]);
}

/** The longest wait of a client of `address` while `body` runs, in ms. */
export async function longestWaitDuring(
  address: Address,
  body: () => Promise<void>,
): Promise<number> {
  const args = ['--conditions=@zebu/source', join(import.meta.dirname, 'longest-wait.ts')];
  const child = spawn(process.execPath, [...args, formatAddress(address)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const killOnExit = () => child.kill('SIGKILL');
  process.once('exit', killOnExit);
  try {
    const lines = linesOf(child);
    await lines.next();
    await body();
    child.stdin.end();
    const { value } = await lines.next();
    if (value === undefined) throw new Error('The client that waits has failed');
    return (JSON.parse(value) as { longestMs: number }).longestMs;
  } finally {
    child.kill('SIGKILL');
    process.off('exit', killOnExit);
  }
}

function linesOf(child: ChildProcess): AsyncIterator<string, undefined> {
  return createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
}
