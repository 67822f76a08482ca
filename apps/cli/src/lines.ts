// The lines of a file or the standard input, read as they are asked for. Not node:readline: it also ends a line at U+2028 and
// U+2029, which JSON leaves as they are, and reads up to 1,024 lines before their turn, whatever they hold.

import type { Readable } from 'node:stream';

const NEWLINE = 10;
/** No line of an export is as long: this is some other file. */
const LONGEST_BYTES = 256 * 1024 * 1024;

/** Without their newlines; a last one without a newline counts. Rejects with the error of the stream. */
export async function* readLines(input: Readable): AsyncGenerator<string, void, void> {
  let parts: Buffer[] = [];
  let bytes = 0;
  const take = (last: Buffer): string => {
    const line = parts.length === 0 ? last : Buffer.concat([...parts, last]);
    parts = [];
    bytes = 0;
    return line.toString('utf8').replace(/\r$/, '');
  };
  for await (const chunk of input as AsyncIterable<Buffer>) {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      if (end < 0) break;
      yield take(chunk.subarray(start, end));
      start = end + 1;
    }
    const rest = chunk.subarray(start);
    if (rest.length === 0) continue;
    parts.push(rest);
    bytes += rest.length;
    if (bytes > LONGEST_BYTES) throw new Error(`a line is longer than ${LONGEST_BYTES} bytes`);
  }
  if (parts.length > 0) yield take(Buffer.alloc(0));
}
