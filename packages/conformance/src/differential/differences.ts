// Where zebu is meant to differ from Apache 3.9.5, or Apache from itself, and what the test does about it.
// Anything that is not in this table and still differs is a defect.

export interface KnownDifference {
  readonly what: string;
  readonly apache: string;
  readonly ours: string;
  /** Where that was decided. */
  readonly decision: string;
  /** How the test deals with it. */
  readonly handling: string;
}

/** The last name of a znode that holds a quota's counts. */
export const QUOTA_STATS_NODE = 'zookeeper_stats';

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    what: 'createTTL with flags 0 to 4 and a negative ttl, not in a multi (there both make a plain create of it)',
    apache: 'its process ends: an exception in the sync thread, again at each replay',
    ours: 'BadArguments',
    decision: 'issue 3, "Decide each quirk"; spec/measured.md, Client door',
    handling: 'never sent to Apache',
  },
  {
    what: 'a handshake with the id of a session that another connection has, and a wrong password',
    apache: 'refused, and the connection that has the session is closed first',
    ours: 'refused, nothing else',
    decision: 'docs/decisions/030',
    handling: 'never sent',
  },
  {
    what: 'deleteContainer (20) and createSession (-10) from a client',
    apache: 'served without a check of session or ACL',
    ours: 'UNIMPLEMENTED, then closed',
    decision: 'spec/client-wire.md section 5, notes; server-inventory.md section 12, quirk 8',
    handling: 'never sent',
  },
  {
    what: 'a write other than a multi whose body cannot be decoded, and a multi with a create whose ACL is null',
    apache: 'MarshallingError under the zxid of the txn before: two txns of one zxid in the log',
    ours: 'MarshallingError under a zxid of its own',
    decision: 'spec/client-wire.md section 12, READ hazard',
    handling: 'sent; the extra zxid is taken out of every zxid compared after it',
  },
  {
    what: 'a quota stats znode whose text is no list of counts',
    apache: 'its process ends when the next znode below is counted',
    ours: 'counts from 0',
    decision: 'same reason as the createTTL above: one request must not stop a server',
    handling: 'only texts that parse are written there',
  },
  {
    what: 'a quota limits znode whose text is null or no list of counts',
    apache:
      'MarshallingError to every create and setData below, by an exception in its first stage',
    ours: 'a limit that cannot be read is no limit',
    decision: 'data-tree/src/quota-text.ts',
    handling: 'only texts that parse are written there',
  },
  {
    what: 'a null path in addWatch, checkWatches, removeWatches and the lists of setWatches',
    apache:
      'null is a key of its watch tables, found by who asks for null; in setWatches an exception',
    ours: 'MarshallingError, the empty path in setWatches',
    decision: 'an accident of Java maps; no client sends it',
    handling: 'not sent',
  },
  {
    what: 'getAllChildrenNumber of the empty path, which reads as the root',
    apache: "one more than for '/': it counts the alias '/' as a child of ''",
    ours: "the same as for '/'",
    decision: 'an accident of the alias (DataTree.getAllChildrenNumber); no client sends it',
    handling: 'not sent',
  },
  {
    what: 'ephemerals at start whose session no snapshot or log knows',
    apache: 'are deleted in memory, by no txn (ZooKeeperServer.loadData, killSession)',
    ours: 'are deleted by a closeSession txn, one zxid for each such session',
    decision: 'leader-writes.ts, closeOrphans: what is served can be replayed from the log',
    handling: 'no run starts on such data',
  },
  {
    what: 'getData of a quota stats znode when the response cache is on',
    apache:
      'old counts of the same length: the cache looks at the stat, which counting leaves alone',
    ours: 'the counts of now',
    decision: 'a defect of the cache (ResponseCache.get), which we do not have',
    handling: 'maxResponseCacheSize=0 for Apache',
  },
  {
    what: 'a string that Java writes again, in the answer to sync: supplementary characters and ill-formed UTF-8',
    apache: 'two encoded surrogates for such a character (CESU-8), U+FFFD for what is ill-formed',
    ours: 'the bytes that the client sent',
    decision: 'spec/client-wire.md section 1: "prefer forwarding received bytes unmodified"',
    handling: 'both are read as the same text',
  },
  {
    what: 'an ACL id with a character past U+FFFF in a multi',
    apache:
      'is stored as U+FFFD, since the parts of a multi are written and read again; alone it is kept',
    ours: 'is kept',
    decision: 'a defect: such an id would match nobody',
    handling: 'not sent; cases.ts has it outside a multi',
  },
  {
    what: 'the body of a failed multiRead that holds writes',
    apache: 'an empty list of results after MarshallingError',
    ours: 'nothing after MarshallingError',
    decision: 'spec/client-wire.md section 4: clients ignore a body when err is not 0',
    handling: 'such a body is not compared',
  },
  {
    what: 'zk_approximate_data_size with paths that are not ASCII',
    apache: 'counts the UTF-16 units of paths',
    ours: 'counts the bytes of paths',
    decision: 'an approximate size of memory; bytes are nearer to it',
    handling: 'not compared when such a path is left at the end',
  },
  {
    what: 'a null id or scheme in an ACL list with other entries',
    apache: 'MarshallingError where looking for repetitions meets the null, InvalidACL elsewhere',
    ours: 'judged by itself',
    decision: 'an accident of List.contains; no client sends it',
    handling: 'nulls are sent in lists of one entry only',
  },
  {
    what: 'order of children, ephemerals, of the deletes of a closing session, of identities',
    apache: 'order of its hash tables',
    ours: 'our order',
    decision: 'spec/client-wire.md section 7.3: unspecified',
    handling: 'sorted before the comparison',
  },
  {
    what: 'in a burst: a quota, or an ACL, that an earlier request of the burst changes',
    apache: 'differs from itself: its first stage looks at the tree while its last one changes it',
    ours: 'as if one after the other',
    decision: 'measured with this tool, Apache against Apache',
    handling: 'bursts work in a subtree without quotas and with open ACLs only',
  },
  {
    what: 'what is sent between a failed auth, or an unimplemented request, and the close that follows it',
    apache: 'served or not, a race',
    ours: 'not served',
    decision: 'spec/measured.md, Client door',
    handling: 'nothing is sent then; the slot connects anew',
  },
];
