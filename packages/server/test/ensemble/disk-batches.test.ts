// The order in which a member's log and epochs become durable.

import { describe, expect, test } from 'vitest';
import { type Batch, DiskBatches } from '../../src/ensemble/disk-batches.ts';

class RecordingDisk {
  readonly calls: string[] = [];
  private readonly pending: (() => void)[] = [];
  truncate(zxid: number, done: () => void): void {
    this.calls.push(`cut to ${zxid}`);
    this.pending.push(done);
  }
  writeLog(upTo: number): void {
    this.calls.push(`log to ${upTo}`);
  }
  writeEpochs(accepted: number, current: number, done: () => void): void {
    this.calls.push(`epochs ${accepted} ${current}`);
    this.pending.push(done);
  }
  complete(): void {
    this.pending.shift()?.();
  }
}

function batch(number: number, fields: Partial<Batch> = {}): Batch {
  return {
    number,
    truncateAfter: -1,
    appendTo: -1,
    acceptedEpoch: -1,
    currentEpoch: -1,
    ...fields,
  };
}

function begin(durableZxid = 0) {
  const disk = new RecordingDisk();
  const durable: number[] = [];
  const batches = new DiskBatches(disk, durableZxid, (number) => durable.push(number));
  return { disk, durable, batches };
}

describe('batches that only append', () => {
  test('overlap: the next is handed over while the one before it is being written', () => {
    const { disk, durable, batches } = begin();
    batches.add(batch(1, { appendTo: 5 }));
    batches.add(batch(2, { appendTo: 9 }));
    expect(disk.calls).toEqual(['log to 5', 'log to 9']);
    expect(durable).toEqual([]);
    batches.logDurable(5);
    expect(durable).toEqual([1]);
    batches.logDurable(9);
    expect(durable).toEqual([1, 2]);
  });

  test('are reported once, by the last, when one write of the log brings several', () => {
    const { durable, batches } = begin();
    batches.add(batch(1, { appendTo: 5 }));
    batches.add(batch(2, { appendTo: 7 }));
    batches.add(batch(3, { appendTo: 9 }));
    batches.logDurable(8);
    expect(durable).toEqual([2]);
    batches.logDurable(9);
    expect(durable).toEqual([2, 3]);
  });

  test('are reported before an epoch that comes with the next is written', () => {
    const { disk, durable, batches } = begin();
    batches.add(batch(1, { appendTo: 5 }));
    batches.add(batch(2, { appendTo: 7 }));
    batches.add(batch(3, { appendTo: 9, currentEpoch: 2 }));
    batches.logDurable(9);
    expect(durable).toEqual([2]);
    expect(disk.calls.at(-1)).toBe('epochs -1 2');
    disk.complete();
    expect(durable).toEqual([2, 3]);
  });
});

describe('a batch with an epoch', () => {
  test('writes it only when its txns are durable (ZOOKEEPER-4643)', () => {
    const { disk, durable, batches } = begin();
    batches.add(batch(1, { appendTo: 5, currentEpoch: 2 }));
    expect(disk.calls).toEqual(['log to 5']);
    batches.logDurable(4);
    expect(disk.calls).toEqual(['log to 5']);
    batches.logDurable(5);
    expect(disk.calls).toEqual(['log to 5', 'epochs -1 2']);
    expect(durable).toEqual([]);
    disk.complete();
    expect(durable).toEqual([1]);
  });

  test('keeps later txns from the log until it is written', () => {
    const { disk, durable, batches } = begin(3);
    batches.add(batch(1, { acceptedEpoch: 2 }));
    batches.add(batch(2, { appendTo: 7 }));
    expect(disk.calls).toEqual(['epochs 2 -1']);
    disk.complete();
    expect(disk.calls).toEqual(['epochs 2 -1', 'log to 7']);
    batches.logDurable(7);
    expect(durable).toEqual([1, 2]);
  });

  test('is written once, however often the log reports meanwhile', () => {
    const { disk, batches } = begin();
    batches.add(batch(1, { appendTo: 5, currentEpoch: 2 }));
    batches.logDurable(5);
    batches.logDurable(5);
    expect(disk.calls).toEqual(['log to 5', 'epochs -1 2']);
  });
});

describe('a batch that cuts the log', () => {
  test('waits for those before it, and its txns for the cut', () => {
    const { disk, durable, batches } = begin(4);
    batches.add(batch(1, { appendTo: 6 }));
    batches.add(batch(2, { truncateAfter: 5, appendTo: 8 }));
    expect(disk.calls).toEqual(['log to 6']);
    batches.logDurable(6);
    expect(disk.calls).toEqual(['log to 6', 'cut to 5']);
    expect(durable).toEqual([1]);
    disk.complete();
    expect(disk.calls).toEqual(['log to 6', 'cut to 5', 'log to 8']);
    batches.logDurable(8);
    expect(durable).toEqual([1, 2]);
  });

  test('is not complete by what the log held before the cut', () => {
    const { disk, durable, batches } = begin(9);
    batches.add(batch(1, { truncateAfter: 5, appendTo: 7 }));
    disk.complete();
    expect(durable).toEqual([]);
    batches.logDurable(7);
    expect(durable).toEqual([1]);
  });
});

describe('rest', () => {
  test('comes when every batch is complete, at once if there is none', () => {
    const { disk, batches } = begin();
    const said: string[] = [];
    batches.whenIdle(() => said.push('idle'));
    expect(said).toEqual(['idle']);
    batches.add(batch(1, { acceptedEpoch: 1 }));
    batches.whenIdle(() => said.push('idle again'));
    expect(said).toEqual(['idle']);
    disk.complete();
    expect(said).toEqual(['idle', 'idle again']);
  });

  test('a history that is thrown away takes its batches along', () => {
    const { disk, durable, batches } = begin(9);
    batches.add(batch(1, { truncateAfter: 5 }));
    batches.dropAll(0);
    disk.complete();
    expect(durable).toEqual([]);
    batches.add(batch(2, { appendTo: 3 }));
    batches.logDurable(3);
    expect(durable).toEqual([2]);
  });
});
