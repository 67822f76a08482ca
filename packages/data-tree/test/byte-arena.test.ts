import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteArena } from '../src/byte-arena.ts';
import { RUNS } from './support/runs.ts';

const read = (arena: ByteArena, reference: number, length: number): string => {
  if (length === 0) return '';
  const at = arena.offsetOf(reference);
  return arena.bufferOf(reference).toString('latin1', at, at + length);
};

test('what is stored is read back, whatever else is stored and freed meanwhile', () => {
  const length = fc.oneof(
    fc.nat(600),
    fc.nat(40_000),
    fc.constantFrom(0, 1, 15, 16, 17, 512, 513, 32_767, 32_768, 32_769, 70_000),
  );
  const step = fc.record({
    op: fc.constantFrom('store', 'store', 'free', 'replace'),
    length,
    at: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      const arena = new ByteArena();
      const live: { reference: number; text: string }[] = [];
      for (const [i, { op, length, at }] of steps.entries()) {
        const text = String.fromCharCode(65 + (i % 50)).repeat(length);
        const bytes = Buffer.from(text);
        const one = live[at % Math.max(1, live.length)];
        if (op === 'store') {
          live.push({ reference: arena.store(bytes, 0, length), text });
        } else if (op === 'free' && one !== undefined) {
          arena.free(one.reference);
          live.splice(live.indexOf(one), 1);
        } else if (op === 'replace' && one !== undefined) {
          one.reference = arena.replace(one.reference, one.text.length, bytes, 0, length);
          one.text = text;
        }
        for (const { reference, text } of live) {
          if (read(arena, reference, text.length) !== text) throw new Error('Other bytes');
        }
      }
      for (const { reference } of live) arena.free(reference);
      expect(arena.liveBytes).toBe(0);
    }),
    { ...RUNS, numRuns: Math.ceil(RUNS.numRuns / 3) },
  );
});

test('churn of any length holds the memory of its first minute', () => {
  const arena = new ByteArena();
  const bytes = Buffer.alloc(40_000, 'x');
  const live: { reference: number; length: number }[] = [];
  let state = 1;
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state % below;
  };
  const turn = (i: number, longest: number) => {
    const length = random(longest);
    const slot = i % 5000;
    const old = live[slot];
    if (old !== undefined) arena.free(old.reference);
    live[slot] = { reference: arena.store(bytes, 0, length), length };
  };
  for (let i = 0; i < 20_000; i++) turn(i, 300);
  const held = arena.heldBytes;
  for (let i = 0; i < 200_000; i++) turn(i, 300);
  // Random lengths: a class may have a span more at one moment than at another.
  expect(arena.heldBytes).toBeLessThanOrEqual(held + 2 ** 20);
});

test('memory of one size serves another once it is free', () => {
  const arena = new ByteArena();
  const bytes = Buffer.alloc(1000, 'x');
  let held = 0;
  for (const length of [100, 20, 1000, 300, 100]) {
    const count = Math.floor(4e6 / length);
    const references = Array.from({ length: count }, () => arena.store(bytes, 0, length));
    held ||= arena.heldBytes;
    for (const reference of references) arena.free(reference);
  }
  expect(arena.heldBytes).toBeLessThan(held * 1.8);
});

test.each([17, 33, 100, 128, 513, 700, 1500, 10_000])(
  '%i bytes waste less than a fifth and 16',
  (length) => {
    const arena = new ByteArena();
    arena.allocate(length);
    expect(arena.liveBytes).toBeLessThanOrEqual(length * 1.25 + 16);
  },
);

test('a value of the same size class is replaced in place', () => {
  const arena = new ByteArena();
  const bytes = Buffer.alloc(100_000, 'y');
  for (const [from, to] of [
    [100, 110],
    [40_000, 40_900],
  ] as const) {
    const reference = arena.store(bytes, 0, from);
    expect(arena.replace(reference, from, bytes, 0, to)).toBe(reference);
  }
});
