import { makeZxid } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import { Disk } from '../src/disk.ts';
import type { ZabStart } from '../src/index.ts';
import { Outbox } from '../src/outbox.ts';

const z = makeZxid;
const START: ZabStart = {
  acceptedEpoch: 5,
  currentEpoch: 4,
  lastZxid: z(5, 3),
  appliedZxid: 0,
  trust: 'judge',
};

function seal(disk: Disk, now = 0): unknown[] {
  const outbox = new Outbox();
  disk.seal(outbox.output, now);
  const { batch, truncateAfter, appendTo, acceptedEpoch, currentEpoch } = outbox.take();
  return [batch, truncateAfter, appendTo, acceptedEpoch, currentEpoch];
}

describe('a batch', () => {
  test('is made of what was asked for, and of nothing where nothing was', () => {
    const disk = new Disk(START);
    expect([disk.hasRequests, seal(disk)]).toEqual([false, [0, -1, -1, -1, -1]]);
    disk.append(z(5, 4));
    disk.append(z(5, 5));
    expect([disk.hasRequests, seal(disk)]).toEqual([true, [1, -1, z(5, 5), -1, -1]]);
    disk.setAcceptedEpoch(6);
    disk.setCurrentEpoch(6);
    expect([disk.hasRequests, seal(disk)]).toEqual([true, [2, -1, -1, 6, 6]]);
  });

  test.each([z(5, 2), 0])('cuts the log to %i before it appends', (zxid) => {
    const disk = new Disk(START);
    disk.truncate(zxid);
    expect([disk.hasRequests, disk.durableZxid]).toEqual([true, z(5, 3)]);
    expect(seal(disk)).toEqual([1, zxid, -1, -1, -1]);
    expect(disk.durableZxid).toBe(zxid);
    disk.durable(1);
    disk.truncate(0);
    disk.append(z(6, 1));
    expect(seal(disk)).toEqual([2, 0, z(6, 1), -1, -1]);
    disk.durable(2);
    expect(disk.durableZxid).toBe(z(6, 1));
  });

  test('to cut to where the log ends already is a batch, too', () => {
    const disk = new Disk(START);
    disk.truncate(z(5, 3));
    expect([disk.hasRequests, seal(disk)]).toEqual([true, [1, z(5, 3), -1, -1, -1]]);
  });

  test('is durable with all before it, and with none after it', () => {
    const disk = new Disk(START);
    for (const counter of [4, 5, 6]) {
      disk.append(z(5, counter));
      seal(disk, counter);
    }
    expect([disk.durableZxid, disk.oldestSealedAt, disk.isIdle]).toEqual([z(5, 3), 4, false]);
    disk.durable(2);
    expect([disk.durableZxid, disk.oldestSealedAt, disk.isIdle]).toEqual([z(5, 5), 6, false]);
    disk.durable(2);
    expect(disk.durableZxid).toBe(z(5, 5));
    disk.durable(3);
    expect([disk.durableZxid, disk.oldestSealedAt, disk.isIdle]).toEqual([
      z(5, 6),
      Number.POSITIVE_INFINITY,
      true,
    ]);
  });

  test('leaves the epochs alone that it does not write', () => {
    const disk = new Disk(START);
    disk.append(z(5, 4));
    seal(disk);
    disk.durable(1);
    expect([disk.acceptedEpoch, disk.currentEpoch]).toEqual([5, 4]);
    disk.setCurrentEpoch(5);
    seal(disk);
    expect(disk.currentEpoch).toBe(4);
    disk.durable(2);
    expect([disk.acceptedEpoch, disk.currentEpoch]).toEqual([5, 5]);
  });

  test('that was not sealed is forgotten with its role', () => {
    const disk = new Disk(START);
    disk.append(z(5, 4));
    seal(disk);
    disk.append(z(5, 5));
    disk.setAcceptedEpoch(6);
    disk.setCurrentEpoch(6);
    disk.dropRequests();
    expect([disk.hasRequests, disk.appendedZxid]).toEqual([false, z(5, 4)]);
    disk.durable(1);
    disk.truncate(z(5, 1));
    disk.dropRequests();
    expect([disk.hasRequests, disk.appendedZxid, disk.durableZxid]).toEqual([
      false,
      z(5, 4),
      z(5, 4),
    ]);
  });
});

describe('what its owner must not do', () => {
  const busy = (): Disk => {
    const disk = new Disk(START);
    disk.append(z(5, 4));
    return disk;
  };
  const writing = (): Disk => {
    const disk = busy();
    seal(disk);
    return disk;
  };

  test.each<[string, () => void]>([
    [
      `Appends rise: zxid ${z(5, 3)}, appendedZxid ${z(5, 3)}`,
      () => new Disk(START).append(z(5, 3)),
    ],
    ['The log is at rest when it is truncated', () => busy().truncate(0)],
    ['The log is at rest when it is truncated', () => writing().truncate(0)],
    ['The log is at rest when its history is replaced', () => busy().replaceHistory(0)],
    ['The log is at rest when its history is replaced', () => writing().replaceHistory(0)],
    ['acceptedEpoch rises: epoch 5, acceptedEpoch 5', () => new Disk(START).setAcceptedEpoch(5)],
    [
      'currentEpoch is at most acceptedEpoch: epoch 6, accepted 5',
      () => new Disk(START).setCurrentEpoch(6),
    ],
    ['A durable batch was handed over: number 2, lastBatch 1', () => writing().durable(2)],
  ])('%s', (text, run) => {
    expect(run).toThrow(text);
  });
});
