import { describe, expect, it } from 'vitest';
import type { Figures } from '../src/meter.ts';
import { confidenceOf, selfRatios, trustInRatios } from '../src/ratio-trust.ts';
import type { Row } from '../src/rounds.ts';

function row(...rates: readonly (readonly number[])[]): Row {
  return {
    scenario: { name: 'get', summary: '', connections: 64, window: 1, unit: 'requests' },
    sides: rates.map((side, index) => ({
      label: `server ${index}`,
      rounds: side.map((rate) => ({ rate }) as Figures),
    })),
  };
}

describe('the interval of so many pairs', () => {
  it.each([
    [0, 0],
    [1, 0],
    [2, 0.5],
    [3, 0.75],
    [6, 0.96875],
  ])('%i pairs: %d', (pairs, confidence) => {
    expect(confidenceOf(pairs)).toBe(confidence);
  });

  it('holds the true ratio as often as is said', () => {
    // A ratio above or below the true median with probability 1/2 each: all outcomes of n pairs.
    for (const pairs of [2, 3, 6]) {
      let holds = 0;
      for (let outcome = 0; outcome < 2 ** pairs; outcome++) {
        if (outcome !== 0 && outcome !== 2 ** pairs - 1) holds += 1;
      }
      expect(holds / 2 ** pairs).toBe(confidenceOf(pairs));
    }
  });
});

it('a server is compared with itself in the round before, upwards whichever was faster', () => {
  expect(selfRatios([row([100, 125, 100], [50, 50])])).toEqual([1.25, 1.25, 1]);
});

describe('the notes', () => {
  it('are none for one server: it has no ratio', () => {
    expect(trustInRatios([row([1, 2, 3])])).toEqual([]);
  });

  it('admit that one pair says nothing', () => {
    const [note, ...others] = trustInRatios([row([100], [90])]);
    expect(note).toContain('of one pair each, so nothing says how far they can be trusted');
    expect(note).toContain('--rounds 6');
    expect(others).toEqual([]);
  });

  it('say what two pairs are worth, the noise, and which servers are not told apart', () => {
    const notes = trustInRatios([row([100, 120], [110, 100]), row([300, 300], [100, 100])]);
    expect(notes[0]).toContain('holds the true ratio in 50 of 100 runs; with --rounds 6 in 96.');
    expect(notes[1]).toContain('by 5 % in the median and by up to 20 %');
    expect(notes[2]).toContain('not told apart by their rates: get 64x1 (');
    expect(notes).toHaveLength(3);
  });

  it('call nothing undecided that six pairs decide', () => {
    const fast = [20, 21, 22, 20, 21, 22];
    const slow = [10, 10, 11, 10, 10, 11];
    const notes = trustInRatios([row(fast, slow)]);
    expect(notes[0]).toContain('96 of 100 runs.');
    expect(notes.join()).not.toContain('not told apart');
  });
});
