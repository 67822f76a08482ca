// Several workers change one balance, one at a time. Each release wakes the next one and nobody else.
//
//   node lock-without-a-herd.ts 127.0.0.1:2181

import { connect, ZkError } from '@zebu/client';
import { mutex } from '@zebu/recipes/lock';

const [servers = '127.0.0.1:2181'] = process.argv.slice(2);
await using zk = await connect(servers);
await zk.create('/example/balance', '100', { parents: 'persistent' });

async function withdraw(worker: number, amount: number): Promise<void> {
  await mutex(zk, '/example/lock', { identity: `worker ${worker}` }).run(async (held) => {
    const { data } = await zk.get('/example/balance');
    try {
      // The server refuses this unless the lock is still ours.
      const left = Number(data) - amount;
      await held.guard([{ op: 'set', path: '/example/balance', data: String(left) }]);
      console.log(`worker ${worker} left ${left}`);
    } catch (error) {
      if (!ZkError.is(error, 'LOCK_LOST')) throw error;
      console.log(`worker ${worker} was too late`);
    }
  });
}

await Promise.all(Array.from({ length: 10 }, (_, worker) => withdraw(worker, 10)));
console.log(`balance ${(await zk.get('/example/balance')).data}`);
