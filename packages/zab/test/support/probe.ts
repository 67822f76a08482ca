// One core under test: inputs are its own methods, and what it says is read as lines.

import { ElectionState, formatZxid, type PacketType, packetTypeName } from '@zebu/protocol';
import {
  type CoreMessage,
  DEFAULT_LIMITS,
  type Notification,
  type Output,
  SendKind,
  SyncMode,
  Zab,
  type ZabConfig,
  type ZabLimits,
  type ZabStart,
} from '../../src/index.ts';

/** Short limits, so that tests count few ticks. */
export const LIMITS: ZabLimits = {
  ...DEFAULT_LIMITS,
  init: 40,
  sync: 20,
  connect: 30,
  quorumCheck: 8,
  ping: 4,
  finalizeWait: 5,
  minNotification: 3,
  maxNotification: 12,
  observerDelay: 6,
  snapSyncs: 1,
  diffSyncs: 1,
};

const STATES = Object.entries(ElectionState);

export class Probe {
  readonly zab: Zab;
  private lastBatch = 0;
  /** Why links were closed and roles ended, in words. */
  readonly reasons: string[] = [];
  /** Kinds of lines that are left out. */
  quiet: readonly string[] = ['vote'];

  constructor(config: Partial<ZabConfig> = {}, start: Partial<ZabStart> = {}, random = () => 0.5) {
    this.zab = new Zab(
      {
        sid: 1,
        voters: [1, 2, 3],
        observer: false,
        configVersion: 0,
        ...config,
        limits: { ...LIMITS, ...config.limits },
      },
      {
        acceptedEpoch: 0,
        currentEpoch: 0,
        lastZxid: 0,
        appliedZxid: 0,
        trust: 'judge',
        ...start,
      },
      random,
    );
  }

  /** What the core has to say now, one line for each thing. */
  take(): string[] {
    const lines: string[] = [];
    while (this.zab.hasOutput) lines.push(...this.print(this.zab.takeOutput()));
    this.zab.checkInvariants();
    return lines.filter((line) => !this.quiet.some((word) => line.startsWith(word)));
  }

  /** Everything that was handed to the disk is there; then what the core says to that. */
  durable(): string[] {
    this.zab.durable(this.lastBatch);
    return this.take();
  }

  ticks(count: number): string[] {
    const lines: string[] = [];
    for (let i = 0; i < count; i++) {
      this.zab.tick();
      lines.push(...this.take());
    }
    return lines;
  }

  /** Messages from a link, in order; then what the core says. */
  receive(link: number, ...messages: readonly CoreMessage[]): string[] {
    for (const message of messages) this.zab.receive(link, message);
    return this.take();
  }

  private print(output: Output): string[] {
    const lines: string[] = [];
    for (const { link, reason } of output.closes) {
      lines.push(`close ${link}: ${reason.code}`);
      this.reasons.push(reason.text);
    }
    if (output.leaving !== undefined) {
      const { reason, discardTree } = output.leaving;
      this.reasons.push(reason.text);
      lines.push(`leave: ${reason.code}${discardTree ? ', discard the tree' : ''}`);
    }
    for (const send of output.sends) {
      const range = `(${formatZxid(send.after)}, ${formatZxid(send.upTo)}]`;
      switch (send.kind) {
        case SendKind.MESSAGE:
          lines.push(`to ${send.link}: ${printMessage(send.message as CoreMessage)}`);
          break;
        case SendKind.SYNC: {
          const mode = Object.entries(SyncMode).find(([, value]) => value === send.plan?.mode);
          lines.push(
            `to ${send.link}: ${mode?.[0]} ${formatZxid(send.plan?.packetZxid ?? -1)} ${range}`,
          );
          break;
        }
        case SendKind.PROPOSALS:
          lines.push(`to ${send.link}: PROPOSAL ${range}`);
          break;
        case SendKind.COMMITS:
          lines.push(`to ${send.link}: COMMIT ${range}`);
          break;
        case SendKind.INFORMS:
          lines.push(`to ${send.link}: INFORM ${range}`);
          break;
        case SendKind.ACKS:
          lines.push(`to ${send.link}: ACK ${range}`);
          break;
      }
    }
    if (output.batch > 0) {
      this.lastBatch = output.batch;
      const parts: string[] = [];
      if (output.truncateAfter >= 0) parts.push(`truncate ${formatZxid(output.truncateAfter)}`);
      if (output.appendTo >= 0) parts.push(`append ${formatZxid(output.appendTo)}`);
      if (output.acceptedEpoch >= 0) parts.push(`acceptedEpoch ${output.acceptedEpoch}`);
      if (output.currentEpoch >= 0) parts.push(`currentEpoch ${output.currentEpoch}`);
      lines.push(`disk: ${parts.join(', ')}`);
    }
    if (output.commitTo >= 0) lines.push(`apply ${formatZxid(output.commitTo)}`);
    if (output.change !== undefined) {
      const { role, phase, leaderSid, epoch } = output.change;
      lines.push(`now ${role} ${phase}, leader ${leaderSid}, epoch ${epoch}`);
    }
    for (const token of output.barriers) lines.push(`barrier ${token}`);
    for (const { sid, notification } of output.votes) {
      lines.push(`vote to ${sid}: ${printVote(notification)}`);
    }
    for (const { link, sid, learnerZxid } of output.planRequests) {
      lines.push(`plan for ${link} (server ${sid}): ${formatZxid(learnerZxid)}`);
    }
    return lines;
  }
}

function printMessage(message: CoreMessage): string {
  const name = packetTypeName(message.type as PacketType);
  if ('info' in message) return `${name} ${message.acceptedEpoch}`;
  if ('lastZxid' in message)
    return `${name} ${formatZxid(message.lastZxid)} ${message.currentEpoch}`;
  if ('epoch' in message) return `${name} ${message.epoch}`;
  return `${name} ${formatZxid(message.zxid)}`;
}

function printVote(vote: Notification): string {
  const state = STATES.find(([, value]) => value === vote.state)?.[0];
  return `${state} ${vote.leader} ${formatZxid(vote.zxid)} round ${vote.electionEpoch} epoch ${vote.peerEpoch}`;
}

export function vote(fields: Partial<Notification>): Notification {
  return {
    state: ElectionState.LOOKING,
    leader: 3,
    zxid: 0,
    electionEpoch: 1,
    peerEpoch: 0,
    version: 2,
    ...fields,
  };
}
