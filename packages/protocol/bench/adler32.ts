// Adler-32: the plain loop against the WebAssembly function behind `adler32`.
//   node --conditions=@zebu/source bench/adler32.ts

import { adler32, adler32Loop } from '../src/adler32.ts';
import { copyBytes } from '../src/byte-writer.ts';

const bytes = Buffer.alloc(1 << 20);
for (let i = 0; i < bytes.length; i += 1) bytes[i] = (i * 7919) >>> 5;
const scratch = Buffer.alloc(1 << 20);

const cases = {
  'plain loop': (at: number, size: number) => adler32Loop(bytes, at, at + size),
  adler32: (at: number, size: number) => adler32(bytes, at, at + size),
  'copy alone': (at: number, size: number) => {
    copyBytes(bytes, at, at + size, scratch, 0);
    return 0;
  },
};

for (const size of [32, 64, 96, 128, 250, 1000, 16_384, 262_144]) {
  const line = [`${size} bytes`.padStart(13)];
  for (const [name, run] of Object.entries(cases)) {
    const rounds: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const count = Math.ceil(1e8 / size);
      const startedMs = performance.now();
      for (let i = 0; i < count; i += 1) run((i * 64) % (bytes.length - size), size);
      rounds.push(((performance.now() - startedMs) * 1e6) / count);
    }
    rounds.sort((a, b) => a - b);
    const ns = rounds[2] as number;
    line.push(`${name} ${ns.toFixed(0)} ns (${(size / ns).toFixed(1)} GB/s)`);
  }
  console.log(line.join('   '));
}
