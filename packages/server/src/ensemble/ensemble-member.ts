// A member's part in its ensemble: the election port, the quorum port, the core of the protocol and its driver.
//
//   start: the epochs and the history on disk ─► a vote ─► a role ─► clients
//
// Ports are bound as long as the process lives, whatever the role. Source: QuorumPeer (3.9.5).

import { type HostAndPort, printQuorumConfig } from '@zebu/protocol';
import { SessionTable } from '@zebu/session';
import {
  type DataDirectory,
  type Disk,
  EpochFiles,
  isMarkedDiscarded,
  loadEpochs,
  markDiscarded,
  readEpoch,
} from '@zebu/storage';
import type { Listener, Network } from '@zebu/transport';
import type { HistoryTrust } from '@zebu/zab';
import { type EnsembleConfig, isObserver, memberOfSid } from '../config/ensemble-config.ts';
import type { Database } from '../database.ts';
import type { EnsemblePart, Member } from '../member.ts';
import type { EnsembleGauges } from '../metrics/metrics.ts';
import { Snapshotter } from '../snapshots/snapshotter.ts';
import type { EnsembleFacts } from '../words/four-letter.ts';
import { ElectionLinks } from './election-links.ts';
import { EpochStore } from './epoch-store.ts';
import { SyncIntake } from './sync-intake.ts';
import { ZabDriver } from './zab-driver.ts';

export interface EnsembleMemberOptions {
  readonly member: Member;
  readonly ensemble: EnsembleConfig;
  readonly directory: DataDirectory;
  /** As recovery left it: at the last txn on disk. */
  readonly database: Database;
  /** The operator vouches for an empty history (Apache's file `initialize`). */
  readonly isVouched: boolean;
}

export class EnsembleMember implements EnsemblePart {
  readonly driver: ZabDriver;
  readonly election: ElectionLinks;
  readonly facts: EnsembleFacts;
  private readonly options: EnsembleMemberOptions;
  private readonly listeners: Listener[];

  constructor(options: EnsembleMemberOptions) {
    const { member, ensemble, directory, database } = options;
    const lastZxid = database.tree.lastProcessedZxid;
    const { environment, config } = member;
    const network = environment.peerNetwork ?? environment.network;
    const fail = (error: Error): void => member.fail('ensemble', error);
    const configText = printQuorumConfig({
      version: ensemble.version,
      members: ensemble.members,
      hierarchy: undefined,
    });
    const prepare = (fresh: Database): void => {
      const text = Buffer.from(configText, 'utf8');
      fresh.tree.setConfig(text, ensemble.version, environment.clock.wallMs());
    };
    prepare(database);
    const epochs = loadEpochs(environment.disk, directory.snapshotDirectory, lastZxid);
    const files = new EpochFiles(environment.disk, directory.snapshotDirectory, epochs);
    const { addresses } = memberOfSid(ensemble, ensemble.sid) ?? { addresses: [] };
    this.facts = {
      initLimitTicks: ensemble.initLimitTicks,
      syncLimitTicks: ensemble.syncLimitTicks,
      electionPorts: addresses.map(({ electionPort }) => electionPort),
      quorumPorts: addresses.map(({ quorumPort }) => quorumPort),
      isObserver: isObserver(ensemble),
      configText,
    };
    this.options = options;
    this.listeners = [];
    this.election = new ElectionLinks(
      {
        sid: ensemble.sid,
        announced: electionAddress(ensemble, ensemble.sid)[0] as HostAndPort,
        addressesOf: (sid) =>
          memberOfSid(ensemble, sid) === undefined ? undefined : electionAddress(ensemble, sid),
        network,
        scheduler: environment.scheduler,
        logger: environment.logger,
        connectTimeoutMs: ensemble.cnxTimeoutMs,
        preambleTimeoutMs: config.tickTimeMs * ensemble.syncLimitTicks,
        keepAlive: ensemble.keepAlive,
      },
      {
        notification: (sid, notification) => this.driver.voted(sid, notification),
        unreachable: (sid) => this.driver.memberUnreachable(sid),
      },
    );
    this.driver = new ZabDriver({
      member,
      ensemble,
      network,
      database,
      start: {
        ...epochs,
        lastZxid,
        appliedZxid: lastZxid,
        trust: trustIn(environment.disk, directory, options.isVouched),
      },
      epochs: new EpochStore(files, fail),
      intake: new SyncIntake({
        environment,
        config,
        directory,
        epochs: files,
        metrics: member.metrics,
        prepare,
        writeFirstSnapshot: (fresh, done) => writeFirstSnapshot(member, directory, fresh, done),
        fail,
      }),
      configText,
      votes: {
        send: (sid, notification) => this.election.send(sid, { ...notification, configText }),
      },
    });
  }

  get mode(): string | undefined {
    return MODES[this.driver.core.role];
  }

  gauges(): EnsembleGauges {
    return this.driver.gauges();
  }

  /** Binds the election port and the quorum port. Rejects with TransportError. */
  async listen(): Promise<void> {
    const { member, ensemble } = this.options;
    const network = member.environment.peerNetwork ?? member.environment.network;
    const own = memberOfSid(ensemble, ensemble.sid);
    const [address] = own?.addresses ?? [];
    if (address === undefined) throw new Error(`Server ${ensemble.sid} has no address`);
    const host = ensemble.listenOnAllAddresses ? {} : { host: address.host };
    const shared = { ...host, keepAlive: ensemble.keepAlive, mayUseReserve: true };
    const quorum = { port: address.quorumPort, ...shared };
    const election = { port: address.electionPort, ...shared };
    this.listeners.push(
      await network.listen(quorum, (connection) => this.driver.accept(connection)),
    );
    this.listeners.push(await listenElection(network, election, this.election));
  }

  start(): void {
    this.driver.start();
  }

  /** Leaves the ensemble: the log is closed, and nothing is said to anybody any more, when `done` is called. */
  stop(done: () => void): void {
    this.driver.stop(() => {
      this.election.stop();
      done();
    });
  }

  /** The server failed. */
  abandon(): void {
    this.driver.abandon();
    this.election.stop();
    for (const listener of this.listeners) listener.stopAccepting();
  }

  async closePorts(): Promise<void> {
    await Promise.all(this.listeners.map((listener) => listener.close()));
  }
}

const MODES = {
  looking: undefined,
  leading: 'leader',
  following: 'follower',
  observing: 'observer',
} as const;

function listenElection(
  network: Network,
  options: Parameters<Network['listen']>[0],
  election: ElectionLinks,
): Promise<Listener> {
  return network.listen(options, election.accept);
}

function electionAddress(ensemble: EnsembleConfig, sid: number): HostAndPort[] {
  const { addresses } = memberOfSid(ensemble, sid) ?? { addresses: [] };
  return addresses.map(({ host, electionPort }) => ({ host, port: electionPort }));
}

function trustIn(disk: Disk, directory: DataDirectory, isVouched: boolean): HistoryTrust {
  if (isVouched) return 'vouched';
  return isMarkedDiscarded(disk, directory.snapshotDirectory) ? 'discarded' : 'judge';
}

/**
 * A log without any snapshot before it stops the next start: an empty history has one, too. Where there is an epoch and
 * not even that, the history was lost, and the member must not be counted before it is synced. An ensemble that never
 * wrote anything has its first snapshots.
 */
export function beginEmptyHistory(
  member: Member,
  directory: DataDirectory,
  database: Database,
  done: (error?: Error) => void,
): void {
  const { disk } = member.environment;
  const { snapshotDirectory } = directory;
  const isEmpty = database.tree.lastProcessedZxid === 0;
  if (isEmpty && (readEpoch(disk, snapshotDirectory, 'currentEpoch') ?? 0) > 0) {
    markDiscarded(disk, snapshotDirectory);
  }
  writeFirstSnapshot(member, directory, database, done);
}

function writeFirstSnapshot(
  member: Member,
  directory: DataDirectory,
  database: Database,
  done: (error?: Error) => void,
): void {
  const { environment, config, turns, metrics } = member;
  const sessions = new SessionTable({
    serverId: config.serverId,
    tickMs: config.tickTimeMs,
    wallNowMs: environment.clock.wallMs(),
    nowMs: turns.nowMs,
  });
  for (const [id, timeoutMs] of database.sessions) sessions.add(id, timeoutMs, turns.nowMs);
  const { tree } = database;
  new Snapshotter({ environment, config, directory, tree, sessions, metrics }).start(done);
}
