// Each figure of the table moves when the thing happens that it names: a scenario for each row, and none
// without a row.

import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { MemoryDisk } from '@zebu/storage';
import { memoryNetwork } from '@zebu/transport';
import { afterEach, expect, test } from 'vitest';
import { defaultServerConfig } from '../src/config/server-config.ts';
import { Database } from '../src/database.ts';
import { silentLogger, startServer, type ZebuServer } from '../src/index.ts';
import { type Member, memberOf } from '../src/internal.ts';
import { METRICS, type Metric, type MetricSource } from '../src/metrics/metric-table.ts';
import type { Summary } from '../src/metrics/summary.ts';
import {
  addWatch,
  auth,
  closeSession,
  create,
  exists,
  getChildren,
  getData,
  remove,
  setData,
  sync,
} from './support/asks.ts';
import { ManualTime } from './support/manual-time.ts';
import { RawClient } from './support/raw-client.ts';
import { World, type WorldOptions } from './support/world.ts';
import { WorldEnsemble, type WorldEnsembleOptions } from './support/world-ensemble.ts';

/** A server and what happens to it. */
interface Stage {
  /** Undefined before the server is there: its figures count as 0. */
  readonly member: () => Member | undefined;
  readonly act: () => void | Promise<void>;
}

const ended: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0)) await end();
});

/** Something that a client of a server in memory does. Every look at the clock takes 2 ms meanwhile. */
function world(
  act: (world: World, client: RawClient) => void | Promise<void>,
  options: WorldOptions = {},
) {
  return async (): Promise<Stage> => {
    const started = await World.start(options);
    const client = started.client();
    client.must(create('/app'));
    return {
      member: () => started.member,
      act: () => {
        started.time.lookCostMs = 2;
        const outcome = act(started, client);
        started.run();
        return outcome;
      },
    };
  };
}

/** A request, the first of all, that is answered 5 ms after it came. */
const slowWrite = async (): Promise<Stage> => {
  const started = await World.start();
  const client = started.client();
  return {
    member: () => started.member,
    act: () => {
      started.log.isHeld = true;
      client.send(create('/slow'));
      started.run();
      started.time.nowMs += 5;
      started.log.release();
      started.run();
    },
  };
};

/** Reads that wait 5 ms for a write of their connection. */
const parkedFor5Ms = world((world, client) => {
  world.log.isHeld = true;
  client.send(setData('/app', '1'), getData('/app'), getData('/app'));
  world.run();
  world.time.nowMs += 5;
  world.log.release();
  world.run();
});

/** A write that comes while too many are outstanding. */
const throttled = (config: WorldOptions, waitMs = 5) =>
  world(
    (world, client) => {
      world.log.isHeld = true;
      client.send(create('/1'), create('/2'), create('/3'));
      world.run();
      world.time.nowMs += waitMs;
      world.log.isHeld = false;
      world.log.release();
      world.run();
    },
    { globalOutstandingLimit: 1, ...config },
  );

const write = world((_, client) => client.must(create('/app/a', { data: 'xyz' })));
const read = world((_, client) => client.must(getData('/app')));
const quota = world(
  (_, client) => {
    client.must(
      create('/zookeeper/quota/app'),
      create('/zookeeper/quota/app/zookeeper_limits', {
        data: 'count=-1,bytes=-1=;byteHardLimit=5;countHardLimit=2',
      }),
      create('/zookeeper/quota/app/zookeeper_stats', { data: 'count=1,bytes=0' }),
      setData('/app', '12345'),
    );
    expect(client.errorOf(setData('/app', '123456'))).toBe('QUOTAEXCEEDED');
  },
  { enforceQuota: true },
);
const watched = world((world, client) => {
  const other = world.client();
  other.send(exists('/app/new', true), getChildren('/app', true));
  world.run();
  client.must(create('/app/new'));
  other.must(getData('/app/new', true));
  client.must(setData('/app/new', 'x'));
  other.must(exists('/app/new', true));
  client.must(remove('/app/new'));
});
const closedSession = world((_, client) => client.must(closeSession()));
const leftWithWatches = world((world, client) => {
  client.must(getData('/app', true));
  client.transport.destroy();
  world.run();
});
const ensemble = (name: string) =>
  world((_, client) => void client.send(auth('ensemble', name)), {
    authProviders: ['digest', 'ip', 'ensemble'],
    ensembleAuthNames: name === '' ? [] : ['right'],
  });
const connectionThrottle = world(
  (world) => {
    world.dial().connect();
    world.run();
    world.advance(2);
    world.dial().connect();
    world.run();
  },
  {
    connectionThrottle: {
      tokens: 2,
      fillTimeMs: 100_000,
      freezeTimeMs: 1,
      dropIncrease: 0.25,
    },
    random: () => 0.9,
  },
);

/** Servers on a disk in memory, one after the other; time is the test's, and each look at it takes 2 ms. */
class Machine {
  readonly time = new ManualTime();
  private readonly schedule = (task: () => void): void => this.time.afterTurn(task);
  private readonly disk = new MemoryDisk({ schedule: this.schedule });
  private readonly network = memoryNetwork({ schedule: this.schedule });

  start(): Promise<ZebuServer> {
    this.time.lookCostMs = 2;
    const environment = {
      clock: this.time,
      scheduler: this.time,
      network: this.network,
      disk: this.disk,
      logger: silentLogger,
      random: () => 0.5,
    };
    return this.turnsUntil(startServer({ dataDir: '/data', clientPort: 2181, environment }));
  }

  client(): RawClient {
    const client = new RawClient(this.network, 2181, () => this.time.run()).connect();
    this.time.run();
    return client;
  }

  async turnsUntil<T>(outcome: Promise<T>): Promise<T> {
    let isDone = false;
    const done = (): void => {
      isDone = true;
    };
    outcome.then(done, done);
    while (!isDone) {
      this.time.run();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return outcome;
  }
}

const restart = async (): Promise<Stage> => {
  const machine = new Machine();
  const first = await machine.start();
  machine.client().must(create('/app'), create('/app/a'));
  await machine.turnsUntil(first.close());
  let member: Member | undefined;
  return {
    member: () => member,
    act: async () => {
      member = memberOf(await machine.start());
    },
  };
};

const writeToDisk = async (): Promise<Stage> => {
  const machine = new Machine();
  const member = memberOf(await machine.start());
  return {
    member: () => member,
    act: () => {
      machine.client().must(create('/a'), create('/b'));
    },
  };
};

/** A disk on which no file can be made while it is full. */
class FullDisk extends MemoryDisk {
  isFull = false;

  override openWrite(...args: Parameters<MemoryDisk['openWrite']>) {
    if (this.isFull) throw new Error('ENOSPC: no space left on device');
    return super.openWrite(...args);
  }
}

const snapshot = (isFull: boolean) =>
  world(
    (world) => {
      (world.disk as FullDisk).isFull = isFull;
      world.serving.snapshotter?.start();
      world.run();
    },
    { disk: (time) => new FullDisk({ schedule: (task) => time.afterTurn(task) }) },
  );

/** A server on real sockets, with a TLS port that somebody comes to without TLS. */
const tls = (act: (port: number, member: Member) => Promise<void>) => async (): Promise<Stage> => {
  const sockets = await startServer({ port: 0 });
  ended.push(() => sockets.close());
  const real = memberOf(sockets);
  const fixture = (name: string): Buffer =>
    readFileSync(new URL(`../../transport/test/fixtures/${name}`, import.meta.url));
  const { port } = await real.listen({
    port: 0,
    host: '127.0.0.1',
    tls: { cert: fixture('server.pem'), key: fixture('server.key') },
  });
  return { member: () => real, act: () => act(port, real) };
};

/** Something that happens in an ensemble, and the member whose figure moves. */
const members =
  (
    of: 'leader' | 'follower' | 'heir' | 'observer',
    act: (world: WorldEnsemble, sid: number) => unknown,
    { running, ...options }: WorldEnsembleOptions & { readonly running?: readonly number[] } = {},
  ) =>
  async (): Promise<Stage> => {
    const world = await WorldEnsemble.start({ voters: 3, observers: 1, ...options }, running);
    const { leaderSid, followerSid } = world;
    // Of equal histories the highest sid leads.
    const heir = leaderSid === 3 ? 2 : 3;
    const sid = { leader: leaderSid, follower: followerSid, heir, observer: 4 }[of];
    // The same object while the member runs, and again when it was started anew.
    return { member: () => world.members.get(sid), act: async () => void (await act(world, sid)) };
  };

/** A member comes to the others. */
const joins = (sid: number, options: WorldEnsembleOptions = {}) =>
  members(
    'leader',
    async (world) => {
      await world.launch(sid);
      world.serve();
    },
    { ...options, running: [1, 2, 3].filter((one) => one !== sid) },
  );

const forwarded = (of: 'leader' | 'follower' | 'observer') =>
  members(of, (world) => {
    world.time.lookCostMs = 2;
    const client = world.client(world.followerSid);
    client.must(create('/app', { data: 'x' }));
  });

/** The leader is gone, and a follower leads. */
const leaderLost = members('heir', async (world, sid) => {
  world.time.lookCostMs = 2;
  await world.stop(world.leaderSid);
  world.serve();
  expect(world.leaderSid).toBe(sid);
});

/** A member that was away starts again. */
const startsAgain = (of: 'follower' | 'observer') => async (): Promise<Stage> => {
  const world = await WorldEnsemble.start({ voters: 3, observers: 1 });
  const sid = of === 'follower' ? world.followerSid : 4;
  await world.stop(sid);
  return {
    member: () => world.members.get(sid),
    act: async () => {
      world.time.lookCostMs = 2;
      await world.launch(sid);
      world.serve();
    },
  };
};

/** A member comes back that missed one txn. */
const missedOne = async (): Promise<Stage> => {
  const world = await WorldEnsemble.start({ voters: 3, observers: 1 });
  const client = world.client(world.leaderSid);
  client.must(create('/app'));
  await world.stop(4);
  client.must(create('/app/a'));
  const member = world.member(world.leaderSid);
  return {
    member: () => member,
    act: async () => {
      await world.launch(4);
      world.serve();
    },
  };
};

/** A leader whose learners cannot reach it: they look for another one. */
const forgotten = async (): Promise<Stage> => {
  const world = await WorldEnsemble.start({ limits: { maxTimeToWaitForEpochMs: 100 } }, []);
  let member: Member | undefined;
  return {
    member: () => member,
    act: async () => {
      world.refusesLearners = true;
      for (const sid of world.sids) await world.launch(sid);
      const forgetful = (): Member | undefined =>
        [...world.members.values()].find(({ metrics }) => metrics.leadershipsForgotten > 0);
      world.until(() => forgetful() !== undefined, 'a leader is forgotten');
      member = forgetful();
      world.refusesLearners = false;
      world.serve();
    },
  };
};

const SCENARIOS: Record<string, () => Promise<Stage>> = {
  avg_latency: slowWrite,
  min_latency: slowWrite,
  max_latency: slowWrite,
  packets_received: read,
  packets_sent: read,
  num_alive_connections: world((world) => void world.dial()),
  outstanding_requests: world((world, client) => {
    world.log.isHeld = true;
    client.send(create('/app/a'));
    world.run();
  }),
  uptime: world((world) => world.advance(2000)),
  znode_count: write,
  watch_count: world((_, client) => client.must(addWatch('/app', 1))),
  ephemerals_count: world((_, client) => client.must(create('/app/e', { flags: 1 }))),
  approximate_data_size: write,
  global_sessions: world((world) => void world.client()),
  open_file_descriptor_count: world(() => {
    const file = openSync('/dev/null', 'r');
    ended.push(() => closeSync(file));
  }),
  max_file_descriptor_count: world(() => {
    const [soft, hard] = openFilesLimits();
    setOpenFilesLimit(soft - 1, hard);
    ended.push(() => setOpenFilesLimit(soft, hard));
  }),
  connection_drop_probability: connectionThrottle,
  last_client_response_size: world((_, client) => client.must(exists('/'))),
  max_client_response_size: world((_, client) => client.must(getChildren('/zookeeper'))),
  min_client_response_size: async () => {
    const started = await World.start();
    const client = started.client();
    return { member: () => started.member, act: () => client.must(exists('/')) };
  },
  outstanding_tls_handshake: tls(async (port, member) => {
    const socket = net.connect(port, '127.0.0.1');
    ended.push(() => socket.destroy());
    await until(() => member.tlsHandshakes === 1);
  }),
  unsuccessful_handshake: tls(async (port, member) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('this is no TLS\n');
    await until(() => member.metrics.unsuccessfulHandshakes === 1);
    expect(member.tlsHandshakes).toBe(0);
    socket.destroy();
  }),
  auth_failed_count: world((_, client) => void client.send(auth('nothing', 'x'))),
  non_mtls_local_conn_count: world((world) => void world.dial()),
  non_mtls_remote_conn_count: world((world) => void world.dial(), {
    seenOfClients: { remoteAddress: '192.0.2.7' },
  }),

  quorum_size: async () => {
    let member: Member | undefined;
    return {
      member: () => member,
      act: async () => {
        const world = await WorldEnsemble.start();
        member = world.member(1);
        expect(member.fourLetterSource.gauges().ensemble?.quorumSize).toBe(3);
      },
    };
  },
  learners: joins(4),
  synced_followers: joins(1),
  synced_observers: joins(4),
  synced_non_voting_followers: joins(5, { strangers: 1 }),
  pending_syncs: members('leader', (world, sid) => {
    const client = world.client(sid);
    world.isolate(sid);
    client.send(sync('/'));
    world.time.run();
  }),
  leader_uptime: members('leader', (world) => world.time.advance(1000)),
  last_proposal_size: forwarded('leader'),
  max_proposal_size: forwarded('leader'),
  min_proposal_size: forwarded('leader'),
  looking_count: leaderLost,
  election_time: leaderLost,
  follower_sync_time: startsAgain('follower'),
  observer_sync_time: startsAgain('observer'),
  unavailable_time: leaderLost,
  leader_unavailable_time: leaderLost,
  quit_leading_due_to_disloyal_voter: forgotten,
  diff_count: missedOne,
  inflight_diff_count: missedOne,
  snap_count: joins(4, { limits: { forceSnapshotSync: true } }),
  inflight_snap_count: joins(4, { limits: { forceSnapshotSync: true } }),
  revalidate_count: members('leader', (world) => {
    const { sessionId = 0n, password = null } = world.client(world.followerSid).session ?? {};
    world.client(4, { sessionId, password });
  }),
  learner_proposal_received_count: forwarded('follower'),
  learner_commit_received_count: forwarded('follower'),
  proposal_latency: forwarded('follower'),
  commit_propagation_latency: forwarded('follower'),
  quorum_ack_latency: forwarded('leader'),
  ack_latency: forwarded('leader'),
  peer_link_txns: forwarded('follower'),
  peer_link_writes: forwarded('leader'),

  quota_count_limit_per_namespace: quota,
  quota_bytes_limit_per_namespace: quota,
  quota_count_usage_per_namespace: quota,
  quota_bytes_usage_per_namespace: quota,
  quota_exceeded_error_per_namespace: quota,

  bytes_received_count: read,
  response_bytes: read,
  watch_bytes: watched,
  connection_request_count: world((world) => void world.client()),
  connection_rejected: world((world) => expect(world.dial().isClosed).toBe(true), {
    maxClientCnxns: 1,
  }),
  connection_drop_count: world((world, client) => {
    client.transport.destroy();
    world.run();
  }),
  connection_revalidate_count: world((world, client) => void world.reattach(client)),
  sessionless_connections_expired: world(
    (world) => {
      world.dial();
      world.advance(8000);
    },
    { sessionlessCnxnTimeoutMs: 5000 },
  ),
  stale_sessions_expired: world((world) => world.advance(20_000)),
  cnxn_closed_without_zk_server_running: world((world) => {
    world.log.isHeld = true;
    const stopping = world.member.stop();
    ended.push(() => {
      world.run();
      return stopping;
    });
    // The port is free at once; this one had been accepted by the system before.
    Reflect.get(world.member, 'accept').call(world.member, world.dial().transport);
  }),
  ensemble_auth_success: ensemble('right'),
  ensemble_auth_fail: ensemble('wrong'),
  ensemble_auth_skip: ensemble(''),
  connection_token_deficit: connectionThrottle,

  readlatency: parkedFor5Ms,
  updatelatency: slowWrite,
  large_requests_rejected: world(
    (_, client) => void client.send(create('/large', { data: 'x'.repeat(2000) })),
    { largeRequestThresholdBytes: 100, largeRequestMaxBytes: 1000 },
  ),
  throttled_ops: throttled({ throttledOpWaitTimeMs: 1 }),
  request_throttle_wait_count: throttled({}),
  request_throttle_queue_time_ms: throttled({}),
  stale_requests: throttled(
    { requestThrottle: { staleLatencyCheck: true, dropStale: false } },
    11_000,
  ),
  stale_requests_dropped: throttled({ requestThrottle: { staleLatencyCheck: true } }, 11_000),
  stale_replies: world((world, client) => {
    world.log.isHeld = true;
    client.send(create('/app/a'));
    world.run();
    client.transport.destroy();
    world.run();
    world.log.release();
    world.run();
  }),
  requests_in_session_queue: parkedFor5Ms,
  reads_after_write_in_session_queue: parkedFor5Ms,
  read_commitproc_time_ms: parkedFor5Ms,

  prep_processor_request_queued: write,
  // One in 32 is timed.
  prep_process_time: world((_, client) => {
    for (let i = 0; i < 32; i++) client.must(create(`/app/${i}`));
  }),
  close_session_prep_time: closedSession,
  outstanding_changes_queued: write,
  outstanding_changes_removed: write,
  proposal_count: write,
  sync_processor_request_queued: write,
  sync_processor_batch_size: writeToDisk,
  sync_processor_queue_time_ms: writeToDisk,
  sync_processor_queue_flush_time_ms: writeToDisk,
  sync_processor_queue_and_flush_time_ms: writeToDisk,
  fsynctime: writeToDisk,
  commit_count: write,
  write_commit_proc_issued: write,
  commit_process_time: write,
  propagation_latency: slowWrite,
  digest_mismatches_count: world((world, client) => {
    world.log.isHeld = true;
    client.send(setData('/app', 'x'));
    world.run();
    const txn = world.serving.sequence.first();
    if (txn === undefined) throw new Error('Nothing is proposed');
    const lastByte = txn.end - 1;
    txn.bytes[lastByte] = (txn.bytes[lastByte] as number) ^ 1;
    world.log.release();
    world.run();
    expect(world.logged.at(-1)).toBe('error The digest of a txn does not match the tree it led to');
  }),

  read_per_namespace: read,
  write_per_namespace: write,

  node_created_watch_count: watched,
  node_deleted_watch_count: watched,
  node_changed_watch_count: watched,
  node_children_watch_count: watched,
  dead_watchers_queued: leftWithWatches,
  dead_watchers_cleared: leftWithWatches,
  dead_watchers_cleaner_latency: leftWithWatches,

  snapshot_error_count: snapshot(true),
  unrecoverable_error_count: world((world) => world.log.fail('EIO')),
  snapshottime: snapshot(false),
  dbinittime: restart,
  startup_snap_load_time: restart,
  startup_txns_load_time: restart,
  startup_txns_loaded: restart,
  jvm_pause_time_ms: world((world) => {
    world.time.nowMs += 1500;
    world.advance(1);
  }),
};

test('every figure of the table has a scenario, and every scenario a figure', () => {
  expect(Object.keys(SCENARIOS).sort()).toEqual(METRICS.map(({ name }) => name).sort());
});

test.each(METRICS.map((metric) => [metric.name, metric] as const))(
  '%s moves',
  async (name, metric) => {
    const stage = await (SCENARIOS[name] as () => Promise<Stage>)();
    const before = valuesOf(metric, stage.member());
    await stage.act();
    const after = valuesOf(metric, stage.member());
    expect(after).not.toEqual(before);
    // A counter and a summary rise; no average, sum or greatest value of a summary may stay at 0.
    if (metric.kind === 'counter') expect(after.value).toBeGreaterThan(before.value ?? 0);
    if (metric.kind.startsWith('summary')) {
      expect(after.sum).toBeGreaterThan(before.sum ?? 0);
      expect(after.count).toBeGreaterThan(before.count ?? 0);
    }
  },
);

// Figures that several things feed: the scenario above shows one of them.
test.each<[name: string, of: string, scenario: () => Promise<Stage>]>([
  ['packets_sent', 'a handshake', world((world) => void world.client())],
  ['packets_sent', 'a four-letter word', world((world) => void world.dial().askWord('srvr'))],
  ['packets_sent', 'an event', eventAlone],
  ['connection_rejected', 'the connection throttle', connectionThrottle],
  ['connection_rejected', 'a lack of file descriptors', world((world) => world.refuseOne())],
  ['readlatency', 'a list sent over several turns', wideList],
  ['digest_mismatches_count', 'what the start found', startWithMismatches],
  ['unrecoverable_error_count', 'a defect', world(plantedDefect)],
])('%s counts %s', async (name, _, scenario) => {
  const metric = METRICS.find((one) => one.name === name) as Metric;
  const stage = await scenario();
  const before = valuesOf(metric, stage.member());
  await stage.act();
  const after = valuesOf(metric, stage.member());
  const figure = metric.kind === 'counter' ? 'value' : 'count';
  expect(after[figure]).toBe((before[figure] ?? 0) + 1);
});

/** A change whose writer is gone: the event is all that is sent. */
async function eventAlone(): Promise<Stage> {
  const started = await World.start();
  const [watcher, writer] = [started.client(), started.client()];
  writer.must(create('/app'));
  watcher.must(exists('/app', true));
  started.log.isHeld = true;
  writer.send(setData('/app', 'x'));
  started.run();
  writer.transport.destroy();
  started.run();
  return { member: () => started.member, act: () => started.log.release() };
}

async function wideList(): Promise<Stage> {
  const started = await World.start();
  const client = started.client();
  client.must(create('/wide'));
  for (let i = 0; i < 10_001; i++) client.send(create(`/wide/${i}`));
  started.run();
  return { member: () => started.member, act: () => void client.call(getChildren('/wide')) };
}

async function startWithMismatches(): Promise<Stage> {
  const state = new Database(defaultServerConfig(), 1);
  state.tree.digestMismatches = 1;
  let member: Member | undefined;
  return {
    member: () => member,
    act: async () => {
      ({ member } = await World.start({ state }));
    },
  };
}

function plantedDefect({ serving }: World, client: RawClient): void {
  Object.defineProperty(serving.tree, 'find', {
    value() {
      throw new Error('planted');
    },
  });
  expect(client.errorOf(getData('/app'))).toBe('MARSHALLINGERROR');
}

test('a client whose certificate names nobody counts as one that failed to authenticate', async () => {
  const started = await World.start({
    authProviders: ['digest', 'ip', 'x509'],
    seenOfClients: { peerCertificate: Buffer.from('no certificate') },
  });
  expect(started.dial().isClosed).toBe(true);
  expect(started.member.metrics.authFailed).toBe(1);
});

/** What the metric shows, by what it is: value; count and sum; or a value for each key. */
function valuesOf(metric: Metric, member: Member | undefined): Record<string, number> {
  if (member === undefined) return {};
  const source: MetricSource = {
    metrics: member.metrics,
    gauges: member.fourLetterSource.gauges(),
    quotas: [...member.fourLetterSource.quotas()],
  };
  switch (metric.kind) {
    case 'counter':
    case 'gauge':
      return { value: metric.read(source) ?? 0 };
    case 'summary':
    case 'summary with percentiles': {
      const { count, sum } = metric.read(source);
      return { count, sum };
    }
    case 'counter set':
    case 'gauge set':
      return Object.fromEntries(metric.read(source));
    case 'summary set':
    case 'summary set with percentiles': {
      const all: (readonly [key: string, summary: Summary])[] = [...metric.read(source)];
      const one = all.find(([key]) => key === 'app' || key === '1')?.[1];
      return { count: one?.count ?? 0, sum: one?.sum ?? 0 };
    }
  }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

function openFilesLimits(): [soft: number, hard: number] {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const [, soft, hard] = /^Max open files\s+(\d+)\s+(\d+)/m.exec(limits) ?? [];
  return [Number(soft), Number(hard)];
}

function setOpenFilesLimit(soft: number, hard: number): void {
  const args = ['--pid', `${process.pid}`, `--nofile=${soft}:${hard}`];
  const { status, stderr } = spawnSync('prlimit', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`prlimit ${args.join(' ')}: ${stderr}`);
}
