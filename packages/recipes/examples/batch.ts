// A thousand znodes in one multi: all of them or none.
//
//   node batch.ts 127.0.0.1:2181

import { connect, MultiError, type Op } from '@zebu/client';

const [servers = '127.0.0.1:2181'] = process.argv.slice(2);
await using zk = await connect(servers);
await zk.create('/example/batch', undefined, { parents: 'persistent' });

const creates = Array.from(
  { length: 1000 },
  (_, i): Op => ({ op: 'create', path: `/example/batch/${i}`, data: `row ${i}` }),
);
const results = await zk.multi(creates);
const zxids = new Set(results.map((result) => (result as { stat: { czxid: number } }).stat.czxid));
console.log(`created ${results.length} in ${zxids.size} txn`);

try {
  await zk.multi([
    { op: 'delete', path: '/example/batch/0' },
    { op: 'create', path: '/example/batch/999' },
  ]);
} catch (error) {
  if (!(error instanceof MultiError)) throw error;
  console.log(`refused because of operation ${error.index}: ${error.opErrors[error.index]?.code}`);
}
console.log(`there are ${(await zk.children('/example/batch')).names.length}`);

// More than one request may hold goes as a series of multis, each of which is all or nothing.
let deleted = 0;
const deletes = creates.map(({ path }): Op => ({ op: 'delete', path }));
for await (const some of zk.bulk(deletes, { maxOps: 400 })) deleted += some.length;
console.log(`deleted ${deleted}`);
