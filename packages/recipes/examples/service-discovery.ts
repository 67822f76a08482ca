// A service that announces itself, and a caller that finds the instances of it.
//
//   node service-discovery.ts 127.0.0.1:2181 serve api-1 8080
//   node service-discovery.ts 127.0.0.1:2181 call

import { connect } from '@zebu/client';
import { registry } from '@zebu/recipes/registry';

const [servers = '127.0.0.1:2181', role = 'call', id = 'api-1', port = '8080'] =
  process.argv.slice(2);
const stopping = new AbortController();
const stopped = new Promise((resolve) => stopping.signal.addEventListener('abort', resolve));
process.on('SIGTERM', () => stopping.abort());

await using zk = await connect(servers);
const services = registry(zk, '/example/discovery');

if (role === 'serve') {
  // In each session until the end of this block, and not a moment longer.
  await using me = await services.register('api', { id, host: '127.0.0.1', port: Number(port) });
  console.log(`registered ${me.instance.id}`);
  await stopped;
} else {
  await using api = await services.resolver('api', { strategy: 'round-robin' });
  for await (const instances of services.watch('api', { signal: stopping.signal })) {
    const picked = instances.map(() => api.pick()?.port);
    console.log(`instances ${instances.map((one) => one.id)}, next calls go to ${picked}`);
  }
}
console.log('stopped');
