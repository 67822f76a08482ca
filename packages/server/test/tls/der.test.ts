import { expect, test } from 'vitest';
import { childrenOf, integerOf, oidOf, readElement } from '../../src/tls/der.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

test('a length may be short, long, or told by two zeros', () => {
  expect(readElement(hex('04 03 010203'), 0)).toMatchObject({ content: hex('010203'), end: 5 });
  expect(readElement(hex('04 82 0003 010203'), 0)).toMatchObject({ end: 7 });
  const open = readElement(hex('30 80 020105 30 80 020106 0000 0000 ff'), 0);
  expect(open.end).toBe(14);
  expect(integerOf(childrenOf(open)[0] as never)).toBe(5);
});

test('an octet string in pieces is joined', () => {
  const { tag, content } = readElement(hex('24 80 0402 0102 0401 03 0000'), 0);
  expect([tag, content]).toEqual([0x04, hex('010203')]);
});

test('object identifiers have their dots', () => {
  expect(oidOf(readElement(hex('06 09 2a864886f70d01050d'), 0))).toBe('1.2.840.113549.1.5.13');
  expect(oidOf(readElement(hex('06 09 6086480165030402 01'), 0))).toBe('2.16.840.1.101.3.4.2.1');
  expect(() => oidOf(readElement(hex('0500'), 0))).toThrow(RangeError);
});

test.each(['30', '30 05 01', '30 80 020105', '30 85 0000000001'])('%s ends too early', (bytes) => {
  expect(() => readElement(hex(bytes), 0)).toThrow(RangeError);
});
