import { expect, test } from 'vitest';
import { json, text } from '../src/typed.ts';

test('json gives back what it was given', () => {
  const codec = json<{ hosts: string[] }>();
  expect(codec.decode(codec.encode({ hosts: ['ä', 'b'] }))).toEqual({ hosts: ['ä', 'b'] });
});

test('json takes the value for what its check returns', () => {
  const codec = json((value) => {
    if (typeof value !== 'number') throw new TypeError('a number is needed');
    return value;
  });
  expect(codec.decode(codec.encode(3))).toBe(3);
  expect(() => codec.decode(Buffer.from('"3"'))).toThrow('a number is needed');
});

test('json has no bytes for what has no JSON', () => {
  expect(() => json().encode(undefined)).toThrow('No JSON for a value of type undefined');
});

test('text refuses bytes that are no UTF-8', () => {
  expect(text().decode(text().encode('zebu é'))).toBe('zebu é');
  expect(() => text().decode(Uint8Array.of(0xff))).toThrow(TypeError);
});
