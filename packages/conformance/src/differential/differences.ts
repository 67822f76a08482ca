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
    what: 'createTTL with flags 0 to 4 and a negative ttl, alone or in a multi',
    apache: 'its process ends: an exception in the sync thread, again at each replay',
    ours: 'BadArguments',
    decision: 'issue 3, "Decide each quirk"; spec/measured.md, Client door',
    handling: 'never sent to Apache',
  },
  {
    what: 'deleteContainer (20) and createSession (-10) from a client',
    apache: 'served without a check of session or ACL',
    ours: 'UNIMPLEMENTED, then closed',
    decision: 'spec/client-wire.md section 5, notes; server-inventory.md section 12, quirk 8',
    handling: 'never sent',
  },
  {
    what: 'a write other than a multi whose body cannot be decoded',
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
    what: 'getData of a quota stats znode when the response cache is on',
    apache:
      'old counts of the same length: the cache looks at the stat, which counting leaves alone',
    ours: 'the counts of now',
    decision: 'a defect of the cache (ResponseCache.get), which we do not have',
    handling: 'maxResponseCacheSize=0 for Apache',
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
