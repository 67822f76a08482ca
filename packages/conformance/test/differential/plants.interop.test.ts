// The differential test must fail when a server is wrong: each plant here is one defect, made by a proxy
// before a second server of the same kind, and each has to be found, and for what it is.

import { describe, expect } from 'vitest';
import { startApache } from '../../src/apache.ts';
import { type Plant, startLyingProxy } from '../../src/differential/lying-proxy.ts';
import { serverOptions } from '../../src/differential/profile.ts';
import { reportDifference } from '../../src/differential/report.ts';
import {
  bare,
  create,
  type Draft,
  pathAndNumber,
  pathOnly,
  read,
  setData,
} from '../../src/differential/requests.ts';
import { type Pair, runScript } from '../../src/differential/run.ts';
import type { Script, Step } from '../../src/differential/script.ts';
import { shrink } from '../../src/differential/shrink.ts';
import { OP } from '../../src/differential/wire.ts';
import { interopTest } from '../support.ts';

const PROFILE = {
  extendedTypes: true,
  enforceQuota: true,
  reconfigEnabled: false,
  edgeData: false,
};

/** Enough for every plant to show; between its parts, requests that have nothing to do with any. */
const SCRIPT: Script = [
  ...onSlot(0, create(OP.create, '/a', { data: '01' }), pathOnly(OP.sync, '/a')),
  ...onSlot(1, read(OP.exists, '/b', 1), bare(OP.whoAmI), read(OP.getChildren2, '/')),
  ...onSlot(0, setData('/a', '02'), read(OP.getData, '/a'), pathAndNumber(OP.delete, '/a', 7)),
  ...onSlot(2, pathOnly(OP.getACL, '/a'), read(OP.getData, '/none'), bare(OP.ping)),
  ...onSlot(1, create(OP.create2, '/b'), read(OP.getChildren, '/')),
  ...onSlot(2, setData('/b', '', 0), pathAndNumber(OP.delete, '/b', 1)),
];

function onSlot(slot: number, ...drafts: Draft[]): Step[] {
  return drafts.map((draft, index) => ({
    kind: 'request',
    slot,
    request: { ...draft, xid: index + 1 },
  }));
}

/** Reply frames, without the connect reply and the events. */
function onReplies(change: (reply: Buffer, index: number) => readonly Buffer[]): () => Plant {
  return () => {
    let index = -2;
    return {
      reply(payload) {
        if (index++ === -2) return [payload];
        if (payload.readInt32BE(0) === -1) return [payload];
        return change(payload, index);
      },
    };
  };
}

function edited(payload: Buffer, edit: (copy: Buffer) => void): Buffer[] {
  const copy = Buffer.from(payload);
  edit(copy);
  return [copy];
}

/** A reply that is a header and a stat: of exists, setData, setACL. */
const STAT_REPLY_BYTES = 16 + 68;

/** Each with what the report of the difference must show. */
const plants: Record<string, [makePlant: () => Plant, shows: RegExp]> = {
  'a stat with another version': [
    onReplies((reply) =>
      reply.length === STAT_REPLY_BYTES
        ? edited(reply, (copy) => copy.writeInt32BE(copy.readInt32BE(16 + 32) + 1, 16 + 32))
        : [reply],
    ),
    / v=1 .*\n.* v=2 /,
  ],
  'a stat whose mtime is one ms late': [
    onReplies((reply) =>
      reply.length === STAT_REPLY_BYTES
        ? edited(reply, (copy) => copy.writeBigInt64BE(copy.readBigInt64BE(16 + 24) + 1n, 16 + 24))
        : [reply],
    ),
    /\+ .*t\+-?1ms/,
  ],
  'another error code': [
    onReplies((reply) =>
      reply.readInt32BE(12) === -103
        ? edited(reply, (copy) => copy.writeInt32BE(-101, 12))
        : [reply],
    ),
    /err=BADVERSION\n.*err=NONODE/,
  ],
  'a reply zxid one too high': [
    onReplies((reply, index) =>
      index > 5 && reply.readBigInt64BE(4) > 0n
        ? edited(reply, (copy) => copy.writeBigInt64BE(copy.readBigInt64BE(4) + 1n, 4))
        : [reply],
    ),
    /- .* reply .*zxid=\+.*\n {2}\+ .* reply /,
  ],
  'a lost event': [
    () => {
      let isFirst = true;
      return {
        reply(payload) {
          const isEvent = !isFirst && payload.readInt32BE(0) === -1;
          isFirst = false;
          return isEvent ? [] : [payload];
        },
      };
    },
    / {2}- c\d: event Node/,
  ],
  'an event after the reply that it belongs before': [
    () => {
      let isFirst = true;
      let held: Buffer[] = [];
      return {
        reply(payload) {
          if (!isFirst && payload.readInt32BE(0) === -1) {
            held.push(Buffer.from(payload));
            return [];
          }
          isFirst = false;
          const frames = [payload, ...held];
          held = [];
          return frames;
        },
      };
    },
    / {2}- c\d: event Node/,
  ],
  'a write that stores other data': [
    () => ({
      request(payload) {
        const isSetData = payload.length > 8 && payload.readInt32BE(4) === 5;
        if (!isSetData) return [payload];
        const pathLength = payload.readInt32BE(8);
        const dataAt = 12 + Math.max(0, pathLength);
        if (dataAt + 5 > payload.length || payload.readInt32BE(dataAt) < 1) return [payload];
        return edited(payload, (copy) =>
          copy.writeUInt8(copy.readUInt8(dataAt + 4) ^ 1, dataAt + 4),
        );
      },
    }),
    /- .*data=.*\n {2}\+ .*data=/,
  ],
};

async function withLiar<T>(makePlant: () => Plant, use: (pair: Pair) => Promise<T>): Promise<T> {
  const options = serverOptions(PROFILE);
  await using started = new AsyncDisposableStack();
  const [reference, second] = await Promise.all([startApache(options), startApache(options)]);
  started.use(reference);
  started.use(second);
  const address = { host: '127.0.0.1', port: second.port };
  const proxy = started.use(await startLyingProxy(address, makePlant));
  return await use({
    reference: { name: 'apache', host: '127.0.0.1', ...reference },
    subject: { name: 'liar', host: '127.0.0.1', port: proxy.port, dataDir: second.dataDir },
  });
}

describe('the differential test', () => {
  for (const [name, [makePlant, shows]] of Object.entries(plants)) {
    interopTest(`finds ${name}`, ['apache'], 120_000, async () => {
      const outcome = await withLiar(makePlant, (pair) => runScript(pair, SCRIPT));
      expect(reportDifference(outcome)).toMatch(shows);
    });
  }

  interopTest('finds nothing behind a proxy that does not lie', ['apache'], 120_000, async () => {
    const honest = (): Plant => ({
      reply: (payload) => [payload],
      request: (payload) => [payload],
    });
    const outcome = await withLiar(honest, (pair) => runScript(pair, SCRIPT));
    expect(outcome.difference).toBeUndefined();
  });

  interopTest('shrinks a failure to the request that shows it', ['apache'], 300_000, async () => {
    const [makePlant] = plants['another error code'] as [() => Plant, RegExp];
    const run = (script: Script) => withLiar(makePlant, (pair) => runScript(pair, script));
    const failing = await withLiar(makePlant, (pair) => runScript(pair, SCRIPT));
    const smallest = await shrink(failing, { run, maxTrials: 40 });
    expect(smallest.script.length).toBeLessThan(3);
    expect(smallest.difference?.subject.join()).toContain('err=NONODE');
  });
});
