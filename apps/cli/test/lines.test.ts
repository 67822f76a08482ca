// Lines of a stream: how they are cut, and that none is read before it is wanted.

import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { readLines } from '../src/lines.ts';

const TEXT = 'one\r\n\ntwo \u2028 \u2029 \r three\n€uro\n{"last":true}';
const LINES = ['one', '', 'two \u2028 \u2029 \r three', '€uro', '{"last":true}'];

async function all(input: Readable): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of readLines(input)) lines.push(line);
  return lines;
}

test('lines are the same wherever the bytes are cut, and end at newlines alone', async () => {
  const bytes = Buffer.from(TEXT);
  for (let cut = 0; cut <= bytes.length; cut++) {
    const chunks = [bytes.subarray(0, cut), bytes.subarray(cut)].filter(({ length }) => length > 0);
    expect(await all(Readable.from(chunks))).toEqual(LINES);
  }
  expect(await all(Readable.from([...bytes].map((byte) => Buffer.from([byte]))))).toEqual(LINES);
  expect(await all(Readable.from([Buffer.from('x\n')]))).toEqual(['x']);
  expect(await all(Readable.from([]))).toEqual([]);
});

test('no more is read than what is asked for', async () => {
  let made = 0;
  const endless = new Readable({
    highWaterMark: 1,
    read() {
      made += 1;
      this.push(Buffer.from(`${made}\n`));
    },
  });
  const lines = readLines(endless);
  for (let i = 1; i <= 100; i++) expect((await lines.next()).value).toBe(String(i));
  // One that is asked for, one that waits in the stream.
  expect(made).toBeLessThan(110);
  endless.destroy();
});

test('an error of the stream is passed on', async () => {
  const broken = new Readable({
    read() {
      this.destroy(new Error('gone'));
    },
  });
  await expect(all(broken)).rejects.toThrow('gone');
});
