/**
 * What SIGQUIT prints, as Java prints a thread dump: what waits, the longest turns of the event loop, and
 * where it spends the next second. The server serves on meanwhile.
 *
 * The stacks are sampled by V8's profiler, so that a busy loop shows what it is busy with; a stack taken
 * in the signal's own turn would show the signal.
 */

import { type Profiler, Session } from 'node:inspector/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger, ZebuServer } from '@zebu/server';
import type { LongTurns } from './long-turns.ts';

const SAMPLED_MS = 1000;
const STACKS = 10;
const FRAMES = 12;

/** Resolves when all of it is logged. Never rejects. */
export async function reportActivity(
  server: ZebuServer,
  turns: LongTurns,
  logger: Logger,
): Promise<void> {
  try {
    await logActivity(server, turns, logger);
  } catch (error) {
    // What a person asked to see must not end the server.
    logger.warn('Report failed', { error });
  }
  logger.info('Report ends');
}

async function logActivity(server: ZebuServer, turns: LongTurns, logger: Logger): Promise<void> {
  const { waiting, ...activity } = server.activity();
  const memory = process.memoryUsage();
  logger.info('Report', {
    ...activity,
    uptimeSeconds: Math.round(process.uptime()),
    residentMb: megabytes(memory.rss),
    heapMb: megabytes(memory.heapUsed),
    resources: countByName(process.getActiveResourcesInfo()),
  });
  for (const connection of waiting) logger.info('Report: requests wait', { ...connection });
  for (const { ms, endedAt } of turns.longest) {
    logger.info('Report: a long turn', { ms, endedAt: endedAt.toISOString() });
  }
  for (const { percent, frames } of await sampleStacks()) {
    logger.info('Report: a stack', { percent, frames });
  }
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}

function countByName(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** A stack, and the share of samples that found it. */
export interface StackShare {
  readonly percent: number;
  /** Innermost first. */
  readonly frames: readonly string[];
}

async function sampleStacks(): Promise<StackShare[]> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    await delay(SAMPLED_MS);
    const { profile } = await session.post('Profiler.stop');
    return stacksOf(profile);
  } finally {
    session.disconnect();
  }
}

/** The stacks that most samples of a profile found. */
export function stacksOf({ nodes, samples = [] }: Profiler.Profile): StackShare[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(
    nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)),
  );
  const counts = new Map<number, number>();
  for (const id of samples) counts.set(id, (counts.get(id) ?? 0) + 1);
  const most = [...counts].sort(([, a], [, b]) => b - a).slice(0, STACKS);
  return most.map(([leaf, count]) => {
    const frames: string[] = [];
    for (let id: number | undefined = leaf; id !== undefined; id = parents.get(id)) {
      const { functionName, url, lineNumber } = (byId.get(id) as Profiler.ProfileNode).callFrame;
      if (functionName === '(root)' || frames.length === FRAMES) break;
      const place = url === '' ? '' : ` ${url}:${lineNumber + 1}`;
      frames.push(`${functionName || '(anonymous)'}${place}`);
    }
    return { percent: Math.round((1000 * count) / samples.length) / 10, frames };
  });
}
