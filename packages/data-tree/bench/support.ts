// What the benches of this package share: timing per slice, and entries to apply.

import type { Buffer } from 'node:buffer';
import { ByteWriter, OPEN_ACL_UNSAFE, OpCode, writeAclVector } from '@zebu/protocol';

/**
 * Runs `op` for 0..count-1; prints the median and the best CPU ns of it over 20 parts, and the most
 * CPU time that 1,000 in a row took. CPU time of this thread: others may use the machine meanwhile.
 */
export function measure(name: string, count: number, op: (i: number) => void): void {
  const parts: number[] = [];
  let longest = 0;
  const size = Math.floor(count / 20);
  for (let part = 0; part < 20; part++) {
    const begin = cpuUs();
    let before = begin;
    for (let i = part * size; i < (part + 1) * size; i++) {
      op(i);
      if (i % 1000 !== 999) continue;
      const now = cpuUs();
      longest = Math.max(longest, now - before);
      before = now;
    }
    parts.push(((cpuUs() - begin) * 1000) / size);
  }
  parts.sort((a, b) => a - b);
  const [best = 0] = parts;
  const text = `${parts[10]?.toFixed(0)} ns (best ${best.toFixed(0)})`;
  print(name, `${text.padEnd(24)} longest 1,000: ${(longest / 1e3).toFixed(2)} ms`);
}

/** CPU time of this thread in us: not that of the collector's helpers. */
export function cpuUs(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
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
