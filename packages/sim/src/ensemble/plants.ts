// Defects that can be planted into the members of an ensemble, by name: each undoes one rule that the server keeps, or
// the core of the protocol. For each of them a checker must fail in some seed, or the checkers prove nothing.
//
// How many of the seeds find each, and what finds it: packages/sim/README.md.

import { epochOf, getInt32, OpCode, PacketType } from '@zebu/protocol';
import type { Member, Serving } from '@zebu/server/internal';
import type { Disk } from '@zebu/storage';
import { PLANTS, type Plant, SendKind, SyncMode } from '@zebu/zab';
import { withDisk, withFile } from '../txn-log-tap.ts';
import { type Open, wrap } from './inside.ts';

export interface EnsemblePlant {
  readonly name: string;
  /** What goes wrong with it. */
  readonly defect: string;
  /** A defect of the core alone. */
  readonly core?: Plant;
  /** Called for each process. */
  readonly member?: (member: Member, driver: Open) => void;
  /** Called for each life of serving. */
  readonly serving?: (serving: Serving, driver: Open, member: Member) => void;
  /** The disk that the process gets. */
  readonly disk?: (disk: Disk) => Disk;
}

const DISK: readonly EnsemblePlant[] = [
  {
    name: 'log-durable-when-handed-over',
    defect: 'what was handed to the log counts as durable',
    member: (_member, driver) =>
      wrap(driver.batches.disk, 'writeLog', (writeLog, upTo) => {
        writeLog(upTo);
        driver.batches.logDurable(upTo);
      }),
  },
  {
    name: 'disk-lies',
    defect: 'a durable write of the log is reported before it is durable',
    disk: (disk) =>
      withDisk(disk, {
        openWrite: (path, options) => {
          const file = disk.openWrite(path, options);
          if (!path.includes('log.')) return file;
          return withFile(file, {
            writeDurable: (buffer, length, position, done) => {
              file.writeDurable(buffer, length, position, () => {});
              queueMicrotask(done);
            },
            sync: (done) => {
              file.sync(() => {});
              queueMicrotask(done);
            },
          });
        },
      }),
  },
  {
    name: 'epoch-spoken-early',
    defect: 'an epoch is spoken while its file is being written (ZOOKEEPER-2307)',
    member: (_member, driver) =>
      wrap(driver.options.epochs, 'write', (write, accepted, current, done) => {
        write(accepted, current, () => {});
        done();
      }),
  },
  {
    name: 'epoch-before-log',
    defect: 'currentEpoch is written before the history that it stands for (ZOOKEEPER-4643)',
    member: (_member, driver) =>
      wrap(driver.batches, 'add', (add, batch) => {
        const { number, appendTo, truncateAfter } = batch;
        const hasEpoch = batch.acceptedEpoch >= 0 || batch.currentEpoch >= 0;
        if (!hasEpoch || (appendTo < 0 && truncateAfter < 0)) add(batch);
        else {
          add({ ...batch, number: number - 0.5, appendTo: -1, truncateAfter: -1 });
          add({ ...batch, acceptedEpoch: -1, currentEpoch: -1 });
        }
      }),
  },
  {
    name: 'log-before-prepared-epoch',
    defect: 'a txn of a new epoch reaches the log before that epoch is prepared on disk',
    member: (_member, driver) =>
      wrap(driver.options.epochs, 'prepare', (_prepare, _epoch, write) => write()),
  },
  {
    name: 'late-log-write',
    defect:
      'a write of the log that waited for an epoch goes on after its role (ZOOKEEPER-4541, 4712)',
    member: (_member, driver) => {
      driver.role.writeLog = (upTo: number): void => {
        const { logging } = driver.role;
        driver.options.epochs.prepare(epochOf(upTo), () => logging?.writeLog(upTo));
      };
    },
  },
  {
    name: 'truncation-skipped',
    defect: 'a log that is to be cut is left as it is',
    member: (_member, driver) => {
      const { intake } = driver.options;
      wrap(intake, 'truncate', (_truncate, _zxid, done) => intake.reload(done));
    },
  },
  {
    name: 'tree-kept-after-truncation',
    defect: 'the log is cut and the tree is not (ZOOKEEPER-5094)',
    member: (_member, driver) =>
      wrap(driver.options.intake, 'truncate', (truncate, zxid, done) => {
        const { database } = driver.role;
        truncate(zxid, (cut: Open) => done(cut && database));
      }),
  },
  {
    name: 'log-files-left',
    defect: 'a log file that a cut or a snapshot makes void is left',
    disk: (disk) =>
      withDisk(disk, {
        unlink: (path) => {
          if (!path.includes('/log.')) disk.unlink(path);
        },
        unlinkAsync: (path, done) => {
          if (path.includes('/log.')) disk.syncDirectoryAsync('/data/version-2', done);
          else disk.unlinkAsync(path, done);
        },
      }),
  },
  {
    name: 'half-snapshot-kept',
    defect: "a leader's snapshot is loaded into the database that is served later (ZOOKEEPER-3642)",
    core: 'keep-half-snapshot',
    member: (_member, driver) => {
      const { intake } = driver.options;
      wrap(intake, 'begin', (begin, zxid) => {
        begin(zxid);
        driver.role.database = intake.intake.database;
      });
    },
  },
  {
    name: 'history-replaced-under-the-next-role',
    defect: 'a role ends without waiting for the snapshot that takes the place of the history',
    member: (_member, driver) => {
      const { intake } = driver.options;
      intake.whenAtRest = (next: Open): void => next(undefined);
      wrap(intake, 'abort', () => {
        intake.intake?.spool.abort();
        intake.intake = undefined;
      });
    },
  },
];

const SYNC: readonly EnsemblePlant[] = [
  {
    name: 'hole-in-the-committed-log',
    defect: 'the txns that are kept for learners have a hole (ZOOKEEPER-4925)',
    serving: (serving) => {
      const { committedLog } = serving.database as Open;
      let count = 0;
      committedLog.add = ({ zxid, chunk, start, end }: Open): void => {
        if (++count % 6 === 0) return;
        chunk.users++;
        committedLog.entries.push({ zxid, chunk, start, end });
        committedLog.bytes += end - start;
        committedLog.trim();
      };
    },
  },
  {
    name: 'diff-one-txn-late',
    defect: 'a DIFF begins one txn late',
    member: (_member, driver) =>
      ofEachPlan(driver, (plan) =>
        plan.mode === SyncMode.DIFF && plan.after < plan.upTo
          ? { ...plan, after: plan.after + 1 }
          : plan,
      ),
  },
  {
    name: 'snapshot-lacks-a-txn',
    defect: 'a snapshot is sent with the zxid of a txn that it does not hold',
    member: (_member, driver) =>
      ofEachPlan(driver, (plan) =>
        plan.mode === SyncMode.SNAP ? { ...plan, packetZxid: plan.packetZxid + 1 } : plan,
      ),
  },
  {
    name: 'served-before-synced',
    defect: 'clients are served from a tree that is not in sync',
    member: (member, driver) =>
      wrap(driver.role, 'serve', (serve, serving) => {
        serve(serving);
        member.startServing();
      }),
  },
  {
    name: 'newer-clients-taken',
    defect: 'a client that has seen more than the member is served',
    serving: (serving) => {
      (serving as Open).hasSeen = (): boolean => true;
    },
  },
];

const BROADCAST: readonly EnsemblePlant[] = [
  {
    name: 'commit-on-own-disk',
    defect: 'a leader commits what its own disk has, whatever the others have',
    serving: (serving) => {
      const { role } = serving as Open;
      wrap(role, 'durable', (durable, zxid) => {
        durable(zxid);
        serving.commit(zxid);
      });
    },
  },
  {
    name: 'txn-left-out',
    defect: 'a learner does not apply one of its txns',
    serving: (serving, driver) => {
      if (driver.role.leader !== undefined) return;
      let count = 0;
      wrap(serving, 'apply', (apply, txn) => {
        if (++count !== 7) apply(txn);
      });
    },
  },
  {
    name: 'tree-of-its-own',
    defect: 'one member makes something else of a txn than the others',
    serving: (serving, _driver, member) => {
      if (member.config.serverId !== 2) return;
      const tree = serving.tree as Open;
      let count = 0;
      wrap(tree, 'apply', (apply, ...args) => {
        const error = apply(...args);
        if (++count === 9) tree.digestSum.add(1);
        return error;
      });
    },
  },
  {
    name: 'requests-twice',
    defect: 'a leader does a forwarded request a second time',
    serving: (_serving, driver) => {
      if (driver.role.leader === undefined) return;
      let count = 0;
      wrap(driver.role, 'requested', (requested, link, packet) => {
        requested(link, packet);
        if (++count % 7 === 0) requested(link, packet);
      });
    },
  },
  {
    name: 'answer-to-the-wrong-request',
    defect: 'a learner takes a txn for the answer of any request with its xid (ZOOKEEPER-2684)',
    serving: ({ waiting }, driver) => {
      if (driver.role.leader !== undefined) return;
      const open = waiting as Open;
      open.answeredBy = ({ bytes, start }: Open): Open => {
        if (open.head === open.tail) return undefined;
        const request = open.ring[open.head & open.mask];
        return getInt32(bytes, start + 8) === request.xid ? request : undefined;
      };
    },
  },
  {
    name: 'sync-by-the-leader-alone',
    defect: 'a leader answers a sync without asking a quorum (ZOOKEEPER-1675)',
    serving: ({ sequence }, driver) => {
      if (driver.role.leader === undefined) return;
      wrap(driver.role.leader.host, 'readBarrier', (readBarrier, released) => {
        if (sequence.size === 0) released();
        else readBarrier(released);
      });
    },
  },
  {
    name: 'session-by-the-leader-alone',
    defect: 'a leader tells clients that their session goes on without asking a quorum',
    serving: (_serving, driver) => {
      if (driver.role.leader === undefined) return;
      wrap(driver.role.leader as Open, 'confirm', (_confirm, decides) => decides());
    },
  },
  {
    name: 'sync-by-the-learner-alone',
    defect: 'a learner answers a sync without asking its leader',
    serving: (serving, driver) => {
      if (driver.role.leader !== undefined) return;
      wrap(serving.writes, 'sync', (sync, client: Open, xid: number, request: Open, ms: number) => {
        if (serving.waiting.size > 0) {
          sync(client, xid, request, ms);
          return;
        }
        const start = request.offset;
        request.skip(request.bufferLength());
        const path = Buffer.from(request.bytes.subarray(start, request.offset));
        client.syncReleased(xid, path, ms);
      });
    },
  },
  {
    name: 'sync-before-its-commits',
    defect: 'a learner answers a sync before it has applied what was committed before it',
    serving: (serving, driver) => {
      if (driver.role.leader !== undefined) return;
      wrap(serving.writes, 'synced', (synced, zxid) =>
        synced(serving.waiting.size === 0 ? 0 : zxid),
      );
    },
  },
];

const CLIENTS: readonly EnsemblePlant[] = [
  {
    name: 'moves-unchecked',
    defect: 'a leader does the requests of a member that a session has left (no SESSIONMOVED)',
    serving: (serving, driver) => {
      if (driver.role.leader !== undefined) (serving.writes as Open).refusalOf = (): number => 0;
    },
  },
  {
    name: 'revalidated-locally',
    defect: 'a learner takes a session that moves to it without asking its leader',
    serving: (serving, driver) => {
      if (driver.role.leader !== undefined) return;
      const writes = serving.writes as Open;
      wrap(writes, 'reattach', (reattach, client, request, timeoutMs) => {
        const session = serving.sessions.get(BigInt.asUintN(64, request.sessionId));
        if (session === undefined) reattach(client, request, timeoutMs);
        else writes.adopt(session, { client, timeoutMs });
      });
    },
  },
  {
    name: 'expiry-by-a-learner',
    defect: 'a learner lets the sessions expire that it does not hear of itself',
    serving: (serving, driver, { environment, turns }) => {
      if (driver.role.leader !== undefined) return;
      environment.scheduler.every(50, () => {
        if (driver.role.serving !== serving || !serving.isOpen) return;
        const session = serving.sessions.takeExpired(turns.nowMs);
        if (session !== undefined) serving.sessions.remove(session);
      });
    },
  },
  {
    name: 'expiry-after-a-pause',
    defect: 'a leader that stood still expires sessions before it has heard of them',
    serving: (serving) => {
      const { role } = serving as Open;
      role.mayExpire = (): boolean => true;
      role.stoodStill = (): void => {};
    },
  },
  {
    name: 'touches-lost',
    defect: 'a learner does not tell its leader which sessions it has heard of',
    member: (_member, driver) =>
      wrap(driver.links, 'completed', (completed, message) =>
        message.type === PacketType.PING && driver.role.learner !== undefined
          ? { type: message.type, zxid: message.zxid, touched: Buffer.alloc(0) }
          : completed(message),
      ),
  },
  {
    name: 'ephemerals-kept',
    defect: 'the ephemerals of a session stay when it ends',
    serving: ({ tree }) =>
      wrap(tree, 'apply', (apply, bytes, start, ...rest) =>
        getInt32(bytes, start + 28) === OpCode.closeSession ? 0 : apply(bytes, start, ...rest),
      ),
  },
  {
    name: 'events-after-data',
    defect: 'an event goes out later than what follows it',
    serving: ({ events }, _driver, { environment }) => {
      const open = events as Open;
      wrap(open, 'send', (send, watcher) => {
        const { type, path, zxid, aclId } = open;
        environment.scheduler.after(30, () => {
          Object.assign(open, { type, path, zxid, aclId, isFramed: false });
          send(watcher);
        });
      });
    },
  },
  {
    name: 'missed-events-lost',
    defect: 'a client is not told what it missed while it moved',
    serving: ({ events }) => wrap(events, 'sendTo', () => {}),
  },
  {
    name: 'watches-lost-in-a-move',
    defect: 'the watches of a client that moves to a learner are not set again',
    serving: (serving, driver, { environment }) => {
      if (driver.role.leader !== undefined) return;
      const arrived = new Set<number>();
      wrap(serving.writes, 'adopt', (adopt, session, waiting) => {
        arrived.add(waiting.client.slot);
        adopt(session, waiting);
      });
      wrap(serving.watches, 'add', (add, id, slot, mode) => {
        if (!arrived.has(slot)) return add(id, slot, mode);
        environment.scheduler.afterTurn(() => arrived.delete(slot));
        return false;
      });
    },
  },
];

const CORE: readonly EnsemblePlant[] = PLANTS.map((core) => ({
  name: core,
  defect: 'of the core',
  core,
}));

/** Of the server first, then those of the core. */
export const ENSEMBLE_PLANTS: readonly EnsemblePlant[] = [
  ...DISK,
  ...SYNC,
  ...BROADCAST,
  ...CLIENTS,
  ...CORE,
];

/** Throws an Error for the user when there is no such plant. */
export function ensemblePlant(name: string): EnsemblePlant {
  const plant = ENSEMBLE_PLANTS.find((one) => one.name === name);
  if (plant !== undefined) return plant;
  throw new Error(
    `there is no plant ${name}: it is one of ${ENSEMBLE_PLANTS.map((one) => one.name).join(', ')}`,
  );
}

function ofEachPlan(driver: Open, change: (plan: Open) => Open): void {
  wrap(driver.feed, 'send', (sendTo, learner, send) =>
    sendTo(learner, send.kind === SendKind.SYNC ? { ...send, plan: change(send.plan) } : send),
  );
}
