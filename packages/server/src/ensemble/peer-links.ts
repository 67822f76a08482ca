// The links of the quorum port: those of learners that dialled this member, and the one to its leader. What they bring
// goes to the core, to the role or to the member's history; what goes out on them leaves in one write for each turn.
//
//   LearnerLink, LeaderLink ─► PeerLinks ─► Zab, CurrentRole, OwnHistory
//   Zab's sends and closes  ─► PeerLinks ─► LearnerFeed, the leader's link

import { PacketType, type PeerMessage, type QuorumPacketView, type Zxid } from '@zebu/protocol';
import { acceptPeer, type Connection, type Network, type PeerLink } from '@zebu/transport';
import { type CoreMessage, type RoleChange, type Send, SendKind, type Zab } from '@zebu/zab';
import type { EnsembleConfig } from '../config/ensemble-config.ts';
import { maxEntryBytes } from '../config/server-config.ts';
import type { Member } from '../member.ts';
import type { TxnChunk } from '../txns/txn-chunks.ts';
import type { CurrentRole } from './current-role.ts';
import type { EnsembleFigures } from './ensemble-figures.ts';
import type { LeaderLink, LeaderLinkOwner } from './leader-link.ts';
import type { LearnerFeed } from './learner-feed.ts';
import { LearnerLink, type LearnerLinkOwner } from './learner-link.ts';
import type { OwnHistory } from './own-history.ts';
import { logSyncBegins } from './role-lines.ts';
import { WayToLeader } from './way-to-leader.ts';

/** Bytes that may wait on a link beside a sync; a learner that is further behind comes back by a sync. */
const MAX_BACKLOG_BYTES = 256 << 20;
/** Links to the quorum port that have not said whose they are: any more are closed. */
const MAX_UNKNOWN_LEARNERS = 64;
const MAX_AUTHINFO_BYTES = 1 << 20;

/** Where what comes in goes. */
export interface LinkTargets {
  readonly role: CurrentRole;
  readonly feed: LearnerFeed;
  readonly history: OwnHistory;
}

export interface PeerLinksOptions {
  readonly member: Member;
  readonly ensemble: EnsembleConfig;
  readonly network: Network;
  readonly core: Zab;
  readonly figures: EnsembleFigures;
  readonly configText: string;
  /** The same each time; made after the links. */
  readonly targets: () => LinkTargets;
  /** The last change of the role. */
  readonly change: () => RoleChange | undefined;
  /** Takes the core's output, now and at the end of the turn. */
  readonly drive: () => void;
  readonly driveSoon: () => void;
}

export class PeerLinks implements LearnerLinkOwner, LeaderLinkOwner {
  readonly limits: { readonly maxDataBytes: number; readonly maxAuthinfoBytes: number };
  readonly way: WayToLeader;
  private readonly options: PeerLinksOptions;
  private readonly core: Zab;
  private readonly figures: EnsembleFigures;
  /** Learners by number of their link: only on a leader. */
  private readonly learners: Map<number, LearnerLink>;
  /** Links that hold something to send. */
  private readonly touchedLinks: Set<LearnerLink | LeaderLink>;
  private lastLink: number;

  constructor(options: PeerLinksOptions) {
    const { config } = options.member;
    this.options = options;
    this.core = options.core;
    this.figures = options.figures;
    this.limits = {
      maxDataBytes: Math.max(maxEntryBytes(config), 2 * config.juteMaxBufferBytes),
      maxAuthinfoBytes: MAX_AUTHINFO_BYTES,
    };
    this.learners = new Map();
    this.touchedLinks = new Set();
    this.lastLink = 0;
    this.way = this.makeWay();
  }

  ofLearners(): Iterable<LearnerLink> {
    return this.learners.values();
  }

  /** Dials the leader. */
  dial(leaderSid: number): void {
    this.way.dial(leaderSid, ++this.lastLink);
  }

  /** Ends all of them: the server failed. */
  abandon(reason: Error): void {
    this.way.stop();
    for (const link of this.learners.values()) link.close(reason);
    this.way.link?.close(reason);
  }

  private get targets(): LinkTargets {
    return this.options.targets();
  }

  private makeWay(): WayToLeader {
    const { member, ensemble, network } = this.options;
    return new WayToLeader({
      owner: this,
      ensemble,
      network,
      scheduler: member.environment.scheduler,
      maxBacklogBytes: MAX_BACKLOG_BYTES,
      tryBegan: (link) => this.figures.linkBegan(link),
      tryFailed: (link) => {
        this.touchedLinks.delete(link);
        this.figures.linkEnded(link);
      },
      // Whether the link was ever up is the core's reason.
      onGivenUp: (number, wasUp) => {
        if (wasUp) this.core.linkClosed(number);
        else this.core.leaderUnreachable();
        this.options.driveSoon();
      },
    });
  }

  /** A learner dials this member's quorum port. */
  accept(connection: Connection): PeerLink {
    let strangers = 0;
    for (const { sid } of this.learners.values()) if (sid === -1) strangers++;
    const link = new LearnerLink(++this.lastLink, this);
    const peer = acceptPeer(connection, link, { maxBacklogBytes: MAX_BACKLOG_BYTES });
    link.attach(peer);
    if (strangers >= MAX_UNKNOWN_LEARNERS) {
      link.close(new Error(`${strangers} links have not said whose they are`));
      return peer;
    }
    this.learners.set(link.number, link);
    this.figures.linkBegan(link);
    this.core.learnerConnected(link.number);
    this.options.driveSoon();
    return peer;
  }

  begin(): void {
    this.options.member.turns.readClock();
  }

  end(): void {
    this.options.driveSoon();
  }

  linkActive(link: LearnerLink | LeaderLink): void {
    this.core.linkActive(link.number);
  }

  linkClosed(link: LearnerLink | LeaderLink, reason: Error | undefined): void {
    const { logger } = this.options.member.environment;
    this.figures.linkEnded(link);
    if (link instanceof LearnerLink) {
      if (!this.learners.delete(link.number)) return;
      logger.info('A learner left', { sid: link.sid, reason: reason?.message ?? 'closed' });
      this.targets.feed.endSync(link.number);
      this.targets.role.leader?.learnerLeft(link);
    } else {
      if (this.way.link !== link) return;
      this.way.link = undefined;
      logger.info('The link to the leader ended', { reason: reason?.message ?? 'closed' });
    }
    this.core.linkClosed(link.number);
  }

  received(link: LearnerLink | LeaderLink, message: CoreMessage): void {
    if (link instanceof LearnerLink) {
      if (this.refuseImpostor(link, message)) return;
      if (message.type === PacketType.PING) link.pongMs = this.options.member.turns.nowMs;
    } else if (message.type === PacketType.LEADERINFO) this.way.answered(link);
    this.core.receive(link.number, message);
  }

  /**
   * A member that came back by another link has given up the old one, and is silent on that. While a link answers, one that
   * says from another host that it is the same member is not. A member that moved is taken up within a tick.
   */
  private refuseImpostor(link: LearnerLink, { type }: CoreMessage): boolean {
    if (type !== PacketType.FOLLOWERINFO && type !== PacketType.OBSERVERINFO) return false;
    const { environment, turns, config } = this.options.member;
    for (const other of this.learners.values()) {
      if (other === link || other.sid !== link.sid || other.sid < 0) continue;
      if (other.host === link.host || turns.nowMs - other.pongMs > config.tickTimeMs) continue;
      environment.logger.warn(
        'A link says that it is a server whose own link answers; it is closed',
        {
          sid: link.sid,
          from: link.address,
          ownLink: other.address,
        },
      );
      link.close(new Error(`Server ${link.sid} has a link from ${other.address} that answers`));
      return true;
    }
    return false;
  }

  // A leader's links.

  acked(link: LearnerLink, zxid: Zxid): void {
    link.lastAckedZxid = zxid;
    this.figures.acked(link, zxid, this.options.member.turns.nowMs);
    this.core.receiveAck(link.number, zxid);
  }

  requested(link: LearnerLink, packet: QuorumPacketView): void {
    this.targets.role.requested(link, packet);
  }

  revalidate(link: LearnerLink, sessionId: bigint, timeoutMs: number): void {
    this.targets.role.leader?.revalidate(link, sessionId, timeoutMs);
  }

  touched(_link: LearnerLink, touched: Uint8Array): void {
    this.targets.role.leader?.touched(touched);
  }

  releaseChunk(chunk: TxnChunk): void {
    this.targets.role.database.chunks.release(chunk);
  }

  // A learner's link.

  linkUp(link: LeaderLink): void {
    const { firstMessage } = this.way;
    if (firstMessage === undefined) {
      this.core.leaderConnected(link.number);
      return;
    }
    link.sendMessage(this.completed(firstMessage));
    this.touchedLinks.add(link);
  }

  proposed(link: LeaderLink, zxid: Zxid, bytes: Buffer, start: number, end: number): void {
    this.core.receiveProposal(link.number, zxid);
    const isFresh = this.core.phase === 'broadcast';
    if (isFresh) this.figures.proposalReceived();
    this.targets.role.take(zxid, bytes, start, end, isFresh ? 'proposed' : 'synced');
  }

  informed(link: LeaderLink, zxid: Zxid, bytes: Buffer, start: number, end: number): void {
    this.core.receiveInform(link.number, zxid);
    const isFresh = this.core.phase === 'broadcast';
    if (isFresh) this.figures.commitReceived();
    this.targets.role.take(zxid, bytes, start, end, isFresh ? 'informed' : 'synced');
  }

  committed(link: LeaderLink, zxid: Zxid): void {
    if (this.core.phase === 'broadcast') this.figures.commitReceived();
    this.core.receiveCommit(link.number, zxid);
  }

  synced(): void {
    this.targets.role.synced();
  }

  goodbye(): void {
    // The commits that came before it are carried out first.
    this.options.drive();
    if (this.targets.role.serving === undefined) return;
    this.options.member.dismissClientsAfter(this.core.committedZxid);
  }

  revalidated(sessionId: bigint, isValid: boolean): void {
    this.targets.role.revalidated(sessionId, isValid);
  }

  syncBegins(link: LeaderLink, mode: number, zxid: Zxid): boolean {
    const { durableZxid } = this.core;
    this.options.drive();
    if (this.way.link !== link) return true;
    const change = this.options.change();
    if (change !== undefined) {
      const { logger } = this.options.member.environment;
      logSyncBegins(logger, change, durableZxid, { type: mode, zxid });
    }
    return this.targets.history.syncBegins(link, mode, zxid);
  }

  snapshotBytes(
    link: LeaderLink,
    bytes: Buffer,
    start: number,
    end: number,
  ): { used: number; isDone: boolean } {
    return this.targets.history.snapshotBytes(link, bytes, start, end);
  }

  // ---- What goes out ------------------------------------------------------------------------

  closeLink(number: number, reason: string): void {
    const { logger } = this.options.member.environment;
    const learner = this.learners.get(number);
    if (learner !== undefined) {
      this.learners.delete(number);
      this.targets.feed.endSync(number);
      this.targets.role.leader?.learnerLeft(learner);
      this.touchedLinks.delete(learner);
      logger.info('Closing a link to a learner', { sid: learner.sid, reason });
      learner.close();
      return;
    }
    const { link } = this.way;
    if (link?.number !== number) return;
    this.way.link = undefined;
    this.touchedLinks.delete(link);
    logger.info('Closing the link to the leader', { reason });
    link.close();
  }

  send(send: Send): void {
    const learner = this.learners.get(send.link);
    if (learner !== undefined) {
      this.touchedLinks.add(learner);
      this.targets.feed.send(learner, send);
      return;
    }
    const { link } = this.way;
    if (link?.number !== send.link) return;
    this.touchedLinks.add(link);
    if (send.kind === SendKind.ACKS) {
      const { history } = this.targets.role;
      if (history !== undefined) link.sendAcks(history, send.after, send.upTo);
    } else if (send.message !== undefined) {
      this.way.sending(send.message);
      link.sendMessage(this.completed(send.message));
    }
  }

  /** A message of a role: it leaves at the end of the turn. */
  sendSoon(link: LearnerLink | LeaderLink, message: PeerMessage): void {
    link.sendMessage(message);
    this.touchedLinks.add(link);
    this.options.driveSoon();
  }

  /** Fills in what the core does not know. */
  completed(message: CoreMessage): PeerMessage {
    switch (message.type) {
      case PacketType.NEWLEADER:
        return { ...message, type: message.type, configText: this.options.configText };
      case PacketType.PING: {
        const touched = this.targets.role.learner?.touches.take() ?? null;
        return { type: message.type, zxid: message.zxid, touched };
      }
      default:
        return { ...message } as PeerMessage;
    }
  }

  /** Something waits on this link: it leaves with the next flush(). */
  touch(link: LearnerLink | LeaderLink): void {
    this.touchedLinks.add(link);
  }

  flush(): void {
    for (const link of this.touchedLinks) link.flush();
  }

  /** At the end of the turn: nothing waits any more. */
  flushAll(): void {
    this.flush();
    this.touchedLinks.clear();
  }
}
