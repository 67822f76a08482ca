import { describe, expect, it } from 'vitest';
import { Progress, progressLine } from '../src/progress.ts';

describe('progressLine', () => {
  it.each([
    [0, 10, '[------------------------]   0% get'],
    [5, 10, '[############------------]  50% get'],
    [20, 10, '[########################] 100% get'],
    [1, 0, '[------------------------]   0% get'],
  ])('%d of %d', (done, total, line) => {
    expect(progressLine('get', done, total, 80)).toBe(line);
  });

  it('never wraps', () => {
    expect(progressLine('x'.repeat(100), 1, 2, 40)).toHaveLength(40);
  });
});

describe('Progress', () => {
  function piped(...timesMs: number[]) {
    const written: string[] = [];
    const stream = { isTTY: false, write: (text: string) => written.push(text) };
    return {
      written,
      progress: new Progress(stream as unknown as NodeJS.WriteStream, () => timesMs.shift() ?? 0),
    };
  }

  it('says each step once where nothing can be rewritten', () => {
    const { written, progress } = piped();
    progress.show('get 64x1, round 1/3', 0, 5);
    progress.show('get 64x1, round 1/3', 1, 5);
    progress.show('get 64x1, round 2/3', 0, 5);
    progress.clear();
    expect(written).toEqual(['get 64x1, round 1/3\n', 'get 64x1, round 2/3\n']);
  });

  it('says how far a long step is, now and then', () => {
    const { written, progress } = piped(1_000, 10_999, 11_000, 11_001);
    for (const done of [0, 20, 30, 31]) progress.show('znodes', done, 100);
    expect(written).toEqual(['znodes\n', 'znodes, 30 %\n']);
  });
});
