// The state after recovery is the state after some prefix of the txns in the order in which they were
// issued: nothing half done (a multi is there whole or not at all), nothing of what comes after it.

import { compareTree } from '../tree-dump.ts';
import type { MakeChecker } from './checker.ts';

const NAME = 'recovered-state';

export const recoveredState: MakeChecker = ({ oracle }) => ({
  name: NAME,

  serving({ serving, zxid }) {
    compareTree(NAME, serving.tree, oracle.tree, zxid);
  },

  look(serving, thorough) {
    if (!thorough) return;
    compareTree(NAME, serving.tree, oracle.tree, serving.tree.lastProcessedZxid);
  },
});
