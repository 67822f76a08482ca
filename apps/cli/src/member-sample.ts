// What a member says of itself, from `srvr` (which every server answers) and `mntr` (where it is allowed).

import type { HostPort } from './servers.ts';
import { askWord, isRefusal, type WordTarget } from './words.ts';

export interface MemberSample {
  readonly server: string;
  /** leader, follower, observer, standalone, 'not serving', or 'down'. */
  readonly role: string;
  /** Why there are no figures. */
  readonly problem: string | undefined;
  readonly atMs: number;
  readonly zxid: bigint | undefined;
  readonly received: number | undefined;
  readonly connections: number | undefined;
  readonly outstanding: number | undefined;
  readonly znodes: number | undefined;
  /** Since the server started, or its figures were reset; of all requests. */
  readonly latencyMs: { readonly average: number; readonly max: number } | undefined;
  /** From mntr. */
  readonly sessions: number | undefined;
  readonly watches: number | undefined;
}

const WORD_MS = 2000;

/** Never rejects: a member that does not answer is down. */
export async function sampleMember(host: HostPort, tls: WordTarget['tls']): Promise<MemberSample> {
  const target = { host, tls };
  const [srvr, mntr] = await Promise.allSettled([
    askWord(target, 'srvr', WORD_MS),
    askWord(target, 'mntr', WORD_MS),
  ]);
  const monitored = mntr.status === 'fulfilled' && !isRefusal(mntr.value) ? mntr.value : '';
  if (srvr.status === 'rejected') return without(host, 'down', (srvr.reason as Error).message);
  return readSample(host, srvr.value, monitored);
}

export function readSample(host: HostPort, srvr: string, mntr: string): MemberSample {
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}: (.*)$`, 'm').exec(srvr)?.[1]?.trim();
  const role = field('Mode');
  if (role === undefined) {
    const isRefused = /whitelist/.test(srvr);
    const problem = isRefused ? 'it does not answer srvr' : (srvr.split('\n', 1)[0] as string);
    return without(host, isRefused ? 'unknown' : 'not serving', problem);
  }
  const latency = field('Latency min/avg/max')?.split('/').map(Number);
  const figure = (name: string): number | undefined => {
    const value = new RegExp(`^${name}\\t(\\S+)$`, 'm').exec(mntr)?.[1];
    return value === undefined ? undefined : Number(value);
  };
  const zxid = field('Zxid');
  return {
    server: host.text,
    role,
    problem: undefined,
    atMs: performance.now(),
    zxid: zxid === undefined ? undefined : BigInt(zxid),
    received: number(field('Received')),
    connections: number(field('Connections')),
    outstanding: number(field('Outstanding')),
    znodes: number(field('Node count')),
    latencyMs:
      latency?.length === 3
        ? { average: latency[1] as number, max: latency[2] as number }
        : undefined,
    sessions: figure('zk_global_sessions'),
    watches: figure('zk_watch_count'),
  };
}

function without(host: HostPort, role: string, problem: string): MemberSample {
  const none = undefined;
  return {
    server: host.text,
    role,
    problem,
    atMs: performance.now(),
    zxid: none,
    received: none,
    connections: none,
    outstanding: none,
    znodes: none,
    latencyMs: none,
    sessions: none,
    watches: none,
  };
}

function number(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
