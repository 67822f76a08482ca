// The digest that the tree keeps is the one of its znodes, computed from scratch, and the one that the
// last txn carries; and wherever a tree has this zxid, it has this digest.

import { formatZxid } from '@zebu/protocol';
import type { Serving } from '@zebu/server/internal';
import { digestFromScratch } from '../tree-dump.ts';
import { demand } from '../violation.ts';
import type { MakeChecker } from './checker.ts';

const NAME = 'digests';

export const digests: MakeChecker = ({ oracle }) => {
  const check = ({ tree }: Serving): void => {
    const zxid = tree.lastProcessedZxid;
    const scratch = digestFromScratch(tree);
    demand(
      tree.digest === scratch,
      NAME,
      () => `the tree says ${tree.digest} at ${formatZxid(zxid)}, its znodes ${scratch}`,
    );
    demand(
      scratch === oracle.digestAt(zxid),
      NAME,
      () => `digest ${scratch} at ${formatZxid(zxid)}, it was ${oracle.digestAt(zxid)} before`,
    );
    demand(
      tree.digestMismatches === 0,
      NAME,
      () => `${tree.digestMismatches} txns led elsewhere than they say`,
    );
  };
  return {
    name: NAME,
    serving: ({ serving }) => check(serving),
    look: check,
  };
};
