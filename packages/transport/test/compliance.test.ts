import { describe, test } from 'vitest';
import { networkCases, peerLinkCases } from '../src/compliance.ts';
import { nodeNetwork } from '../src/index.ts';
import { memoryHarness, socketHarness } from './harness.ts';

const harnesses = {
  'sockets on stream handles': () => socketHarness(nodeNetwork()),
  'sockets by the public API only': () => socketHarness(nodeNetwork({ publicApiOnly: true })),
  memory: () => memoryHarness(),
  'memory, cut unevenly': () =>
    memoryHarness({ windowBytes: 65_536, cut: (available) => Math.min(available, 60_007) }),
};

for (const [name, make] of Object.entries(harnesses)) {
  describe(name, () => {
    for (const networkCase of networkCases) test(networkCase.name, () => networkCase.run(make()));
    for (const { name, run } of peerLinkCases) test(`links: ${name}`, () => run(make()));
  });
}
