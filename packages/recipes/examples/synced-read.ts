// What one client has written and told another of, the other one reads, whichever server it is connected to.
//
//   node synced-read.ts 127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183

import { connect } from '@zebu/client';

const [servers = '127.0.0.1:2181'] = process.argv.slice(2);
await using writer = await connect(servers);
await using reader = await connect(servers);
await writer.create('/example/register', '0', { parents: 'persistent' });

let late = 0;
for (let i = 1; i <= 100; i++) {
  await writer.set('/example/register', String(i));
  // A plain read is what the reader's server knows, which may lag; this one waits for all that was committed.
  const { data } = await reader.get('/example/register', { consistency: 'synced' });
  if (data.toString() !== String(i)) late++;
}
console.log(`late reads: ${late} of 100`);
