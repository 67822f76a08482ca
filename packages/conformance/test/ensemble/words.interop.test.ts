// The words of an ensemble of zebu beside those of an ensemble of Apache, on a leader, a follower and an observer: the
// same lines, and of `mntr` the same names but for those in the lists below.

import { connect } from '@zebu/client';
import { expect } from 'vitest';
import { fourLetterWord, monitor } from '../../src/four-letter.ts';
import { type MemberKind, MixedEnsemble } from '../../src/mixed-ensemble.ts';
import { interopTest } from '../support.ts';

const TEST_MS = 240_000;
const ROLES = ['leader', 'follower', 'observer'] as const;
type Role = (typeof ROLES)[number];

interface Answers {
  /** Of `srvr` before the first txn of an epoch: of the first one on the leader, of the second one on all. */
  readonly zxids: readonly string[];
  readonly srvr: readonly string[];
  readonly conf: readonly string[];
  readonly dump: readonly string[];
  readonly isro: string;
  readonly state: readonly (string | undefined)[];
  /** Names of mntr. */
  readonly names: ReadonlySet<string>;
}

/** zebu alone prints these. */
const ONLY_ON_ZEBU: Readonly<Record<string, string>> = {
  peer_link_txns: 'a figure of our own',
  peer_link_writes: 'a figure of our own',
  ack_latency: 'Apache times the ack of one proposal in 1,000, zebu one at a time',
};

/** Names that one role prints on Apache and another does not; zebu does not print these. */
const ONLY_ON_APACHE: Readonly<Record<string, string>> = {
  learner_handler_qp_size:
    'zebu has no queue for each learner: txns are sent from the log in memory',
  learner_handler_qp_time_ms: 'the same',
  synced_observers: 'on a follower: of its observers, which no follower of zebu has',
};

interopTest(
  'the members of zebu answer the words as those of Apache',
  ['apache'],
  TEST_MS,
  async () => {
    const apache = await answersOf('3.9.5');
    const zebu = await answersOf('zebu');
    for (const role of ROLES) {
      const [theirs, ours] = [apache[role], zebu[role]];
      const { names: _t, ...theirLines } = theirs;
      const { names: _o, ...ourLines } = ours;
      expect(ourLines, role).toEqual(theirLines);
      for (const name of ours.names) {
        if (!theirs.names.has(name))
          expect(Object.keys(ONLY_ON_ZEBU), `${role}: ${name}`).toContain(name);
      }
    }
    // What depends on the role on Apache does on zebu.
    const all = new Set(ROLES.flatMap((role) => [...apache[role].names]));
    const ofRoles = [...all].filter((name) => !ROLES.every((role) => apache[role].names.has(name)));
    expect(ofRoles).toContain('synced_followers');
    for (const role of ROLES) {
      const missing = ofRoles.filter((n) => apache[role].names.has(n) && !zebu[role].names.has(n));
      for (const name of missing) {
        expect(Object.keys(ONLY_ON_APACHE), `${role}: ${name}`).toContain(name);
        expect(name === 'synced_observers' && role === 'leader').toBe(false);
      }
    }
  },
);

async function answersOf(kind: MemberKind): Promise<Record<Role, Answers>> {
  await using ensemble = await MixedEnsemble.make({ voters: 3, observers: 1 });
  await ensemble.startAll({ 1: kind, 2: kind, 3: kind });
  await ensemble.start(4, kind);
  const leader = await ensemble.leader();
  const follower = leader === 1 ? 2 : 1;
  const [ofFirstEpoch = ''] = await zxidsOf(ensemble, [leader]);
  await using client = await connect(ensemble.connectString([follower]));
  await client.create('/app', 'x');
  await client.create('/app/mine', 'x', { mode: 'ephemeral' });
  for (const sid of ensemble.sids) {
    await using other = await connect(ensemble.connectString([sid]));
    await other.sync('/app');
  }
  const answers = {
    leader: await answersAt(ensemble.clientPort(leader)),
    follower: await answersAt(ensemble.clientPort(follower)),
    observer: await answersAt(ensemble.clientPort(4)),
  };
  await client.close();
  await ensemble.kill(leader);
  const next = await ensemble.leader();
  await ensemble.settled();
  const other = [1, 2, 3].find((sid) => sid !== leader && sid !== next) as number;
  const [ofLeader = '', ofFollower = '', ofObserver = ''] = await zxidsOf(ensemble, [
    next,
    other,
    4,
  ]);
  return {
    leader: { ...answers.leader, zxids: [ofFirstEpoch, ofLeader] },
    follower: { ...answers.follower, zxids: [ofFollower] },
    observer: { ...answers.observer, zxids: [ofObserver] },
  };
}

/** As `(epoch,0)` or as a txn of an epoch: how many txns there were depends on who closed its session when. */
async function zxidsOf(ensemble: MixedEnsemble, sids: readonly number[]): Promise<string[]> {
  const words = sids.map((sid) => fourLetterWord(ensemble.clientPort(sid), 'srvr'));
  return (await Promise.all(words)).map((text) => {
    const zxid = BigInt(/^Zxid: (.*)$/m.exec(text)?.[1] ?? -1);
    const counter = zxid & 0xffffffffn;
    return `${counter === 0n ? 'the beginning' : 'a txn'} of epoch ${zxid >> 32n}`;
  });
}

async function answersAt(port: number): Promise<Omit<Answers, 'zxids'>> {
  const figures = await monitor(port);
  return {
    srvr: shapeOf(await fourLetterWord(port, 'srvr')).slice(1),
    conf: shapeOf(await fourLetterWord(port, 'conf')),
    dump: shapeOf(await fourLetterWord(port, 'dump')).filter((line) => !/expire|^\t/.test(line)),
    isro: await fourLetterWord(port, 'isro'),
    state: ['server_state', 'peer_state', 'quorum_size'].map((name) => figures.get(`zk_${name}`)),
    names: new Set([...figures.keys()].map(nameOf)),
  };
}

/** Lines with every number and path as one sign. */
function shapeOf(answer: string): string[] {
  return answer.split('\n').map((line) =>
    line
      .replace(/\/tmp\S*/, '<path>')
      .replace(/0x[0-9a-f]+/g, '<hex>')
      .replace(/(?<!server\.)-?\b\d+(\.\d+)?/g, '<n>'),
  );
}

/** Without zk_, the kind of number, and the sid of a set. */
function nameOf(key: string): string {
  return key.replace(/^zk_/, '').replace(/^(avg|min|max|cnt|sum|p\d+)_(\d+_)?/, '');
}
