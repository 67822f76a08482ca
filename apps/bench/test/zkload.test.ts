import { describe, expect, it } from 'vitest';
import { parseZkload } from '../src/zkload.ts';

const LINE =
  'mix=read conns=64 window=16 size=128 ops/s=622369 errors=0 p50us=1573 p99us=3408 p999us=5243 maxus=7281 server_cpu_us_per_op=1.54 server_rss_mb=63\n';

describe('parseZkload', () => {
  it('reads the line', () => {
    expect(parseZkload(LINE)).toEqual({
      rate: 622_369,
      errors: 0,
      serverCpuUs: 1.54,
      latency: { p50Ms: 1.573, p99Ms: 3.408, p999Ms: 5.243, maxMs: 7.281 },
    });
  });

  it('refuses another', () => {
    expect(() => parseZkload('watchers=10 events/s=5')).toThrow('did not say ops/s');
  });
});
