// The four-letter words of both servers, after the same session: what they print, byte for byte, but for
// numbers that no two runs share. Those are replaced by what they are.

import { connect } from 'node:net';
import { expect } from 'vitest';
import { startApache } from '../src/apache.ts';
import { OP, WireWriter } from '../src/differential/wire.ts';
import { fourLetterWord } from '../src/four-letter.ts';
import { body, Probe } from '../src/probe.ts';
import type { ServerOptions, ServerProcess } from '../src/server-process.ts';
import { startZebu } from '../src/zebu.ts';
import { interopTest, isSelfTest } from './support.ts';

const WORDS =
  'srst ruok isro conf cons dump srvr stat dirs wchs wchc wchp gtmk hash envi mntr crst cons srst srvr'.split(
    ' ',
  );

const startSubject = (options: ServerOptions): Promise<ServerProcess> =>
  isSelfTest ? startApache(options) : startZebu(options);

interopTest('four-letter words print what Apache prints', ['apache'], 120_000, async () => {
  const config = { maxSessionTimeout: '30000' };
  const [ours, theirs] = [await answers(startSubject, config), await answers(startApache, config)];
  for (const [index, word] of WORDS.entries()) {
    if (word === 'mntr' && !isSelfTest) compareMonitors(ours[index] ?? '', theirs[index] ?? '');
    else expect(ours[index], word).toBe(theirs[index]);
  }
  expect(ours.slice(WORDS.length), 'stmk, gtmk').toEqual(theirs.slice(WORDS.length));
});

interopTest(
  'a word off the whitelist gets the sentence of Apache',
  ['apache'],
  120_000,
  async () => {
    const config = { '4lw.commands.whitelist': 'ruok' };
    await using ours = await startSubject({ config });
    await using theirs = await startApache({ config });
    for (const word of ['ruok', 'srvr', 'isro', 'stat', 'stmk', 'mntr']) {
      const [mine, apaches] = [
        await fourLetterWord(ours.port, word),
        await fourLetterWord(theirs.port, word),
      ];
      expect(mask(mine, ours, []), word).toBe(mask(apaches, theirs, []));
    }
  },
);

async function answers(
  start: (options: ServerOptions) => Promise<ServerProcess>,
  config: Record<string, string>,
): Promise<string[]> {
  await using server = await start({ config });
  const first = await Probe.open(server.port);
  const second = await Probe.open(server.port, { timeoutMs: 12_000 });
  await first.ask(OP.create, body.create('/a', Buffer.from('data')));
  await first.ask(OP.create, body.create('/a/e', null, 1));
  await first.ask(OP.create, body.create('/a/f', null, 1));
  await second.ask(OP.create, body.create('/a/g', null, 1));
  await first.ask(OP.getData, watching('/a'));
  await first.ask(OP.exists, watching('/missing'));
  await second.ask(OP.getData, watching('/a'));
  await second.ask(OP.getChildren, watching('/a'));
  await second.ask(OP.addWatch, new WireWriter().string('/a/e').int(1).done());
  await second.ask(OP.delete, body.delete('/nothing'));
  const sessions = [first.session.id, second.session.id];
  const found: string[] = [];
  for (const word of WORDS)
    found.push(mask(await fourLetterWord(server.port, word), server, sessions));
  found.push(await setTraceMask(server.port, -7n), await fourLetterWord(server.port, 'gtmk'));
  await first.close();
  await second.close();
  return found;
}

function watching(path: string): Buffer {
  return new WireWriter().string(path).byte(1).done();
}

function setTraceMask(port: number, mask: bigint): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect({ host: '127.0.0.1', port });
    socket.write(Buffer.concat([Buffer.from('stmk'), new WireWriter().long(mask).done()]));
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

/** What differs between two runs, by name. */
function mask(answer: string, server: ServerProcess, sessions: readonly bigint[]): string {
  let text = answer
    .replaceAll(server.dataDir, 'DATADIR')
    .replaceAll(new RegExp(`\\b${server.port}\\b`, 'g'), 'PORT')
    .replace(/\d+\.\d+\.\d+-\S+, built on \d{4}-\d\d-\d\d \d\d:\d\d UTC/g, 'VERSION')
    .replace(/\/127\.0\.0\.1:\d+/g, 'CLIENT')
    .replace(/\w{3} \w{3} \d\d \d\d:\d\d:\d\d \w+ \d{4}/g, 'DATE')
    .replace(/(est|lresp|llat|minlat|avglat|maxlat)=\d+/g, '$1=MS')
    .replace(/(Latency min\/avg\/max: )\d+\/\d+\.\d+\/\d+/, '$1MS')
    .replace(/^(Received|Sent): \d+$/gm, '$1: N')
    .replace(/(DirSize|LogSize|_size)([=:] ?)\d+/g, '$1$2BYTES');
  for (const [index, id] of sessions.entries()) {
    text = text.replaceAll(`0x${BigInt.asUintN(64, id).toString(16)}`, `SESSION${index + 1}`);
  }
  // The keys of envi in order; of their values only that there is one.
  if (text.startsWith('Environment:')) text = text.replace(/=.+$/gm, '=VALUE');
  return inOneOrder(text);
}

// Java's hash tables give connections, sessions and paths in any order; expiry depends on the clock.
function inOneOrder(text: string): string {
  const lines = text
    .replace(/^\d+ expire at DATE:$/gm, 'N expire at DATE:')
    .replace(/Sets \(\d+\)/g, 'Sets (N)')
    .split('\n');
  if (!/^\s?(CLIENT|SESSION|\t|\/)|^N expire|^\t/m.test(text)) return text;
  return lines
    .filter((line) => line !== 'N expire at DATE:')
    .sort()
    .join('\n');
}

/** Every name of ours is one of Apache's; what is counted in znodes, watches and sessions is equal. */
function compareMonitors(ours: string, theirs: string): void {
  const [mine, apaches] = [namesAndValues(ours), namesAndValues(theirs)];
  expect([...mine.keys()].filter((name) => !apaches.has(name))).toEqual([]);
  for (const name of [
    'zk_version',
    'zk_server_state',
    'zk_znode_count',
    'zk_watch_count',
    'zk_ephemerals_count',
    'zk_num_alive_connections',
    'zk_global_sessions',
    'zk_approximate_data_size',
    'zk_outstanding_requests',
    'zk_connection_drop_probability',
    'zk_packets_received',
    'zk_packets_sent',
  ]) {
    expect({ [name]: mine.get(name) }).toEqual({ [name]: apaches.get(name) });
  }
  for (const [name, value] of mine)
    expect(isInteger(value), name).toBe(isInteger(apaches.get(name)));
}

function namesAndValues(text: string): Map<string, string> {
  return new Map(
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split('\t', 2) as [string, string]),
  );
}

function isInteger(value: string | undefined): boolean {
  return /^-?\d+$/.test(value ?? '');
}
