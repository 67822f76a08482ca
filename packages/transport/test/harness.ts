import type { NetworkHarness } from '../src/compliance.ts';
import { type MemoryNetworkOptions, memoryNetwork, type Network } from '../src/index.ts';

/** Real sockets: waits in turns of the loop, for at most half a minute: other tests may have the processor. */
export function socketHarness(network: Network): NetworkHarness {
  return {
    network,
    host: '127.0.0.1',
    async until(condition) {
      const deadline = performance.now() + 30_000;
      while (!condition()) {
        if (performance.now() > deadline) throw new Error(`Never came true: ${condition}`);
        await turn();
      }
    },
    async settle() {
      for (let i = 0; i < 50; i++) await turn();
    },
  };
}

/** The in-memory twin, its deliveries drained by hand. */
export function memoryHarness(options: Partial<MemoryNetworkOptions> = {}): NetworkHarness {
  const queue: (() => void)[] = [];
  const network = memoryNetwork({ schedule: (callback) => queue.push(callback), ...options });
  const step = async (): Promise<boolean> => {
    queue.shift()?.();
    // Promises that the step settled run before the next one.
    for (let i = 0; i < 10; i++) await undefined;
    return queue.length > 0;
  };
  return {
    network,
    host: '127.0.0.1',
    async until(condition) {
      while (!condition()) {
        if (!(await step()) && !condition()) throw new Error(`Never came true: ${condition}`);
      }
    },
    async settle() {
      while (await step());
    },
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
