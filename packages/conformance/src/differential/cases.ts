// Small scripts for which Apache's answers are kept (test/differential/recorded.json), so that zebu is held
// to them on machines without Java. Most were shrunk from a failing seed of the differential test.
//
//   node src/differential/main.ts --record      asks Apache again and rewrites the file

import type { Profile } from './profile.ts';
import { digestId } from './profile.ts';
import {
  auth,
  bare,
  create,
  type Draft,
  hexOf,
  multi,
  OPEN_ACL,
  pathAndNumber,
  pathOnly,
  read,
  setAcl,
  setData,
  setWatches,
} from './requests.ts';
import type { Script, Step } from './script.ts';
import { OP } from './wire.ts';

export interface Case {
  readonly name: string;
  readonly script: Script;
  readonly profile?: Partial<Profile>;
}

/** The settings of a case that says nothing else. */
export const CASE_PROFILE: Profile = {
  extendedTypes: true,
  enforceQuota: true,
  reconfigEnabled: false,
  edgeData: false,
};

const nullId = (scheme: string | null) => [{ perms: 31, scheme, id: null }];

export const CASES: readonly Case[] = [
  {
    name: 'a null id in an ACL is judged by its scheme, after the flags',
    script: steps(
      ...['auth', 'world', 'digest', 'ip', 'nothing', null].map((scheme) =>
        create(OP.create, '/a', { acl: nullId(scheme) }),
      ),
      create(OP.create2, '/a', { acl: nullId('ip'), flags: 100 }),
      auth('digest', 'alice:one'),
      create(OP.create, '/a', { acl: nullId('auth') }),
      pathOnly(OP.getACL, '/a'),
      setAcl('/a', nullId('digest')),
      create(OP.create, '/b', {
        acl: [
          { perms: 31, scheme: 'x509', id: 'x' },
          { perms: 1, scheme: 'world', id: null },
        ],
      }),
    ),
  },
  {
    name: 'a null path is BadArguments where paths are validated, MarshallingError elsewhere and in a multi',
    script: steps(
      setData(null, null),
      setAcl(null, OPEN_ACL),
      create(OP.create, null),
      pathAndNumber(OP.delete, null, -1),
      read(OP.exists, null),
      pathOnly(OP.getEphemerals, null),
      multi(OP.multi, [{ draft: pathAndNumber(OP.check, null, -1) }]),
      multi(OP.multi, [
        { draft: pathAndNumber(OP.delete, '/none', -1) },
        { draft: pathAndNumber(OP.delete, null, -1) },
      ]),
      multi(OP.multi, [
        { draft: create(OP.create, '/m') },
        { draft: pathAndNumber(OP.delete, null, -1) },
      ]),
      read(OP.exists, '/m'),
    ),
  },
  {
    name: 'in a multi the flags of a create decide what it is',
    script: steps(
      multi(OP.multi, [{ draft: create(OP.create, '/a', { flags: 4 }) }]),
      multi(OP.multi, [{ draft: create(OP.create2, '/b', { flags: 5 }) }]),
      multi(OP.multi, [{ draft: create(OP.createTTL, '/c', { flags: 0, ttl: '7' }) }]),
      multi(OP.multi, [{ draft: create(OP.createTTL, '/d', { flags: 4, ttl: '7' }) }]),
      multi(OP.multi, [{ draft: create(OP.createTTL, '/e', { flags: 6, ttl: '7' }) }]),
      multi(OP.multi, [{ draft: create(OP.createTTL, '/f', { flags: 6, ttl: '0' }) }]),
      multi(OP.multi, [
        { draft: create(OP.createTTL, '/g', { flags: 7, ttl: '7' }) },
        { draft: pathAndNumber(OP.delete, '/a', -1) },
      ]),
      multi(OP.multi, [{ draft: create(OP.create, '/h', { flags: 7 }) }]),
      multi(OP.multi, [
        { draft: create(OP.createTTL, '/i', { flags: 5, ttl: '7', acl: { count: -1 } }) },
      ]),
    ),
  },
  {
    name: 'a new quota stats znode is answered as it was made, then counted',
    script: steps(
      create(OP.create, '/zookeeper/quota/a'),
      create(OP.create2, '/zookeeper/quota/a/zookeeper_stats', { data: hexOf('bytes=4') }),
      read(OP.getData, '/zookeeper/quota/a/zookeeper_stats'),
    ),
  },
  {
    name: 'a quota holds for the znode of its own path',
    script: steps(
      create(OP.create, '/a'),
      create(OP.create, '/zookeeper/quota/a'),
      create(OP.create, '/zookeeper/quota/a/b'),
      create(OP.create, '/zookeeper/quota/a/b/zookeeper_limits', {
        data: hexOf('count=1,bytes=1=;byteHardLimit=90;countHardLimit=9'),
      }),
      create(OP.create, '/zookeeper/quota/a/b/zookeeper_stats', {
        data: hexOf('count=-5,bytes=-5'),
      }),
      create(OP.create2, '/a/b', { data: '00'.repeat(154) }),
      create(OP.create2, '/a/b', { data: '00'.repeat(60) }),
      create(OP.create2, '/a/b/c', { data: '00'.repeat(60) }),
      setData('/a/b', '00'.repeat(91)),
      setData('/a/b', '00'.repeat(90)),
      read(OP.getData, '/zookeeper/quota/a/b/zookeeper_stats'),
    ),
  },
  {
    name: 'setWatches tells what was missed before its reply',
    script: steps(
      create(OP.create, '/a'),
      setWatches(OP.setWatches, 0, [
        ['/a', '/gone'],
        ['/a', '/later'],
        ['/a', '/gone'],
      ]),
      setWatches(OP.setWatches2, 1_000_000, [['/a'], ['/later'], ['/a'], ['/a'], ['/']]),
      setData('/a', ''),
      create(OP.create, '/later'),
      create(OP.create, '/a/b'),
      pathAndNumber(OP.delete, '/a/b', -1),
    ),
  },
  {
    name: 'a watch on the empty path, which reads as the root, is kept and never fires',
    script: steps(
      pathAndNumber(OP.addWatch, '', 0),
      pathAndNumber(OP.checkWatches, '', 4),
      pathAndNumber(OP.checkWatches, '/', 4),
      pathAndNumber(OP.removeWatches, '/', 4),
      pathAndNumber(OP.removeWatches, '', 4),
      pathAndNumber(OP.removeWatches, '', 4),
      pathAndNumber(OP.addWatch, '', 1),
      read(OP.getData, '', 1),
      read(OP.exists, '', 1),
      read(OP.getChildren, '', 1),
      read(OP.getChildren2, '', 1),
      setData('/', '01'),
      create(OP.create, '/x'),
      setData('/x', '02'),
      pathAndNumber(OP.delete, '/x', -1),
      pathAndNumber(OP.checkWatches, '', 1),
      pathAndNumber(OP.checkWatches, '', 2),
      pathAndNumber(OP.checkWatches, '', 5),
      pathAndNumber(OP.checkWatches, '/', 3),
      pathAndNumber(OP.removeWatches, '', 3),
      setWatches(OP.setWatches2, 1_000_000, [[''], [''], [''], [''], ['']]),
      setData('/', '03'),
      create(OP.create, '/y'),
    ),
  },
  {
    name: 'a closed session takes its ephemerals along, and others are told',
    script: [
      ...steps(create(OP.create, '/a'), create(OP.create, '/a/e', { flags: 1 })),
      ...onSlot(1, read(OP.getChildren, '/a', 1), read(OP.exists, '/a/e', 1)),
      ...onSlot(0, bare(OP.closeSession)),
      ...onSlot(1, read(OP.getChildren2, '/a')),
    ],
  },
  {
    name: 'who may not read is not told, and a digest is shown to administrators only',
    script: [
      ...steps(
        auth('digest', 'alice:one'),
        create(OP.create, '/a', {
          acl: [
            { perms: 31, scheme: 'digest', id: digestId('alice:one') },
            { perms: 16, scheme: 'ip', id: '10.0.0.0/8' },
          ],
        }),
      ),
      ...onSlot(1, read(OP.exists, '/a', 1), read(OP.getData, '/a'), pathOnly(OP.getACL, '/a')),
      ...onSlot(1, pathAndNumber(OP.addWatch, '/a', 0)),
      ...onSlot(
        0,
        setData('/a', '01'),
        setAcl('/a', [{ perms: 1, scheme: 'world', id: 'anyone' }]),
      ),
      ...onSlot(1, pathOnly(OP.getACL, '/a')),
      ...onSlot(0, setData('/a', '02')),
    ],
  },
  {
    name: 'an identity with a character past U+FFFF is one and the same in auth and in an ACL',
    script: steps(
      auth('digest', '日😀:one'),
      create(OP.create, '/a', { acl: [{ perms: 31, scheme: 'auth', id: '' }] }),
      setData('/a', '01'),
      pathOnly(OP.getACL, '/a'),
      create(OP.create, '/b', { acl: [{ perms: 31, scheme: 'digest', id: digestId('日😀:one') }] }),
      setData('/b', '01'),
      bare(OP.whoAmI),
    ),
  },
  {
    name: 'without extended types a TTL is Unimplemented',
    profile: { extendedTypes: false },
    script: steps(
      create(OP.createTTL, '/a', { flags: 5, ttl: '1000' }),
      create(OP.create, '/a', { flags: 6 }),
      create(OP.createContainer, '/a', { flags: 4 }),
    ),
  },
];

/** Requests of slot 0, one after the other. */
function steps(...drafts: Draft[]): Step[] {
  return onSlot(0, ...drafts);
}

function onSlot(slot: number, ...drafts: Draft[]): Step[] {
  return drafts.map((draft, index) => ({
    kind: 'request',
    slot,
    request: { ...draft, xid: index + 1 },
  }));
}
