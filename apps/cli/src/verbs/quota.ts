// Quotas: znodes below /zookeeper/quota that servers count by. What is written there, and what is checked before, is
// zkCli's (SetQuotaCommand, DelQuotaCommand, StatsTrack), so that both may be used on one cluster.
//
//   /zookeeper/quota/app/zookeeper_limits   count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=-1
//   /zookeeper/quota/app/zookeeper_stats    count=3,bytes=120

import { type Client, ZkError } from '@zebu/client';
import { CommandError, usage } from '../command-error.ts';
import type { Call, Run } from '../verb.ts';
import { statReader, walk } from '../walk.ts';

const ROOT = '/zookeeper/quota';
const LIMITS = 'zookeeper_limits';
const STATS = 'zookeeper_stats';

type Limit = 'count' | 'bytes' | 'countHardLimit' | 'byteHardLimit';

const FLAGS: Readonly<Record<string, Limit>> = {
  '-n': 'count',
  '-b': 'bytes',
  '-N': 'countHardLimit',
  '-B': 'byteHardLimit',
};

/** The text of a quota's znodes. Source: StatsTrack. */
export class StatsTrack {
  private readonly values: Map<string, number>;

  constructor(text = '') {
    this.values = new Map();
    for (const pair of text.split(/[,;]+/)) {
      const [key, value] = pair.split('=');
      if (key) this.values.set(key, value ? Number(value) : -1);
    }
  }

  get(limit: Limit): number {
    return this.values.get(limit) ?? -1;
  }

  set(limit: Limit, value: number): this {
    this.values.set(limit, value);
    return this;
  }

  toString(): string {
    const others = [...this.values.keys()]
      .filter((key) => key !== 'count' && key !== 'bytes')
      .sort();
    // The second "=" makes old readers stop before the hard limits.
    const more = others.map((key) => `;${key}=${this.values.get(key)}`).join('');
    return `count=${this.get('count')},bytes=${this.get('bytes')}${more === '' ? '' : `=${more}`}`;
  }

  toJSON(): Record<string, number> {
    return Object.fromEntries(this.values);
  }
}

export const listquota: Run = async ({ words, out, zk, note }) => {
  const [path] = words.operands as [string];
  if (!out.isJson) note(`absolute path is ${limitsOf(path)}`);
  const limits = await track(zk, limitsOf(path));
  if (limits === undefined) throw noQuota(path);
  const stats = (await track(zk, statsOf(path))) ?? new StatsTrack();
  if (out.isJson) out.value({ path, quota: limits, used: stats });
  else {
    out.line(`Output quota for ${path} ${limits}`);
    out.line(`Output stat for ${path} ${stats}`);
  }
  return undefined;
};

export const setquota: Run = async (call) => {
  const { words, zk, out, signal } = call;
  const [path] = words.operands as [string];
  const { limit, value } = limitFrom(call);
  if (path.startsWith(ROOT)) throw usage(`cannot set a quota under the path: ${ROOT}`);
  if ((await zk.exists(path)) === undefined) {
    throw new CommandError('no-znode', `${path} does not exist.`, { path });
  }
  await refuseNested(zk, path, signal);
  const existing = await track(zk, limitsOf(path));
  if (existing === undefined) {
    const fresh = new StatsTrack()
      .set('count', -1)
      .set('bytes', -1)
      .set('countHardLimit', -1)
      .set('byteHardLimit', -1)
      .set(limit, value);
    await zk.create(limitsOf(path), String(fresh), { parents: 'persistent' });
    // Made by us empty; the server counts into it.
    await zk.create(statsOf(path), 'count=0,bytes=0');
    warnIfExceeded(call, fresh, await track(zk, statsOf(path)));
  } else {
    existing.set(limit, value);
    warnIfExceeded(call, existing, await track(zk, statsOf(path)));
    await zk.set(limitsOf(path), String(existing));
  }
  if (out.isJson) out.value({ path, [limit]: value });
  return undefined;
};

function limitFrom({ words, verb }: Call): { limit: Limit; value: number } {
  const given = Object.keys(FLAGS).filter((flag) => words.has(flag));
  if (given.length !== 1) {
    throw usage(
      given.length === 0
        ? `Missing required option: ${verb.synopsis}`
        : `${given.join(' and ')} are both given: one at a time`,
    );
  }
  const [flag] = given as [string];
  const limit = FLAGS[flag] as Limit;
  const written = words.value(flag) as string;
  const value = Number(written);
  const isCount = limit === 'count' || limit === 'countHardLimit';
  if (!/^-?\d+$/.test(written)) throw usage(`${flag} is "${written}": it must be a whole number`);
  if (isCount && value <= 0) throw usage('the num quota must be greater than zero');
  if (!isCount && value < 0) throw usage('the bytes quota must be greater than or equal to zero');
  return { limit, value };
}

/** A quota above or below another one is not counted right by servers. */
async function refuseNested(zk: Client, path: string, signal: AbortSignal): Promise<void> {
  const own = ROOT + path;
  try {
    for await (const znode of walk(zk, own, { read: statReader(zk), signal })) {
      if (znode.path.endsWith(`/${LIMITS}`) && znode.path !== limitsOf(path)) {
        const child = znode.path.slice(ROOT.length, -LIMITS.length - 1);
        throw usage(`${path} has a child ${child} which has a quota`);
      }
    }
  } catch (error) {
    if (!ZkError.is(error, 'NO_NODE')) throw error;
  }
  const names = path.split('/').slice(1, -1);
  for (let count = 1; count <= names.length; count++) {
    const parent = `/${names.slice(0, count).join('/')}`;
    if ((await zk.exists(limitsOf(parent))) !== undefined) {
      throw usage(`${path} has a parent ${parent} which has a quota`);
    }
  }
}

function warnIfExceeded({ out, note }: Call, limits: StatsTrack, stats = new StatsTrack()): void {
  const exceeds = (soft: Limit, hard: Limit, used: number): boolean =>
    [soft, hard].some((limit) => limits.get(limit) > -1 && limits.get(limit) < used);
  const say = (what: string, used: number): void => {
    const text = `[Warning]: the ${what} quota you create is less than the existing ${what}:${used}`;
    if (out.isJson) note(text);
    else out.line(text);
  };
  const count = stats.get('count');
  const bytes = stats.get('bytes');
  if (exceeds('count', 'countHardLimit', count)) say('count', count);
  if (exceeds('bytes', 'byteHardLimit', bytes)) say('bytes', bytes);
}

export const delquota: Run = async ({ words, out, zk }) => {
  const [path] = words.operands as [string];
  const given = Object.keys(FLAGS).filter((flag) => words.has(flag));
  if (given.length > 1) throw usage(`${given.join(' and ')} are both given: one at a time`);
  const limits = await track(zk, limitsOf(path));
  if (limits === undefined) throw noQuota(path, `Quota does not exist for ${path}`);
  const [flag] = given;
  if (flag !== undefined) {
    await zk.set(limitsOf(path), String(limits.set(FLAGS[flag] as Limit, -1)));
  } else {
    for (const name of [LIMITS, STATS]) {
      await zk.delete(`${ROOT}${path}/${name}`, { missingOk: true });
    }
    await trim(zk, ROOT + path);
  }
  if (out.isJson) out.value({ path, deleted: flag === undefined ? 'all' : FLAGS[flag] });
  return undefined;
};

/** Takes away the parents that nobody needs any more. */
async function trim(zk: Client, path: string): Promise<void> {
  for (let at = path; at !== ROOT; at = at.slice(0, at.lastIndexOf('/'))) {
    try {
      await zk.delete(at);
    } catch (error) {
      if (ZkError.is(error, 'NOT_EMPTY')) return;
      throw error;
    }
  }
}

async function track(zk: Client, path: string): Promise<StatsTrack | undefined> {
  try {
    return new StatsTrack((await zk.get(path)).data.toString('utf8'));
  } catch (error) {
    if (ZkError.is(error, 'NO_NODE')) return undefined;
    throw error;
  }
}

function noQuota(path: string, text = `quota for ${path} does not exist.`): CommandError {
  return new CommandError('no-znode', text, { path });
}

function limitsOf(path: string): string {
  return `${ROOT}${path}/${LIMITS}`;
}

function statsOf(path: string): string {
  return `${ROOT}${path}/${STATS}`;
}
