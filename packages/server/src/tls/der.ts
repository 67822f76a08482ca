/**
 * ASN.1 elements as PKCS12 and JKS need them: DER, and of BER what old writers of PKCS12 use, lengths that
 * are not said beforehand and octet strings in pieces. Throws RangeError for bytes that end too early.
 */

export interface Element {
  readonly tag: number;
  /** Without tag and length; an octet string in pieces is joined. */
  readonly content: Buffer;
  /** Of the bytes it was read from, where the next one begins. */
  readonly end: number;
}

const CONSTRUCTED = 0x20;
const OCTET_STRING = 0x04;
const OID = 0x06;

/** The element that begins at `start`. */
export function readElement(bytes: Buffer, start: number): Element {
  const tag = bytes.readUInt8(start);
  const first = bytes.readUInt8(start + 1);
  let at = start + 2;
  if (first === 0x80) {
    const from = at;
    while (bytes.readUInt16BE(at) !== 0) at = readElement(bytes, at).end;
    return finish(tag, bytes.subarray(from, at), at + 2);
  }
  let length = first;
  if (first > 0x80) {
    const lengthBytes = first & 0x7f;
    if (lengthBytes > 4) throw new RangeError('an element longer than 4 GB');
    length = bytes.readUIntBE(at, lengthBytes);
    at += lengthBytes;
  }
  if (at + length > bytes.length) throw new RangeError('an element that ends too late');
  return finish(tag, bytes.subarray(at, at + length), at + length);
}

function finish(tag: number, content: Buffer, end: number): Element {
  // The tag may be an implicit one, [0]: only a constructed octet string says that it is in pieces.
  if (tag !== (OCTET_STRING | CONSTRUCTED)) return { tag, content, end };
  return { tag: OCTET_STRING, content: joinPieces(content), end };
}

/** The bytes of an octet string in pieces, whose content this is. */
export function joinPieces(content: Buffer): Buffer {
  return Buffer.concat(elementsOf(content).map((piece) => piece.content));
}

/** The elements in the content of a sequence, set or explicit tag. */
export function childrenOf({ content }: Element): Element[] {
  return elementsOf(content);
}

function elementsOf(content: Buffer): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < content.length; ) {
    const element = readElement(content, at);
    elements.push(element);
    at = element.end;
  }
  return elements;
}

/** An object identifier in dotted form. */
export function oidOf({ tag, content }: Element): string {
  if (tag !== OID) throw new RangeError('an element that is no object identifier');
  const numbers: number[] = [];
  let number = 0;
  for (const byte of content) {
    number = number * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    numbers.push(number);
    number = 0;
  }
  const [first = 0, ...rest] = numbers;
  const top = Math.min(2, Math.floor(first / 40));
  return [top, first - top * 40, ...rest].join('.');
}

/** A number of up to six bytes. */
export function integerOf({ content }: Element): number {
  return content.readUIntBE(0, content.length);
}
