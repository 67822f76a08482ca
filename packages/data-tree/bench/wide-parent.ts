// A parent with 500,000 children, and 10,000 sessions with 10 ephemerals each that close at once.
// Run: node --conditions=@zebu/source bench/wide-parent.ts

import { Buffer } from 'node:buffer';
import { ByteWriter } from '@zebu/protocol';
import { DataTree } from '../src/index.ts';
import { cpuUs, Entries, measure, print } from './support.ts';

const CHILDREN = 500_000;
const SESSIONS = 10_000;
const EACH = 10;

const tree = new DataTree();
const entries = new Entries();
const none = Buffer.alloc(0);
const apply = (length: number): void => {
  if (tree.apply(entries.writer.bytes, 0, length) !== 0) throw new Error('Not applied');
};
const child = (i: number): Buffer => Buffer.from(`/wide/item-${i}`);

apply(entries.create(Buffer.from('/wide'), none, 1));
measure('create a child', CHILDREN, (i) => apply(entries.create(child(i), none, i + 1)));
measure('delete and create one', CHILDREN, (i) => {
  apply(entries.delete(child((i * 7919) % CHILDREN)));
  apply(entries.create(child((i * 7919) % CHILDREN), none, CHILDREN + i + 1));
});
const walk = tree.startChildrenWalk(tree.findString('/wide'));
const names = new ByteWriter(1 << 20);
const begin = cpuUs();
let bytes = 0;
let slices = 0;
let longest = 0;
for (let done = false; !done; slices++) {
  const start = cpuUs();
  names.reset();
  done = walk.fill(names, 64 * 1024);
  longest = Math.max(longest, (cpuUs() - start) / 1000);
  bytes += names.offset;
}
const listMs = (cpuUs() - begin) / 1000;
print(
  'list all children, 64 KiB a slice',
  `${listMs.toFixed(0)} ms of CPU, ${bytes} bytes, ${slices} slices, longest ${longest.toFixed(1)} ms`,
);

measure('create an ephemeral', SESSIONS * EACH, (i) =>
  apply(entries.create(Buffer.from(`/e-${i}`), none, i + 2, 1 + (i % SESSIONS))),
);
measure(`close a session of ${EACH}`, SESSIONS, (i) => apply(entries.closeSession(1 + i)));
if (tree.ephemeralsCount !== 0) throw new Error('Ephemerals left');
