// What the assertions that stay on in production cost a write: each of create, setData and delete is prepared and applied,
// as a server that decides by itself does, with and without `assertInvariant`.
//
// Run: node --conditions=@zebu/source bench/assertions.ts [ROUNDS]
//
// The two take turns, each in a process of its own; what is compared is CPU time.
//
// Node 26.12.1, AMD EPYC, 2 cores that others kept busy, 2026-11-30, 9 rounds:
//
//   with assertions       2,199 ns of CPU a write (median), 2,050 at least
//   without               2,285 ns                          2,107
//   ratio of neighbours   0.94 (median), 0.84 to 1.17: not to be told apart

import { Buffer } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import { registerHooks } from 'node:module';
import type * as protocol from '@zebu/protocol';
import type * as dataTree from '../src/index.ts';

const ZNODES = 1000;
const WRITES = 300_000;

if (process.argv[2] === 'measure') await measure(process.argv[3] === 'without');
else compare(Number(process.argv[2] ?? 9));

function compare(rounds: number): void {
  const ns: Record<'with' | 'without', number[]> = { with: [], without: [] };
  for (let round = 0; round < rounds; round++) {
    for (const side of ['with', 'without'] as const) {
      const args = ['--conditions=@zebu/source', import.meta.filename, 'measure', side];
      ns[side].push(Number(execFileSync(process.execPath, args, { encoding: 'utf8' })));
    }
  }
  const ratios = ns.with.map((one, i) => one / (ns.without[i] as number));
  for (const side of ['with', 'without'] as const) {
    const least = Math.min(...ns[side]).toFixed(0);
    console.log(`${side}: ${median(ns[side]).toFixed(0)} ns of CPU a write, ${least} at least`);
  }
  const sorted = ratios.toSorted((a, b) => a - b).map((ratio) => ratio.toFixed(3));
  console.log(
    `ratio: median ${median(ratios).toFixed(3)} of ${rounds}, ${sorted[0]} to ${sorted.at(-1)}`,
  );
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] as number;
}

/** Prints the CPU time of one write, in ns. */
async function measure(isWithout: boolean): Promise<void> {
  let removed = 0;
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      if (!isWithout || !url.endsWith('/protocol/src/invariant.ts')) return loaded;
      const source = String(loaded.source);
      const rest = source.replace(/if \(!condition\)[^;]*;/, '');
      if (rest !== source) removed++;
      return { ...loaded, source: rest };
    },
  });
  // Loaded after the hook.
  const { encodeTxn, TxnHeaderOffset }: typeof protocol = await import('@zebu/protocol');
  const { DataTree, OPEN_ACL_ID, PendingChanges }: typeof dataTree = await import(
    '../src/index.ts'
  );
  if (isWithout && removed !== 1) throw new Error('The assertion was not found in invariant.ts');

  const tree = new DataTree();
  const pending = new PendingChanges(tree);
  let zxid = 0;
  const header = { clientId: 1n, cxid: 1, zxid: 0, time: 1 };
  const acl = [{ perms: 31, scheme: 'world', id: 'anyone' }];
  const data = Buffer.alloc(100, 'x');
  const entries = Array.from({ length: ZNODES }, (_, i) => {
    const path = `/parent/n${String(i).padStart(10, '0')}`;
    const of = (body: protocol.TxnBody) =>
      encodeTxn({ header: { ...header, type: body.type }, body, digest: undefined });
    return {
      path: Buffer.from(path),
      create: of({ type: 1, path, data, acl, ephemeral: false, parentCVersion: 1 }),
      setData: of({ type: 5, path, data, version: 1 }),
      delete: of({ type: 2, path }),
    };
  });
  const apply = (entry: Buffer): void => {
    entry.writeInt32BE(Math.floor(zxid / 2 ** 32), TxnHeaderOffset.zxid);
    entry.writeUInt32BE(zxid >>> 0, TxnHeaderOffset.zxid + 4);
    if (tree.apply(entry, 0, entry.length, undefined, undefined, pending) !== 0) {
      throw new Error('A write failed');
    }
    pending.applied(zxid);
  };
  const parentBody = {
    type: 1,
    path: '/parent',
    data,
    acl,
    ephemeral: false,
    parentCVersion: 1,
  } as const;
  zxid++;
  apply(encodeTxn({ header: { ...header, type: 1 }, body: parentBody, digest: undefined }));
  const parentId = tree.findString('/parent');

  const run = (writes: number): void => {
    for (let i = 0; i < writes; i += 3) {
      const entry = entries[i % ZNODES] as (typeof entries)[number];
      const { path } = entry;
      zxid++;
      const id = tree.paths.intern(path, 0, path.length);
      pending.create({
        zxid,
        timeMs: 1,
        id,
        parentId,
        parentCversion: 1,
        bytes: data,
        dataStart: 0,
        dataLength: data.length,
        aclId: OPEN_ACL_ID,
        ownerHigh: 0,
        ownerLow: 0,
      });
      apply(entry.create);
      zxid++;
      pending.setData({
        zxid,
        timeMs: 1,
        id,
        bytes: data,
        dataStart: 0,
        dataLength: data.length,
        version: 1,
      });
      apply(entry.setData);
      zxid++;
      pending.delete(zxid, id, parentId);
      apply(entry.delete);
    }
  };
  run(WRITES / 3);
  const before = process.cpuUsage();
  run(WRITES);
  const { user, system } = process.cpuUsage(before);
  console.log(((user + system) * 1000) / WRITES);
}
