// A million znodes of 100 bytes: time of each operation, bytes per znode, longest pause, snapshot
// out and in. Run: node --expose-gc --conditions=@zebu/source bench/million-znodes.ts [digest=off]

import { Buffer } from 'node:buffer';
import { ByteWriter } from '@zebu/protocol';
import { DataTree } from '../src/index.ts';
import { cpuUs, Entries, measure, print, rssMb } from './support.ts';

const PARENTS = 1000;
const CHILDREN = 1000;
const COUNT = PARENTS * CHILDREN;

const options = { digest: !process.argv.includes('digest=off') };
const before = rssMb();
const tree = new DataTree(options);
const entries = new Entries();
const data = Buffer.alloc(100, 'x');
const none = Buffer.alloc(0);
const pathOf = (i: number): Buffer =>
  Buffer.from(
    `/bench-${String(i % PARENTS).padStart(4, '0')}/node-${String(Math.floor(i / PARENTS)).padStart(10, '0')}`,
  );
/** The path of a znode picked at random, in one buffer, as a request's path lies in the socket's. */
const hot = pathOf(0);
let state = 1;
const anyPath = (): Buffer => {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  const pick = (state >>> 4) % COUNT;
  putDigits(11, pick % PARENTS);
  putDigits(hot.length, Math.floor(pick / PARENTS));
  return hot;
};
function putDigits(end: number, value: number): void {
  for (let at = end - 1, left = value; left > 0 || at >= end - 4; at--) {
    hot[at] = 48 + (left % 10);
    left = Math.floor(left / 10);
  }
}
const apply = (length: number): void => {
  if (tree.apply(entries.writer.bytes, 0, length) !== 0) throw new Error('Not applied');
};

for (let i = 0; i < PARENTS; i++) {
  apply(entries.create(Buffer.from(`/bench-${String(i).padStart(4, '0')}`), none, i + 1));
}
measure('create (encode and apply)', COUNT, (i) => {
  apply(entries.create(pathOf(i), data, Math.floor(i / PARENTS) + 1));
});
const after = rssMb();
print(
  'memory',
  `${(after - before).toFixed(0)} MB more RSS, ${(((after - before) * 1e6) / COUNT) | 0} bytes per znode; held ${(tree.heldBytes / 1e6).toFixed(0)} MB`,
);

const reply = Buffer.alloc(1024);
const find = (path: Buffer): number => {
  const id = tree.find(path, 0, path.length);
  if (id === 0) throw new Error(`No ${path}`);
  return id;
};
measure('a random path, made', 1_000_000, () => anyPath());
measure('find', 1_000_000, () => find(anyPath()));
measure('get: find, data, Stat', 1_000_000, () => {
  const id = find(anyPath());
  tree.copyStat(id, reply, tree.copyData(id, reply, 0));
});
const first = pathOf(0);
measure('get, the same znode', 1_000_000, () => {
  const id = find(first);
  tree.copyStat(id, reply, tree.copyData(id, reply, 0));
});
measure('setData, same length', 500_000, (i) => apply(entries.setData(anyPath(), data, i)));
measure('setData, the same znode', 500_000, (i) => apply(entries.setData(first, data, i)));
measure('setData, lengths of 1 to 200', 500_000, (i) =>
  apply(entries.setData(anyPath(), reply.subarray(0, 1 + ((i * 37) % 200)), i)),
);

const writer = new ByteWriter(1 << 20);
const walk = tree.startWalk();
const snapshot: Buffer[] = [];
let longest = 0;
const begin = cpuUs();
for (let done = false; !done; ) {
  const start = cpuUs();
  writer.reset();
  done = walk.fill(writer, 256 * 1024);
  longest = Math.max(longest, (cpuUs() - start) / 1000);
  snapshot.push(Buffer.from(writer.view()));
}
const bytes = snapshot.reduce((sum, part) => sum + part.length, 0);
print(
  'walk in slices of 256 KiB',
  `${((cpuUs() - begin) / 1000).toFixed(0)} ms of CPU, ${(bytes / 1e6).toFixed(0)} MB, longest slice ${longest.toFixed(1)} ms`,
);

const restored = new DataTree(options);
const restore = restored.startRestore(COUNT);
const whole = Buffer.concat(snapshot);
const loadBegin = cpuUs();
for (let at = 0; !restore.done; ) {
  const used = restore.consume(whole, at, Math.min(whole.length, at + (1 << 20)));
  at += used;
}
restore.finish();
print('restore', `${((cpuUs() - loadBegin) / 1000).toFixed(0)} ms of CPU`);
if (restored.digest !== tree.digest || restored.znodeCount !== tree.znodeCount)
  throw new Error('Not equal');

measure('delete', COUNT, (i) => apply(entries.delete(pathOf(i))));
measure('create again', COUNT, (i) => apply(entries.create(pathOf(i), data, 0)));
print(
  'memory after the churn',
  `${(rssMb() - before).toFixed(0)} MB more RSS (two trees), held ${(tree.heldBytes / 1e6).toFixed(0)} MB`,
);
