// Where the parts of the core put what is to be done, until the driver takes it. Two outputs take turns, so that an
// input called while the driver carries out one output writes into the other.

import type { Zxid } from '@zebu/protocol';
import type { CoreMessage, Notification } from './messages.ts';
import {
  type LinkClose,
  type Output,
  type PlanRequest,
  type Reason,
  type RoleChange,
  type Send,
  SendKind,
  type Vote,
} from './output.ts';
import type { SyncPlan } from './sync-plan.ts';

export class Outbox {
  private filling: OutputBuffer;
  private taken: OutputBuffer;

  constructor() {
    this.filling = new OutputBuffer();
    this.taken = new OutputBuffer();
  }

  /** What is being filled; the disk writes its batch into it. */
  get output(): Output {
    return this.filling;
  }

  get isEmpty(): boolean {
    return this.filling.isEmpty;
  }

  take(): Output {
    const output = this.filling;
    this.filling = this.taken;
    this.taken = output;
    this.filling.clear();
    return output;
  }

  message(link: number, message: CoreMessage): void {
    this.filling.addSend(link, SendKind.MESSAGE, -1, -1, message, undefined);
  }

  range(link: number, kind: SendKind, after: Zxid, upTo: Zxid): void {
    this.filling.addSend(link, kind, after, upTo, undefined, undefined);
  }

  plan(link: number, plan: SyncPlan): void {
    this.filling.addSend(link, SendKind.SYNC, plan.after, plan.upTo, undefined, plan);
  }

  /** The newest notification for a member is the only one that counts. */
  vote(sid: number, notification: Notification): void {
    const { votes } = this.filling;
    const at = votes.findIndex((vote) => vote.sid === sid);
    if (at < 0) votes.push({ sid, notification });
    else votes[at] = { sid, notification };
  }

  planRequest(request: PlanRequest): void {
    this.filling.planRequests.push(request);
  }

  close(link: number, reason: Reason): void {
    this.filling.closes.push({ link, reason });
  }

  commitTo(zxid: Zxid): void {
    this.filling.commitTo = zxid;
  }

  barrier(token: number): void {
    this.filling.barriers.push(token);
  }

  change(change: RoleChange): void {
    this.filling.change = change;
  }

  /** The role is over: nothing that it wanted to say goes out any more. */
  leave(reason: Reason, discardTree: boolean): void {
    const { filling } = this;
    filling.sends.length = 0;
    filling.planRequests.length = 0;
    filling.leaving = { reason, discardTree };
  }
}

class SendRecord implements Send {
  link = -1;
  kind: SendKind = SendKind.MESSAGE;
  after: Zxid = -1;
  upTo: Zxid = -1;
  message: CoreMessage | undefined = undefined;
  plan: SyncPlan | undefined = undefined;
}

class OutputBuffer implements Output {
  batch = 0;
  truncateAfter: Zxid = -1;
  appendTo: Zxid = -1;
  acceptedEpoch = -1;
  currentEpoch = -1;
  readonly closes: LinkClose[] = [];
  leaving: { readonly reason: Reason; readonly discardTree: boolean } | undefined = undefined;
  readonly sends: SendRecord[] = [];
  readonly votes: Vote[] = [];
  readonly planRequests: PlanRequest[] = [];
  commitTo: Zxid = -1;
  change: RoleChange | undefined = undefined;
  readonly barriers: number[] = [];
  /** Send records that are used again. */
  private readonly pool: SendRecord[] = [];

  get isEmpty(): boolean {
    return (
      this.batch === 0 &&
      this.commitTo < 0 &&
      this.sends.length === 0 &&
      this.barriers.length === 0 &&
      this.votes.length === 0 &&
      this.planRequests.length === 0 &&
      this.closes.length === 0 &&
      this.leaving === undefined &&
      this.change === undefined
    );
  }

  addSend(
    link: number,
    kind: SendKind,
    after: Zxid,
    upTo: Zxid,
    message: CoreMessage | undefined,
    plan: SyncPlan | undefined,
  ): void {
    const index = this.sends.length;
    const record = this.pool[index] ?? new SendRecord();
    this.pool[index] = record;
    record.link = link;
    record.kind = kind;
    record.after = after;
    record.upTo = upTo;
    record.message = message;
    record.plan = plan;
    this.sends.push(record);
  }

  clear(): void {
    this.batch = 0;
    this.truncateAfter = -1;
    this.appendTo = -1;
    this.acceptedEpoch = -1;
    this.currentEpoch = -1;
    if (this.closes.length > 0) this.closes.length = 0;
    this.leaving = undefined;
    if (this.sends.length > 0) this.sends.length = 0;
    if (this.votes.length > 0) this.votes.length = 0;
    if (this.planRequests.length > 0) this.planRequests.length = 0;
    this.commitTo = -1;
    this.change = undefined;
    if (this.barriers.length > 0) this.barriers.length = 0;
  }
}
