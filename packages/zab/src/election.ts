// Fast leader election, while this member is looking (FastLeaderElection.lookForLeader).
//
// A member tells every voter who it would follow, takes over any better proposal, and is done when a quorum votes
// alike and nothing better came for a while. Whoever is settled already answers with its own vote: that is how a
// member that comes late finds the leader.
//
// Ends earlier than Apache's where it can: at once when every voter has voted for the candidate in this round, or
// cannot be reached. Apache's waits 200 ms in any case. A wrong end is safe, it costs an attempt: the epoch phase
// decides.

import { ElectionState, NO_VOTE, NOTIFICATION_VERSION } from '@zebu/protocol';
import type { ZabConfig } from './config.ts';
import type { Notification } from './messages.ts';
import type { Outbox } from './outbox.ts';
import type { Quorum } from './quorum.ts';
import { type Candidate, isBetter, votesAlike } from './vote.ts';

/** The vote that ended an election. */
export interface Elected extends Candidate {
  readonly electionEpoch: number;
  /** The voters that voted so. */
  readonly by: readonly number[];
}

export class Election {
  /** The logical clock of elections: each begins a new round, and takes over a later one that it hears of. */
  round: number;
  /** Set once it is over. */
  elected: Elected | undefined;
  private readonly config: ZabConfig;
  private readonly quorum: Quorum;
  private readonly outbox: Outbox;
  private initial: Candidate;
  private proposal: Candidate;
  /** Votes of this round, by sid. */
  private readonly received: Map<number, Notification>;
  /** Votes of settled members, of whatever round. */
  private readonly settled: Map<number, Notification>;
  /** Members whose election port refused, or whose link ended, and that were not heard since. */
  readonly unreachable: Set<number>;
  private notifyInterval: number;
  private notifyAt: number;
  /** When the vote that a quorum has now becomes final; Infinity while there is none. */
  private finalAt: number;

  constructor(config: ZabConfig, quorum: Quorum, outbox: Outbox) {
    this.config = config;
    this.quorum = quorum;
    this.outbox = outbox;
    this.round = 0;
    this.elected = undefined;
    this.initial = { leader: NO_VOTE, zxid: NO_VOTE, peerEpoch: NO_VOTE };
    this.proposal = this.initial;
    this.received = new Map();
    this.settled = new Map();
    this.unreachable = new Set();
    this.notifyInterval = config.limits.minNotification;
    this.notifyAt = Number.POSITIVE_INFINITY;
    this.finalAt = Number.POSITIVE_INFINITY;
  }

  /** Begins a round with this member's own candidate: itself, or nobody. */
  start(initial: Candidate, now: number): void {
    this.round++;
    this.elected = undefined;
    this.initial = initial;
    this.received.clear();
    this.settled.clear();
    this.notifyInterval = this.config.limits.minNotification;
    this.propose(initial, now);
    this.tally(now);
  }

  tick(now: number): void {
    if (now >= this.finalAt) {
      this.finish();
      return;
    }
    if (now < this.notifyAt) return;
    this.notifyInterval = Math.min(this.notifyInterval * 2, this.config.limits.maxNotification);
    this.notifyAll(now);
  }

  /** Whatever this member does: the other one is there. */
  heard(sid: number): void {
    this.unreachable.delete(sid);
  }

  /** Another member's vote; the sender is a voter. */
  receive(sid: number, vote: Notification, now: number): void {
    // What it said as a settled member does not hold any more.
    if (vote.state === ElectionState.LOOKING) this.settled.delete(sid);
    const isBehind = vote.state === ElectionState.LOOKING && vote.electionEpoch < this.round;
    if (isBehind && this.quorum.isVoter(this.config.sid)) {
      // Perhaps it has restarted: our round and proposal bring it forward.
      this.outbox.vote(sid, this.notificationOf(this.proposal));
    }
    if (!this.quorum.isVoter(vote.leader)) return;
    // For what this member was before its disk was wiped, or its history thrown away: it must not lead by that.
    if (vote.leader === this.config.sid && isBetter(vote, this.initial)) return;
    switch (vote.state) {
      case ElectionState.LOOKING:
        this.receiveLooking(sid, vote, now);
        break;
      case ElectionState.FOLLOWING:
      case ElectionState.LEADING:
        this.receiveSettled(sid, vote);
        break;
      default:
        break;
    }
  }

  /** Dialling it was refused, or its link was reset: it does not vote now. */
  memberUnreachable(sid: number, now: number, looking: boolean): void {
    this.unreachable.add(sid);
    if (looking && this.elected === undefined) this.tally(now);
  }

  /** What this member answers while it is looking. */
  answer(): Notification {
    return this.notificationOf(this.proposal);
  }

  private receiveLooking(sid: number, vote: Notification, now: number): void {
    // A member whose database was not opened yet (ZOOKEEPER-3531 and its kin): no vote.
    if (vote.zxid === -1) return;
    if (vote.electionEpoch < this.round) return;
    if (vote.electionEpoch > this.round) {
      if (isOutOfReach(vote.electionEpoch, this.round)) return;
      this.round = vote.electionEpoch;
      this.received.clear();
      this.propose(isBetter(vote, this.initial) ? candidateOf(vote) : this.initial, now);
    } else if (isBetter(vote, this.proposal)) {
      this.propose(candidateOf(vote), now);
    }
    this.received.set(sid, vote);
    this.tally(now);
  }

  private receiveSettled(sid: number, vote: Notification): void {
    if (vote.electionEpoch === this.round) {
      this.received.set(sid, vote);
      if (this.follow(this.received, vote)) return;
    }
    this.settled.set(sid, vote);
    this.follow(this.settled, vote);
  }

  /** Takes over the leader of members that are settled, if a quorum has it and it says so itself. */
  private follow(votes: ReadonlyMap<number, Notification>, vote: Notification): boolean {
    const by = votersAlike(votes, vote);
    if (!this.quorum.includedIn(by)) return false;
    if (vote.leader === this.config.sid) {
      // Only what this member was elected for in this very round makes it lead.
      if (vote.electionEpoch !== this.round) return false;
    } else if (votes.get(vote.leader)?.state !== ElectionState.LEADING) {
      return false;
    }
    this.round = vote.electionEpoch;
    this.elected = { ...candidateOf(vote), electionEpoch: vote.electionEpoch, by };
    return true;
  }

  private propose(candidate: Candidate, now: number): void {
    this.proposal = candidate;
    this.finalAt = Number.POSITIVE_INFINITY;
    this.notifyAll(now);
    if (this.quorum.isVoter(this.config.sid)) {
      this.received.set(this.config.sid, this.notificationOf(candidate));
    }
  }

  /** Counts the votes for the proposal, and waits, ends, or goes on. */
  private tally(now: number): void {
    const by = votersAlike(this.received, this.notificationOf(this.proposal));
    if (!this.quorum.isVoter(this.proposal.leader) || !this.quorum.includedIn(by)) {
      this.finalAt = Number.POSITIVE_INFINITY;
      return;
    }
    const nobodyIsMissing = this.quorum.voters.every(
      (sid) => by.includes(sid) || this.unreachable.has(sid),
    );
    if (nobodyIsMissing) this.finish();
    else if (this.finalAt === Number.POSITIVE_INFINITY) {
      this.finalAt = now + this.config.limits.finalizeWait;
    }
  }

  private finish(): void {
    const by = votersAlike(this.received, this.notificationOf(this.proposal));
    this.elected = { ...this.proposal, electionEpoch: this.round, by };
    this.finalAt = Number.POSITIVE_INFINITY;
  }

  private notifyAll(now: number): void {
    const notification = this.notificationOf(this.proposal);
    for (const sid of this.quorum.voters) {
      if (sid !== this.config.sid) this.outbox.vote(sid, notification);
    }
    this.notifyAt = now + this.notifyInterval;
  }

  private notificationOf(candidate: Candidate): Notification {
    return {
      state: ElectionState.LOOKING,
      leader: candidate.leader,
      zxid: candidate.zxid,
      electionEpoch: this.round,
      peerEpoch: candidate.peerEpoch,
      version: NOTIFICATION_VERSION,
    };
  }
}

function candidateOf(vote: Notification): Candidate {
  return { leader: vote.leader, zxid: vote.zxid, peerEpoch: vote.peerEpoch };
}

/** The members whose votes are like this one. */
function votersAlike(votes: ReadonlyMap<number, Notification>, vote: Notification): number[] {
  const alike: number[] = [];
  for (const [sid, other] of votes) if (votesAlike(vote, other)) alike.push(sid);
  return alike;
}

/**
 * No ensemble gets that far by holding elections. Taken over, such a round would be the last one that a notification
 * can carry. Below, a member that was started again takes over any round.
 */
const LAST_FREE_ROUND = 2 ** 52;
const LONGEST_STEP = 2 ** 32;

function isOutOfReach(round: number, own: number): boolean {
  return round > LAST_FREE_ROUND && round - own > LONGEST_STEP;
}
