// Strings as Apache's Java encodes and decodes them.
//
// The two directions differ from WHATWG UTF-8 in a way that reaches the disk: jute's writer walks
// UTF-16 units and emits one to three bytes for each, so a supplementary character becomes two
// 3-byte sequences (CESU-8); the reader is Java's strict decoder, which accepts 4-byte UTF-8 but
// turns a 3-byte surrogate into one U+FFFD. Source: BinaryOutputArchive.stringToByteBuffer and
// java.nio.charset (malformed input is replaced by maximal subpart).

/** Bytes that `encodeJavaUtf8` will write for this string. */
export function javaUtf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) length += unit < 0x800 ? 1 : 2;
  }
  return length;
}

/** Writes `text` at `at`; returns the offset after the last byte. The target must have room. */
export function encodeJavaUtf8(text: string, target: Uint8Array, at: number): number {
  let to = at;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      target[to++] = unit;
    } else if (unit < 0x800) {
      target[to++] = 0xc0 | (unit >> 6);
      target[to++] = 0x80 | (unit & 0x3f);
    } else {
      target[to++] = 0xe0 | (unit >> 12);
      target[to++] = 0x80 | ((unit >> 6) & 0x3f);
      target[to++] = 0x80 | (unit & 0x3f);
    }
  }
  return to;
}

/** Decodes as Java does; never throws. */
export function decodeJavaUtf8(bytes: Buffer, start: number, end: number): string {
  for (let i = start; i < end; i++) {
    if ((bytes[i] as number) >= 0x80) return decodeSlowly(bytes, start, end);
  }
  return bytes.toString('latin1', start, end);
}

function decodeSlowly(bytes: Buffer, start: number, end: number): string {
  // WHATWG and Java agree on everything but encoded surrogates (ED A0..BF xx): WHATWG replaces
  // each of the three bytes, Java the sequence as one. So cut the text at those.
  let text = '';
  let from = start;
  for (let i = start; i + 1 < end; i++) {
    if (bytes[i] === 0xed && (bytes[i + 1] as number) >= 0xa0 && (bytes[i + 1] as number) <= 0xbf) {
      text += `${bytes.toString('utf8', from, i)}\ufffd`;
      i += i + 2 < end && ((bytes[i + 2] as number) & 0xc0) === 0x80 ? 2 : 1;
      from = i + 1;
    }
  }
  return text + bytes.toString('utf8', from, end);
}
