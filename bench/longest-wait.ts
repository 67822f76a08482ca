// Asks one server for a set and a get in turn, one request in flight, and tells on standard output what the longest wait was,
// as soon as its standard input ends. A process of its own: nothing that the caller does may look like a wait.
//
//   node --conditions=@zebu/source bench/longest-wait.ts HOST:PORT

import { once } from 'node:events';
import { PlainSession } from '../apps/bench/src/plain-session.ts';
import { type Address, parseAddresses } from '../apps/bench/src/server-info.ts';
import {
  OpCode,
  writePathWatchRequest,
  writeSetDataRequest,
} from '../packages/protocol/src/index.ts';

const path = '/zkload/k0';
const data = Buffer.alloc(128);
const [address] = parseAddresses(process.argv[2] ?? '') as [Address];
const session = await PlainSession.open(address);
let isOver = false;
let longestMs = 0;
let requests = 0;
void once(process.stdin.resume(), 'end').then(() => {
  isOver = true;
});
process.stdout.write('ready\n');
while (!isOver) {
  await timed(OpCode.setData, (writer) => writeSetDataRequest(writer, { path, data, version: -1 }));
  await timed(OpCode.getData, (writer) => writePathWatchRequest(writer, { path, watch: false }));
}
await session.close();
process.stdout.write(`${JSON.stringify({ longestMs, requests })}\n`);

async function timed(type: number, writeBody: Parameters<PlainSession['ask']>[1]): Promise<void> {
  const before = performance.now();
  const { error } = await session.ask(type, writeBody);
  if (error !== 0) throw new Error(`Error ${error} for a request of type ${type}`);
  longestMs = Math.max(longestMs, performance.now() - before);
  requests++;
}
