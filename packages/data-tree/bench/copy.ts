// Ways to copy 20 to 1,024 bytes between buffers, as copyStat and copyData do.
// Run: node --conditions=@zebu/source bench/copy.ts
//
// Node 24.21.0, AMD EPYC, 2 cores, 2026-11-24, ns per copy:
//
//   bytes                          20    68   128  1024
//   JS loop                        32    70   131  1007
//   Buffer.copy                    53    43    43    51    <- kept, with a loop for short ones
//   TypedArray.set(subarray)       70    68    42    52
//   DataView int32 by int32        20    48    62   485
//   DataView bigint by bigint      13    32    34   248    (a view of the target must be at hand)
//   a new DataView of the target   76   105   130   606

import { Buffer } from 'node:buffer';
import { measure } from './support.ts';

const STRIDE = 128;
const source = Buffer.from(new ArrayBuffer(4096 * STRIDE));
const sourceView = new DataView(source.buffer);
const target = Buffer.allocUnsafeSlow(65_536);
const targetView = new DataView(target.buffer, target.byteOffset, target.byteLength);

const ways: Record<string, (length: number, from: number, to: number) => void> = {
  'JS loop': (length, from, to) => {
    for (let i = 0; i < length; i++) target[to + i] = source[from + i] as number;
  },
  'Buffer.copy': (length, from, to) => {
    source.copy(target, to, from, from + length);
  },
  'TypedArray.set(subarray)': (length, from, to) => {
    target.set(source.subarray(from, from + length), to);
  },
  'DataView int32 by int32': (length, from, to) => {
    let i = 0;
    for (; i + 4 <= length; i += 4) targetView.setInt32(to + i, sourceView.getInt32(from + i));
    for (; i < length; i++) target[to + i] = source[from + i] as number;
  },
  'DataView bigint by bigint': (length, from, to) => {
    let i = 0;
    for (; i + 8 <= length; i += 8)
      targetView.setBigInt64(to + i, sourceView.getBigInt64(from + i));
    for (; i < length; i++) target[to + i] = source[from + i] as number;
  },
  'a new DataView of the target': (length, from, to) => {
    const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
    let i = 0;
    for (; i + 4 <= length; i += 4) view.setInt32(to + i, sourceView.getInt32(from + i));
    for (; i < length; i++) target[to + i] = source[from + i] as number;
  },
};

for (const length of [20, 68, 128, 1024]) {
  for (const [name, copy] of Object.entries(ways)) {
    measure(`${length} bytes, ${name}`, 2_000_000, (i) =>
      copy(length, (i & 2047) * STRIDE, (i & 511) * 67),
    );
  }
}
