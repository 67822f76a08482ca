// Can each checker fail? One defect at a time is planted into the server or under it, and the checker
// that looks after the promise it breaks must find it within a few seeds, alone.

import { decodeTxn, encodeTxn, OpCode } from '@zebu/protocol';
import type { Serving } from '@zebu/server/internal';
import type { Disk } from '@zebu/storage';
import { expect, test } from 'vitest';
import { acknowledged } from '../src/checkers/acknowledged.ts';
import type { MakeChecker } from '../src/checkers/checker.ts';
import { digests } from '../src/checkers/digests.ts';
import { durableReplies } from '../src/checkers/durable-replies.ts';
import { readView } from '../src/checkers/read-view.ts';
import { recoveredState } from '../src/checkers/recovered-state.ts';
import { replay } from '../src/checkers/replay.ts';
import { sessionOrder } from '../src/checkers/session-order.ts';
import { sessions } from '../src/checkers/sessions.ts';
import { watchEvents } from '../src/checkers/watch-events.ts';
import { BEYOND_RECOVERY, crashAt } from '../src/crash-points.ts';
import { runScenario, ScenarioFailure } from '../src/scenario.ts';
import type { SimConnection } from '../src/sim-network.ts';
import type { Plant } from '../src/standalone.ts';
import { withDisk, withFile } from '../src/txn-log-tap.ts';
import { Violation } from '../src/violation.ts';

interface PlantedDefect {
  readonly defect: string;
  readonly checkers: readonly MakeChecker[];
  /** Name of the Violation, or how another error begins. */
  readonly found: string;
  readonly plant: () => Plant;
}

const SEEDS = 30;

/** What a plant reaches into: private parts are no obstacle to a defect. */
// biome-ignore lint/suspicious/noExplicitAny: the point is to break it.
type Open = any;

const DEFECTS: readonly PlantedDefect[] = [
  {
    defect: 'the log says durable before the disk does',
    checkers: [durableReplies],
    found: 'durable-replies',
    plant: () => ({ log: hastyDisk }),
  },
  {
    defect: 'txns are applied, and answered, when they are logged',
    checkers: [durableReplies],
    found: 'durable-replies',
    plant: () => ({
      serving: (serving) => {
        const { log } = serving as Open;
        (serving as Open).log = {
          append: (zxid: number, bytes: Buffer, start: number, end: number) => {
            log.append(zxid, bytes, start, end);
            serving.services.environment.scheduler.afterTurn(() => (serving as Open).durable(zxid));
          },
          flush: () => log.flush(),
          roll: () => log.roll(),
          close: (done: () => void) => log.close(done),
          get txnsSinceRoll() {
            return log.txnsSinceRoll;
          },
          get bytesSinceRoll() {
            return log.bytesSinceRoll;
          },
        };
      },
    }),
  },
  {
    defect: 'a sync of the log does nothing',
    checkers: [acknowledged],
    found: 'acknowledged',
    plant: () => ({ disk: lyingDisk }),
  },
  {
    defect: "a snapshot's walk ends where its next znode is deleted",
    checkers: [replay],
    found: 'replay',
    plant: () => ({
      serving: ({ tree }) => {
        const startWalk = tree.startWalk.bind(tree);
        tree.startWalk = () => {
          const walk = startWalk();
          const { skip } = walk;
          walk.skip = (id) => {
            const before = (walk as Open).cursor;
            skip.call(walk, id);
            // `cursor` is private, and not with a name of the language's.
            if ((walk as Open).cursor !== before) (walk as Open).cursor = 0;
          };
          return walk;
        };
      },
    }),
  },
  {
    defect: "a snapshot's walk goes on from a znode that was deleted",
    checkers: [replay],
    found: 'replay',
    plant: () => ({
      serving: ({ tree }) => {
        const startWalk = tree.startWalk.bind(tree);
        tree.startWalk = () => Object.assign(startWalk(), { skip: () => {} });
      },
    }),
  },
  {
    defect: 'the directory of a new log is not synced',
    checkers: [acknowledged],
    found: 'acknowledged',
    plant: () => ({
      disk: (disk, later) =>
        withDisk(disk, { syncDirectoryAsync: (_, done) => later(() => done()) }),
    }),
  },
  {
    defect: 'a write is done twice',
    checkers: [acknowledged],
    found: 'acknowledged',
    plant: () => ({
      serving: (serving) => {
        const { writes } = serving;
        const write = writes.write.bind(writes);
        writes.write = (operation, connection, xid, request, ...rest) => {
          const { bytes, offset, end } = request;
          write(operation, connection, xid, request, ...rest);
          if (xid % 7 === 3) {
            write(operation, connection, xid, request.reset(bytes, offset, end), ...rest);
          }
        };
      },
    }),
  },
  {
    defect: 'a reply says that failed what was done',
    checkers: [acknowledged],
    found: 'acknowledged',
    plant: () =>
      meddle((frame) => (isReply(frame) && zxidOf(frame) % 4 === 0 ? withError(frame) : frame)),
  },
  {
    defect: 'two replies are swapped',
    checkers: [sessionOrder],
    found: 'session-order',
    plant: () => swapFrames((first, second) => isReply(first) && isReply(second)),
  },
  {
    defect: 'a reply names an older zxid',
    checkers: [sessionOrder],
    found: 'session-order',
    plant: () =>
      meddle((frame) => (isReply(frame) && zxidOf(frame) % 5 === 4 ? withZxid(frame, 3) : frame)),
  },
  {
    defect: 'a reply is lost',
    checkers: [sessionOrder],
    found: 'session-order',
    plant: () =>
      meddle((frame) => (isReply(frame) && frame.readInt32BE(4) === 9 ? undefined : frame)),
  },
  {
    defect: 'an event is dropped',
    checkers: [watchEvents],
    found: 'watch-events',
    plant: () => meddle((frame) => (isEvent(frame) && zxidOf(frame) % 3 === 0 ? undefined : frame)),
  },
  {
    defect: 'a one-shot watch fires twice',
    checkers: [watchEvents],
    found: 'watch-events',
    plant: () => meddle((frame) => (isEvent(frame) ? Buffer.concat([frame, frame]) : frame)),
  },
  {
    defect: 'an event comes after the reply that shows its data',
    checkers: [watchEvents],
    found: 'watch-events',
    plant: () => swapFrames((first, second) => isEvent(first) && isReply(second)),
  },
  {
    defect: 'an event that a client missed while it was away is not made up for',
    checkers: [watchEvents],
    found: 'watch-events',
    plant: () => meddle((frame) => (isEvent(frame) && zxidOf(frame) === -1 ? undefined : frame)),
  },
  {
    defect: 'a read does not wait for the writes of its client',
    checkers: [sessionOrder],
    found: 'session-order',
    plant: () => ({
      serving: (_, member) => {
        const { accept } = member as Open;
        (member as Open).accept = (transport: unknown) => {
          const connection = accept.call(member, transport);
          const park = connection.park?.bind(connection);
          connection.park = (...frame: unknown[]): void => {
            park(...frame);
            connection.parked.at(-1).writesBefore = 0;
            connection.runParkedRequests();
          };
          return connection;
        };
      },
    }),
  },
  {
    defect: 'an event is sent to those who may not read the znode',
    checkers: [watchEvents],
    found: 'watch-events',
    plant: () => ({
      serving: (serving) => {
        const { send } = (serving as Open).events.constructor.prototype;
        (serving.events as Open).send = function sendToAll(this: Open, watcher: number): void {
          this.aclId = -1;
          send.call(this, watcher);
        };
      },
    }),
  },
  {
    defect: 'a read overtakes the last txn',
    checkers: [readView],
    found: 'read-view',
    plant: () =>
      meddle((frame) =>
        isReply(frame) && frame.length === 20 + 68 ? withZxid(frame, zxidOf(frame) + 1) : frame,
      ),
  },
  {
    defect: 'only the first part of a multi is applied',
    checkers: [recoveredState],
    found: 'recovered-state',
    plant: () => ({ serving: halveMultis }),
  },
  {
    defect: 'recovery forgets a znode',
    checkers: [recoveredState],
    found: 'recovered-state',
    plant: () => ({ serving: forgetZnode }),
  },
  {
    defect: 'only the first part of a multi is applied, by the digest',
    checkers: [digests],
    found: 'digests',
    plant: () => ({ serving: halveMultis }),
  },
  {
    defect: 'the digest of the tree drifts',
    checkers: [digests],
    found: 'digests',
    plant: () => ({ serving: ({ tree }) => tree.digestSum.add(1) }),
  },
  {
    defect: 'a snapshot leaves out what one txn did',
    checkers: [replay],
    found: 'replay',
    plant: () => ({
      serving: ({ tree }) => {
        const startWalk = tree.startWalk.bind(tree);
        tree.startWalk = () => {
          const walk = startWalk() as Open;
          const fill = walk.fill.bind(walk);
          walk.fill = (writer: unknown, maxBytes: number): boolean => {
            const skipped = tree.findString('/a');
            const isDone = fill(writer, 1);
            if (walk.cursor === skipped && skipped !== 0) walk.skip(skipped);
            return isDone || (maxBytes > 64 && walk.fill(writer, maxBytes - 64));
          };
          return walk;
        };
      },
    }),
  },
  {
    defect: 'a snapshot leaves out a session',
    checkers: [replay],
    found: 'replay',
    plant: () => ({
      serving: ({ snapshotter }) => {
        const { options } = snapshotter as Open;
        const values = () => [...options.sessions.values()].slice(1);
        (snapshotter as Open).options = { ...options, sessions: { values } };
      },
    }),
  },
  {
    defect: 'sessions expire early',
    checkers: [sessions],
    found: 'sessions',
    plant: () => ({
      serving: (serving) => {
        const takeExpired = serving.sessions.takeExpired.bind(serving.sessions);
        serving.sessions.takeExpired = (nowMs) => takeExpired(nowMs + 450);
      },
    }),
  },
  {
    defect: 'sessions never expire',
    checkers: [sessions],
    found: 'sessions',
    plant: () => ({
      serving: (serving) => {
        serving.sessions.takeExpired = () => undefined;
      },
    }),
  },
  {
    defect: 'recovery forgets a session',
    checkers: [sessions],
    found: 'sessions',
    plant: () => ({
      serving: ({ sessions: table }) => {
        for (const session of [...table.values()].slice(0, 1)) table.remove(session);
      },
    }),
  },
  {
    defect: 'a returning session gets a password wrong',
    checkers: [sessions],
    found: 'sessions',
    plant: () => ({
      serving: (serving) => {
        const get = serving.sessions.get.bind(serving.sessions);
        let calls = 0;
        serving.sessions.get = (id) => (++calls % 3 === 0 ? undefined : get(id));
      },
    }),
  },
  {
    defect: 'requests are judged by the tree as it is, not as it will be',
    checkers: [],
    found: 'decided-right',
    plant: () => ({
      serving: (serving) => {
        const { pending, tree } = (serving.writes as Open).preparation;
        const load = pending.load.bind(pending);
        pending.load = (id: number, view: unknown): boolean => {
          const { paths } = tree;
          const hidden = paths.pending(id);
          paths.setPending(id, 0);
          const found = load(id, view);
          paths.setPending(id, hidden);
          return found;
        };
      },
    }),
  },
  {
    defect: 'a zxid is left out',
    checkers: [],
    // The txn log refuses it before the oracle sees it.
    found: 'StorageError: Append of zxid',
    plant: () => ({
      serving: (serving) => {
        const { preparation } = serving.writes as Open;
        const prepare = preparation.prepare.bind(preparation);
        preparation.prepare = (...args: unknown[]) => {
          if (preparation.zxid === 20) preparation.zxid++;
          return prepare(...args);
        };
      },
    }),
  },
  {
    defect: 'the digest of a txn is not that of the tree it leads to',
    checkers: [],
    found: 'digest',
    plant: () => ({
      serving: (serving) => {
        const { pending } = (serving.writes as Open).preparation;
        const setData = pending.setData.bind(pending);
        pending.setData = (change: Open) => setData({ ...change, timeMs: change.timeMs + 1 });
      },
    }),
  },
  {
    defect: 'the server goes on after its log failed',
    checkers: [],
    found: 'failed-is-silent',
    plant: () => ({
      serving: (_, member) => {
        (member as Open).fail = (): void => {
          (member as Open).failure = new Error('said, and forgotten');
        };
      },
    }),
  },
  {
    defect: 'a txn that was logged cannot be applied',
    checkers: [],
    found: 'gives-up-for-its-disk',
    plant: () => ({
      serving: ({ tree }) => {
        const apply = tree.apply.bind(tree);
        tree.apply = (...entry) => {
          if (tree.lastProcessedZxid === 20) throw new Error('planted');
          return apply(...entry);
        };
      },
    }),
  },
  {
    defect: 'the server gives up although its disk works',
    checkers: [],
    found: 'gives-up-for-its-disk',
    plant: () => ({
      serving: ({ tree }, member) => {
        const apply = tree.apply.bind(tree);
        tree.apply = (...entry) => {
          if (tree.lastProcessedZxid === 20) (member as Open).fail('txn log', new Error('planted'));
          return apply(...entry);
        };
      },
    }),
  },
  {
    defect: 'nobody is told that the log failed',
    checkers: [],
    found: 'failed-resolves',
    plant: () => ({
      serving: (_, member) => {
        (member as Open).onFatal = () => {};
      },
    }),
  },
];

test.each(DEFECTS)(
  'it is found when $defect',
  async ({ checkers, found, plant }) => {
    const others = new Set<string>();
    for (let seed = 1; seed <= SEEDS; seed++) {
      const name = await violationOf(seed, checkers, plant());
      if (name === found || name?.startsWith(`${found} `)) return;
      if (name !== undefined) others.add(name);
    }
    expect.fail(`Not found by ${found} in ${SEEDS} seeds; found instead: [${[...others]}]`);
  },
  120_000,
);

test('it is found when recovery does not sync what only the page cache held', async () => {
  const plant: Plant = { disk: (disk) => withDisk(disk, { syncFile: () => {} }) };
  const workload = { seed: 4, requests: 70, config: { snapCount: 10 }, plant };
  const found = new Set<string>();
  for (let event = 60; event < 160 && found.size === 0; event++) {
    try {
      await crashAt(workload, { event, seed: undefined, again: BEYOND_RECOVERY });
    } catch (error) {
      const { cause } = error as Error;
      found.add(cause instanceof Violation ? cause.checker : `${cause}`);
    }
  }
  expect([...found]).toEqual(['acknowledged']);
}, 120_000);

/** Who found something in the scenario of this seed. */
async function violationOf(
  seed: number,
  checkers: readonly MakeChecker[],
  plant: Plant,
): Promise<string | undefined> {
  try {
    await runScenario(seed, { checkers, plant });
    return undefined;
  } catch (error) {
    if (!(error instanceof ScenarioFailure)) throw error;
    const { cause } = error;
    return cause instanceof Violation ? cause.checker : `${cause}`;
  }
}

// ---- defects of disks ----

/** Calls every durable write done before it is. */
function hastyDisk(disk: Disk, later: (task: () => void) => void): Disk {
  return withDisk(disk, {
    openWrite: (path, options) => {
      const file = disk.openWrite(path, options);
      return withFile(file, {
        writeDurable: (buffer, length, position, done) => {
          file.writeDurable(Buffer.from(buffer), length, position, () => {});
          later(() => done());
        },
      });
    },
  });
}

/** Takes writes and never makes them durable, whatever it says. */
function lyingDisk(disk: Disk): Disk {
  return withDisk(disk, {
    openWrite: (path, options) => {
      const file = disk.openWrite(path, options);
      if (!path.includes('log.')) return file;
      return withFile(file, {
        writeDurable: (buffer, length, position, done) =>
          file.write(buffer, length, position, done),
      });
    },
  });
}

// ---- defects of state ----

/** Of a multi, applies the first part alone. */
function halveMultis({ tree }: Serving): void {
  const apply = tree.apply.bind(tree);
  tree.apply = (entry, start, end, ...rest) => {
    const { header, body } = decodeTxn(entry, start, end);
    const isWhole =
      body.type === OpCode.multi &&
      body.txns.length > 1 &&
      body.txns.every((part) => part.type !== OpCode.error);
    if (!isWhole) return apply(entry, start, end, ...rest);
    const half = encodeTxn({
      header,
      body: { type: OpCode.multi, txns: body.txns.slice(0, 1) },
      digest: undefined,
    });
    return apply(half, 0, half.length, ...rest);
  };
}

/** A start after the first comes up without one znode that it should have. */
function forgetZnode({ tree }: Serving): void {
  for (const path of ['/a', '/b', '/c', '/d']) {
    const id = tree.findString(path);
    if (id === 0 || tree.numChildren(id) > 0) continue;
    const header = { clientId: 0n, cxid: 0, zxid: tree.lastProcessedZxid, time: 0, type: 2 };
    const entry = encodeTxn({ header, body: { type: OpCode.delete, path }, digest: undefined });
    tree.apply(entry, 0, entry.length);
    return;
  }
}

// ---- defects of what is said ----

/** Changes, or with undefined drops, frames after the handshake. A frame has its length in front. */
function meddle(change: (frame: Buffer) => Buffer | undefined): Plant {
  return rewrite((frames) => frames.map(change).filter((frame) => frame !== undefined));
}

/** Swaps two frames that leave together. */
function swapFrames(wanted: (first: Buffer, second: Buffer) => boolean): Plant {
  return rewrite((frames) => {
    for (let i = 0; i + 1 < frames.length; i++) {
      const [first, second] = [frames[i] as Buffer, frames[i + 1] as Buffer];
      if (wanted(first, second)) frames.splice(i, 2, second, first);
    }
    return frames;
  });
}

function rewrite(change: (frames: Buffer[]) => Buffer[]): Plant {
  const established = new WeakSet<SimConnection>();
  return {
    serverWrites: (end, bytes) => {
      const frames: Buffer[] = [];
      for (let at = 0; at < bytes.length; ) {
        const next = at + 4 + bytes.readInt32BE(at);
        frames.push(Buffer.from(bytes.subarray(at, next)));
        at = next;
      }
      const handshake = established.has(end) ? [] : frames.splice(0, 1);
      established.add(end);
      return Buffer.concat([...handshake, ...change(frames)]);
    },
  };
}

function isReply(frame: Buffer): boolean {
  return frame.readInt32BE(4) > 0;
}

function isEvent(frame: Buffer): boolean {
  return frame.readInt32BE(4) === -1;
}

function zxidOf(frame: Buffer): number {
  return Number(frame.readBigInt64BE(8));
}

function withZxid(frame: Buffer, zxid: number): Buffer {
  frame.writeBigInt64BE(BigInt(zxid), 8);
  return frame;
}

function withError(frame: Buffer): Buffer {
  frame.writeInt32BE(-110, 16);
  return frame;
}
