// Reads gzip (RFC 1952) as a stream, synchronously and in bounded memory: recovery pulls a snapshot
// of any size through it slice by slice, in the simulator too. node:zlib offers only all at once or
// through the event loop. It must never read past its window or loop without taking input.
//
// Symbols are decoded through one table per code, indexed by the next MAX bits of input:
//   entry = symbol << 4 | bits of its code; 0 for a bit pattern that is no code.

import { crc32 } from '@zebu/protocol';

/** The next bytes of something, in order. */
export interface ByteSource {
  /** Fills `target[offset, offset + length)`; returns less only at the end, 0 after it. */
  read(target: Buffer, offset: number, length: number): number;
}

const INPUT_BYTES = 64 * 1024;
const HISTORY_BYTES = 32 * 1024;
const MAX_MATCH = 258;
/** Room for new output after the history; a match may start just below it. */
const OUTPUT_BYTES = 128 * 1024;
const MAX_CODE_BITS = 15;

// biome-ignore format: tables of RFC 1951 section 3.2.5
const LENGTH_BASE = Uint16Array.from([3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258]);
// biome-ignore format: as above
const LENGTH_EXTRA = Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0]);
// biome-ignore format: as above
const DISTANCE_BASE = Uint16Array.from([1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577]);
// biome-ignore format: as above
const DISTANCE_EXTRA = Uint8Array.from([0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13]);
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

interface CodeTable {
  readonly entries: Uint16Array;
  readonly bits: number;
}

const AT_MEMBER = 0;
const AT_BLOCK = 1;
const IN_STORED = 2;
const IN_CODES = 3;
const AT_END = 4;

/** Throws Error on malformed input; the message says what is wrong. */
export class GunzipSource implements ByteSource {
  private readonly source: ByteSource;
  private readonly input = Buffer.allocUnsafeSlow(INPUT_BYTES);
  private inputAt = 0;
  private inputEnd = 0;
  /** Bits taken from the input and not used yet, lowest first. */
  private hold = 0;
  private held = 0;

  /** History, then new output up to `outEnd`, of which `outAt` is the next to hand out. */
  private readonly output = Buffer.allocUnsafeSlow(HISTORY_BYTES + OUTPUT_BYTES + MAX_MATCH);
  private outAt = 0;
  private outEnd = 0;
  /** Start of this member in `output`, or 0 when it lies further back: no match may reach below. */
  private memberStart = 0;

  private state = AT_MEMBER;
  private anyMember = false;
  private lastBlock = false;
  private storedLeft = 0;
  private literals: CodeTable = fixedLiterals;
  private distances: CodeTable = fixedDistances;
  private crc = 0;
  /** Start of the output that is not in `crc` yet. */
  private crcAt = 0;
  /** Output of this member, modulo 2^32. */
  private memberBytes = 0;

  constructor(source: ByteSource) {
    this.source = source;
  }

  read(target: Buffer, offset: number, length: number): number {
    let filled = 0;
    while (filled < length) {
      if (this.outAt === this.outEnd) {
        this.produce();
        if (this.outAt === this.outEnd) break;
      }
      const count = Math.min(length - filled, this.outEnd - this.outAt);
      this.output.copy(target, offset + filled, this.outAt, this.outAt + count);
      this.outAt += count;
      filled += count;
    }
    return filled;
  }

  /** Decodes until there is output of a useful size or the end is met. All earlier output was handed out. */
  private produce(): void {
    if (this.outEnd > HISTORY_BYTES) {
      const from = this.outEnd - HISTORY_BYTES;
      this.output.copyWithin(0, from, this.outEnd);
      this.memberStart = Math.max(0, this.memberStart - from);
      this.outEnd = HISTORY_BYTES;
      this.outAt = HISTORY_BYTES;
    }
    this.crcAt = this.outEnd;
    const limit = HISTORY_BYTES + OUTPUT_BYTES;
    while (this.outEnd < limit && this.state !== AT_END) {
      switch (this.state) {
        case AT_MEMBER:
          this.startMember();
          break;
        case AT_BLOCK:
          if (this.lastBlock) this.endMember();
          else this.startBlock();
          break;
        case IN_STORED:
          this.copyStored(limit);
          break;
        case IN_CODES:
          this.decodeSymbols(limit);
          break;
      }
    }
    this.sumOutput();
  }

  /** Java's reader takes concatenated members, so this does; anything else after a member is ignored. */
  private startMember(): void {
    this.held = 0;
    this.hold = 0;
    const magic = this.maybeByte();
    if (magic !== 0x1f || this.maybeByte() !== 0x8b) {
      if (!this.anyMember) throw new Error('Not a gzip file');
      this.state = AT_END;
      return;
    }
    if (this.byte() !== 8) throw new Error('Unknown gzip compression method');
    const flags = this.byte();
    for (let i = 0; i < 6; i += 1) this.byte(); // mtime, extra flags, operating system
    if ((flags & 4) !== 0) {
      const extra = this.byte() | (this.byte() << 8);
      for (let i = 0; i < extra; i += 1) this.byte();
    }
    if ((flags & 8) !== 0) while (this.byte() !== 0); // file name
    if ((flags & 16) !== 0) while (this.byte() !== 0); // comment
    if ((flags & 2) !== 0) for (let i = 0; i < 2; i += 1) this.byte(); // header checksum
    this.anyMember = true;
    this.crc = 0;
    this.memberBytes = 0;
    this.memberStart = this.outEnd;
    this.lastBlock = false;
    this.state = AT_BLOCK;
  }

  private endMember(): void {
    this.sumOutput();
    // Whole bytes that were taken ahead belong to the trailer.
    const crc = this.trailerInt();
    const length = this.trailerInt();
    if (crc !== this.crc) throw new Error('Gzip checksum mismatch');
    if (length !== this.memberBytes) throw new Error('Gzip length mismatch');
    this.state = AT_MEMBER;
  }

  private sumOutput(): void {
    this.crc = crc32(this.output, this.crcAt, this.outEnd, this.crc);
    this.memberBytes = (this.memberBytes + this.outEnd - this.crcAt) >>> 0;
    this.crcAt = this.outEnd;
  }

  private trailerInt(): number {
    this.dropPartialByte();
    const b0 = this.bitsOf(8);
    const b1 = this.bitsOf(8);
    const b2 = this.bitsOf(8);
    return (b0 | (b1 << 8) | (b2 << 16) | (this.bitsOf(8) << 24)) >>> 0;
  }

  private startBlock(): void {
    this.lastBlock = this.bitsOf(1) === 1;
    switch (this.bitsOf(2)) {
      case 0: {
        this.dropPartialByte();
        const length = this.bitsOf(16);
        if ((length ^ this.bitsOf(16)) !== 0xffff) throw new Error('Bad length of a stored block');
        this.storedLeft = length;
        this.state = length === 0 ? AT_BLOCK : IN_STORED;
        break;
      }
      case 1:
        this.literals = fixedLiterals;
        this.distances = fixedDistances;
        this.state = IN_CODES;
        break;
      case 2:
        this.readCodes();
        this.state = IN_CODES;
        break;
      default:
        throw new Error('Unknown deflate block type');
    }
  }

  private copyStored(limit: number): void {
    let out = this.outEnd;
    while (this.storedLeft > 0 && out < limit) {
      if (this.held > 0) {
        this.output[out++] = this.bitsOf(8);
        this.storedLeft -= 1;
        continue;
      }
      if (this.inputAt === this.inputEnd && !this.refill()) throw cutShort();
      const count = Math.min(this.storedLeft, limit - out, this.inputEnd - this.inputAt);
      this.input.copy(this.output, out, this.inputAt, this.inputAt + count);
      this.inputAt += count;
      this.storedLeft -= count;
      out += count;
    }
    this.outEnd = out;
    if (this.storedLeft === 0) this.state = AT_BLOCK;
  }

  private readCodes(): void {
    const literalCount = this.bitsOf(5) + 257;
    const distanceCount = this.bitsOf(5) + 1;
    const codeCount = this.bitsOf(4) + 4;
    const codeLengths = new Uint8Array(19);
    for (let i = 0; i < codeCount; i += 1) {
      codeLengths[CODE_LENGTH_ORDER[i] as number] = this.bitsOf(3);
    }
    const codes = makeTable(codeLengths, 0, 19);
    const lengths = new Uint8Array(literalCount + distanceCount);
    for (let i = 0; i < lengths.length; ) {
      const symbol = this.symbol(codes);
      if (symbol < 16) {
        lengths[i++] = symbol;
        continue;
      }
      if (symbol === 16 && i === 0) throw new Error('Repeat of no code length');
      const value = symbol === 16 ? (lengths[i - 1] as number) : 0;
      const times =
        symbol === 16
          ? 3 + this.bitsOf(2)
          : symbol === 17
            ? 3 + this.bitsOf(3)
            : 11 + this.bitsOf(7);
      if (i + times > lengths.length) throw new Error('Too many code lengths');
      lengths.fill(value, i, i + times);
      i += times;
    }
    this.literals = makeTable(lengths, 0, literalCount);
    this.distances = makeTable(lengths, literalCount, lengths.length);
  }

  /** The inner loop: state is kept in locals, the slow helpers are called only near the end of the input. */
  private decodeSymbols(limit: number): void {
    const output = this.output;
    const input = this.input;
    const literals = this.literals.entries;
    const literalMask = (1 << this.literals.bits) - 1;
    let out = this.outEnd;
    while (out < limit) {
      // A literal takes at most 15 bits: hold 15 if the input has them.
      while (this.held < MAX_CODE_BITS) {
        if (this.inputAt === this.inputEnd && !this.refill()) break;
        this.hold |= (input[this.inputAt++] as number) << this.held;
        this.held += 8;
      }
      const entry = literals[this.hold & literalMask] as number;
      const used = entry & 15;
      if (used === 0 || used > this.held) throw this.held < MAX_CODE_BITS ? cutShort() : badCode();
      this.hold >>>= used;
      this.held -= used;
      const symbol = entry >>> 4;
      if (symbol < 256) {
        output[out++] = symbol;
        continue;
      }
      if (symbol === 256) {
        this.state = AT_BLOCK;
        break;
      }
      if (symbol > 285) throw badCode();
      const length =
        (LENGTH_BASE[symbol - 257] as number) + this.bitsOf(LENGTH_EXTRA[symbol - 257] as number);
      const distanceSymbol = this.symbol(this.distances);
      if (distanceSymbol > 29) throw badCode();
      const distance =
        (DISTANCE_BASE[distanceSymbol] as number) +
        this.bitsOf(DISTANCE_EXTRA[distanceSymbol] as number);
      if (distance > out - this.memberStart) throw new Error('Match before the start of the data');
      if (distance >= length && length > 32) {
        output.copyWithin(out, out - distance, out - distance + length);
        out += length;
      } else {
        for (const end = out + length; out < end; out += 1) {
          output[out] = output[out - distance] as number;
        }
      }
    }
    this.outEnd = out;
  }

  private symbol(table: CodeTable): number {
    while (this.held < MAX_CODE_BITS) {
      if (this.inputAt === this.inputEnd && !this.refill()) break;
      this.hold |= (this.input[this.inputAt++] as number) << this.held;
      this.held += 8;
    }
    const entry = table.entries[this.hold & ((1 << table.bits) - 1)] as number;
    const used = entry & 15;
    if (used === 0 || used > this.held) throw this.held < MAX_CODE_BITS ? cutShort() : badCode();
    this.hold >>>= used;
    this.held -= used;
    return entry >>> 4;
  }

  /** Up to 16 bits. */
  private bitsOf(count: number): number {
    while (this.held < count) {
      this.hold |= this.byte() << this.held;
      this.held += 8;
    }
    const value = this.hold & ((1 << count) - 1);
    this.hold >>>= count;
    this.held -= count;
    return value;
  }

  private dropPartialByte(): void {
    const drop = this.held & 7;
    this.hold >>>= drop;
    this.held -= drop;
  }

  private byte(): number {
    const byte = this.maybeByte();
    if (byte < 0) throw cutShort();
    return byte;
  }

  private maybeByte(): number {
    if (this.inputAt === this.inputEnd && !this.refill()) return -1;
    return this.input[this.inputAt++] as number;
  }

  private refill(): boolean {
    this.inputAt = 0;
    this.inputEnd = this.source.read(this.input, 0, INPUT_BYTES);
    return this.inputEnd > 0;
  }
}

/** Table of the canonical Huffman code with these lengths (RFC 1951, 3.2.2). Throws on an impossible one. */
function makeTable(lengths: Uint8Array, start: number, end: number): CodeTable {
  const counts = new Uint16Array(MAX_CODE_BITS + 1);
  for (let i = start; i < end; i += 1) {
    const length = lengths[i] as number;
    counts[length] = (counts[length] as number) + 1;
  }
  counts[0] = 0;
  let bits = MAX_CODE_BITS;
  while (bits > 1 && counts[bits] === 0) bits -= 1;
  const next = new Uint16Array(MAX_CODE_BITS + 2);
  let code = 0;
  for (let length = 1; length <= MAX_CODE_BITS; length += 1) {
    code = (code + (counts[length - 1] as number)) << 1;
    next[length] = code;
    if (code + (counts[length] as number) > 1 << length) throw new Error('Oversubscribed code');
  }
  const entries = new Uint16Array(1 << bits);
  for (let i = start; i < end; i += 1) {
    const length = lengths[i] as number;
    if (length === 0) continue;
    const assigned = next[length] as number;
    next[length] = assigned + 1;
    const entry = ((i - start) << 4) | length;
    for (let at = reversed(assigned, length); at < entries.length; at += 1 << length) {
      entries[at] = entry;
    }
  }
  return { entries, bits };
}

function reversed(code: number, length: number): number {
  let result = 0;
  for (let i = 0; i < length; i += 1) result |= ((code >>> i) & 1) << (length - 1 - i);
  return result;
}

const fixedLiterals: CodeTable = makeTable(
  Uint8Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8)),
  0,
  288,
);
const fixedDistances: CodeTable = makeTable(new Uint8Array(30).fill(5), 0, 30);

function cutShort(): Error {
  return new Error('Gzip data is cut short');
}

function badCode(): Error {
  return new Error('Bad deflate code');
}
