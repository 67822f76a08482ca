// Follows a configuration: each change of the znode is the program's, and what cannot be read changes nothing.
//
//   node configuration.ts 127.0.0.1:2181

import { connect } from '@zebu/client';
import { json } from '@zebu/recipes/typed';
import { watchValue } from '@zebu/recipes/value';

interface Config {
  readonly level: number;
}

const [servers = '127.0.0.1:2181'] = process.argv.slice(2);
const stopping = new AbortController();
process.on('SIGTERM', () => stopping.abort());

await using zk = await connect(servers);
const codec = json((value): Config => {
  if (typeof (value as Config).level !== 'number') throw new TypeError('level is no number');
  return value as Config;
});
await using config = await watchValue(zk, '/example/config', codec);

for await (const { value, stat, error } of config.changes({ signal: stopping.signal })) {
  if (error !== undefined) console.log(`stays at level ${config.current?.level}: ${error.message}`);
  else if (value === undefined) console.log('no configuration yet');
  else console.log(`level ${value.level}, version ${stat?.version}`);
}
console.log('stopped');
