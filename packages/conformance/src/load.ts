// Writes of every kind to a server, several connections at once: what the disk tests have in a directory
// before another server must read it.

import { OP } from './differential/wire.ts';
import { type Acl, body, Probe, type SessionKey } from './probe.ts';

export interface LoadResult {
  /** Sessions that own ephemerals and are left open, without a connection. */
  sessions: SessionKey[];
  acknowledged: number;
  failed: number;
}

/**
 * Sends `requests` requests over four sessions, pipelined 50 deep, drawn from `seed`; half of the sessions
 * are closed at the end, the others stay. All of it lies below `root`.
 */
export async function writeLoad(
  port: number,
  { root, requests, seed }: { root: string; requests: number; seed: number },
): Promise<LoadResult> {
  const random = mulberry32(seed);
  const first = await Probe.open(port);
  await first.ask(OP.create, body.create(root, Buffer.from('root of a load')));
  const probes = [first, ...(await Promise.all([1, 2, 3].map(() => Probe.open(port))))];
  for (const [n, probe] of probes.entries()) {
    await probe.addAuth('digest', `user${n}:password`);
  }
  let acknowledged = 0;
  let failed = 0;
  const perProbe = Math.ceil(requests / probes.length);
  await Promise.all(
    probes.map(async (probe, n) => {
      for (let sent = 0; sent < perProbe; sent += 50) {
        const batch = Array.from({ length: Math.min(50, perProbe - sent) }, () =>
          draw(random, root, n),
        );
        const replies = await Promise.all(batch.map(([op, bytes]) => probe.ask(op, bytes)));
        acknowledged += replies.filter(({ err }) => err === 0).length;
        failed += replies.filter(({ err }) => err !== 0).length;
      }
    }),
  );
  // Each session that stays owns an ephemeral for certain.
  const kept = probes.slice(0, 2);
  for (const [n, probe] of kept.entries()) {
    await probe.ask(OP.create, body.create(`${root}/kept${n}`, Buffer.from('ephemeral'), 1));
    probe.drop();
  }
  for (const probe of probes.slice(2)) await probe.close();
  return { sessions: kept.map(({ session }) => session), acknowledged, failed };
}

const ACLS: readonly Acl[][] = [
  [{ perms: 31, scheme: 'world', id: 'anyone' }],
  [
    { perms: 31, scheme: 'world', id: 'anyone' },
    { perms: 1, scheme: 'ip', id: '127.0.0.0/8' },
  ],
  [{ perms: 31, scheme: 'auth', id: '' }],
];

// A few names, so that creates, deletes and sets of one node meet.
function draw(random: () => number, root: string, writer: number): [op: number, bytes: Buffer] {
  const pick = (count: number) => Math.floor(random() * count);
  const parent = `${root}${pick(3) === 0 ? '' : `/p${pick(8)}`}`;
  const path = `${parent}/n${pick(40)}`;
  const data =
    pick(12) === 0 ? null : Buffer.alloc(pick(8) === 0 ? 3000 : pick(100), `data of ${writer} `);
  switch (pick(16)) {
    case 0:
    case 1:
      return [OP.create, body.create(`${root}/p${pick(8)}`, data)];
    case 2:
    case 3:
    case 4:
      return [OP.create, body.create(path, data, 0, ACLS[pick(3)])];
    case 5:
      return [OP.create2, body.create(`${parent}/s-`, data, 2)];
    case 6:
      return [OP.create, body.create(`${parent}/e-`, data, 3)];
    case 7:
      return [OP.create2, body.create(`${parent}/ü日本${pick(20)}`, data, 1)];
    case 8:
      return [OP.createContainer, body.create(`${parent}/c${pick(10)}`, data, 4)];
    case 9:
      return [
        OP.createTTL,
        body.createTtl(`${parent}/t${pick(10)}`, data, BigInt(3_600_000 + pick(1000))),
      ];
    case 10:
    case 11:
      return [OP.setData, body.setData(path, data, pick(4) === 0 ? pick(5) : -1)];
    case 12:
      return [OP.delete, body.delete(path)];
    case 13:
      return [OP.setACL, body.setAcl(path, ACLS[pick(3)] as Acl[])];
    case 14:
      return [
        OP.multi,
        body.multi([
          [OP.create, body.create(`${parent}/m-`, data, 2)],
          [OP.setData, body.setData(parent, data)],
          [OP.check, body.delete(root)],
        ]),
      ];
    default:
      return [
        OP.multi,
        body.multi([
          [OP.delete, body.delete(`${path}-never`)],
          [OP.create, body.create(`${path}-never`, data)],
        ]),
      ];
  }
}

/** A small seeded generator: the same load for the same seed. */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
