// When a snapshot is due, by what went into the txn log since the last one.
//
//   appended(zxid) ──► half of enough?             ──► log.prepareRoll(share)
//                  ──► enough since the last roll? ──► log.roll(), rolledAtZxid = zxid
//   durable(zxid)  ──► beyond the roll? ──► snapshotter.start()
//
// Must never start a snapshot before the txns up to the roll are durable, nor leave a roll without one
// after it.

import type { Zxid } from '@zebu/protocol';
import type { ServerConfig } from '../config/server-config.ts';
import type { Environment } from '../environment.ts';
import type { TxnLog } from '../txns/txn-log.ts';
import type { Snapshotter } from './snapshotter.ts';

/** The other half of the way is time enough for making a file, and for zeroing it without haste. */
const PREPARE_SHARE = 0.5;

/** Rolls the log, and has a snapshot taken after the roll; one for all where rolls crowd. */
export class SnapshotSchedule {
  private readonly environment: Environment;
  private readonly config: ServerConfig;
  private readonly log: TxnLog;
  private readonly snapshotter: Snapshotter;
  private dueTxns: number;
  private dueBytes: number;
  /** The share of them at which there is something to do: PREPARE_SHARE, then 1. */
  private share: number;
  private appendedZxid: Zxid;
  /** The last zxid before the oldest roll whose snapshot has not begun. Invariant: <= appendedZxid. */
  private rolledAtZxid: Zxid | undefined;

  constructor(
    environment: Environment,
    config: ServerConfig,
    log: TxnLog,
    snapshotter: Snapshotter,
  ) {
    this.environment = environment;
    this.config = config;
    this.log = log;
    this.snapshotter = snapshotter;
    this.dueTxns = 0;
    this.dueBytes = 0;
    this.share = PREPARE_SHARE;
    this.appendedZxid = 0;
    this.rolledAtZxid = undefined;
    this.chooseNext();
  }

  /** The txn is in the log's hands. */
  appended(zxid: Zxid): void {
    const { log } = this;
    this.appendedZxid = zxid;
    if (!this.isPast(this.share)) return;
    if (this.share < 1) {
      this.share = 1;
      log.prepareRoll(PREPARE_SHARE);
      if (!this.isPast(1)) return;
    }
    this.chooseNext();
    log.roll();
    // On a slow disk one roll follows another before the first is durable.
    this.rolledAtZxid ??= zxid;
  }

  /**
   * All up to the zxid is on disk. The snapshot begins once the log file after the roll is in use, or
   * nothing is left that would be written to it: while the file is made all writes wait, and the
   * snapshot would draw that out.
   */
  durable(zxid: Zxid): void {
    const { rolledAtZxid } = this;
    if (rolledAtZxid === undefined || zxid < rolledAtZxid) return;
    if (zxid === rolledAtZxid && zxid < this.appendedZxid) return;
    this.rolledAtZxid = undefined;
    const { snapshotter } = this;
    if (!snapshotter.start() && snapshotter.isBusy && !snapshotter.isStopped) {
      this.environment.logger.warn('Too busy to snapshot: the one before is still being written');
    }
  }

  private isPast(share: number): boolean {
    const { log } = this;
    return log.txnsSinceRoll > share * this.dueTxns || log.bytesSinceRoll > share * this.dueBytes;
  }

  /** Apache's rule: between half and all of snapCount txns, or of snapSizeLimit bytes, at random. */
  private chooseNext(): void {
    const { snapCount, snapSizeLimitBytes } = this.config;
    const { random } = this.environment;
    this.share = PREPARE_SHARE;
    this.dueTxns = snapCount / 2 + random() * (snapCount / 2);
    this.dueBytes =
      snapSizeLimitBytes > 0
        ? snapSizeLimitBytes / 2 + random() * (snapSizeLimitBytes / 2)
        : Number.POSITIVE_INFINITY;
  }
}
