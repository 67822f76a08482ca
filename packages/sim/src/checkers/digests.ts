// The digest that the tree keeps is the one of its znodes, computed from scratch, and the one that the
// last txn carries; and wherever a tree has this zxid, it has this digest.

import { formatZxid } from '@zebu/protocol';
import type { Serving } from '@zebu/server/internal';
import { digestFromScratch } from '../tree-dump.ts';
import { demand } from '../violation.ts';
import type { MakeChecker } from './checker.ts';

const NAME = 'digests';

export const digests: MakeChecker = ({ oracle }) => {
  /** What the tree says of itself, against what the txns up to its zxid lead to. */
  const compare = ({ tree }: Serving): void => {
    const zxid = tree.lastProcessedZxid;
    demand(
      tree.digest === oracle.digestAt(zxid),
      NAME,
      () => `digest ${tree.digest} at ${formatZxid(zxid)}, it was ${oracle.digestAt(zxid)} before`,
    );
    demand(
      tree.digestMismatches === 0,
      NAME,
      () => `${tree.digestMismatches} txns led elsewhere than they say`,
    );
  };
  const addUp = ({ tree }: Serving): void => {
    const scratch = digestFromScratch(tree);
    demand(
      tree.digest === scratch,
      NAME,
      () =>
        `the tree says ${tree.digest} at ${formatZxid(tree.lastProcessedZxid)}, its znodes ${scratch}`,
    );
  };
  return {
    name: NAME,
    serving({ serving }) {
      addUp(serving);
      compare(serving);
    },
    look(serving, thorough) {
      if (thorough) addUp(serving);
      compare(serving);
    },
  };
};
