// What the four-letter words say of a server that a few sessions have used. What must differ from run to run
// is replaced: ports, times, latencies, the build.
//
//   node session.ts 2181 [word ...]       only these words, without the sessions

import { OP, WireWriter } from '../../src/differential/wire.ts';
import { fourLetterWord } from '../../src/four-letter.ts';
import { body, Probe } from '../../src/probe.ts';

const port = Number(process.argv[2]);
const only = process.argv.slice(3);
const sessions: bigint[] = [];

async function main(): Promise<void> {
  if (only.length > 0) {
    for (const word of only) await tell(word);
    return;
  }
  // What waiting for the start has counted.
  await tell('srst');
  const first = await open();
  const second = await open();
  await first.ask(OP.create, body.create('/a', Buffer.from('data')));
  await first.ask(OP.create, body.create('/a/eph', null, 1));
  await first.ask(OP.create, body.create('/a/container', null, 4));
  await second.ask(OP.create, body.create('/a/eph2', Buffer.alloc(1000), 1));
  await second.ask(OP.create, body.create('/no/where', null));
  await second.ask(OP.getData, watching('/a'));
  await second.ask(OP.getData, watching('/a/eph'));
  await first.ask(OP.exists, watching('/not-yet'));
  await first.ask(OP.getChildren, watching('/a'));
  await second.ask(OP.getChildren2, watching('/a'));
  await first.ask(OP.addWatch, new WireWriter().string('/a').int(0).done());
  await second.ask(OP.addWatch, new WireWriter().string('/tree').int(1).done());
  await second.ask(OP.setData, body.setData('/a/eph2', Buffer.from('x')));
  await second.ask(OP.ping);
  await first.addAuth('digest', 'someone:pw');

  for (const word of [
    'ruok',
    'isro',
    'srvr',
    'stat',
    'conf',
    'cons',
    'dump',
    'wchs',
    'wchc',
    'wchp',
    'dirs',
    'gtmk',
    'hash',
  ]) {
    await tell(word);
  }
  await tell('envi');
  await tell('mntr');
  await tell('crst');
  await tell('cons');
  await tell('stmk\0\0\0\0\0\0\0\x02');
  await tell('gtmk');
  await second.ask(OP.setData, body.setData('/a', Buffer.from('fires')));
  await tell('wchs');
  await tell('wchp');
  await second.close();
  await tell('dump');
  await tell('wchc');
  await tell('srst');
  await tell('srvr');
  await tell('abcd');
  await tell('RUOK');
  await tell('ruok\n');
  await tell('ruokruok');
  await first.close();
}

async function open(): Promise<Probe> {
  const probe = await Probe.open(port, { timeoutMs: 8000 });
  sessions.push(probe.session.id);
  return probe;
}

function watching(path: string): Buffer {
  return new WireWriter().string(path).byte(1).done();
}

async function tell(word: string): Promise<void> {
  console.log(`\n## ${JSON.stringify(word)}`);
  let answer: string;
  try {
    answer = await fourLetterWord(port, word, { timeoutMs: 2000 });
  } catch (error) {
    answer = `(${(error as Error).message})`;
  }
  const lines = normalize(answer).split('\n');
  if (word === 'envi') {
    // The names that tools look for; the values are those of the host and of the run-time.
    const names = lines.map((line) => line.split('=')[0]);
    const looked = [
      'Environment:',
      'zookeeper.version',
      'host.name',
      'java.version',
      'os.name',
      'user.name',
      'user.dir',
    ];
    console.log(looked.filter((name) => names.includes(name)).join('\n'));
  } else if (word === 'mntr') {
    const wanted =
      /^zk_(server_state|num_alive_connections|outstanding_requests|znode_count|watch_count|ephemerals_count|approximate_data_size|global_sessions|connection_drop_probability|auth_failed_count|(node|watch).*|packets_.*)\t/;
    console.log(
      lines
        .filter((line) => wanted.test(line))
        .sort()
        .join('\n'),
    );
  } else if (['cons', 'wchc', 'wchp', 'dump', 'stat'].includes(word)) {
    console.log(sortRuns(lines).join('\n'));
  } else {
    console.log(lines.join('\n'));
  }
}

function normalize(text: string): string {
  let normal = text
    .replaceAll(
      /^Zookeeper version: \d+\.\d+\.\d+-.*, built on .*$/gm,
      'Zookeeper version: {version}',
    )
    .replaceAll(/\/127\.0\.0\.1:\d+\[/g, '/127.0.0.1:{port}[')
    .replaceAll(/(est|lresp|llat|minlat|avglat|maxlat)=\d+(\.\d+)?/g, '$1={n}')
    .replaceAll(/^Latency min\/avg\/max: [\d./]+$/gm, 'Latency min/avg/max: {n}')
    .replaceAll(/clientPort=\d+/g, 'clientPort={port}')
    .replaceAll(/=\/.*\/data\/version-2/g, '={dir}')
    // By the clock, sessions and connections fall into one bucket or another, and a bucket that a ping or a
    // close has just emptied may still be there.
    .replace(
      /^Session Sets \(\d+\)([\s\S]*?)^(?=ephemeral nodes dump)/m,
      (_, rest: string) => `Session Sets ({n})${oneBucket(rest)}`,
    )
    .replaceAll(/^Connections Sets \([\s\S]*/gm, (rest) =>
      rest
        .replaceAll(/^\d+ expire at .*\n/gm, '')
        .replace(/\(\d+\)/, '({n})')
        .replaceAll(/ip: \/127\.0\.0\.1:\d+ /g, 'ip: /127.0.0.1:{port} '),
    );
  for (const [n, id] of sessions.entries()) {
    normal = normal.replaceAll(`0x${BigInt.asUintN(64, id).toString(16)}`, `{session ${n + 1}}`);
  }
  return normal;
}

/** The sessions of all buckets below one line with their sum: `2 expire at {time}:`. */
function oneBucket(text: string): string {
  let count = 0;
  const sessions = text.replaceAll(/^(\d+) expire at .*:\n/gm, (_, n: string) => {
    count += Number(n);
    return '';
  });
  if (count === 0) return sessions;
  const [head, ...lines] = sessions.split('\n');
  return [head, `${count} expire at {time}:`, ...lines].join('\n');
}

/**
 * Apache lists connections, sessions and paths in the order of hash tables. Lines below a tab stay with the
 * one before them; runs of blocks of one kind are sorted.
 */
function sortRuns(lines: string[]): string[] {
  const blocks: string[][] = [];
  for (const line of lines) {
    if (line.startsWith('\t') && blocks.length > 0) blocks.at(-1)?.push(line);
    else blocks.push([line]);
  }
  const texts = blocks.map(([head, ...rest]) => [head, ...rest.sort()].join('\n'));
  const kind = (text: string) => /^(\{session| \/127|\/)/.exec(text)?.[0] ?? text;
  const runs: string[][] = [];
  for (const text of texts) {
    const run = runs.at(-1);
    if (run?.[0] !== undefined && kind(run[0]) === kind(text)) run.push(text);
    else runs.push([text]);
  }
  return runs.flatMap((run) => run.sort());
}

await main();
