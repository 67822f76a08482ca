// What the core knows of its own disk: what was asked for, what was handed over in numbered batches, what is durable.
//
// A batch number rather than a zxid names a completion, so that a write that ends after a later truncation cannot be
// mistaken for a durable txn (etcd: async_storage_writes_append_aba_race.txt). Requests gather until seal() makes a
// batch of them; what was not sealed when a role ends is dropped, and was never promised to anybody.

import type { Zxid } from '@zebu/protocol';
import type { ZabStart } from './config.ts';
import { assert } from './invariants.ts';
import type { Output } from './output.ts';

interface Batch {
  readonly number: number;
  readonly sealedAt: number;
  readonly appendedZxid: Zxid;
  readonly acceptedEpoch: number;
  readonly currentEpoch: number;
}

export class Disk {
  /** Durable. Invariant: currentEpoch <= acceptedEpoch. */
  acceptedEpoch: number;
  currentEpoch: number;
  /** Invariant: durableZxid <= sealedZxid. */
  durableZxid: Zxid;
  /** The end of the log once everything that was asked for is done. */
  appendedZxid: Zxid;
  /** The end of the log once every sealed batch is done. */
  private sealedZxid: Zxid;
  private truncateTo: Zxid;
  private nextAcceptedEpoch: number;
  private nextCurrentEpoch: number;
  private lastBatch: number;
  private readonly inFlight: Batch[];

  constructor(start: ZabStart) {
    this.acceptedEpoch = start.acceptedEpoch;
    this.currentEpoch = start.currentEpoch;
    this.durableZxid = start.lastZxid;
    this.appendedZxid = start.lastZxid;
    this.sealedZxid = start.lastZxid;
    this.truncateTo = -1;
    this.nextAcceptedEpoch = -1;
    this.nextCurrentEpoch = -1;
    this.lastBatch = 0;
    this.inFlight = [];
  }

  /** Whether seal() would make a batch. */
  get hasRequests(): boolean {
    return (
      this.appendedZxid !== this.sealedZxid ||
      this.truncateTo >= 0 ||
      this.nextAcceptedEpoch >= 0 ||
      this.nextCurrentEpoch >= 0
    );
  }

  get isIdle(): boolean {
    return this.inFlight.length === 0;
  }

  /** When the oldest batch that is not durable was handed over; Infinity while there is none. */
  get oldestSealedAt(): number {
    return this.inFlight[0]?.sealedAt ?? Number.POSITIVE_INFINITY;
  }

  append(zxid: Zxid): void {
    assert(zxid > this.appendedZxid, 'Appends rise', { zxid, appendedZxid: this.appendedZxid });
    this.appendedZxid = zxid;
  }

  /** Before any append of the same batch. */
  truncate(zxid: Zxid): void {
    assert(this.isIdle && !this.hasRequests, 'The log is at rest when it is truncated');
    this.truncateTo = zxid;
    this.appendedZxid = zxid;
  }

  setAcceptedEpoch(epoch: number): void {
    assert(epoch > this.acceptedEpoch, 'acceptedEpoch rises', {
      epoch,
      acceptedEpoch: this.acceptedEpoch,
    });
    this.nextAcceptedEpoch = epoch;
  }

  setCurrentEpoch(epoch: number): void {
    const accepted = Math.max(this.acceptedEpoch, this.nextAcceptedEpoch);
    assert(epoch <= accepted, 'currentEpoch is at most acceptedEpoch', { epoch, accepted });
    this.nextCurrentEpoch = epoch;
  }

  /** The host replaced the whole history by one that ends here, and it is durable. */
  replaceHistory(zxid: Zxid): void {
    assert(this.isIdle && !this.hasRequests, 'The log is at rest when its history is replaced');
    this.durableZxid = zxid;
    this.appendedZxid = zxid;
    this.sealedZxid = zxid;
  }

  /** Forgets what was not sealed. */
  dropRequests(): void {
    this.appendedZxid = this.sealedZxid;
    this.truncateTo = -1;
    this.nextAcceptedEpoch = -1;
    this.nextCurrentEpoch = -1;
  }

  /** Forgets batches that the host will not carry out, its history being gone. */
  dropBatches(): void {
    this.inFlight.length = 0;
  }

  /** Makes one batch of what was asked for. */
  seal(output: Output, now: number): void {
    if (!this.hasRequests) return;
    this.lastBatch++;
    output.batch = this.lastBatch;
    output.truncateAfter = this.truncateTo;
    const appendFrom = this.truncateTo >= 0 ? this.truncateTo : this.sealedZxid;
    output.appendTo = this.appendedZxid > appendFrom ? this.appendedZxid : -1;
    output.acceptedEpoch = this.nextAcceptedEpoch;
    output.currentEpoch = this.nextCurrentEpoch;
    if (this.truncateTo >= 0) this.durableZxid = Math.min(this.durableZxid, this.truncateTo);
    this.sealedZxid = this.appendedZxid;
    this.inFlight.push({
      number: this.lastBatch,
      sealedAt: now,
      appendedZxid: this.appendedZxid,
      acceptedEpoch: this.nextAcceptedEpoch,
      currentEpoch: this.nextCurrentEpoch,
    });
    this.truncateTo = -1;
    this.nextAcceptedEpoch = -1;
    this.nextCurrentEpoch = -1;
  }

  durable(number: number): void {
    assert(number <= this.lastBatch, 'A durable batch was handed over', {
      number,
      lastBatch: this.lastBatch,
    });
    const { inFlight } = this;
    while (inFlight.length > 0 && (inFlight[0] as Batch).number <= number) {
      const batch = inFlight.shift() as Batch;
      this.durableZxid = batch.appendedZxid;
      if (batch.acceptedEpoch >= 0) this.acceptedEpoch = batch.acceptedEpoch;
      if (batch.currentEpoch >= 0) this.currentEpoch = batch.currentEpoch;
    }
  }
}
