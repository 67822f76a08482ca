// Which figures of `mntr` move on each server after the same activity. A figure that moves on one of them alone is
// in one of the lists below, with the reason; a row that is no longer true fails the test too.

import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { startApache } from '../src/apache.ts';
import { OP, WireWriter } from '../src/differential/wire.ts';
import { monitor } from '../src/four-letter.ts';
import { body, Probe } from '../src/probe.ts';
import type { ServerOptions, ServerProcess } from '../src/server-process.ts';
import { startZebu } from '../src/zebu.ts';
import { interopTest } from './support.ts';

const QUEUES = 'queues and hand-overs between threads: on zebu one function calls the next';
const NETTY = 'Apache counts it in its Netty server alone, and this is its NIO server';
const LEADER = 'Apache counts it on a leader alone; a zebu server that is alone is its own leader';
const COMMIT_PROCESSOR =
  'a standalone Apache server has no CommitProcessor; on zebu it is the same code';
const DEAD_WATCHERS = 'Apache has it with WatchManagerOptimized, which is not its default';

/** Moves on Apache alone. */
const ONLY_ON_APACHE: Readonly<Record<string, string>> = {
  prep_processor_queue_size: QUEUES,
  prep_processor_queue_time_ms: QUEUES,
  proposal_process_time: QUEUES,
  sync_processor_queue_size: QUEUES,
  sync_process_time: QUEUES,
  response_packet_cache_misses:
    'zebu writes each reply from the tree, there is no cache of replies',
};

/** Moves on zebu alone. */
const ONLY_ON_ZEBU: Readonly<Record<string, string>> = {
  auth_failed_count: NETTY,
  non_mtls_local_conn_count: NETTY,
  commit_count: LEADER,
  proposal_count: LEADER,
  commit_process_time: COMMIT_PROCESSOR,
  write_commit_proc_issued: COMMIT_PROCESSOR,
  read_commitproc_time_ms: COMMIT_PROCESSOR,
  reads_after_write_in_session_queue: COMMIT_PROCESSOR,
  requests_in_session_queue: COMMIT_PROCESSOR,
  dead_watchers_cleaner_latency: DEAD_WATCHERS,
  dead_watchers_cleared: DEAD_WATCHERS,
  dead_watchers_queued: DEAD_WATCHERS,
};

const CONFIG = {
  snapCount: '40',
  enforceQuota: 'true',
  extendedTypesEnabled: 'true',
  maxClientCnxns: '8',
  tickTime: '400',
  minSessionTimeout: '800',
  'jvm.pause.monitor': 'true',
  'jvm.pause.sleep.time.ms': '100',
  globalOutstandingLimit: '20',
  'nio.sessionlessCnxnTimeout': '1000',
  large_request_threshold: '100000',
};
const SYSTEM_PROPERTIES = {
  'zookeeper.nio.sessionlessCnxnTimeout': '1000',
  'zookeeper.largeRequestThreshold': '2000',
  'zookeeper.largeRequestMaxBytes': '3000',
  'zookeeper.request_throttle_max_requests': '20',
  'zookeeper.ensembleAuthName': 'right',
  'zookeeper.authProvider.ensemble':
    'org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider',
};

interopTest('the same figures move on Apache and on zebu', ['apache'], 240_000, async () => {
  const apache = await movedOn(startApache);
  const zebu = await movedOn(startZebu);
  const reasons = (list: Readonly<Record<string, string>>) => Object.keys(list).sort();
  expect([...apache].filter((name) => !zebu.has(name)).sort()).toEqual(reasons(ONLY_ON_APACHE));
  expect([...zebu].filter((name) => !apache.has(name)).sort()).toEqual(reasons(ONLY_ON_ZEBU));
});

/** Names of the figures that are not 0 after a restart and the activity. */
async function movedOn(
  start: (options: ServerOptions) => Promise<ServerProcess>,
): Promise<ReadonlySet<string>> {
  const options = { config: CONFIG, systemProperties: SYSTEM_PROPERTIES };
  await using first = await start(options);
  const writer = await Probe.open(first.port);
  await writer.ask(OP.create, body.create('/app', Buffer.from('before')));
  await writer.close();
  // The data stay for the next start: what a start loads is among the figures.
  await first.stop();
  await using server = await start({ ...options, dataDir: first.dataDir });
  await act(server.port);
  return movedFigures(await monitor(server.port));
}

async function act(port: number): Promise<void> {
  const client = await Probe.open(port);
  const other = await Probe.open(port);
  // Writes enough for snapshots, and reads that wait for them.
  for (let i = 0; i < 120; i++) {
    void client.ask(OP.create, body.create(`/app/n${i}`, Buffer.alloc(20)));
    void client.ask(OP.getData, body.read('/app')).catch(() => {});
  }
  await client.ask(OP.sync, body.path('/app'));
  await client.ask(OP.multi, body.multi([[OP.setData, body.setData('/app', Buffer.from('x'))]]));
  await client.ask(OP.getChildren, body.read('/app'));
  await client.ask(OP.getData, body.read('/missing'));
  await client.ask(OP.delete, body.delete('/missing'));
  // Watches of each kind.
  await other.ask(OP.exists, watching('/app/new'));
  await other.ask(OP.getChildren, watching('/app'));
  await client.ask(OP.create, body.create('/app/new', null));
  await other.ask(OP.getData, watching('/app/new'));
  await client.ask(OP.setData, body.setData('/app/new', Buffer.from('x')));
  await other.ask(OP.exists, watching('/app/new'));
  await client.ask(OP.delete, body.delete('/app/new'));
  await other.ask(OP.getData, watching('/app'));
  // Quotas, one of them passed.
  const quota = '/zookeeper/quota/app';
  await client.ask(OP.create, body.create(quota, null));
  const limits = Buffer.from('count=-1,bytes=-1=;byteHardLimit=9000;countHardLimit=130');
  await client.ask(OP.create, body.create(`${quota}/zookeeper_limits`, limits));
  const stats = Buffer.from('count=121,bytes=2401');
  await client.ask(OP.create, body.create(`${quota}/zookeeper_stats`, stats));
  for (let i = 0; i < 12; i++) {
    await client.ask(OP.create, body.create(`/app/over${i}`, null));
  }
  // Who comes, goes, fails and is refused.
  await client.ask(OP.create, body.create('/app/e', null, 1));
  const gone = await Probe.open(port);
  gone.drop();
  const back = await Probe.open(port, { session: gone.session });
  await back.addAuth('digest', 'user:password');
  await back.addAuth('nothing', 'x').catch(() => {});
  const ensemble = await Probe.open(port);
  await ensemble.addAuth('ensemble', 'right');
  await ensemble.addAuth('ensemble', 'wrong').catch(() => {});
  const skipping = await Probe.open(port);
  await skipping.addAuth('ensemble', '');
  await skipping.close();
  const large = await Probe.open(port);
  await large.ask(OP.create, body.create('/large', Buffer.alloc(4000))).catch(() => {});
  const silent = connect({ host: '127.0.0.1', port });
  const short = await Probe.open(port, { timeoutMs: 800 });
  short.drop();
  await delay(2500);
  silent.destroy();
  // One after the other: Apache counts a connection only after another thread has taken it over.
  const many: Socket[] = [];
  while (many.length < 10) {
    many.push(connect({ host: '127.0.0.1', port }).on('error', () => {}));
    await delay(50);
  }
  for (const socket of many) socket.destroy();
  await delay(500);
  const left = await Probe.open(port);
  await left.close();
  await delay(200);
}

function watching(path: string): Buffer {
  return new WireWriter().string(path).byte(1).done();
}

/** A summary's count stands for the summary: of its times all may be 0. */
function movedFigures(values: ReadonlyMap<string, string>): ReadonlySet<string> {
  const moved = new Set<string>();
  for (const [key, value] of values) {
    if (/^zk_(version|server_state)$/.test(key) || Number(value) === 0 || value === '-1') continue;
    if (/^zk_(min|max|sum|p50|p95|p99|p999)_/.test(key) && values.has(countOf(key))) continue;
    if (/^zk_avg_/.test(key) && values.has(countOf(key))) continue;
    moved.add(key.replace(/^zk_(cnt_)?/, ''));
  }
  return moved;
}

function countOf(key: string): string {
  return key.replace(/^zk_[a-z0-9]+_/, 'zk_cnt_');
}
