// A vote, its order and its equality (FastLeaderElection.totalOrderPredicate, Vote.equals).

import { ElectionState, type Zxid } from '@zebu/protocol';
import type { Notification } from './messages.ts';

/** Who is voted for, and how far that member's history goes. */
export interface Candidate {
  readonly leader: number;
  readonly zxid: Zxid;
  readonly peerEpoch: number;
}

/** Whether `left` is the better leader: by currentEpoch, then by zxid, then by sid. */
export function isBetter(left: Candidate, right: Candidate): boolean {
  if (left.peerEpoch !== right.peerEpoch) return left.peerEpoch > right.peerEpoch;
  if (left.zxid !== right.zxid) return left.zxid > right.zxid;
  return left.leader > right.leader;
}

/**
 * Whether two notifications vote alike. While one of them is from a member that is looking, everything must agree. The
 * votes of settled members may differ in zxid and round (ZOOKEEPER-1732, 1805), and in peerEpoch where one of them
 * is of a version that does not know it.
 */
export function votesAlike(left: Notification, right: Notification): boolean {
  if (left.leader !== right.leader) return false;
  if (left.state === ElectionState.LOOKING || right.state === ElectionState.LOOKING) {
    return (
      left.zxid === right.zxid &&
      left.electionEpoch === right.electionEpoch &&
      left.peerEpoch === right.peerEpoch
    );
  }
  if ((left.version === 0) !== (right.version === 0)) return true;
  return left.peerEpoch === right.peerEpoch;
}
