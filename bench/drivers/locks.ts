// Contenders for one lock, with @zebu/recipes: see bench/locks.ts.
//
// Usage: locks.ts SERVERS PATH CONTENDERS SECONDS; prints how often the lock was had in that time.

import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '../../packages/client/src/index.ts';
import { mutex } from '../../packages/recipes/src/lock.ts';

const [servers, path, contenders, seconds] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
];
const clients = await Promise.all(
  Array.from({ length: Number(contenders) }, () => connect({ servers, sessionTimeoutMs: 30_000 })),
);
let count = 0;
let isOver = false;
const contending = clients.map(async (zk) => {
  const lock = mutex(zk, path);
  while (!isOver) {
    const held = await lock.acquire();
    count++;
    await held.release();
  }
});
await delay(1000);
const before = count;
const startedAt = performance.now();
await delay(Number(seconds) * 1000);
console.log((count - before) / ((performance.now() - startedAt) / 1000));
isOver = true;
await Promise.all(contending);
await Promise.all(clients.map((zk) => zk.close()));
