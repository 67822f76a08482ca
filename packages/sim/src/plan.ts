// The plan of a run: configuration, requests and faults, all drawn from the seed before anything happens.
// As JSON it is the report of a failure: it can be replayed, and made smaller (shrink.ts).
//
// Every part draws from a generator of its own, so that a part can be taken out and the rest stays as it was.

import { readFileSync } from 'node:fs';
import type { ServerConfigOverrides } from '@zebu/server';
import { Prng } from './prng.ts';
import { drawRequests, type Request } from './workload.ts';

export interface Plan {
  readonly format: 'zebu-sim/1';
  readonly engine: 'member';
  readonly members: 1;
  /** Decides what is left to chance in the run: latencies, which bytes of an unsynced write survive. */
  readonly seed: number;
  readonly world: WorldPlan;
  readonly requests: readonly Request[];
  /** Event of the disk at which the power fails in the first start; 0 for none. */
  readonly firstCrashEvent: number;
  readonly lives: readonly LifePlan[];
  readonly end: { readonly isOrderly: boolean; readonly seed: number };
}

export interface WorldPlan {
  readonly clients: number;
  /** Longest pause of a client between two requests, ms. */
  readonly paceMs: number;
  readonly windowBytes: number;
  /** A disk operation takes up to this long, ms; 0 for the usual. */
  readonly slowDiskMs: number;
  readonly config: ServerConfigOverrides;
}

/** A stretch of the run that ends with a fault, and with a crash if the fault causes one. */
export interface LifePlan {
  /** Decides how a crash goes, if it comes to one, and the restarts after it. */
  readonly seed: number;
  /** Share of the longest life, 0 to 1. */
  readonly length: number;
  /** A client that loses its connection in between. */
  readonly away: { readonly client: number; readonly at: number; readonly awayMs: number } | null;
  readonly fault: Fault | null;
  readonly afterwardsMs: number;
}

/** Client numbers are taken modulo the number of clients. */
export type Fault =
  | { readonly kind: 'power cut at a disk event'; readonly events: number }
  | { readonly kind: 'power cut'; readonly seed: number }
  | { readonly kind: 'kill' }
  | { readonly kind: 'stall'; readonly forMs: number }
  | { readonly kind: 'clock jump'; readonly byMs: number }
  | { readonly kind: 'reset'; readonly which: number }
  | { readonly kind: 'cut off'; readonly client: number; readonly forMs: number }
  | {
      readonly kind: 'cut off one way';
      readonly client: number;
      readonly forMs: number;
      readonly toServer: boolean;
    }
  | { readonly kind: 'slow reader'; readonly client: number; readonly forMs: number }
  | { readonly kind: 'client breaks off'; readonly client: number; readonly awayMs: number }
  | {
      readonly kind: 'client asks for another timeout';
      readonly client: number;
      readonly timeoutMs: number;
    }
  | { readonly kind: 'client goes away'; readonly client: number }
  | { readonly kind: 'disk full'; readonly freeBytes: number }
  | {
      readonly kind: FailedOperation;
      readonly operation:
        | 'write'
        | 'writeDurable'
        | 'sync'
        | 'rename'
        | 'open'
        | 'syncDirectory'
        | 'unlink';
      /** Part of the path of the file; empty for any. */
      readonly path: string;
    };

type FailedOperation =
  | 'failed write'
  | 'failed sync'
  | 'failed rename'
  | 'failed snapshot'
  | 'failed directory sync'
  | 'failed unlink';

export const FAULT_KINDS: readonly Fault['kind'][] = [
  'power cut at a disk event',
  'power cut',
  'kill',
  'stall',
  'clock jump',
  'reset',
  'cut off',
  'cut off one way',
  'slow reader',
  'client breaks off',
  'client asks for another timeout',
  'client goes away',
  'disk full',
  'failed write',
  'failed sync',
  'failed rename',
  'failed snapshot',
  'failed directory sync',
  'failed unlink',
];

export function drawPlan(seed: number): Plan {
  const root = new Prng(seed ^ 0x5ce2a810);
  const prng = root.fork('shape');
  const world = drawWorld(root.fork('world'));
  return {
    format: 'zebu-sim/1',
    engine: 'member',
    members: 1,
    seed,
    world,
    requests: drawRequests({
      prng: root.fork('workload'),
      requests: 60 + prng.below(200),
      reads: prng.between(0.1, 0.7),
      closes: prng.pick([0, 0.01, 0.05]),
      dataBytes: prng.pick([20, 200, 3000]),
    }),
    firstCrashEvent: prng.chance(0.15) ? 1 + prng.below(25) : 0,
    lives: Array.from({ length: 1 + prng.below(7) }, (_, index) =>
      drawLife(root.fork(`life ${index}`), world.clients),
    ),
    end: { isOrderly: prng.chance(0.5), seed: prng.below(2 ** 31) },
  };
}

function drawWorld(prng: Prng): WorldPlan {
  return {
    clients: 2 + prng.below(4),
    paceMs: prng.chance(0.6) ? prng.between(2, 60) : 0,
    windowBytes: prng.pick([600, 4096, 65_536]),
    slowDiskMs: prng.chance(0.2) ? prng.between(1, 40) : 0,
    config: {
      snapCount: 6 + prng.below(40),
      preAllocSizeBytes: prng.pick([0, 2048, 8192, 65_536]),
      txnLogSizeLimitBytes: prng.pick([-1, -1, 1500, 6000]),
      snapshotCompression: prng.pick(['none', 'none', 'snappy']),
      globalOutstandingLimit: prng.pick([1000, 1000, 2]),
      tickTimeMs: prng.pick([50, 100, 200]),
      ...(prng.chance(0.3) ? { dataLogDir: '/logs' } : {}),
    },
  };
}

function drawLife(prng: Prng, clients: number): LifePlan {
  return {
    seed: prng.below(2 ** 31),
    length: prng.next() ** 2,
    // Clients come and go in every life, and miss events.
    away: prng.chance(0.6)
      ? { client: prng.below(clients), at: prng.next(), awayMs: prng.between(5, 200) }
      : null,
    fault: drawFault(prng, clients),
    afterwardsMs: prng.between(0, 200),
  };
}

function drawFault(prng: Prng, clients: number): Fault {
  const client = prng.below(clients);
  const kind = prng.pick(FAULT_KINDS);
  switch (kind) {
    case 'power cut at a disk event':
      return { kind, events: 1 + prng.below(60) };
    case 'power cut':
      return { kind, seed: prng.below(2 ** 31) };
    case 'kill':
      return { kind };
    case 'stall':
      return { kind, forMs: prng.between(1, 600) };
    case 'clock jump':
      return { kind, byMs: prng.between(-100_000, 100_000) };
    case 'reset':
      return { kind, which: prng.next() };
    case 'cut off':
      return { kind, client, forMs: prng.between(10, 1_500) };
    case 'cut off one way':
      return { kind, client, forMs: prng.between(10, 1_500), toServer: prng.chance(0.5) };
    case 'slow reader':
      return { kind, client, forMs: prng.between(20, 900) };
    case 'client breaks off':
      return { kind, client, awayMs: prng.between(5, 300) };
    case 'client asks for another timeout':
      return { kind, client, timeoutMs: 100 + prng.below(2_000) };
    case 'client goes away':
      return { kind, client };
    case 'disk full':
      return { kind, freeBytes: prng.below(12) * 512 };
    case 'failed write':
      return { kind, operation: 'writeDurable', path: 'log.' };
    case 'failed sync':
      return { kind, operation: 'sync', path: 'log.' };
    case 'failed rename':
      return { kind, operation: 'rename', path: 'tmp-log.' };
    case 'failed snapshot':
      return {
        kind,
        operation: prng.pick(['write', 'sync', 'rename', 'open'] as const),
        path: 'tmp-snapshot.',
      };
    case 'failed directory sync':
      return { kind, operation: 'syncDirectory', path: 'version-2' };
    case 'failed unlink':
      return { kind, operation: 'unlink', path: '' };
  }
}

/** Data of znodes is written as base64. */
export function formatPlan(plan: Plan): string {
  const withData = (value: unknown): unknown => {
    if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString('base64') };
    if (Array.isArray(value)) return value.map(withData);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withData(one)]));
  };
  return `${JSON.stringify(withData(plan), undefined, 1)}\n`;
}

/** Throws an Error that says what is wrong with the text. */
export function parsePlan(text: string): Plan {
  const plan = JSON.parse(text, (_, value) =>
    typeof value?.base64 === 'string' ? Buffer.from(value.base64, 'base64') : value,
  ) as Plan;
  if (plan?.format !== 'zebu-sim/1') {
    throw new Error(`its format is ${JSON.stringify(plan?.format)}, not "zebu-sim/1"`);
  }
  if (plan.engine !== 'member' || plan.members !== 1) {
    throw new Error(`it is for engine ${plan.engine} with ${plan.members} members`);
  }
  for (const { fault } of plan.lives) {
    if (fault !== null && !FAULT_KINDS.includes(fault.kind)) {
      throw new Error(`there is no fault ${JSON.stringify(fault.kind)}`);
    }
  }
  return plan;
}

/** As parsePlan; also throws when the file cannot be read. */
export function readPlan(file: string): Plan {
  return parsePlan(readFileSync(file, 'utf8'));
}
