// A read shows the tree exactly as it was after the txn that its reply names: nothing of a later one,
// nothing missing of an earlier one.

import { ErrorCode, formatZxid, OpCode, Perms, Xid } from '@zebu/protocol';
import { demand } from '../violation.ts';
import { type Answer, type Ask, describeAsk, describeStat, sameAcl, sameStat } from '../wire.ts';
import { allows, statOf, type ZnodeState } from '../znode-history.ts';
import type { MakeChecker } from './checker.ts';

const NAME = 'read-view';

/** Permission bits of which a reader needs one. */
const NEEDED: ReadonlyMap<number, number> = new Map<number, number>([
  [OpCode.exists, Perms.READ],
  [OpCode.getData, Perms.READ],
  [OpCode.getChildren2, Perms.READ],
  [OpCode.getACL, Perms.READ | Perms.ADMIN],
]);

export const readView: MakeChecker = ({ oracle }) => ({
  name: NAME,

  answered({ client }, ask, answer) {
    const needed = NEEDED.get(ask.type);
    if (needed === undefined || answer.xid === Xid.ping) return;
    const what = (): string =>
      `${client.name}: ${describeAsk(ask)} as of ${formatZxid(answer.zxid)}`;
    const znode = oracle.tree.at(ask.path, answer.zxid);
    const error =
      znode === undefined ? ErrorCode.NONODE : allows(znode, needed) ? 0 : ErrorCode.NOAUTH;
    demand(
      answer.error === error,
      NAME,
      () => `${what()} answers ${answer.error} in place of ${error}`,
    );
    if (znode === undefined || error !== 0) return;
    demand(
      sameStat(answer.stat, statOf(znode)),
      NAME,
      () => `${what()} shows ${describeStat(answer.stat)}, not ${describeStat(statOf(znode))}`,
    );
    demand(showsThat(ask, answer, znode), NAME, () => `${what()} shows other content`);
  },
});

function showsThat(ask: Ask, answer: Answer, znode: ZnodeState): boolean {
  switch (ask.type) {
    case OpCode.getData: {
      const { data } = answer;
      if (data === undefined) return false;
      return data === null || znode.data === null ? data === znode.data : data.equals(znode.data);
    }
    case OpCode.getACL:
      return sameAcl(answer.acl, znode.acl.length === 0 ? (answer.acl ?? []) : znode.acl);
    case OpCode.getChildren2:
      return new Set(answer.children).size === znode.numChildren;
    default:
      return true;
  }
}
