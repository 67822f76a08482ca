/**
 * The settings of a member of an ensemble: zoo.cfg's keys, as Apache reads them, and what they must agree on.
 * Source: QuorumPeerConfig.parseProperties, .checkValidity, .setupQuorumPeerConfig (3.9.5).
 */

import { ConfigError, describeSource, type SettingSource } from './config-error.ts';
import type { Draft } from './draft.ts';
import { DEFAULT_ENSEMBLE, type EnsembleConfig, usedBetweenMembers } from './ensemble-config.ts';
import { isAnyAddress, isEnsemble, type Member, readMembers, withoutBrackets } from './members.ts';
import { Problems } from './problems.ts';
import type { Given } from './sources.ts';

/** Settings that change how members treat each other, and that this version does not have. */
const NOT_BUILT: readonly string[] = [
  'reconfigEnabled',
  'readonlymode.enabled',
  'localSessionsEnabled',
  'observerMasterPort',
  'multiAddress.enabled',
  'sslQuorum',
  'portUnification',
  'quorum.auth.enableSasl',
  'oraclePath',
];

/** `ensemble` and `commitLogCount`; without several server.N lines nothing. Throws ConfigError. */
export function readEnsemble(
  draft: Draft,
  dataDir: string,
): { ensemble?: EnsembleConfig; serverId?: number; commitLogCount?: number } {
  const members = readMembers(draft.family('server.N'));
  if (!isEnsemble(members)) return {};
  const problems = new Problems();
  for (const key of NOT_BUILT) problems.attempt(() => refuse(draft, key));
  for (const family of ['group.N', 'weight.N']) {
    for (const given of draft.family(family)) problems.add(notBuilt(given));
  }
  for (const { given, member } of members) {
    const count = member.addresses.length;
    if (count > 1) problems.add(severalAddresses(given, count));
  }
  problems.attempt(() => checkAddresses(members));
  const limits = {
    initLimitTicks: problems.attempt(() => limit(draft, 'initLimit', members)) ?? 0,
    syncLimitTicks: problems.attempt(() => limit(draft, 'syncLimit', members)) ?? 0,
  };
  const sid = problems.attempt(() => readSid(draft, dataDir, members)) ?? -1;
  const ownLine = members.find(({ member }) => member.sid === sid);
  if (ownLine !== undefined) {
    for (const door of clientDoors(draft, ownLine)) {
      problems.attempt(() => checkClientDoor(draft, door, ownLine));
    }
  }
  problems.throwIfAny();
  warnOfSize(draft, members);
  const own = ownLine?.member;
  const peerType = draft.text('peerType');
  if (peerType !== undefined && peerType !== own?.role) {
    const { source } = draft.given('peerType') as Given;
    draft.warn(source, `peerType is ${peerType}, but server.${sid} says ${own?.role}: that counts`);
  }
  // There is one algorithm; a value that means another one stops the start.
  draft.value('electionAlg');
  const number = (key: string): number | undefined => draft.value(key) as number | undefined;
  const numberOr = (key: string, otherwise: number): number => number(key) ?? otherwise;
  const ensemble: EnsembleConfig = {
    ...DEFAULT_ENSEMBLE,
    sid,
    members: members.map(({ member }) => member),
    ...limits,
    connectLimitTicks: numberOr('connectToLearnerMasterLimit', 0),
    cnxTimeoutMs: numberOr('cnxTimeout', DEFAULT_ENSEMBLE.cnxTimeoutMs),
    listenOnAllAddresses: draft.isTrue('quorumListenOnAllIPs', false),
    leaderServes: draft.isTrue('leaderServes', true),
    maxTimeToWaitForEpochMs: numberOr('leader.maxTimeToWaitForEpoch', -1),
    minNotificationMs: numberOr(
      'fastleader.minNotificationInterval',
      DEFAULT_ENSEMBLE.minNotificationMs,
    ),
    maxNotificationMs: numberOr(
      'fastleader.maxNotificationInterval',
      DEFAULT_ENSEMBLE.maxNotificationMs,
    ),
    observerElectionDelayMs: numberOr(
      'observer.election.DelayMs',
      DEFAULT_ENSEMBLE.observerElectionDelayMs,
    ),
    leaderConnectRetryMs: numberOr(
      'leaderConnectDelayDuringRetryMs',
      DEFAULT_ENSEMBLE.leaderConnectRetryMs,
    ),
    maxConcurrentSnapSyncs: numberOr('leader.maxConcurrentSnapSyncs', 10),
    maxConcurrentDiffSyncs: numberOr('leader.maxConcurrentDiffSyncs', 100),
    forceSnapshotSync: draft.isTrue('forceSnapshotSync', false),
    snapshotSizeFactor: numberOr('snapshotSizeFactor', DEFAULT_ENSEMBLE.snapshotSizeFactor),
    keepAlive: draft.isTrue('tcpKeepAlive', false),
  };
  // The floor is Apache's (ZKDatabase.setMinCommittedLog: commitLogBuffer).
  return {
    ensemble,
    serverId: sid,
    commitLogCount: Math.max(500, numberOr('commitLogCount', 500)),
  };
}

function refuse(draft: Draft, key: string): void {
  const given = draft.given(key);
  if (given === undefined) return;
  const value = draft.value(key);
  if (value !== false && value !== 0 && value !== '') throw notBuilt(given);
}

function notBuilt({ key, text, source }: Given): ConfigError {
  return new ConfigError(
    `${key}: ${JSON.stringify(text)} (${describeSource(source)}): this version does not have it in an ensemble; leave it out`,
    { key, value: text, source },
  );
}

function severalAddresses({ key, text, source }: Given, count: number): ConfigError {
  return new ConfigError(
    `${key}: ${JSON.stringify(text)} (${describeSource(source)}): ${count} addresses of one member need multiAddress.enabled, which this version does not have; leave one of them`,
    { key, value: text, source },
  );
}

/** initLimit and syncLimit have no defaults: too short a one tears an ensemble apart. */
function limit(draft: Draft, key: string, members: readonly Member[]): number {
  const value = draft.value(key) as number | undefined;
  if (value !== undefined && value > 0) return value;
  const source = draft.given(key)?.source ?? members[0]?.given.source;
  throw new ConfigError(
    `${key} is ${value === undefined ? 'not set' : value}: an ensemble needs it, in ticks; ${key}=${key === 'initLimit' ? 10 : 5} is usual`,
    { key, ...(source === undefined ? {} : { source }) },
  );
}

function checkAddresses(members: readonly Member[]): void {
  const owners = new Map<string, string>();
  for (const { given, member } of members) {
    for (const { host, quorumPort, electionPort } of member.addresses) {
      const { key, text, source } = given;
      for (const address of new Set([`${host}:${quorumPort}`, `${host}:${electionPort}`])) {
        const owner = owners.get(address);
        if (owner !== undefined) {
          throw new ConfigError(
            `${key}: ${JSON.stringify(text)} (${describeSource(source)}): ${address} is a port of ${owner} too`,
            { key, value: text, source },
          );
        }
        owners.set(address, key);
      }
      if (quorumPort !== electionPort) continue;
      throw new ConfigError(
        `${key}: ${JSON.stringify(text)} (${describeSource(source)}): the quorum port and the election port are both ${quorumPort}`,
        { key, value: text, source },
      );
    }
  }
}

/** A port for clients, where it is written, and the address that it is bound to; undefined: all of them. */
interface ClientDoor {
  readonly name: string;
  readonly port: number;
  readonly address: string | undefined;
  readonly source: SettingSource;
}

function clientDoors(draft: Draft, { client }: Member): ClientDoor[] {
  const doors = ['clientPort', 'secureClientPort'].flatMap((name) => {
    const given = draft.given(name);
    const port = draft.value(name);
    const written = draft.text(`${name}Address`);
    const address = written === undefined ? undefined : withoutBrackets(written);
    return given === undefined || typeof port !== 'number'
      ? []
      : [{ name, port, address, source: given.source }];
  });
  if (client !== undefined && !doors.some(({ name }) => name === 'clientPort')) {
    const { port, address, given } = client;
    doors.push({ name: `The client port of ${given.key}`, port, address, source: given.source });
  }
  return doors;
}

/** The other port would be found taken, and the message would speak of another process. */
function checkClientDoor(
  draft: Draft,
  { name, port, address, source }: ClientDoor,
  { given, member }: Member,
): void {
  const isOnAll = isAnyAddress(address) || draft.isTrue('quorumListenOnAllIPs', false);
  const other = usedBetweenMembers(member, port, isOnAll ? undefined : address);
  if (other === undefined) return;
  throw new ConfigError(
    `${name} ${port} (${describeSource(source)}) is the ${other} of this member too: ${given.key}=${given.text} (${describeSource(given.source)})`,
    { key: name, value: `${port}`, source },
  );
}

function readSid(draft: Draft, dataDir: string, members: readonly Member[]): number {
  const path = `${dataDir}/myid`;
  const sids = members.map(({ member }) => member.sid).join(', ');
  const content = draft.readFileIfAny(path);
  if (content === undefined) {
    throw new ConfigError(
      `${path} is missing: it holds the number of this member, one of ${sids}; for instance: echo ${members[0]?.member.sid} > ${path}`,
      { key: 'myid' },
    );
  }
  const sid = Number(content.split(/\r\n|\n|\r/)[0]);
  if (members.some(({ member }) => member.sid === sid)) return sid;
  throw new ConfigError(
    `${path} says ${content.trim()}, which is none of the server.N lines: ${sids}`,
    { key: 'myid', value: content.trim() },
  );
}

function warnOfSize(draft: Draft, members: readonly Member[]): void {
  const voters = members.filter(({ member }) => member.role === 'participant').length;
  const source = members[0]?.given.source;
  if (source === undefined || voters % 2 === 1) return;
  const lost = Math.floor((voters - 1) / 2);
  draft.warn(
    source,
    `${voters} members vote: no more of them can be lost (${lost}) than with ${voters - 1}; use an odd number`,
  );
}
