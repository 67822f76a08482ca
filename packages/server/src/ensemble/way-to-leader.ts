// The way of a learner to its leader: the link, and the tries to open it.
//
// To the core every try is the same link, until the leader has answered on it: whatever stands in front of a leader
// may take a connection and end it while the leader does not listen yet.

import { dialPeer, type Network } from '@zebu/transport';
import type { CoreMessage } from '@zebu/zab';
import { type EnsembleConfig, memberOfSid } from '../config/ensemble-config.ts';
import type { Scheduler } from '../environment.ts';
import { LeaderLink, type LeaderLinkOwner } from './leader-link.ts';

/** Tries to reach a leader before this member looks for another one (Learner.connectToLeader). */
const LEADER_TRIES = 8;
const QUICK_RETRY_MS = 10;

export interface WayToLeaderOptions {
  readonly owner: LeaderLinkOwner;
  readonly ensemble: EnsembleConfig;
  readonly network: Network;
  readonly scheduler: Scheduler;
  readonly maxBacklogBytes: number;
  readonly tryBegan: (link: LeaderLink) => void;
  readonly tryFailed: (link: LeaderLink) => void;
  /** No try is left. Whether the link was ever up, and under which number. */
  readonly onGivenUp: (number: number, wasUp: boolean) => void;
}

export class WayToLeader {
  /** The link to the leader, up or being dialled. */
  link: LeaderLink | undefined;
  private readonly options: WayToLeaderOptions;
  /** Calls off the dialling of the leader; undefined from the leader's first message on. */
  private stopDialling: (() => void) | undefined;
  /** What this member said first to the leader that it dials: each further link begins with it again. */
  private introduction: CoreMessage | undefined;

  constructor(options: WayToLeaderOptions) {
    this.link = undefined;
    this.options = options;
    this.stopDialling = undefined;
    this.introduction = undefined;
  }

  dial(sid: number, number: number): void {
    this.tryToDial(sid, number, 0);
  }

  /** A message of the core leaves by the link. */
  sending(message: CoreMessage): void {
    if (this.stopDialling !== undefined) this.introduction = { ...message };
  }

  /** What a link that is up has to begin with; undefined for the first one, whose beginning the core has to say. */
  get firstMessage(): CoreMessage | undefined {
    return this.introduction;
  }

  /** It is the leader that took the link up: the link's end is the end of the role from now on. */
  answered(link: LeaderLink): void {
    link.onDialFailed = undefined;
    this.stopDialling = undefined;
    this.introduction = undefined;
  }

  /** The role ends. */
  stop(): void {
    this.stopDialling?.();
    this.stopDialling = undefined;
    this.introduction = undefined;
  }

  private tryToDial(sid: number, number: number, failures: number): void {
    const { owner, ensemble, network, scheduler } = this.options;
    const [address] = memberOfSid(ensemble, sid)?.addresses ?? [];
    if (address === undefined) {
      this.options.onGivenUp(number, false);
      return;
    }
    const link = new LeaderLink(number, owner);
    this.link = link;
    this.options.tryBegan(link);
    link.onDialFailed = (): void => {
      this.link = undefined;
      this.options.tryFailed(link);
      const next = failures + 1;
      if (next >= LEADER_TRIES) {
        this.stopDialling = undefined;
        this.options.onGivenUp(number, this.introduction !== undefined);
        return;
      }
      // A leader of this kind listens as soon as it is elected: the first tries follow each other quickly.
      const delayMs = Math.min(QUICK_RETRY_MS * 2 ** failures, ensemble.leaderConnectRetryMs);
      this.stopDialling = scheduler.after(delayMs, () => this.tryToDial(sid, number, next));
    };
    this.stopDialling = () => {
      link.onDialFailed = undefined;
      link.close();
    };
    const peer = dialPeer(
      network,
      {
        host: address.host,
        port: address.quorumPort,
        connectTimeoutMs: ensemble.cnxTimeoutMs,
        keepAlive: ensemble.keepAlive,
      },
      link,
      { maxBacklogBytes: this.options.maxBacklogBytes },
    );
    link.attach(peer);
  }
}
