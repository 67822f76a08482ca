// What the benches of this package share: timing per slice, and entries to apply.

import type { Buffer } from 'node:buffer';
import { ByteWriter, OPEN_ACL_UNSAFE, OpCode, writeAclVector } from '@zebu/protocol';

/**
 * Runs `op` for 0..count-1; prints the median ns of it over 20 parts, and the longest time that 100
 * in a row took. On a machine that others use, the best part is what to look at.
 */
export function measure(name: string, count: number, op: (i: number) => void): void {
  const parts: number[] = [];
  let longest = 0;
  const size = Math.floor(count / 20);
  for (let part = 0; part < 20; part++) {
    const begin = process.hrtime();
    let before = begin;
    for (let i = part * size; i < (part + 1) * size; i++) {
      op(i);
      if (i % 100 !== 99) continue;
      longest = Math.max(longest, nsSince(before));
      before = process.hrtime();
    }
    parts.push(nsSince(begin) / size);
  }
  parts.sort((a, b) => a - b);
  const [best = 0] = parts;
  const text = `${parts[10]?.toFixed(0)} ns (best ${best.toFixed(0)})`;
  print(name, `${text.padEnd(24)} longest 100: ${(longest / 1e6).toFixed(2)} ms`);
}

function nsSince(begin: [number, number]): number {
  const [seconds, ns] = process.hrtime(begin);
  return seconds * 1e9 + ns;
}

export function print(name: string, text: string): void {
  console.log(`${name.padEnd(44)}${text}`);
}

export function rssMb(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().rss / 1e6;
}

/** Encodes entries into one reused buffer, as a server's proposal window does. */
export class Entries {
  readonly writer = new ByteWriter(4096);
  private zxid = 0;

  create(path: Buffer, data: Buffer, parentCversion: number, session = 0): number {
    const { writer } = this;
    this.header(OpCode.create, session);
    writer.buffer(path);
    writer.buffer(data);
    writeAclVector(writer, OPEN_ACL_UNSAFE);
    writer.bool(session !== 0);
    writer.int32(parentCversion);
    return writer.offset;
  }

  setData(path: Buffer, data: Buffer, version: number): number {
    this.header(OpCode.setData, 0);
    this.writer.buffer(path);
    this.writer.buffer(data);
    this.writer.int32(version);
    return this.writer.offset;
  }

  delete(path: Buffer): number {
    this.header(OpCode.delete, 0);
    this.writer.buffer(path);
    return this.writer.offset;
  }

  closeSession(session: number): number {
    this.header(OpCode.closeSession, session);
    return this.writer.offset;
  }

  private header(type: number, session: number): void {
    const { writer } = this;
    writer.reset();
    writer.int64(session);
    writer.int32(1);
    writer.int64(++this.zxid);
    writer.int64(1_700_000_000_000 + this.zxid);
    writer.int32(type);
  }
}
