// A million znodes of 100 bytes: time of each operation, bytes per znode, longest pause, snapshot
// out and in. Run: node --expose-gc --conditions=@zebu/source bench/million-znodes.ts [digest=off]

import { Buffer } from 'node:buffer';
import { ByteWriter } from '@zebu/protocol';
import { DataTree } from '../src/index.ts';
import { Entries, measure, print, rssMb } from './support.ts';

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
const paths = Array.from({ length: 20_000 }, (_, i) => pathOf((i * 7919 * 13) % COUNT));
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
const read = (i: number): void => {
  const path = paths[i % paths.length] as Buffer;
  const id = tree.find(path, 0, path.length);
  tree.copyStat(id, reply, tree.copyData(id, reply, 0));
};
measure('get (find, data, Stat), warm-up', 1_000_000, read);
measure('get (find, data, Stat), 20,000 znodes', 2_000_000, read);
measure('find alone', 2_000_000, (i) => {
  const path = paths[i % paths.length] as Buffer;
  if (tree.find(path, 0, path.length) === 0) throw new Error('Not found');
});
measure('setData, same length', 500_000, (i) =>
  apply(entries.setData(paths[i % paths.length] as Buffer, data, i)),
);
measure('setData, lengths of 1 to 200', 500_000, (i) =>
  apply(
    entries.setData(paths[i % paths.length] as Buffer, reply.subarray(0, 1 + ((i * 37) % 200)), i),
  ),
);

const writer = new ByteWriter(1 << 20);
const walk = tree.startWalk();
const snapshot: Buffer[] = [];
let longest = 0;
const begin = performance.now();
for (let done = false; !done; ) {
  const start = performance.now();
  writer.reset();
  done = walk.fill(writer, 256 * 1024);
  longest = Math.max(longest, performance.now() - start);
  snapshot.push(Buffer.from(writer.view()));
}
const bytes = snapshot.reduce((sum, part) => sum + part.length, 0);
print(
  'walk in slices of 256 KiB',
  `${(performance.now() - begin).toFixed(0)} ms, ${(bytes / 1e6).toFixed(0)} MB, longest slice ${longest.toFixed(1)} ms`,
);

const restored = new DataTree(options);
const restore = restored.startRestore();
const whole = Buffer.concat(snapshot);
const loadBegin = performance.now();
for (let at = 0; !restore.done; ) {
  const used = restore.consume(whole, at, Math.min(whole.length, at + (1 << 20)));
  at += used;
}
restore.finish();
print('restore', `${(performance.now() - loadBegin).toFixed(0)} ms`);
if (restored.digest !== tree.digest || restored.znodeCount !== tree.znodeCount)
  throw new Error('Not equal');

measure('delete', COUNT, (i) => apply(entries.delete(pathOf(i))));
measure('create again', COUNT, (i) => apply(entries.create(pathOf(i), data, 0)));
print(
  'memory after the churn',
  `${(rssMb() - before).toFixed(0)} MB more RSS (two trees), held ${(tree.heldBytes / 1e6).toFixed(0)} MB`,
);
